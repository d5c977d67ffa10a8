"""Where the controller keeps what it must not forget."""

from dataclasses import dataclass, field
from typing import Protocol

from mesh.control.desired import Desired, Serving


@dataclass(frozen=True, slots=True)
class State:
    """What should run, and which releases stand in for those that are not ready yet."""

    desired: Desired = field(default_factory=Desired)
    serving: Serving = field(default_factory=Serving)


class Store(Protocol):
    """Keeps one state; the last one saved is the one loaded."""

    async def load(self) -> State | None:
        """The state; None if none was ever saved."""
        ...

    async def save(self, state: State) -> None:
        """Replaces the state; when this returns it will survive whatever the store survives."""
        ...


class MemoryStore:
    """Keeps the state as long as the process lives."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state

    async def load(self) -> State | None:
        """As of Store."""
        return self._state

    async def save(self, state: State) -> None:
        """As of Store."""
        self._state = state
