"""A call before it is routed: everything but its body."""

from dataclasses import dataclass, replace
from enum import IntEnum

Metadata = tuple[tuple[str, str | bytes], ...]
"""Names in lower case with their values, in order; bytes for names that end in `-bin`."""

JSON = "application/json"
"""Media type of a JSON body."""
CALL = "application/x-mesh-call"
"""Media type of a serialized mesh.v1.CallRequest or mesh.v1.CallReply."""


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


@dataclass(frozen=True, slots=True)
class Trace:
    """W3C trace context as it travels: `traceparent` and `tracestate`, or empty."""

    traceparent: str = ""
    tracestate: str = ""


NO_TRACE = Trace()


@dataclass(frozen=True, slots=True)
class CallHead:
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

    def until(self, deadline: float | None) -> "CallHead":
        """This head with the earlier of its own deadline and `deadline`."""
        if deadline is None or (self.deadline is not None and self.deadline <= deadline):
            return self
        return replace(self, deadline=deadline)


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """What a replica says about a reply, apart from its messages. `http_status` 0 means 200."""

    media_type: str = ""
    http_status: int = 0
    metadata: Metadata = ()
    stream: bool = False
