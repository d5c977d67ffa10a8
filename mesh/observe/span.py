"""One step of a trace, as the parts that take it see it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from mesh.call import Trace
from mesh.errors import MeshError

SpanKind = Literal["server", "client", "internal"]
"""Whether a span answers a call, makes one, or neither."""
Attribute = str | int | bool | float
NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})


class Span:
    """A span that nobody records; what records derives from it.

    `trace` is what to send on with calls made inside the span. A span that is not recorded sends
    on what it was given, so the caller's trace reaches every hop. One task uses a span at a time.
    """

    __slots__ = ("trace",)

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def set(self, name: str, value: Attribute) -> None:
        """Attaches `value` to the span."""

    def fail(self, error: MeshError) -> None:
        """Says that the step ended with `error`."""

    def end(self) -> None:
        """Says that the step is over; further calls of `end` do nothing."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.trace.traceparent!r})"
