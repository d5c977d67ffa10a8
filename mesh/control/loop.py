"""Brings about what should run, and keeps it so.

Decides nothing itself: `changes` says what a user's wish comes to, `advance` what follows from the
state of a deployment, `autoscale` and `canary` what follows from what was measured.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Set as AbstractSet,
)
from dataclasses import replace
from uuid import uuid4

from mesh.clock import Clock, monotonic
from mesh.cluster.contract import Cluster
from mesh.control import canary, changes, progression
from mesh.control.course import Course
from mesh.control.desired import DesiredDeployment
from mesh.control.endpoint_changes import Moment
from mesh.control.gauges import Gauges
from mesh.control.injected import named, secrets_of
from mesh.control.latest import Latest
from mesh.control.loads import Report
from mesh.control.metering import Metering, ready_of
from mesh.control.observed import Phase
from mesh.control.outcomes import Ledger
from mesh.control.plan import planned_alone
from mesh.control.progression import Progression
from mesh.control.reconcile import Action, DrainReplica, Forget, StartReplica, StopReplica
from mesh.control.records import (
    DEFAULT_ORGANIZATION,
    Change,
    Event,
    Intent,
    State,
)
from mesh.control.routes import Routes
from mesh.control.store.contract import Store
from mesh.control.store.settled import TakenOver
from mesh.control.usage import Kind
from mesh.control.watchers import Watchers
from mesh.errors import MeshError, Unavailable
from mesh.launch import Launch
from mesh.traffic.snapshot import Grant, Snapshot

_log = logging.getLogger(__name__)

KEEP_EVERY = 10.0
"""Seconds between two times at which counts of canaries are kept, and old figures forgotten."""
TELL = 10.0
"""Seconds in which all gateways should route by a change; whoever made it waits no longer."""

ADOPTING = 10.0
"""Seconds that replicas which run already have to report to a new controller."""


def random_id(launch: Launch) -> str:
    """An id that no replica had or will have; readable, and short enough for a name."""
    return f"{launch.version_id}-{launch.service}-{secrets.token_hex(4)}"


class Loop:
    """The part of a controller that acts. For one event loop; `run` must run.

    `address` is the `host:port` of its gRPC face, told to replicas. `epoch` orders its snapshots
    after those of earlier controllers: nanoseconds since the Unix epoch. `tick` is the longest
    time in seconds between two looks at what has to be done. `clock` is that of the cluster,
    `wall` gives seconds since the Unix epoch. If it `waits_for_grants`, there is no first snapshot
    until it is told of some: gateways would refuse all tokens meanwhile.
    """

    def __init__(
        self,
        *,
        store: Store,
        cluster: Cluster,
        epoch: int,
        address: str = "",
        clock: Clock = monotonic,
        wall: Callable[[], float] = time.time,
        new_id: Callable[[Launch], str] = random_id,
        new_uid: Callable[[], str] = lambda: uuid4().hex,
        tick: float = 1.0,
        waits_for_grants: bool = False,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._epoch = epoch
        self._address = address
        self._clock = clock
        self._wall = wall
        self._new_id = new_id
        self._new_uid = new_uid
        self._tick = tick
        self._granted_first = asyncio.Event()
        if not waits_for_grants:
            self._granted_first.set()
        self._state = State()
        self._courses: dict[str, Course] = {}
        self._dirty: set[str] = set()
        self._routes = Routes()
        self._gauges = Gauges()
        self._ledger = Ledger()
        self._metering = Metering(store.journal)
        self._weighed_at = float("-inf")
        self._kept_at = float("-inf")
        self._is_ending = False
        self._opened = asyncio.Event()
        self._woken = asyncio.Event()
        self._looked = asyncio.Event()
        self._changing = asyncio.Lock()
        self._untold: set[str] = set()  # changed, but not in a snapshot yet; "" is for endpoints
        self._told = asyncio.Event()
        self._on_use: Callable[[bytes, float], None] = lambda _digest, _at: None
        self.watchers = Watchers()
        self.snapshots: Latest[Snapshot] = Latest()

    async def run(self) -> None:
        """Adopts what runs, then keeps it as it should be, until cancelled."""
        self._state = await self._load()
        await self._take_over()
        for name in self._state.deployments:
            self._adopt(name)
        self._opened.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="controller/follow")
            group.create_task(self._work(), name="controller/work")

    async def _load(self) -> State:
        """What was kept. A store that is away is waited for: nobody else begins anew."""
        while True:
            try:
                return await self._store.load()
            except Unavailable as error:
                _log.error("the store cannot be read yet: %s", error.message)
            await asyncio.sleep(self._tick)

    async def _take_over(self) -> None:
        """Adopts what runs, as soon as the cluster answers."""
        while True:
            try:
                return await self._cluster.adopt()
            except Exception:  # noqa: BLE001  # whatever it is, a controller that does nothing is worse
                _log.exception("what runs cannot be adopted yet")
            await asyncio.sleep(self._tick)

    async def end(self) -> None:
        """Ends all replicas in order and keeps what is wanted: the next controller starts them.

        Returns when none is left, and what they used is written down. Nothing is started any more.
        """
        await self._opened.wait()
        async with self._changing:
            self._is_ending = True
            for name, course in self._courses.items():
                ended = replace(course.desired, intent=Intent.TERMINATE)
                course.want(ended, self._cluster.observe(name))
                self._dirty.add(name)
        self._woken.set()
        while any(self._cluster.observe(name) for name in self._courses):
            self._metering.look(self._ready(), self._wall())
            self._looked.clear()
            await self._looked.wait()
        await self.keep_use()

    async def keep_use(self) -> None:
        """Writes down what was used until now: for whoever ends it in order.

        What cannot be written is logged, and kept for another try.
        """
        self._metering.look(self._ready(), self._wall())
        try:
            await self._metering.keep()
        except MeshError as error:
            _log.error("what was used cannot be written down: %s", error.message)

    def _adopt(self, name: str) -> None:
        """Takes up a deployment where an earlier controller left it."""
        record = self._state.deployments[name]
        try:
            desired = changes.desired_of(self._state, name)
            standing = {
                version: tuple(
                    planned_alone(found, version)
                    for identity in ids
                    if (found := self._state.versions.get((name, identity))) is not None
                )
                for version, ids in record.standing.items()
            }
        except (MeshError, KeyError) as error:  # of another release of the mesh, or incomplete
            _log.error("deployment %s is left as it is: %s", name, error)
            return
        observed = self._cluster.observe(name)
        if not observed:  # it begins anew, however long ago it was made
            desired = replace(desired, since=max(desired.since, self._wall()))
        until = self._clock() + ADOPTING
        course = self._courses[name] = Course(desired, standing, patient_until=until)
        course.want(desired, observed, self._progression(name))
        self._dirty.add(name)

    def _progression(self, name: str) -> Progression | None:
        record, revision = self._state.deployments[name], self._state.revisions[name]
        config = changes.config_of(revision)
        return progression.begun(config, revision.number, record.progress, self._wall())

    @property
    def opened(self) -> bool:
        """Whether it has read its store and adopted what runs."""
        return self._opened.is_set()

    async def until_opened(self) -> None:
        """Returns when it has; until then it would know nothing of what it has kept."""
        await self._opened.wait()

    def report(self, report: Report) -> float:
        """Takes what a process has measured; returns in how many seconds it should report again."""
        now = self._clock()
        waiting = self._gauges.take(report, now)
        wall = self._wall()
        for digest, at in report.uses.items():
            self._on_use(digest, min(at, wall))
        for (deployment, version), outcomes in report.outcomes.items():
            if deployment in self._courses:
                self._ledger.add(deployment, version, outcomes, now)
                record = self._state.deployments.get(deployment)
                self._metering.count(deployment, record, outcomes, wall)
        if any(self._is_asleep(name) for name in waiting):
            self._weighed_at = float("-inf")  # whoever waits for a first replica waits for us
            self._woken.set()
        return self._gauges.interval

    def grant(self, grants: Mapping[bytes, Grant]) -> None:
        """Has gateways go by these grants, by the SHA-256 of tokens; see `granted`."""
        self._routes.grant(grants)
        self._granted_first.set()
        # Who is revoked must not wait for a look; but the first table comes with one.
        if self.snapshots.value is not None:
            self._publish(())
        self._woken.set()

    def when_used(self, tell: Callable[[bytes, float], None]) -> None:
        """Tells which tokens, by their digests, gateways have let in, and when last (Unix time)."""
        self._on_use = tell

    async def granted(self) -> None:
        """Returns when every gateway goes by the newest grants, or after TELL seconds."""
        await self._routed()

    def _is_asleep(self, name: str) -> bool:
        course = self._courses.get(name)
        return course is not None and 0 in course.scale.values()

    @contextlib.asynccontextmanager
    async def _change(
        self, by: str = "", organization: str = DEFAULT_ORGANIZATION
    ) -> AsyncIterator[Moment]:
        await self._opened.wait()
        async with self._changing:
            if self._is_ending:
                raise Unavailable("the mesh is being stopped")
            yield Moment(self._wall(), self._new_uid(), by, organization)

    @contextlib.asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """While the block lasts, what users want of deployments and endpoints stays as it is.

        For who looks at all of it and then writes what must fit it elsewhere. Nothing that
        changes deployments is to be called in the block.
        """
        await self._opened.wait()
        async with self._changing:
            yield

    async def _routed(self, deployment: str = "") -> None:
        """Returns when every gateway routes by what was changed, or after TELL seconds.

        `deployment` is empty for a change of an endpoint. Not to be called while `_changing` is
        held.
        """
        try:
            async with asyncio.timeout(TELL):
                while deployment in self._untold:
                    await self._told.wait()
                if (last := self.snapshots.value) is not None:
                    await self.watchers.reached(last.number)
        except TimeoutError:
            _log.warning("not every gateway routes by the last change after %g s", TELL)

    async def _commit(self, change: Change) -> None:
        """Keeps a change, then goes by it. To be called while `_changing` is held.

        To the end, even if whoever asked for it leaves: a store may write it all the same.
        """
        if change == Change():
            return
        kept = asyncio.ensure_future(self._carry_out(change))
        try:
            await asyncio.shield(kept)
        except asyncio.CancelledError:
            await asyncio.wait({kept})
            raise

    async def _carry_out(self, change: Change) -> None:
        state = changes.after(self._state, change)
        # First of all: what cannot be understood must not be kept.
        wanted = [changes.desired_of(state, each.name) for each in change.deployments]
        await self._store.commit(change)
        self._state = state
        for event in change.events:
            if event.kind == "change":
                what = f"deployment {event.deployment}" if event.deployment else ""
                _log.info("%s: %s", what or f"endpoint {event.endpoint}", event.reason)
            elif event.kind == "warning":
                _log.warning("deployment %s: %s", event.deployment, event.reason)
        if change.endpoints or change.deleted_endpoints:
            self._untold.add("")
        for desired in wanted:
            self._untold.add(desired.name)
            self._want(desired, is_new=desired.name in change.deleted_deployments)
        self._woken.set()

    def _want(self, desired: DesiredDeployment, *, is_new: bool) -> None:
        name = desired.name
        course = self._courses.get(name)
        if course is None:
            course = self._courses[name] = Course(desired)
        elif is_new:
            left = tuple(release for found in course.standing.values() for release in found)
            course = self._courses[name] = Course(desired, {changes.BEFORE: left})
        course.want(desired, self._cluster.observe(name), self._progression(name))
        self._dirty.add(name)

    def _retry(self, deployment: str) -> None:
        """A changed deployment does not wait out the failures of what it was before."""
        for replica in self._cluster.observe(deployment):
            if replica.phase is Phase.FAILED:
                self._cluster.forget(replica.id)

    async def _follow(self) -> None:
        while True:
            self._dirty |= await self._cluster.changed()
            self._woken.set()

    async def _work(self) -> None:
        # Nothing is drained or stopped that callers were not told to leave.
        await self._granted_first.wait()
        while True:
            self._woken.clear()
            with _logged("what was measured cannot be gone by"):
                await self._weigh()
            names = self._due()
            done = False
            with _logged("a look of the controller failed"):
                await self._look(names)
                done = True
            if not done:
                self._dirty |= names
            self._looked.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tick):
                    await self._woken.wait()

    def _due(self) -> set[str]:
        now = self._clock()
        due = {
            name
            for name, course in self._courses.items()
            if course.step is None or course.step.again <= now
        }
        due |= self._dirty & self._courses.keys()
        self._dirty.clear()
        return due

    async def _weigh(self) -> None:
        """Has numbers of replicas and weights of canaries follow what was measured."""
        now, wall = self._clock(), self._wall()
        if now - self._weighed_at < self._tick:
            return
        self._weighed_at = now
        is_time = now - self._kept_at >= KEEP_EVERY
        if is_time:
            self._kept_at = now
            self._tidy()
        self._gauges.expire(now)
        if is_time:
            with _logged("what is used cannot be written down"):
                self._metering.look(self._ready(), wall)
                await self._metering.keep_at_times(now)
        events = []
        for name, course in self._courses.items():
            if course.scales:
                for told in course.rescale(self._gauges, self._cluster.observe(name), now):
                    revision = course.desired.revision
                    event = Event(wall, "scaling", name, revision=revision, reason=told)
                    events.append(self._owned(event))
                    self._dirty.add(name)
        if events:
            await self._store.commit(Change(events=tuple(events)))
        for name in [name for name, course in self._courses.items() if course.progression]:
            with _logged(f"the canary of deployment {name} cannot be judged"):
                await self._judge(name, wall, keep=is_time)

    def _owned(self, event: Event) -> Event:
        """An event of a deployment with whose it is."""
        record = self._state.deployments.get(event.deployment)
        return event if record is None else replace(event, organization=record.organization)

    def _ready(self) -> Counter[Kind]:
        ready: Counter[Kind] = Counter()
        for name, course in self._courses.items():
            record = self._state.deployments.get(name)
            if record is not None:
                ready += ready_of(record, course, self._cluster.observe(name))
        return ready

    def _tidy(self) -> None:
        """Forgets what was measured of replicas and versions that are there no more."""
        self._gauges.keep({each.id for each in self._cluster.observe()}, self._clock())
        self._ledger.keep(
            (name, release.id)
            for name, course in self._courses.items()
            for releases in (course.desired.versions, *course.standing.values())
            for release in releases
        )

    async def _judge(self, name: str, wall: float, *, keep: bool) -> None:
        """Has one canary go on, or back. Counts are kept now and then only: a crash costs few."""
        async with self._changing:
            course = self._courses.get(name)
            if course is None or course.progression is None or not course.desired.wanted:
                return  # what is stopped, or deleted, has no canary that could go on
            desired = course.desired
            before = course.progression
            found = progression.observed(before, desired, course.standing, self._ledger)
            course.reach(found)
            progress, verdict = canary.judge(found.plan, found.progress, wall)
            found = found._replace(progress=progress)
            version, moment = found.plan.version, Moment(wall, self._new_uid())
            change = Change()
            if progress.state is canary.State.ABORTED:
                change = changes.aborted(self._state, name, version, moment, progress.reason)
            elif progress.state is canary.State.DONE and found.plan.steps[-1] == canary.WHOLE:
                why = f"canary {version} promoted: it has passed all steps"
                change = changes.promoted(self._state, name, version, moment, why)
            elif isinstance(verdict, canary.Step):
                told = f"canary {version}: {verdict.weight} %"
                event = Event(wall, "canary", name, revision=desired.revision, reason=told)
                change = Change(events=(self._owned(event),))
            if change == Change() and not (keep and found != before):
                course.reach(found)
                return
            kept = progression.document(found, desired.revision)
            record = change.deployments[0] if change.deployments else self._state.deployments[name]
            change = replace(change, deployments=(replace(record, progress=kept),))
            # What cannot be kept is judged again: nobody is told of an end before it has come.
            if change.revisions:
                await self._commit(change)
            else:
                await self._store.commit(change)
                self._state = changes.after(self._state, change)
                course.reach(found)
            self._dirty.add(name)
            self._woken.set()

    async def _look(self, names: AbstractSet[str]) -> None:
        """Looks at some deployments: publishes what callers should see, then acts."""
        now, wall = self._clock(), self._wall()
        async with self._changing:
            steps = {}
            for name in sorted(names & self._courses.keys()):
                with _logged(f"deployment {name} cannot be looked at"):
                    steps[name] = self._courses[name].look(self._cluster.observe(name), now)
            await self._keep(steps, wall)
            self._publish(steps)
        for step in steps.values():
            for action in step.actions:
                await self._act(action)
        async with self._changing:
            await self._forget_deleted(steps)

    async def _keep(self, names: Iterable[str], wall: float) -> None:
        """Keeps which releases stand, before callers go by it, and what there is to tell."""
        records = []
        events = []
        for name in names:
            course, record = self._courses[name], self._state.deployments[name]
            standing = course.standing_ids()
            # What is only ended stands again when it is started.
            if standing != record.standing and not self._is_ending:
                records.append(replace(record, standing=standing))
            event = course.news(self._cluster.observe(name), wall)
            if event is not None and not self._is_ending:
                events.append(replace(event, organization=record.organization))
        if records or events:
            change = Change(deployments=tuple(records), events=tuple(events))
            await self._store.commit(change)
            self._state = changes.after(self._state, change)
            for event in events:
                self._courses[event.deployment].told = (event.status, event.reason)

    def _publish(self, names: Iterable[str]) -> None:
        self._untold.difference_update(("", *names))
        self._told.set()
        self._told = asyncio.Event()
        for name in names:
            step = self._courses[name].step
            self._routes.put(name, step.traffic if step is not None else None)
        if not self._granted_first.is_set():
            return
        last = self.snapshots.value
        is_empty = not (self._state.deployments or self._state.endpoints)
        if last is None and is_empty and self._cluster.observe():
            # The store is lost, for something runs: callers keep the routes they have.
            return
        snapshot = self._routes.snapshot(self._state, self._epoch, last)
        if snapshot is not last:
            self.snapshots.put(snapshot)

    async def _act(self, action: Action) -> None:
        match action:
            case StartReplica(launch):
                launch = replace(launch, replica_id=self._new_id(launch), controller=self._address)
                _log.info("replica %s: start", launch.replica_id)
                await self._start(launch)
            case DrainReplica(replica_id):
                _log.info("replica %s: drain", replica_id)
                await self._cluster.drain(replica_id)
            case StopReplica(replica_id):
                _log.info("replica %s: stop", replica_id)
                await self._cluster.stop(replica_id)
            case Forget(replica_id):
                self._cluster.forget(replica_id)

    async def _start(self, launch: Launch) -> None:
        """Starts a replica with what is in its secrets now, which is kept nowhere."""
        if launch.secret_names:
            record = self._state.deployments.get(launch.deployment)
            organization = record.organization if record else DEFAULT_ORGANIZATION
            try:
                found = await named(self._store.catalogue, launch.secret_names, organization)
                build = secrets_of(found, "build").under(launch.build)
                launch = replace(launch, secrets=secrets_of(found), build=build)
            except MeshError as error:
                await self._cluster.refuse(launch, error.message)
                return
        await self._cluster.start(launch)

    async def _forget_deleted(self, names: Iterable[str]) -> None:
        """Forgets deleted deployments that have no replicas left."""
        gone = tuple(
            name
            for name in names
            if self._state.deployments[name].intent is Intent.DELETE
            and not self._cluster.observe(name)
        )
        if gone:
            change = Change(deleted_deployments=gone)
            await self._store.commit(change)
            self._state = changes.after(self._state, change)
            for name in gone:
                del self._courses[name]
                self._routes.put(name, None)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Writes a failure down: no part of control must end, or hold up, the others.

    Raises TakenOver: all of control ends then.
    """
    try:
        yield
    except TakenOver:
        raise
    except Exception:  # noqa: BLE001  # whatever it is; the next tick tries again
        _log.exception(what)
