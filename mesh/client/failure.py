"""A failed reply, of either protocol, as the error that a client raises."""

import json
from collections.abc import Mapping
from typing import Any

from mesh import errors, rich_status
from mesh.errors import Code, MeshError, TooLarge, UnsupportedMediaType, Violation

_CLASSES: dict[Code, type[MeshError]] = {
    found.code: found
    for found in (
        errors.Cancelled,
        errors.DeadlineExceeded,
        errors.FailedPrecondition,
        errors.Internal,
        errors.InvalidArgument,
        errors.NotFound,
        errors.Overloaded,
        errors.PermissionDenied,
        errors.Unauthenticated,
        errors.Unavailable,
        errors.Unimplemented,
    )
}
_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.ALREADY_EXISTS,
    422: Code.FAILED_PRECONDITION,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    501: Code.UNIMPLEMENTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}
_BY_STATUS: dict[int, type[MeshError]] = {413: TooLarge, 415: UnsupportedMediaType}


def of_code(
    code: int, message: str, *, retry_after: float | None = None, details: bytes = b""
) -> MeshError:
    """The error for a gRPC status; a number that is none becomes UNKNOWN.

    `details` are those of `grpc-status-details-bin`, a google.rpc.Status.
    """
    violations, wait = rich_status.decode(details) if details else ((), None)
    try:
        known = Code(code)
    except ValueError:
        known = Code.UNKNOWN
    made = _CLASSES.get(known, MeshError)
    return made(
        message,
        code=known,
        retry_after=wait if retry_after is None else retry_after,
        violations=violations,
    )


def of_http(status: int, headers: Mapping[str, str], body: bytes) -> MeshError:
    """The error for an HTTP reply whose status is none of success."""
    message, violations = _read(body)
    default = Code.INTERNAL if status >= 500 else Code.UNKNOWN
    code = _CODES.get(status, default)
    made = _BY_STATUS.get(status) or _CLASSES.get(code, MeshError)
    wait = headers.get("retry-after", "")
    text = ": ".join(filter(None, (message, _faults(violations))))
    error = made(
        text or f"the service answered with status {status}",
        violations=violations,
        retry_after=float(wait) if wait.isdecimal() else None,
        http_status=status,
    )
    if made is MeshError:
        error.code = code
    return error


def headline(error: MeshError) -> str:
    """The error's message without the faults at its end, which `violations` tell one by one."""
    faults = _faults(error.violations)
    if not faults or not error.message.endswith(faults):
        return error.message
    return error.message.removesuffix(faults).removesuffix(": ")


def _faults(violations: tuple[Violation, ...]) -> str:
    return "; ".join(
        f"{'.'.join(map(str, each.path)) or 'body'}: {each.message}" for each in violations
    )


def _read(body: bytes) -> tuple[str, tuple[Violation, ...]]:
    """Message and faults of an error's body: an object, a list of one, or plain text."""
    try:
        value = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip(), ()
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return str(value), ()
    details = value.get("detail")
    faults = details if isinstance(details, list) else []
    return str(value.get("error", "")), tuple(_violation(each) for each in faults)


def _violation(fault: Any) -> Violation:
    if not isinstance(fault, dict):
        return Violation((), "", str(fault))
    path = fault.get("loc")
    return Violation(
        tuple(path) if isinstance(path, list) else (),
        str(fault.get("type", "")),
        str(fault.get("msg", "")),
        str(fault.get("url", "")),
    )
