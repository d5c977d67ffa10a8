"""Calls that wait until one of the replicas has a place for them, or until there is a replica."""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random

from mesh.alarms import Alarms, Cancellable
from mesh.clock import Clock
from mesh.errors import MeshError, Overloaded, Unavailable
from mesh.link.choice import Choices, Find
from mesh.link.ends import CallerLink
from mesh.link.limits import LINK_WAIT, timed_out
from mesh.link.pool import Pool
from mesh.link.waiting import MOST_WAITING, Key, Keys, Lines, Turn
from mesh.traffic.balance import RETRY_AFTER
from mesh.traffic.places import has_none_yet
from mesh.traffic.snapshot import EMPTY, Service, Snapshot

WISH = 5.0
"""Seconds that `wish` counts as a call that waits."""


class Turns:
    """Has calls wait in line, and gives each a replica when it is its turn."""

    def __init__(
        self, pool: Pool, clock: Clock, rng: Random, alarms: Alarms, choices: Choices
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._rng = rng
        self._alarms = alarms
        self._choices = choices
        self._lines = Lines()
        self._keys = Keys()
        self._wishes: dict[Key, float] = {}
        self._snapshot: Snapshot = EMPTY

    def __repr__(self) -> str:
        return f"<Turns {self._lines!r}>"

    def follow(self, snapshot: Snapshot, is_concerned: Callable[[str], bool]) -> None:
        """Has all look again who wait at deployments that are others in this newest snapshot."""
        self._snapshot = snapshot
        self._lines.wake_all(is_concerned)

    def wake(self) -> None:
        """Has those look again who are next: a link or the replicas to reach have changed."""
        self._lines.wake()

    def waiting(self) -> Mapping[Key, int]:
        """How many calls wait, by service of the snapshot: for a place, or for a first replica."""
        now = self._clock()
        self._wishes = {key: until for key, until in self._wishes.items() if until > now}
        counts = {**dict.fromkeys(self._wishes, 1), **self._lines.counts()}
        return {key: count for key, count in counts.items() if key[0]}

    def when_waiting(self, tell: Callable[[], None]) -> None:
        """Calls `tell` whenever a first call begins to wait for a service."""
        self._lines.on_wait = tell

    def wish(self, service: Service) -> None:
        """Has a service of the snapshot count as waited for, though no call does: for a while."""
        key = self._keys.of(self._snapshot, service, service.name)
        is_news = key not in self._wishes and key not in self._lines.counts()
        self._wishes[key] = self._clock() + WISH
        if is_news and self._lines.on_wait is not None:
            self._lines.on_wait()

    async def wait(
        self,
        find: Find,
        service: Service,
        deadline: float | None,
        tried: set[str],
        turn: Turn | None,
        *,
        moved: bool,
        on_wait: Callable[[Turn], None] | None,
    ) -> tuple[tuple[CallerLink, str] | None, Service, Turn]:
        """Waits until the call may go to a replica with a place: a link to that, and its id.

        None if the service has no queue; then it has a replica, which may have a link or not. Also
        the service that `find` gave last, and the call's turn: `turn`, if it has one already.

        Raises:
            MeshError: none has come in time, too many wait already, or the call was given up.
        """
        lines, key = self._lines, None
        turn = turn or lines.turn(self._clock())
        try:
            while service.queue_limit or not service.replicas:
                here = self._keys.of(self._snapshot, service, service.name)
                self._mark(turn, service, tried)
                if lines.is_next(here, turn):
                    found = self._with_place(service, tried, turn, moved=moved)
                    if found is not None:
                        return found, service, turn
                if key != here:
                    if key is not None:
                        lines.leave(key, turn)
                        key = None
                    wake = lines.enter(here, turn, service.queue_limit or MOST_WAITING)
                    key = here
                    if on_wait is not None:
                        on_wait(turn)
                self._pool.when_room((replica.id for replica in service.replicas), wake)
                await self._rest(turn, service, deadline)
                service = find()
            return None, service, turn
        finally:
            if key is not None:
                lines.leave(key, turn)

    def _mark(self, turn: Turn, service: Service, tried: set[str]) -> None:
        """Notes since when the call could go but for a place, and since when but for a link."""
        if has_none_yet(service):
            return
        now = self._clock()
        turn.ready_since = turn.ready_since or now
        link = self._pool.link
        if any(each.id not in tried and link(each.id) for each in service.replicas):
            turn.unreached_since = 0.0
        else:
            turn.unreached_since = turn.unreached_since or now

    def _with_place(
        self, service: Service, tried: set[str], turn: Turn, *, moved: bool
    ) -> tuple[CallerLink, str] | None:
        """A replica that has a place for the call; None if it has to wait for one.

        Raises Unavailable if none is to come.
        """
        if has_none_yet(service):
            return None
        try:
            return self._choices.replica(
                service, tried | turn.refused_by if turn.refused_by else tried
            )
        except Overloaded:
            return None
        except Unavailable:
            if moved or not tried.issuperset(replica.id for replica in service.replicas):
                return None  # the next snapshot, or a call that ends, gives it one
            raise

    async def _rest(self, turn: Turn, service: Service, deadline: float | None) -> None:
        """Waits for a change that may let the call go. Raises what ends the wait."""
        until, failure = _limit(turn, service)
        if deadline is not None and (until is None or deadline <= until):
            until, failure = deadline, partial(timed_out, None)
        alarms: list[Cancellable] = []
        if until is not None:
            left = until - self._clock()
            if left <= 0:
                raise failure()
            alarms.append(self._alarms.set(left, turn.expire, failure))
        if turn.refused_by:
            pause = turn.pause * (0.5 + self._rng.random())
            alarms.append(self._alarms.set(pause, turn.wake))
        try:
            await turn.rest()
        finally:
            turn.refused_by = frozenset()
            for alarm in alarms:
                alarm.cancel()


def _limit(turn: Turn, service: Service) -> tuple[float | None, Callable[[], MeshError]]:
    """Until when the call waits, None for ever; and what it fails with then."""
    if has_none_yet(service):
        return turn.at + service.cold_start, partial(_nobody_came, service)
    if turn.unreached_since:
        return turn.unreached_since + LINK_WAIT, partial(Unavailable, "no replica can be reached")
    late = partial(timed_out, service.timeout)
    return (None if service.timeout is None else turn.ready_since + service.timeout), late


def _nobody_came(service: Service) -> Unavailable:
    return Unavailable(
        f"no replica of {service.name} came up within {service.cold_start:g} s",
        retry_after=RETRY_AFTER,
    )
