"""From a call to a replica, and to another one where that is safe."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from random import Random

from mesh.alarms import Alarms, Cancellable
from mesh.call import CallHead
from mesh.clock import Clock
from mesh.errors import Code, MeshError, Unavailable
from mesh.link.call import CallerCall
from mesh.link.choice import Choices, Find
from mesh.link.ends import CallerLink
from mesh.link.limits import LINK_WAIT, timed_out
from mesh.link.pool import Pool
from mesh.link.turns import Turns
from mesh.link.waiting import Turn
from mesh.traffic.retry import RetryBudget, may_retry
from mesh.traffic.snapshot import EMPTY, Deployment, Replica, Service, Snapshot, Version

Told = Callable[[CallerCall | Turn], None]
"""Is told what to cancel if the call is of no use any more: what waits, then what is sent."""


class Dispatcher:
    """Sends calls to the replicas of the newest snapshot.

    `choices` tells who may take them. `turns` has those wait whose service has a queue while all
    its replicas have as many calls as they may, or no replica yet, but is to get one.
    """

    def __init__(self, pool: Pool, clock: Clock, rng: Random) -> None:
        self._pool = pool
        self._clock = clock
        self._alarms = Alarms()
        self._budget = RetryBudget()
        pool.on_change = self._look_again
        self.choices = Choices(pool, clock, rng)
        self.turns = Turns(pool, clock, rng, self._alarms, self.choices)
        self.snapshot: Snapshot = EMPTY

    def _look_again(self) -> None:
        """There are other links, or other replicas to have links to."""
        self.choices.forget()
        self.turns.wake()

    def __repr__(self) -> str:
        return f"<Dispatcher snapshot {self.snapshot.number}, {self._pool!r}, {self.turns!r}>"

    def follow(self, snapshot: Snapshot) -> None:
        """Routes by `snapshot` from now on.

        Costs little where its deployments are those of the last one, as the same objects.
        """
        old, new = self.snapshot.deployments, snapshot.deployments
        self.snapshot = snapshot
        self.choices.follow(snapshot)
        before = {name: old[name] for name in old if name not in new or old[name] is not new[name]}
        after = {name: new[name] for name in new if name not in old or old[name] is not new[name]}
        wanted = dict.fromkeys(_replicas(after.values()))
        gone = [replica for replica in _replicas(before.values()) if replica not in wanted]
        self._pool.change(gone=gone, wanted=wanted)
        self.turns.follow(snapshot, lambda name: name in before or name in after or not name)

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
                found, service, turn = await self.turns.wait(
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


def _is_full(call: CallerCall, failure: MeshError) -> bool:
    """Whether the replica had no place for the call."""
    return call.refused and failure.code is Code.RESOURCE_EXHAUSTED


def _waits(failure: MeshError | None) -> bool:
    """Whether a call that failed so far with `failure` waits for links: not in overload."""
    return failure is None or failure.code is not Code.RESOURCE_EXHAUSTED


def _give_up(call: CallerCall, seconds: float | None) -> None:
    call.cancel(timed_out(seconds))
