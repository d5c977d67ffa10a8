"""CallHead and ReplyHead ↔ mesh.v1.Start and mesh.v1.Reply."""

from collections.abc import Iterable

from mesh.call import NO_TRACE, CallHead, Metadata, ReplyHead, Trace
from mesh.v1 import link_pb2

_LONGEST_US = 1e18
"""What a deadline further away, or infinitely far, is cut to; in microseconds."""


def write_start(start: link_pb2.Start, head: CallHead, now: float) -> None:
    """Fills `start` from `head`; the deadline becomes the time that is left at `now`."""
    start.method = head.method
    start.media_type = head.media_type
    if head.accept:
        start.accept = head.accept
    if head.deadline is not None:
        start.timeout_us = max(1, int(min((head.deadline - now) * 1e6, _LONGEST_US)))
    if head.trace is not NO_TRACE:
        start.traceparent = head.trace.traceparent
        start.tracestate = head.trace.tracestate
    if head.request_id:
        start.request_id = head.request_id
    if head.query:
        start.query = head.query
    if head.metadata:
        write_metadata(start.metadata, head.metadata)


def read_start(start: link_pb2.Start, now: float) -> CallHead:
    """The head that `start` describes; the time left counts from `now`."""
    traceparent = start.traceparent
    timeout_us = start.timeout_us
    return CallHead(
        start.method,
        start.media_type,
        start.accept,
        now + timeout_us / 1e6 if timeout_us else None,
        read_metadata(start.metadata),
        start.request_id,
        Trace(traceparent, start.tracestate) if traceparent else NO_TRACE,
        start.query,
    )


def write_reply_head(reply: link_pb2.Reply, head: ReplyHead) -> None:
    """Fills `reply` from `head`."""
    reply.media_type = head.media_type
    if head.http_status:
        reply.http_status = head.http_status
    if head.stream:
        reply.stream = True
    if head.length:
        reply.length = head.length
    if head.metadata:
        write_metadata(reply.metadata, head.metadata)


def read_reply_head(reply: link_pb2.Reply) -> ReplyHead:
    """The head that `reply` describes."""
    return ReplyHead(
        reply.media_type,
        reply.http_status,
        read_metadata(reply.metadata),
        reply.stream,
        reply.length,
    )


def write_metadata(fields: "Iterable[link_pb2.Metadata]", metadata: Metadata) -> None:
    """Adds `metadata` to the repeated field `fields`."""
    for name, value in metadata:
        raw = value if isinstance(value, bytes) else value.encode()
        fields.add(name=name, value=raw)  # type: ignore[attr-defined]  # a repeated field


def read_metadata(fields: Iterable[link_pb2.Metadata]) -> Metadata:
    """The metadata in the repeated field `fields`."""
    return tuple(
        # A value that is no text is this call's fault and must not break the link of all calls.
        (
            field.name,
            field.value if field.name.endswith("-bin") else field.value.decode(errors="replace"),
        )
        for field in fields
    )
