"""What a running call passes on to the calls it makes."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from mesh.call import NO_TRACE, Metadata, Trace
from mesh.io.types.kind import Intake


class Files(Protocol):
    """Where the files of a call are kept."""

    async def run(self, work: Callable[[Intake], Any]) -> Any:
        """What `work` makes with what puts files there, in a thread of its own."""


class Scope(NamedTuple):
    """Deadline (monotonic seconds, None: none), metadata, identity and files of a running call."""

    deadline: float | None = None
    metadata: Metadata = ()
    request_id: str = ""
    trace: Trace = NO_TRACE
    files: Files | None = None


OUTSIDE = Scope()
CURRENT: ContextVar[Scope] = ContextVar("mesh_scope", default=OUTSIDE)
"""The scope of the call that runs; also set in the threads of sync methods."""
