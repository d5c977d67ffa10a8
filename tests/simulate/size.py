"""The control plane at its full size, on paper: 1 000 deployments, 20 000 replicas, 500 nodes.

The controller, its loop and the life of each replica are the real ones; only what replicas run in
is not there. Time is virtual, what is measured is the time that this machine computes.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, generate_latest

from mesh.access.directory import Directory
from mesh.config import EndpointConfig, parse
from mesh.control.changes import applied
from mesh.control.controller import Controller
from mesh.control.endpoint_changes import Moment, endpoint_record
from mesh.control.loads import ReplicaLoad, Report
from mesh.control.plan import Application, application
from mesh.control.records import Change, State
from mesh.control.status import DeploymentPhase
from mesh.control.store.memory import MemoryStore
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.metrics import ControllerMetrics
from mesh.faces.rest.app import rest_app
from mesh.faces.updates import Updates
from mesh.traffic.snapshot import Snapshot
from tests import virtual_time
from tests.cluster.fake_cluster import Behaviour, FakeCluster, World
from tests.simulate.rows import Row, Say

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
            return {"scaling": {"min_replicas": replicas, "max_replicas": 2 * replicas}}
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
        await asyncio.sleep(1.0)
        while any(  # noqa: ASYNC110  # nobody tells when a status changes
            each.phase is not DeploymentPhase.RUNNING for each in self.controller.status()
        ):
            await asyncio.sleep(1.0)

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns as soon as `true` holds, without any time passing between two looks."""
        while not true():  # noqa: ASYNC110  # what all others compute meanwhile is measured
            await asyncio.sleep(0)

    async def after(self, before: Snapshot) -> Snapshot:
        """The snapshot that has followed `before`, or follows it now."""
        await self.until(lambda: self.controller.snapshots.value is not before)
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


def fed(mesh: Mesh, number: int, of: int) -> None:
    """Takes the reports of one `of`th of all replicas, each as full as it is meant to be."""
    now = asyncio.get_running_loop().time()
    for each in mesh.cluster.observe()[number % of :: of]:
        load = ReplicaLoad(in_flight=CONCURRENCY - 0.5, cpu=50.0, qps=40.0, at=now)
        mesh.controller.report(Report(each.id, 1.0, {each.id: load}))


@contextmanager
def timed(taken: list[float]) -> Iterator[None]:
    """Adds the milliseconds that this thread computed; other programs do not count."""
    begun = time.thread_time()
    yield
    taken.append(1e3 * (time.thread_time() - begun))


async def ticks(mesh: Mesh, number: int, *, scales: bool) -> list[float]:
    """Milliseconds of each of so many ticks in which nothing changes."""
    taken: list[float] = []
    before = mesh.snapshot
    for each in range(number):
        if scales:
            fed(mesh, each, 5)
        with timed(taken):
            await asyncio.sleep(1.0)
    assert mesh.snapshot is before, "something has changed"
    return taken


async def weight_changes(mesh: Mesh, number: int) -> tuple[list[float], list[float], list[int]]:
    """Milliseconds from a change to its snapshot, and from there to the update; its bytes."""
    published: list[float] = []
    updated: list[float] = []
    sizes = []
    updates = Updates()
    updates.update(None, mesh.snapshot)
    for each in range(number):
        before = mesh.snapshot
        with timed(published):
            await mesh.controller.set_canary(name_of(each), {"next": 20})
            after = await mesh.after(before)
        assert after.endpoints is before.endpoints
        with timed(updated):
            raw = updates.update(before, after)
        sizes.append(len(raw))
        await asyncio.sleep(2.0)
    return published, updated, sizes


async def deaths(mesh: Mesh, number: int) -> list[float]:
    """Milliseconds from the death of a replica to the snapshot without it."""
    taken: list[float] = []
    for each in range(number):
        victim, before = mesh.cluster.observe(name_of(each))[0].id, mesh.snapshot
        with timed(taken):
            mesh.world.kill(victim)
            after = await mesh.after(before)
        assert victim not in ids_of(after)
        await asyncio.sleep(10.0)
    return taken


