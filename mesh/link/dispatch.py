"""From a call to a replica: version, replica, link; and another one where that is safe."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from random import Random

from mesh.alarms import Alarms, Cancellable
from mesh.call import CallHead
from mesh.clock import Clock
from mesh.errors import Code, DeadlineExceeded, MeshError, NotFound, Unavailable
from mesh.link.call import CallerCall
from mesh.link.ends import CallerLink
from mesh.link.pool import Pool
from mesh.link.ways import Able, Usable, Ways, sleeps
from mesh.traffic.balance import choose_replica
from mesh.traffic.endpoint import Upstream
from mesh.traffic.places import is_asleep
from mesh.traffic.retry import RetryBudget, may_retry
from mesh.traffic.snapshot import (
    EMPTY,
    Deployment,
    Endpoint,
    Replica,
    Service,
    Snapshot,
    Version,
)
from mesh.traffic.split import choose_deployment, choose_version
from mesh.traffic.way import NO_PREFERENCE, Preference

SplitKey = Callable[[Deployment], str | None]
"""Finds the request's value of a deployment's split key; None if it has none."""
Find = Callable[[], Service]
"""Finds the service to call in the newest snapshot."""
LINK_WAIT = 5.0
"""Seconds that a call waits for a link to a replica of its version to be opened."""


def timed_out(seconds: float | None) -> DeadlineExceeded:
    """The error of a call that took longer than its service's `seconds`."""
    if seconds is None:
        return DeadlineExceeded("the deadline passed before the call was done")
    return DeadlineExceeded(f"Not able to process the request in {seconds:g} seconds")


