"""How many calls a replica takes at once."""

from collections.abc import Callable
from dataclasses import dataclass

from mesh.clock import Clock, monotonic


@dataclass(slots=True)
class Admission:
    """Counts the calls that hold a place. `limit` 0 means that there are places for all.

    `ended` counts those that held one.
    """

    limit: int = 0
    clock: Clock = monotonic
    taken: int = 0
    ended: int = 0
    _held: float = 0.0  # seconds, if those that began now had begun when the clock showed 0

    def held(self) -> float:
        """Seconds for which places were held until now, of all calls together."""
        return self._held + self.taken * self.clock()

    def admit(self) -> "Place | None":
        """A place for one call; None if all are taken."""
        if self.limit and self.taken >= self.limit:
            return None
        self.taken += 1
        self._held -= self.clock()
        return Place(self)

    def free(self) -> None:
        """One that held a place holds it no more."""
        self.taken -= 1
        self.ended += 1
        self._held += self.clock()


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