async def lost_nodes(mesh: Mesh, number: int) -> tuple[list[float], int]:
    """Milliseconds from the loss of a node until all is done about it; replicas of the largest."""
    taken: list[float] = []
    most = 0
    for _ in range(number):
        node = mesh.world.nodes[0]
        lost = set(mesh.world.on(node))
        most = max(most, len(lost))
        wanted = len(mesh.cluster.observe()) + len(lost)
        with timed(taken):
            mesh.world.lose_node(node)
            await mesh.until(lambda wanted=wanted: len(mesh.cluster.observe()) >= wanted)
        await mesh.until(lambda lost=lost: not lost & ids_of(mesh.snapshot))
        mesh.world.add_node()
        await asyncio.sleep(60.0)
        assert mesh.published() == mesh.size.deployments * mesh.size.replicas
    return taken, most


async def pages(mesh: Mesh) -> list[float]:
    """Milliseconds of each page of 100 deployments over the control API."""
    taken: list[float] = []
    transport = httpx.ASGITransport(
        rest_app(mesh.controller, await Directory.opened(MemoryCatalogue()))
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
        for start in range(0, mesh.size.deployments, 100):
            with timed(taken):
                reply = await client.get("/deployments", params={"start": start, "count": 100})
            found = reply.json()
            assert found["total"] == mesh.size.deployments
            assert {each["status"] for each in found["items"]} == {"running"}
    return taken


def scrapes(mesh: Mesh, number: int) -> list[float]:
    """Milliseconds of each answer to Prometheus."""
    registry = CollectorRegistry()
    registry.register(ControllerMetrics(mesh.controller))
    taken: list[float] = []
    for _ in range(number):
        with timed(taken):
            generate_latest(registry)
    return taken


async def adopted(mesh: Mesh) -> float:
    """Milliseconds until a new controller has published all that ran, before anything else."""
    taken: list[float] = []
    with timed(taken):
        await mesh.until(lambda: mesh.controller.snapshots.value is not None)
    wanted = mesh.size.deployments * mesh.size.replicas
    assert mesh.published() == wanted, "its first snapshot lacks what runs"
    return taken[0]


async def measured(size: Size, say: Say, *, scales: bool) -> list[Row]:
    """Everything that is measured, or with `scales` what autoscaling adds."""
    found: list[Row] = []

    def tell(measure: str, value: float, limit: float, unit: str = "ms") -> None:
        found.append(Row("20 000 replicas, CPU time", measure, value, limit, unit))

    say("deployments are written down")
    store = await filled(size, scales=scales)
    world = World(size.nodes, {"CPU": size.on_node}, lambda _: Behaviour(starts=5.0, drains=2.0))
    say(f"{size.deployments * size.replicas:,} replicas start")
    async with controlling(size, store, world) as mesh:
        await mesh.settled()
        if scales:
            say("ticks with autoscaling")
            await asyncio.sleep(60.0)
            tell(
                "tick, all autoscaled, no change: longest of 20",
                max(await ticks(mesh, 20, scales=True)),
                100,
            )
            return found
    say("another controller takes over")
    async with controlling(size, store.reopened(), world) as mesh:
        tell("another controller: to its first, whole snapshot", await adopted(mesh), 30_000)
        await mesh.settled()
        await asyncio.sleep(60.0)
        say("ticks")
        tell("tick, no change: longest of 30", max(await ticks(mesh, 30, scales=False)), 100)
        say("changes")
        published, updated, sizes = await weight_changes(mesh, 20)
        tell("a weight changes: to the snapshot, median", median(published), 20)
        tell("the same: to the update for gateways, median", median(updated), 20)
        tell("the same: bytes to each gateway, largest", max(sizes), 2_000, "B")
        tell("a replica dies: to the snapshot, median", median(await deaths(mesh, 20)), 20)
        say("nodes are lost")
        taken, most = await lost_nodes(mesh, 3)
        tell(f"a node with {most} replicas is lost: to {most} new ones, median", median(taken), 500)
        say("lists")
        tell("a page of 100 deployments, median", median(await pages(mesh)), 50)
        tell("a scrape of metrics, median", median(scrapes(mesh, 5)), 200)
    return found


def rows(say: Say, size: Size | None = None) -> Iterator[Row]:
    """What the control plane costs at this size."""
    for scales in (False, True):
        yield from virtual_time.run(measured(size or Size(), say, scales=scales))
