"""How often a password may be tried: a decision about what was tried before, and now."""

import math
from collections import OrderedDict
from dataclasses import dataclass

from mesh.errors import Overloaded

FREE = 5
"""Tries in a row that may fail at once."""
LONGEST = 300.0
"""Seconds that a try waits at most."""
FORGOTTEN = 3600.0
"""Seconds after which failures count no more."""
MOST = 10_000
"""Of so many, failures are known; of more, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries that have failed, or go on, and when the last began."""

    count: int = 0
    last: float = -math.inf


def wait(tries: Tries, now: float) -> float:
    """Seconds until another may begin: none at first, then 1, 2, 4, … since the last."""
    if tries.count < FREE:
        return 0.0
    pause = min(LONGEST, 2.0 ** min(tries.count - FREE, 20))
    return max(0.0, tries.last + pause - now)


class Throttle:
    """Tries by whom they are for and where they come from.

    A try has failed until it is known to have not, so that many at once are as many.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tries: OrderedDict[tuple[str, ...], Tries] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Throttle of {len(self._tries)}>"

    def begin(self, now: float, *key: str) -> None:
        """A try begins. Raises Overloaded, with `retry_after`, if it is too soon for one."""
        before = self._tries.get(key, Tries())
        if now > before.last + FORGOTTEN:
            before = Tries()
        if (left := wait(before, now)) > 0:
            raise Overloaded(
                f"too many tries have failed: try again in {math.ceil(left)} s", retry_after=left
            )
        self._tries[key] = Tries(before.count + 1, now)
        self._tries.move_to_end(key)
        if len(self._tries) > self._most:
            self._tries.popitem(last=False)

    def succeeded(self, *key: str) -> None:
        """The try was a good one: those before it count no more."""
        self._tries.pop(key, None)
