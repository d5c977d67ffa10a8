"""From a call to a replica, and to another one where that is safe."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from random import Random

from mesh.alarms import Alarms, Cancellable
from mesh.call import CallHead
from mesh.clock import Clock
from mesh.errors import Code, MeshError, Overloaded, Unavailable
from mesh.link.call import CallerCall
from mesh.link.choice import Choices
from mesh.link.ends import CallerLink
from mesh.link.limits import LINK_WAIT, timed_out
from mesh.link.pool import Pool
from mesh.link.waiting import MOST_WAITING, Key, Keys, Lines, Turn
from mesh.traffic.balance import RETRY_AFTER
from mesh.traffic.places import has_none_yet
from mesh.traffic.retry import RetryBudget, may_retry
from mesh.traffic.snapshot import EMPTY, Deployment, Replica, Service, Snapshot, Version

Find = Callable[[], Service]
"""Finds the service to call in the newest snapshot."""
Told = Callable[[CallerCall | Turn], None]
"""Is told what to cancel if the call is of no use any more: what waits, then what is sent."""
WISH = 5.0
"""Seconds that `wish` counts as a call that waits."""


class Dispatcher:
    """Sends calls to the replicas of the newest snapshot; `choices` tells which may take them.

    A call to a service that has no replica, but is to get one, waits for it. One to a service with
    a queue waits, in turn, while all replicas have as many calls as they may.
    """

    def __init__(self, pool: Pool, clock: Clock, rng: Random) -> None:
        self._pool = pool
        self._clock = clock
        self._rng = rng
        self._alarms = Alarms()
        self._budget = RetryBudget()
        self._lines = Lines()
        self._keys = Keys()
        self._wishes: dict[Key, float] = {}
        pool.on_change = self._look_again
        self.choices = Choices(pool, clock, rng)
        self.snapshot: Snapshot = EMPTY

    def _look_again(self) -> None:
        """There are other links, or other replicas to have links to."""
        self.choices.forget()
        self._lines.wake()

    def __repr__(self) -> str:
        return f"<Dispatcher snapshot {self.snapshot.number}, {self._pool!r}, {self._lines!r}>"

    def follow(self, snapshot: Snapshot) -> None:
        """Routes by `snapshot` from now on.

        Costs little where its deployments are those of the last one, as the same objects.
        """
        old, new = self.snapshot.deployments, snapshot.deployments
        self.snapshot = snapshot
        self.choices.follow(snapshot)
        self._lines.wake()
        before = {name: old[name] for name in old if name not in new or old[name] is not new[name]}
        after = {name: new[name] for name in new if name not in old or old[name] is not new[name]}
        wanted = dict.fromkeys(_replicas(after.values()))
        gone = [replica for replica in _replicas(before.values()) if replica not in wanted]
        self._pool.change(gone=gone, wanted=wanted)
        self._lines.wake_all(lambda name: name in before or name in after or not name)

    def version(self, deployment: str, version_id: str) -> Version:
        """The version with this id. Raises Unavailable if the snapshot does not have it."""
        found = self.snapshot.deployments.get(deployment)
        for version in found.versions if found is not None else ():
            if version.id == version_id:
                return version
        raise Unavailable(f"version {version_id!r} of deployment {deployment!r} is not served")

    async def wait_for_version(
        self,
        deployment: str,
        version_id: str,
        deadline: float | None,
        *,
        service: str = "",
        limit: float = LINK_WAIT,
    ) -> None:
        """Returns when the snapshot has the version: at once, but for a replica just started.

        With `service` it must have a replica of that as well. The wait is `limit` seconds at most.

        Raises:
            Unavailable: it has not come in time.
            DeadlineExceeded: the deadline came first.
        """
        until: float | None = None
        while True:
            try:
                version = self.version(deployment, version_id)
            except Unavailable:
                pass
            else:
                if not service or version.services[service].replicas:
                    return
                if version.services[service].cold_start:
                    return  # a call waits for the first one itself
            until = until or self._clock() + limit
            await self._wait_for_change(until, deadline)

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
        key = self._keys.of(self.snapshot, service, service.name)
        is_news = key not in self._wishes and key not in self._lines.counts()
        self._wishes[key] = self._clock() + WISH
        if is_news and self._lines.on_wait is not None:
            self._lines.on_wait()

    async def changed(self) -> None:
        """Returns when there was a change since the call: of the snapshot, or of a link."""
        await self._pool.changed()

    def wake(self) -> None:
        """Has all who wait for a change look again."""
        self._pool.wake()

    async def open(
        self, find: Find, head: CallHead, *, on_wait: Told | None = None
    ) -> tuple[CallerCall, Service]:
        """Starts a call whose request is still to come; the caller sends it, then reads.

        Also gives the service that `find` found, for `reply`. `on_wait` is told if it has to wait
        in a line.

        Raises:
            MeshError: no replica can take the call.
        """
        link, _, service, _ = await self._link(
            find, head, set(), None, waits=True, moved=False, on_wait=on_wait
        )
        return link.open(head, message_end=False, end=False), service

    async def ask(
        self,
        find: Find,
        head: CallHead,
        body: bytes,
        *,
        idempotent: bool = False,
        on_open: Told | None = None,
    ) -> CallerCall:
        """Makes a call with the whole request in `body` and waits for the reply to begin.

        A replica that refuses the call, or dies with it if the method is `idempotent`, is
        replaced by another of the service that `find` gives then. The wait ends with the
        service's time limit, counted from when the call could first be sent but for a place, or
        the head's deadline, whichever comes first. `on_open` is told of each call that is sent,
        and of the turn of one that has to wait in a line.

        Raises:
            MeshError: why there is no reply.
        """
        self._budget.earn()
        tried: set[str] = set()
        failure: MeshError | None = None
        moved = False  # whether the last replica refused because it is going away
        turn: Turn | None = None  # if it has a place in a line, or had
        since = 0.0  # when the call was sent for the first time, or could have been
        try:
            while True:
                try:
                    link, replica, service, turn = await self._link(
                        find, head, tried, turn, waits=_waits(failure), moved=moved, on_wait=on_open
                    )
                except MeshError as error:
                    raise failure or error from None
                if not since:
                    since = (turn and turn.ready_since) or self._clock()
                call = link.open(head, body, waits=service.queue_limit > 0)
                if on_open is not None:
                    on_open(call)
                try:
                    await self._reply(call, service.timeout, head.deadline, since)
                except MeshError as error:
                    if turn is not None and service.queue_limit and _is_full(call, error):
                        turn.refuse(replica)  # others have taken its place
                        continue
                    tried.add(replica)
                    if not self._may_retry(call, len(tried), idempotent):
                        raise
                    failure = error
                    moved = call.refused and _waits(error)
                else:
                    return call
        finally:
            failure = None  # its traceback holds this frame, which must not hold it

    def _may_retry(self, call: CallerCall, attempt: int, idempotent: bool) -> bool:
        return may_retry(
            attempt=attempt,
            refused=call.refused,
            lost=call.is_lost,
            idempotent=idempotent,
            budget=self._budget,
        )

    async def reply(self, call: CallerCall, service: Service, head: CallHead) -> None:
        """Waits until the reply begins, within the service's time limit and the deadline.

        Raises:
            MeshError: why there is no reply; the call is over then.
        """
        if call.head is not None:
            return
        await self._reply(call, service.timeout, head.deadline, self._clock())

    async def _reply(
        self, call: CallerCall, seconds: float | None, deadline: float | None, since: float
    ) -> None:
        timer = self._arm(call, seconds, deadline, since)
        try:
            await call.reply()
        except asyncio.CancelledError:
            call.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _arm(
        self, call: CallerCall, seconds: float | None, deadline: float | None, since: float
    ) -> Cancellable | None:
        limit = None if seconds is None else since + seconds
        if deadline is not None and (limit is None or deadline < limit):
            seconds, limit = None, deadline
        if limit is None:
            return None
        return self._alarms.set(max(0.0, limit - self._clock()), _give_up, call, seconds)

    async def _link(
        self,
        find: Find,
        head: CallHead,
        tried: set[str],
        turn: Turn | None,
        *,
        waits: bool,
        moved: bool,
        on_wait: Told | None,
    ) -> tuple[CallerLink, str, Service, Turn | None]:
        """A usable link to a replica that was not tried, the replica's id, and its service.

        With the call's turn, if it has one. `find` is asked anew after each change, so that a call
        which waits sees new replicas. Without `waits` there must be one now. `moved` says that
        those which were tried take no calls any more.
        """
        until: float | None = None
        while True:
            if head.deadline is not None and head.deadline <= self._clock():
                raise timed_out(None)
            service = find()
            if service.queue_limit or (not service.replicas and service.cold_start > 0 and waits):
                turn = turn or self._lines.turn(self._clock())
                found, service = await self._in_turn(
                    find, service, head.deadline, tried, turn, moved=moved, on_wait=on_wait
                )
                if found is not None:
                    return *found, service, turn
            # When all have refused for they are going away, the next snapshot says where to go.
            is_known = not tried.issuperset(replica.id for replica in service.replicas)
            found = self.choices.replica(service, tried) if is_known or not moved else None
            if found is not None:
                return *found, service, turn
            if not waits:
                raise Unavailable("no other replica can be reached")
            until = until or self._clock() + LINK_WAIT
            await self._wait_for_change(until, head.deadline)

    async def _in_turn(
        self,
        find: Find,
        service: Service,
        deadline: float | None,
        tried: set[str],
        turn: Turn,
        *,
        moved: bool,
        on_wait: Told | None,
    ) -> tuple[tuple[CallerLink, str] | None, Service]:
        """Waits until the call may go to a replica with a place: a link to that, and its id.

        None if the service has no queue; then it has a replica, which may have a link or not.

        Raises:
            MeshError: none has come in time, too many wait already, or the call was given up.
        """
        lines, key = self._lines, None
        try:
            while service.queue_limit or not service.replicas:
                here = self._keys.of(self.snapshot, service, service.name)
                self._mark(turn, service, tried)
                if lines.is_next(here, turn):
                    found = self._with_place(service, tried, turn, moved=moved)
                    if found is not None:
                        return found, service
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
            return None, service
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
            return self.choices.replica(
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

    async def _wait_for_change(self, until: float, deadline: float | None) -> None:
        limit = until if deadline is None else min(until, deadline)
        try:
            async with asyncio.timeout(limit - self._clock()):
                await self._pool.changed()
        except TimeoutError:
            if limit == deadline:
                raise timed_out(None) from None
            raise Unavailable("no replica can be reached") from None


def _replicas(deployments: Iterable[Deployment]) -> Iterator[Replica]:
    return (
        replica
        for deployment in deployments
        for version in deployment.versions
        for service in version.services.values()
        for replica in service.replicas
    )


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


def _is_full(call: CallerCall, failure: MeshError) -> bool:
    """Whether the replica had no place for the call."""
    return call.refused and failure.code is Code.RESOURCE_EXHAUSTED


def _waits(failure: MeshError | None) -> bool:
    """Whether a call that failed so far with `failure` waits for links: not in overload."""
    return failure is None or failure.code is not Code.RESOURCE_EXHAUSTED


def _give_up(call: CallerCall, seconds: float | None) -> None:
    call.cancel(timed_out(seconds))
