"""Calls that a caller keeps back, in line for a place at a replica or for a first replica."""

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from functools import partial

from mesh.errors import Cancelled, MeshError, Overloaded
from mesh.link.call import again
from mesh.traffic.balance import RETRY_AFTER
from mesh.traffic.snapshot import Snapshot

MOST_WAITING = 1000
"""Calls that may wait for a first replica of a service that has no limit of its own."""
FIRST_PAUSE = 0.02
"""Seconds until a replica that refused a call for want of a place is asked again, about.

Doubles with each refusal of the call. Places that the caller's own calls leave are known at once,
and the replica tells of those that others leave; this is for what it tells too late.
"""
LONGEST_PAUSE = 0.5
"""Upper bound of that time, in seconds."""

Key = tuple[str, str, str]
"""A service of a version: the deployment's name, the version's id, the service's name."""


class Turn:
    """One call that waits, maybe several times: it keeps its turn when a replica refuses it.

    `number` is smaller the earlier the call came; `at` is when that was, `ready_since` when it
    first could have gone but for a place, `unreached_since` since when there is no link for it
    (all in seconds on the caller's clock; the latter two 0 if never). `refused_by` are replicas
    that had no place for it, and are not to be asked before it has rested.
    """

    __slots__ = (
        "_failure",
        "_waiter",
        "at",
        "is_admitted",
        "number",
        "pause",
        "ready_since",
        "refused_by",
        "unreached_since",
    )

    def __init__(self, number: int, at: float) -> None:
        self.number = number
        self.at = at
        self.ready_since = 0.0
        self.unreached_since = 0.0
        self.pause = 0.0  # seconds that it rests after its last refusal
        self.refused_by: frozenset[str] = frozenset()
        self.is_admitted = False  # has been let into a line once, and so may always come back
        # Made when it is raised: its traceback holds this turn, which must not hold it.
        self._failure: Callable[[], MeshError] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = "waiting" if self._waiter is not None else "going"
        return f"<Turn {self.number} {state}>"

    def __lt__(self, other: "Turn") -> bool:
        return self.number < other.number

    def refuse(self, replica: str) -> None:
        """The replica had no place for the call after all."""
        self.refused_by |= {replica}
        self.pause = min(2 * self.pause or FIRST_PAUSE, LONGEST_PAUSE)

    async def rest(self) -> None:
        """Waits for `wake`.

        Raises:
            MeshError: the one that `cancel` was told of, now or before.
        """
        if self._failure is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._failure is not None:
            raise self._failure()

    def wake(self) -> None:
        """Something has changed: the call is to look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def cancel(self, failure: MeshError | None = None) -> None:
        """Gives the call up; what waits raises `failure`, or Cancelled."""
        self.expire(partial(again, failure or Cancelled("the call was given up")))

    def expire(self, failure: Callable[[], MeshError]) -> None:
        """The same with what makes the failure."""
        self._failure = failure
        self.wake()


class _Line:
    """The turns of one service by number; only the first may go."""

    __slots__ = ("turns", "wake")

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.wake = self._wake  # one object, so that links can tell that they have it

    def _wake(self) -> None:
        if self.turns:
            self.turns[0].wake()


class Lines:
    """All lines of one caller. No input or output; for one event loop.

    `on_wait` is called when a first call begins to wait for a service.
    """

    def __init__(self) -> None:
        self._lines: dict[Key, _Line] = {}
        self._last = 0
        self.on_wait: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<Lines {sum(self.counts().values())} calls for {len(self._lines)} services>"

    def counts(self) -> Mapping[Key, int]:
        """How many calls wait, by service; without those for which none does."""
        return {key: len(line.turns) for key, line in self._lines.items()}

    def turn(self, at: float) -> Turn:
        """A turn after all that were given so far, for a call that came `at`."""
        self._last += 1
        return Turn(self._last, at)

    def is_next(self, key: Key, turn: Turn) -> bool:
        """Whether nobody waits for the service who came before."""
        line = self._lines.get(key)
        return line is None or not line.turns[0] < turn

    def enter(self, key: Key, turn: Turn, limit: int) -> Callable[[], None]:
        """Puts the turn where it belongs in the line; returns what wakes the line's first.

        Raises:
            Overloaded: `limit` calls wait already, and this one has never waited.
        """
        line = self._lines.get(key)
        if line is not None and len(line.turns) >= limit and not turn.is_admitted:
            raise Overloaded("Too many requests", retry_after=RETRY_AFTER)
        turn.is_admitted = True
        if line is None:
            line = self._lines[key] = _Line()
        insort(line.turns, turn)
        if len(line.turns) == 1 and self.on_wait is not None:
            self.on_wait()
        return line.wake

    def leave(self, key: Key, turn: Turn) -> None:
        """Takes the turn out of the line; who is first then looks whether there is a place."""
        line = self._lines[key]
        index = bisect_left(line.turns, turn)
        del line.turns[index]
        if not line.turns:
            del self._lines[key]
        elif index == 0:
            line.wake()

    def wake(self) -> None:
        """Has the first of each line look again."""
        for line in self._lines.values():
            line.wake()

    def wake_all(self, is_concerned: Callable[[str], bool]) -> None:
        """Has all look again who wait for a service of a deployment that is concerned."""
        for (deployment, _, _), line in self._lines.items():
            if is_concerned(deployment):
                for turn in line.turns:
                    turn.wake()


class Keys:
    """Finds the keys of services in the newest snapshot."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._keys: dict[int, Key] = {}

    def of(self, snapshot: Snapshot, service: object, name: str) -> Key:
        """The key of the very object `service`; with an empty deployment if it is not in there.

        That is asked of calls that wait only, so nothing is worked out for the others.
        """
        if self._snapshot is not snapshot:
            self._snapshot = snapshot
            self._keys = {
                id(each): (deployment.name, version.id, each.name)
                for deployment in snapshot.deployments.values()
                for version in deployment.versions
                for each in version.services.values()
            }
        return self._keys.get(id(service), ("", "", name))
