"""What a running call passes on to the calls it makes."""

from contextvars import ContextVar
from typing import NamedTuple

from mesh.call import NO_TRACE, Metadata, Trace


class Scope(NamedTuple):
    """Deadline (monotonic seconds, None: none), metadata and identity of a running call."""

    deadline: float | None = None
    metadata: Metadata = ()
    request_id: str = ""
    trace: Trace = NO_TRACE


OUTSIDE = Scope()
CURRENT: ContextVar[Scope] = ContextVar("mesh_scope", default=OUTSIDE)
"""The scope of the call that runs; also set in the threads of sync methods."""
