"""MeshError ↔ mesh.v1.Error."""

import math

from mesh.errors import Code, MeshError, Violation
from mesh.v1 import errors_pb2

_LONGEST_WAIT = 1e9
"""Seconds of `retry_after` that can be told at most."""
_INDEXES = range(-(2**63), 2**63)
_STATUSES = range(100, 600)


def to_proto(error: MeshError) -> errors_pb2.Error:
    """The message that describes `error`.

    There is one for every error, for a call whose failure cannot be told would never end: what
    the message cannot hold (half a surrogate pair, an impossible status) is written otherwise or
    left out.
    """
    proto = errors_pb2.Error(message=_text(error.message))
    proto.code = error.code.value  # type: ignore[assignment]  # both enums have gRPC's numbers
    if error.http_status is not None and error.http_status in _STATUSES:
        proto.http_status = error.http_status
    retry_after = error.retry_after
    if retry_after is not None and not math.isnan(retry_after):
        seconds = min(max(retry_after, 0.0), _LONGEST_WAIT)
        proto.retry_after.FromNanoseconds(round(seconds * 1e9))
    for violation in error.violations:
        part = proto.violations.add(
            type=_text(violation.type),
            message=_text(violation.message),
            url=_text(violation.url),
        )
        for step in violation.path:
            if isinstance(step, int) and step in _INDEXES:
                part.path.add(index=step)
            else:
                part.path.add(name=_text(step))
    return proto


def _text(value: object) -> str:
    return str(value).encode(errors="backslashreplace").decode()


def from_proto(proto: errors_pb2.Error) -> MeshError:
    """The error that `proto` describes; a code that is not known here becomes UNKNOWN."""
    try:
        code = Code(proto.code)
    except ValueError:
        code = Code.UNKNOWN
    retry_after = None
    if proto.HasField("retry_after"):
        retry_after = proto.retry_after.ToNanoseconds() / 1e9
    return MeshError(
        proto.message,
        code=code,
        violations=tuple(_violation(part) for part in proto.violations),
        retry_after=retry_after,
        http_status=proto.http_status or None,
    )


def _violation(proto: errors_pb2.FieldViolation) -> Violation:
    path = tuple(
        step.index if step.WhichOneof("step") == "index" else step.name for step in proto.path
    )
    return Violation(path, proto.type, proto.message, proto.url)
