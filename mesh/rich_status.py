"""The details of a failed gRPC call, `grpc-status-details-bin`: a google.rpc.Status.

https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
"""

import json
import re

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from mesh.errors import MeshError, Violation

KEY = "grpc-status-details-bin"
"""The name of the metadata."""
_MOST_BYTES = 1200
"""Bytes that faults may take: clients commonly take 8 KiB of metadata and no more."""
_LONGEST_WAIT = 1e9
_NAME = re.compile(r"[^\W\d]\w*")
_STEP = re.compile(r"\.?([^\W\d]\w*)|\[(-?[0-9]{1,19}|\"(?:[^\"\\]|\\.)*\")\]")


def encode(error: MeshError, message: str) -> bytes:
    """The details of `error`, which is told as `message`; empty if there is nothing to add.

    They are BadRequest with the faults of the input, of many those that fit, and RetryInfo with
    the time to wait.
    """
    if not error.violations and error.retry_after is None:
        return b""
    status = Status(code=error.code, message=writable(message))
    if error.violations:
        status.details.add().Pack(_bad_request(error.violations))
    if error.retry_after is not None:
        info = RetryInfo()
        seconds = min(max(error.retry_after, 0.0), _LONGEST_WAIT)
        info.retry_delay.FromNanoseconds(round(seconds * 1e9))
        status.details.add().Pack(info)
    encoded: bytes = status.SerializeToString()
    return encoded


def _bad_request(violations: tuple[Violation, ...]) -> BadRequest:
    faults = BadRequest()
    left = _MOST_BYTES
    for violation in violations:
        fault = BadRequest.FieldViolation(
            field=writable(field_of(violation.path)),
            description=writable(violation.message),
            reason=writable(violation.type.upper()),
        )
        left -= fault.ByteSize()
        if left < 0:
            break
        faults.field_violations.append(fault)
    return faults


def writable(text: str) -> str:
    """The text without halves of surrogate pairs, which UTF-8 has no bytes for."""
    return text.encode(errors="backslashreplace").decode()


def decode(details: bytes) -> tuple[tuple[Violation, ...], float | None]:
    """The faults and the seconds to wait (None: nothing is said) of encoded details.

    What is no google.rpc.Status, or of other types, says nothing.
    """
    violations: list[Violation] = []
    wait = None
    try:
        for detail in Status.FromString(details).details:
            request, info = BadRequest(), RetryInfo()
            if detail.Unpack(request):
                violations += map(_violation, request.field_violations)
            elif detail.Unpack(info):
                wait = info.retry_delay.ToNanoseconds() / 1e9
    except DecodeError:
        return (), None
    return tuple(violations), wait


def _violation(fault: BadRequest.FieldViolation) -> Violation:
    return Violation(path_of(fault.field), fault.reason.lower(), fault.description)


def field_of(path: tuple[str | int, ...]) -> str:
    """The path of a field as google.rpc.BadRequest has it, such as `rows[0].x`.

    A name that is no identifier is in brackets and quotes: `sizes["a b"]`.
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def path_of(field: str) -> tuple[str | int, ...]:
    """The path that `field_of` writes so; a text that it never writes is one name."""
    steps: list[str | int] = []
    position = 0
    while position < len(field):
        found = _STEP.match(field, position)
        if found is None:
            return (field,)
        name, inside = found.groups()
        steps.append(name if name is not None else _inside(inside))
        position = found.end()
    return tuple(steps)


def _inside(text: str) -> str | int:
    if not text.startswith('"'):
        return int(text)
    try:
        return str(json.loads(text))
    except ValueError:
        return text
