"""How many calls a replica takes at once, and whose call is next when there is a place."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mesh.clock import Clock, monotonic

PROMISE = 0.1
"""Seconds that a place is kept for a caller who was told that there is one."""

Tell = Callable[[], None]
"""Tells a caller that waits that a place is kept for it; the same for all its calls."""


@dataclass(slots=True)
class Admission:
    """Counts the calls that hold a place. `limit` 0 means that there are places for all.

    `ended` counts those that held one. Callers that wait get places in the order in which they were
    refused: otherwise whoever has just had a place would be the first to see it free.
    """

    limit: int = 0
    clock: Clock = monotonic
    taken: int = 0
    ended: int = 0
    _held: float = 0.0  # seconds, if those that began now had begun when the clock showed 0
    _wanting: dict[Tell, None] = field(default_factory=dict)
    _promised: dict[Tell, float] = field(default_factory=dict)  # until when

    def held(self) -> float:
        """Seconds for which places were held until now, of all calls together."""
        return self._held + self.taken * self.clock()

    def admit(self, caller: Tell | None = None) -> "Place | None":
        """A place for one call; None if all are taken. `caller` is one that waits then."""
        if self.limit and not self._has_place(caller):
            return None
        self.taken += 1
        self._held -= self.clock()
        return Place(self)

    def _has_place(self, caller: Tell | None) -> bool:
        if self._promised:
            self._lapse()
        if caller is None:
            return self.taken + len(self._promised) < self.limit
        if self._promised.pop(caller, None) or self.taken + len(self._promised) < self.limit:
            self._wanting.pop(caller, None)
            return True
        self._wanting[caller] = None
        return False

    def _lapse(self) -> None:
        now = self.clock()
        self._promised = {each: until for each, until in self._promised.items() if until > now}

    def free(self) -> None:
        """One that held a place holds it no more."""
        self.taken -= 1
        self.ended += 1
        self._held += self.clock()
        if self._wanting:
            self._promise()

    def _promise(self) -> None:
        self._lapse()
        while self._wanting and self.taken + len(self._promised) < self.limit:
            caller = next(iter(self._wanting))
            del self._wanting[caller]
            self._promised[caller] = self.clock() + PROMISE
            caller()


class Place:
    """One call's place, free again when nobody holds it.

    A sync method that was given up runs on in its thread, and holds the place until it returns.
    `on_free` is called then.
    """

    __slots__ = ("_admission", "_holders", "on_free")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._holders = 1
        self.on_free: Callable[[], None] | None = None

    @property
    def is_free(self) -> bool:
        """Whether nobody holds it."""
        return self._holders == 0

    def hold(self) -> None:
        """One more holds the place."""
        self._holders += 1

    def release(self) -> None:
        """One less holds the place."""
        self._holders -= 1
        if self._holders == 0:
            self._admission.free()
            if self.on_free is not None:
                self.on_free()