class Dispatcher:
    """Sends calls to the replicas of the newest snapshot."""

    def __init__(self, pool: Pool, clock: Clock, rng: Random) -> None:
        self._pool = pool
        self._clock = clock
        self._rng = rng
        self._alarms = Alarms()
        self._budget = RetryBudget()
        # Worked out once, until a snapshot or a link changes: which versions have a link, by id,
        # and where all requests to an endpoint go that has no choice, by its name.
        self._linked_versions: dict[str, bool] = {}
        self._only_choice: dict[str, tuple[str, Version]] = {}
        self._ways = Ways(pool.loads, clock, rng)
        pool.on_change = self._forget
        self.snapshot: Snapshot = EMPTY

    def _forget(self) -> None:
        self._linked_versions.clear()
        self._only_choice.clear()

    def __repr__(self) -> str:
        return f"<Dispatcher snapshot {self.snapshot.number}, {self._pool!r}>"

    def follow(self, snapshot: Snapshot) -> None:
        """Routes by `snapshot` from now on.

        Costs little where its deployments are those of the last one, as the same objects.
        """
        old, new = self.snapshot.deployments, snapshot.deployments
        self.snapshot = snapshot
        self._ways.keep(snapshot.endpoints)
        self._forget()
        before = {name: old[name] for name in old if name not in new or old[name] is not new[name]}
        after = {name: new[name] for name in new if name not in old or old[name] is not new[name]}
        wanted = dict.fromkeys(_replicas(after.values()))
        gone = [replica for replica in _replicas(before.values()) if replica not in wanted]
        self._pool.change(gone=gone, wanted=wanted)

    def choose(
        self,
        endpoint: Endpoint,
        *,
        named: str,
        key: SplitKey,
        preference: Preference = NO_PREFERENCE,
    ) -> tuple[str, Version]:
        """The deployment and version of `endpoint` that take a request.

        `named` is the version that the request asks for (empty: none), `key` finds the value
        that keeps requests together, `preference` is what else its endpoint goes by.

        Raises:
            NotFound: there is no version `named`.
            Unavailable: nobody is ready to take the request.
        """
        if preference.rule is not None:
            named = named or preference.rule.version
        if not named and (only := self._only_choice.get(endpoint.name)) is not None:
            return only
        try:
            chosen = self._choose(endpoint, named, key, self._has_link, preference)
        except Unavailable:
            if named and not self._knows(endpoint, named, preference):
                raise NotFound(f"endpoint {endpoint.name!r} has no version {named!r}") from None
            # Links to new replicas may still be on their way: `_link` waits for them.
            return self._choose(endpoint, named, key, _has_replica, preference)
        if not named and self._has_no_choice(endpoint):
            self._only_choice[endpoint.name] = chosen
        return chosen

    def _has_no_choice(self, endpoint: Endpoint) -> bool:
        """Whether all requests that name no version go to one version."""
        members = endpoint.shares.members
        return endpoint.is_plain and len(members) == 1 == len(
            self.snapshot.deployments[members[0]].shares.members
        )

    def _knows(self, endpoint: Endpoint, named: str, preference: Preference) -> bool:
        rule = preference.rule
        names = endpoint.shares.members if rule is None else (rule.deployment,)
        found = (self.snapshot.deployments.get(name) for name in names)
        return any(
            named in (version.name, version.id)
            for deployment in found
            if deployment is not None
            for version in deployment.versions
        )

    def _choose(
        self,
        endpoint: Endpoint,
        named: str,
        key: SplitKey,
        ready: Callable[[Version], bool],
        preference: Preference,
    ) -> tuple[str, Version]:
        deployments = self.snapshot.deployments
        usable = self._usable(named, ready)
        if endpoint.is_plain:
            name = choose_deployment(endpoint, usable, self._rng)
        else:
            name = self._ways.deployment(endpoint, deployments, preference, usable, ready)
            if preference.session is not None or sleeps(deployments.get(name)):
                ready = _or_asleep(ready)
        deployment = deployments[name]
        value = key(deployment) if deployment.split_key else None
        version = choose_version(
            deployment,
            named=named,
            key=value,
            rng=self._rng,
            ready=ready,
            session=preference.session,
        )
        return name, version

    def _usable(self, named: str, ready: Callable[[Version], bool]) -> Usable:
        """Whether a deployment has a `ready` version, and one `named` so unless that is empty."""
        deployments = self.snapshot.deployments

        def usable(name: str) -> bool:
            found = deployments.get(name)
            if found is None:
                return False
            if named:
                return any(named in (v.name, v.id) and ready(v) for v in found.versions)
            return any(map(ready, found.shares.members))

        return usable

    def outside(
        self, endpoint: Endpoint, *, preference: Preference, able: Able, alone: bool
    ) -> Upstream | None:
        """The upstream of `endpoint` that takes a request, of those that are `able` to.

        None if a deployment takes it, or nothing can; `choose` tells which. `alone`: no deployment
        can.
        """
        deployments = {} if alone else self.snapshot.deployments
        usable = (lambda _: False) if alone else self._usable("", self._has_link)
        return self._ways.upstream(endpoint, deployments, preference, usable, self._has_link, able)

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
            until = until or self._clock() + limit
            await self._wait_for_change(until, deadline)

    def is_reached(self, version: Version) -> bool:
        """Whether there is a link to a replica of the version's entry."""
        return self._has_link(version)

    async def changed(self) -> None:
        """Returns when there was a change since the call: of the snapshot, or of a link."""
        await self._pool.changed()

    def wake(self) -> None:
        """Has all who wait for a change look again."""
        self._pool.wake()

    def _has_link(self, version: Version) -> bool:
        known = self._linked_versions.get(version.id)
        if known is None:
            link = self._pool.link
            entry = version.services.get(version.entry)
            known = entry is not None and any(link(replica.id) for replica in entry.replicas)
            self._linked_versions[version.id] = known
        return known

    async def open(self, find: Find, head: CallHead) -> tuple[CallerCall, Service]:
        """Starts a call whose request is still to come; the caller sends it, then reads.

        Also gives the service that `find` found, for `reply`.

        Raises:
            MeshError: no replica can take the call.
        """
        link, _, service = await self._link(find, head, set(), waits=True, moved=False)
        return link.open(head, message_end=False, end=False), service

    async def ask(
        self,
        find: Find,
        head: CallHead,
        body: bytes,
        *,
        idempotent: bool = False,
        on_open: Callable[[CallerCall], None] | None = None,
    ) -> CallerCall:
        """Makes a call with the whole request in `body` and waits for the reply to begin.

        A replica that refuses the call, or dies with it if the method is `idempotent`, is
        replaced by another of the service that `find` gives then. The wait ends with the
        service's time limit, counted from when the call is first sent, or the head's deadline,
        whichever comes first. `on_open` is told of each call that is sent.

        Raises:
            MeshError: why there is no reply.
        """
        self._budget.earn()
        tried: set[str] = set()
        failure: MeshError | None = None
        moved = False  # whether the last replica refused because it is going away
        since = 0.0  # when the call was sent for the first time
        try:
            while True:
                try:
                    link, replica, service = await self._link(
                        find, head, tried, waits=_waits(failure), moved=moved
                    )
                except MeshError as error:
                    raise failure or error from None
                since = since or self._clock()
                call = link.open(head, body)
                if on_open is not None:
                    on_open(call)
                try:
                    await self._reply(call, service.timeout, head.deadline, since)
                except MeshError as error:
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
        self, find: Find, head: CallHead, tried: set[str], *, waits: bool, moved: bool
    ) -> tuple[CallerLink, str, Service]:
        """A usable link to a replica that was not tried, the replica's id, and its service.

        `find` is asked anew after each change, so that a call which waits sees new replicas.
        Without `waits` there must be one now. `moved` says that those which were tried take no
        calls any more.
        """
        until: float | None = None
        while True:
            if head.deadline is not None and head.deadline <= self._clock():
                raise timed_out(None)
            service = find()
            # When all have refused for they are going away, the next snapshot says where to go.
            is_known = not tried.issuperset(replica.id for replica in service.replicas)
            found = self._linked(service, tried) if is_known or not moved else None
            if found is not None:
                return *found, service
            if not waits:
                raise Unavailable("no other replica can be reached")
            until = until or self._clock() + LINK_WAIT
            await self._wait_for_change(until, head.deadline)

    def _linked(self, service: Service, tried: set[str]) -> tuple[CallerLink, str] | None:
        """A replica of `service` that was not tried; None while no such replica has a link.

        Raises:
            Unavailable: all were tried, or there are none.
            Overloaded: all are full.
        """
        pool = self._pool
        replicas = service.replicas
        full = service.max_concurrency
        chosen = choose_replica(
            replicas, pool.loads, self._rng, excluded=tried, max_concurrency=full
        ).id
        link = pool.link(chosen)
        if link is not None:
            return link, chosen
        replicas = tuple(r for r in replicas if r.id not in tried and pool.link(r.id) is not None)
        if not replicas:
            return None
        chosen = choose_replica(replicas, pool.loads, self._rng, max_concurrency=full).id
        link = pool.link(chosen)
        return None if link is None else (link, chosen)

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


def _has_replica(version: Version) -> bool:
    entry = version.services.get(version.entry)
    return entry is not None and bool(entry.replicas)


def _or_asleep(ready: Callable[[Version], bool]) -> Callable[[Version], bool]:
    """Whether a version is ready, or gets a replica for a call that waits."""
    return lambda version: ready(version) or is_asleep(version)


def _waits(failure: MeshError | None) -> bool:
    """Whether a call that failed so far with `failure` waits for links: not in overload."""
    return failure is None or failure.code is not Code.RESOURCE_EXHAUSTED


def _give_up(call: CallerCall, seconds: float | None) -> None:
    call.cancel(timed_out(seconds))
