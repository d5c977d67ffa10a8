"""How many calls a replica takes at once."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Admission:
    """Counts the calls that hold a place. `limit` 0 means that there are places for all."""

    limit: int = 0
    taken: int = 0

    def admit(self) -> "Place | None":
        """A place for one call; None if all are taken."""
        if self.limit and self.taken >= self.limit:
            return None
        self.taken += 1
        return Place(self)


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
            self._admission.taken -= 1
            if self.on_free is not None:
                self.on_free()
