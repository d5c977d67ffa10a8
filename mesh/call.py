"""A call before it is routed: everything but its body."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

Metadata = tuple[tuple[str, str | bytes], ...]
"""Names in lower case with their values, in order; bytes for names that end in `-bin`."""

JSON = "application/json"
"""Media type of a JSON body."""
TYPED = "application/x-mesh-typed"
"""Media type of a serialized request or response message of a service's typed gRPC service."""
CALL = "application/x-mesh-call"
"""Media type of a serialized mesh.v1.CallRequest or mesh.v1.CallReply."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What may be downloaded for a call that names files by URL.

    `max_bytes` of content, `timeout` in seconds from the first look-up to the last byte, at most
    `redirects`. `networks` are CIDR blocks that may be reached although they are not public.
    """

    max_bytes: int = 100 * 2**20
    timeout: float = 10.0
    redirects: int = 5
    networks: tuple[str, ...] = ()


class CallKind(IntEnum):
    """Which sides of a call are streams; the numbers are those of mesh.v1.CallKind."""

    UNARY = 1
    SERVER_STREAM = 2
    CLIENT_STREAM = 3
    BIDI_STREAM = 4

    @property
    def streams_in(self) -> bool:
        """Whether the caller sends a stream of messages."""
        return self in (CallKind.CLIENT_STREAM, CallKind.BIDI_STREAM)

    @property
    def streams_out(self) -> bool:
        """Whether the reply is a stream of messages."""
        return self in (CallKind.SERVER_STREAM, CallKind.BIDI_STREAM)

    @classmethod
    def of(cls, *, streams_in: bool, streams_out: bool) -> "CallKind":
        """The kind with these sides as streams."""
        return cls(1 + streams_out + 2 * streams_in)


class Trace(NamedTuple):
    """W3C trace context as it travels: `traceparent` and `tracestate`, or empty."""

    traceparent: str = ""
    tracestate: str = ""

    @property
    def trace_id(self) -> str:
        """The 32 hex digits that all spans of the trace share; empty if there is no trace."""
        return self.traceparent[3:35]


NO_TRACE = Trace()


class CallHead(NamedTuple):
    """What a caller says about a call, apart from the messages it sends.

    `deadline` is a point on this process's monotonic clock, in seconds; None means none.
    `accept` has the syntax of the HTTP Accept header; empty means the reply's natural type.
    """

    method: str
    media_type: str = JSON
    accept: str = ""
    deadline: float | None = None
    metadata: Metadata = ()
    request_id: str = ""
    trace: Trace = NO_TRACE
    query: str = ""


class ReplyHead(NamedTuple):
    """What a replica says about a reply, apart from its messages.

    `http_status` 0 means 200. `length` is the size in bytes of a reply of one message that comes
    in pieces, if it is known beforehand; else 0.
    """

    media_type: str = ""
    http_status: int = 0
    metadata: Metadata = ()
    stream: bool = False
    length: int = 0
