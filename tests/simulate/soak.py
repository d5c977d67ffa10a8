"""A virtual hour of a control plane in which everything goes wrong that can, by chance.

Whatever happens: callers see only replicas that are ready, none of them is drained or stopped while
callers see it, in the end everything runs that should, and nothing is left of what is gone.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mesh.control.controller import Controller
from mesh.control.latest import Latest
from mesh.control.loads import Outcomes, ReplicaLoad, Report
from mesh.control.observed import Phase
from mesh.control.plan import Application, application
from mesh.control.records import Intent
from mesh.control.status import DeploymentPhase
from mesh.control.store.memory import MemoryStore
from mesh.errors import MeshError
from mesh.launch import Launch
from mesh.traffic.latency import bucket
from mesh.traffic.snapshot import Snapshot
from tests import virtual_time
from tests.cluster.fake_cluster import Behaviour, FakeCluster, World
from tests.simulate.rows import Row, Say

NODES = 12
CPUS = 16.0
"""Of a node, of which a replica takes one."""
SEEDS = 3
HOUR = 3600.0
PAUSE = 8.0
"""Seconds between two events, on average."""
BEHAVIOURS = {
    "good": Behaviour(starts=4.0, drains=2.0),
    "slow": Behaviour(starts=45.0, drains=40.0),
    "broken": Behaviour(starts=1.0, fails="ImportError: no module named numbat"),
}


def behave(launch: Launch) -> Behaviour:
    """A replica is as its target is called, such as `good7:Main`."""
    return BEHAVIOURS[launch.source.target.split(":")[0].rstrip("0123456789")]


def ids_of(snapshot: Snapshot) -> Iterator[str]:
    """The replicas that callers see."""
    for deployment in snapshot.deployments.values():
        for version in deployment.versions:
            for service in version.services.values():
                for replica in service.replicas:
                    yield replica.id


@dataclass(slots=True)
class Account:
    """What went wrong, and how much was done."""

    unready: int = 0
    cut: int = 0
    events: Counter[str] = field(default_factory=Counter)
    snapshots: int = 0
    unsettled: int = 0
    left: int = 0


class _Checked(Latest[Snapshot]):
    """Looks at each snapshot before callers see it."""

    def __init__(self, account: Account, cluster: FakeCluster) -> None:
        super().__init__()
        self._account = account
        self._cluster = cluster
        self.seen: frozenset[str] = frozenset()

    def put(self, value: Snapshot) -> None:
        self.seen = frozenset(ids_of(value))
        ready = {each.id for each in self._cluster.observe() if each.phase is Phase.READY}
        self._account.unready += len(self.seen - ready)
        self._account.snapshots += 1
        super().put(value)


class _Watched(FakeCluster):
    """Looks at what it is told to do to replicas that callers see."""

    def __init__(self, world: World, account: Account) -> None:
        super().__init__(world)
        self._account = account
        self.snapshots = _Checked(account, self)

    async def drain(self, replica_id: str, timeout_s: float = 30.0) -> None:
        self._account.cut += replica_id in self.snapshots.seen
        await super().drain(replica_id, timeout_s)

    async def stop(self, replica_id: str) -> None:
        self._account.cut += replica_id in self.snapshots.seen
        await super().stop(replica_id)


def app(name: str, rng: Random, *, good: bool = False) -> Application:
    """A deployment as chance has it; if `good`, one that can run."""
    kinds = ["good"] if good else ["good"] * 6 + ["slow", "broken"]

    def target() -> str:
        return f"{rng.choice(kinds)}{rng.randrange(10)}:Main"

    def numbers() -> dict[str, Any]:
        if rng.random() < 0.5:
            low = rng.randrange(1 if good else 0, 3)
            return {"scaling": {"min_replicas": low, "max_replicas": 6}}
        return {"replicas": rng.randrange(1, 5)}

    services = ["Main", "Below"][: rng.randrange(1, 3)]
    manifest = {
        "entry": "Main",
        "services": {
            service: {
                "name": service,
                "methods": [{"name": "predict", "route": "/predict", "kind": 1}],
                "config": {"traffic": {"concurrency": 8}, "resources": {"cpu": 1}},
            }
            for service in services
        },
    }
    strategies = ["RollingUpdate", "Recreate", "RampedSlowRollout", "BestEffortControlledRollout"]
    config: dict[str, Any] = {
        "name": name,
        "target": target(),
        "deployment_strategy": rng.choice(strategies),
        "progress_deadline": 120,
        **numbers(),
    }
    versions = {"main": {"manifest": manifest, "source": {"target": config["target"]}}}
    if rng.random() < 0.4:
        canary = {"target": target(), "weight": rng.randrange(50), **numbers()}
        config["canary"] = {"versions": {"next": canary}}
        if rng.random() < 0.5:
            config["canary"]["progression"] = {"wait": 60, "min_requests": 10}
        versions["next"] = {"manifest": manifest, "source": {"target": canary["target"]}}
    return application(json.dumps({"config": config, "versions": versions}).encode())


class Soak:
    """One run: a world, a store, and controllers that follow each other."""

    def __init__(self, seed: int, deployments: int) -> None:
        self.rng = Random(seed)
        self.names = [f"d{number}" for number in range(deployments)]
        self.account = Account()
        self.world = World(NODES, {"CPU": CPUS}, behave)
        self.store = MemoryStore()
        self.levels: dict[str, float] = {}
        self._random = Random(seed)  # of ids: the same seed takes the same course
        self._epoch = 0
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Another controller takes over."""
        await self.end()
        loop = asyncio.get_running_loop()
        self._epoch += 1
        self.store = self.store.reopened()
        self.cluster = _Watched(self.world, self.account)
        self.controller = Controller(
            store=self.store,
            cluster=self.cluster,
            epoch=self._epoch,
            clock=loop.time,
            wall=lambda: 1e9 + loop.time(),
            new_id=self._new_id,
            new_uid=lambda: f"{self._random.getrandbits(64):016x}",
        )
        self.controller.snapshots = self.cluster.snapshots
        self._task = loop.create_task(self.controller.run())

    def _new_id(self, launch: Launch) -> str:
        return f"{launch.version_id}-{launch.service}-{self._random.getrandbits(32):08x}"

    async def end(self) -> None:
        """The controller is gone; what runs runs on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self.cluster.close()

    async def run(self, seconds: float, say: Callable[[str], None]) -> Account:
        """Everything, from the beginning to the account of it."""
        loop = asyncio.get_running_loop()
        await self.begin()
        reporting = loop.create_task(self._report())
        for name in self.names:
            await self.controller.apply(app(name, self.rng))
        until = loop.time() + seconds
        while loop.time() < until:
            say(f"minute {loop.time() / 60:.0f} of {until / 60:.0f}")
            await asyncio.sleep(self.rng.expovariate(1 / PAUSE))
            await self._event()
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
        await self._calm_down()
        await self.end()
        return self.account

    async def _report(self) -> None:
        """What replicas and a gateway measure, every two seconds."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(2.0)
            now = loop.time()
            outcomes = {}
            for each in self.cluster.observe():
                level = self.levels.get(each.deployment, 4.0)
                if each.phase is Phase.READY:
                    load = ReplicaLoad(in_flight=level * self.rng.random(), qps=level, at=now)
                    self.controller.report(Report(each.id, 2.0, {each.id: load}))
                    errors = self.rng.random() < 0.02
                    outcomes[each.deployment, each.version_id] = Outcomes(
                        5, errors, {bucket(0.1): 5}
                    )
            outcomes[self.rng.choice(self.names), "a version that never was"] = Outcomes(1, 1, {})
            waiting = {(self.rng.choice(self.names), "gone", "Main"): 1}
            gateway = f"gateway-{self.rng.randrange(1_000_000)}"
            self.controller.report(Report(gateway, 2.0, {}, waiting, outcomes))

    async def _event(self) -> None:
        name = self.rng.choice(self.names)
        verbs = self.controller
        happens: Sequence[tuple[int, str, Callable[[], Any]]] = (
            (6, "applied", lambda: verbs.apply(app(name, self.rng))),
            (6, "weight", lambda: verbs.set_canary(name, {"next": self.rng.randrange(60)})),
            (2, "promoted", lambda: verbs.promote(name)),
            (2, "aborted", lambda: verbs.abort(name)),
            (2, "rolled back", lambda: verbs.rollback(name, self.rng.randrange(1, 6))),
            (2, "restarted", lambda: verbs.restart(name)),
            (1, "terminated", lambda: verbs.terminate(name)),
            (3, "started", lambda: verbs.start(name)),
            (2, "deleted", lambda: verbs.delete(name)),
            (3, "node lost", self._lose_node),
            (6, "replica killed", self._kill),
            (6, "load", lambda: self._load(name)),
            (1, "controller lost", self.begin),
        )
        _, what, does = self.rng.choices(happens, [weight for weight, *_ in happens])[0]
        try:
            await does()
        except MeshError:
            return  # it could not be done now, and says so
        self.account.events[what] += 1

    async def _lose_node(self) -> None:
        self.world.lose_node(self.rng.choice(self.world.nodes))
        self.world.add_node()

    async def _kill(self) -> None:
        running = [each.launch.replica_id for each in self.world.processes()]
        if running:
            self.world.kill(self.rng.choice(running))

    async def _load(self, name: str) -> None:
        self.levels[name] = self.rng.choice((0.0, 4.0, 10.0, 30.0))

    async def _calm_down(self) -> None:
        """All that is left is made one that can run; then all but one is deleted."""
        for name in self.names:
            await self.controller.apply(app(name, self.rng, good=True))
        await asyncio.sleep(900.0)
        self.account.unsettled = sum(
            status.phase not in (DeploymentPhase.RUNNING, DeploymentPhase.SCALED_TO_ZERO)
            for status in self.controller.status()
        )
        numbers: dict[tuple[str, str], int] = {}
        for status in self.controller.status():
            for version in status.versions:
                for service in version.services:  # versions may share a release: the most counts
                    key = version.id, service.name
                    numbers[key] = max(numbers.get(key, 0), service.desired)
        wanted = sum(numbers.values())
        ids = {each.launch.replica_id for each in self.world.processes()}
        self.account.unsettled += abs(len(ids) - wanted) + len(ids ^ self.cluster.snapshots.seen)
        for name in self.names[1:]:
            await self.controller.delete(name)
        await asyncio.sleep(600.0)
        self.account.left = self._left()

    def _left(self) -> int:
        """Traces of deployments that are deleted, wherever a controller keeps some."""
        controller, kept = self.controller, self.names[0]
        state = controller._state
        running = {each.id for each in self.cluster.observe(kept)}
        assert state.deployments[kept].intent is Intent.RUN
        course = controller._courses[kept]
        numbers = {
            (version.name, service)
            for version in course.desired.versions
            for service in version.services
        }
        stood = {each.id for found in course.standing.values() for each in found}
        ids = {each.id for each in course.desired.versions} | stood
        named = {(kept, each) for each in ids}
        gone = (
            state.deployments.keys() - {kept},
            state.revisions.keys() - {kept},
            state.versions.keys() - named,
            controller._courses.keys() - {kept},
            controller._dirty - {kept},
            controller._gauges._replicas.keys() - running,
            controller._gauges._waiting.keys(),
            controller._gauges._reporters.keys(),
            controller._ledger._accounts.keys() - named,
            controller._routes._deployments.keys() - {kept},
            controller._routes._own.keys() - {kept},
            controller._routes._made.keys(),
            self.cluster._lives.keys() - running,
            self.cluster._deployments.keys() - {kept},
            {each.launch.replica_id for each in self.world.processes()} - running,
            course.histories.keys() - numbers,
        )
        return sum(map(len, gone))


def rows(say: Say) -> Iterator[Row]:
    """What went wrong in some virtual hours, and how much was done in them."""
    total = Account()
    for seed in range(SEEDS):

        def tell(what: str, seed: int = seed) -> None:
            say(f"hour {seed + 1} of {SEEDS}: {what}")

        found = virtual_time.run(soaked(seed, 30, HOUR, tell))
        total.unready += found.unready
        total.cut += found.cut
        total.unsettled += found.unsettled
        total.left += found.left
        total.snapshots += found.snapshots
        total.events += found.events
    done = f"{total.events.total()} events, {total.snapshots} snapshots in {SEEDS} h"
    yield Row(done, "replicas published that were not ready", total.unready, 0)
    yield Row(done, "replicas drained or stopped that were published", total.cut, 0)
    yield Row(done, "deployments or replicas not as wanted in the end", total.unsettled, 0)
    yield Row(done, "traces of deployments that are deleted", total.left, 0)


async def soaked(seed: int, deployments: int, seconds: float, say: Say) -> Account:
    """The account of one run."""
    return await Soak(seed, deployments).run(seconds, say)
