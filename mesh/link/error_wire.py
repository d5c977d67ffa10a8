"""MeshError ↔ mesh.v1.Error."""

from mesh.errors import Code, MeshError, Violation
from mesh.v1 import errors_pb2


def to_proto(error: MeshError) -> errors_pb2.Error:
    """The message that describes `error`."""
    proto = errors_pb2.Error(message=error.message)
    proto.code = error.code.value  # type: ignore[assignment]  # both enums have gRPC's numbers
    if error.http_status:
        proto.http_status = error.http_status
    if error.retry_after is not None:
        proto.retry_after.FromNanoseconds(round(error.retry_after * 1e9))
    for violation in error.violations:
        part = proto.violations.add(
            type=violation.type, message=violation.message, url=violation.url
        )
        for step in violation.path:
            if isinstance(step, int):
                part.path.add(index=step)
            else:
                part.path.add(name=step)
    return proto


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
