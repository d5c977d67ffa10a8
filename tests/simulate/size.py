"""The control plane at its full size, on paper: 1 000 deployments, 20 000 replicas, 500 nodes.

The controller, its loop and the life of each replica are the real ones; only what replicas run in
is not there. Time is virtual, what is measured is the time that this machine computes.
"""

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, generate_latest

from mesh.config import EndpointConfig, parse
from mesh.control.changes import applied
from mesh.control.controller import Controller
from mesh.control.endpoint_changes import Moment, endpoint_record
from mesh.control.loads import ReplicaLoad, Report
from mesh.control.plan import Application, application
from mesh.control.records import Change, State
from mesh.control.status import DeploymentPhase
from mesh.control.store.memory import MemoryStore
from mesh.faces.metrics import ControllerMetrics
from mesh.faces.rest.app import rest_app
from mesh.faces.updates import Updates
from mesh.traffic.snapshot import Snapshot
from tests import virtual_time
from tests.bench.measures import Figure, Say
from tests.cluster.fake_cluster import Behaviour, FakeCluster, World

CONCURRENCY = 8
"""Calls that a replica is meant to have, where numbers follow the load."""
DOCUMENT = "x" * 2_000


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each; `canaries` of the `replicas` of a deployment are its canary's."""

    deployments: int = 1_000
    replicas: int = 20
    canaries: int = 2
    nodes: int = 500
    endpoints: int = 10_000

    @property
    def on_node(self) -> float:
        """Replicas for which a node has room; one node more than needed may be lost."""
        return 1.25 * self.deployments * self.replicas / self.nodes


def name_of(number: int) -> str:
    return f"deployment-{number:05}"


def app(number: int, size: Size, *, scales: bool) -> Application:
    """A deployment with one canary; with `scales` its numbers of replicas follow the load."""
    manifest = {
        "entry": "Main",
        "services": {
            "Main": {
                "name": "Main",
                "methods": [{"name": "predict", "route": "/predict", "kind": 1}],
                "schema_json": json.dumps({"number": number, "text": DOCUMENT}),
                "config": {"traffic": {"concurrency": CONCURRENCY}, "resources": {"cpu": 1}},
            }
        },
    }

    def numbers(replicas: int) -> dict[str, Any]:
        if scales:
            return {"scaling": {"min_replicas": 1, "max_replicas": 2 * replicas}}
        return {"replicas": replicas}

    canary = {"target": "next:Main", "weight": 10, **numbers(size.canaries)}
    config = {
        "name": name_of(number),
        "target": "app:Main",
        "canary": {"versions": {"next": canary}},
        **numbers(size.replicas - size.canaries),
    }
    versions = {
        "main": {"manifest": manifest, "source": {"target": "app:Main"}},
        "next": {"manifest": manifest, "source": {"target": "next:Main"}},
    }
    return application(json.dumps({"config": config, "versions": versions}).encode())


async def filled(size: Size, *, scales: bool) -> MemoryStore:
    """A store in which all deployments and endpoints are wanted."""
    store = MemoryStore()
    for number in range(size.deployments):
        change = applied(State(), app(number, size, scales=scales), {}, Moment(0.0, f"u{number}"))
        await store.commit(change)
    own = [
        endpoint_record(
            State(),
            f"endpoint-{number:05}",
            parse(
                EndpointConfig,
                {
                    "deployments": {
                        name_of(number % size.deployments): 90,
                        name_of((number + 1) % size.deployments): 10,
                    }
                },
                what="endpoint",
            ),
            Moment(0.0, f"e{number}"),
        )
        for number in range(size.endpoints)
    ]
    await store.commit(Change(endpoints=tuple(own)))
    return store


@dataclass(slots=True)
class Mesh:
    """A controller at work over a world."""

    size: Size
    controller: Controller
    cluster: FakeCluster

    @property
    def world(self) -> World:
        return self.cluster.world

    @property
    def snapshot(self) -> Snapshot:
        found = self.controller.snapshots.value
        assert found is not None
        return found

    def published(self) -> int:
        """How many replicas callers see."""
        last = self.controller.snapshots.value
        return len(ids_of(last)) if last is not None else 0

    async def settled(self) -> None:
        """Returns when everything runs."""
        while any(each.phase is not DeploymentPhase.RUNNING for each in self.controller.status()):
            await asyncio.sleep(1.0)

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns as soon as `true` holds, without any time passing between two looks."""
        while not true():
            await asyncio.sleep(0)

    async def changed(self) -> Snapshot:
        """The next snapshot."""
        last = self.snapshot
        await self.until(lambda: self.controller.snapshots.value is not last)
        return self.snapshot


def ids_of(snapshot: Snapshot) -> set[str]:
    """The replicas that callers see."""
    return {
        each.id
        for deployment in snapshot.deployments.values()
        for version in deployment.versions
        for service in version.services.values()
        for each in service.replicas
    }


@asynccontextmanager
async def controlling(size: Size, store: MemoryStore, world: World) -> AsyncIterator[Mesh]:
    """A controller that runs until the end of the block."""
    loop = asyncio.get_running_loop()
    cluster = FakeCluster(world)
    controller = Controller(
        store=store,
        cluster=cluster,
        epoch=1,
        clock=loop.time,
        wall=lambda: 1e9 + loop.time(),
    )
    task = loop.create_task(controller.run())
    try:
        yield Mesh(size, controller, cluster)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await cluster.close()


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds by what took them."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        begun = time.thread_time()
        yield
        self.taken.setdefault(what, []).append(1e3 * (time.thread_time() - begun))


def fed(mesh: Mesh, number: int, of: int) -> None:
    """Takes the reports of one `of`th of all replicas, each as full as it is meant to be."""
    now = asyncio.get_running_loop().time()
    for each in mesh.cluster.observe()[number % of :: of]:
        load = ReplicaLoad(in_flight=CONCURRENCY - 0.5, cpu=50.0, qps=40.0, at=now)
        mesh.controller.report(Report(each.id, 1.0, {each.id: load}))
