"""A large routing table: what one change costs the controller, the wire and a gateway."""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from random import Random
from typing import TypeVar

import grpc.aio

from gateway.affected import Affected
from mesh.call import CallKind
from mesh.clock import monotonic
from mesh.control.latest import Latest
from mesh.control.watchers import Watchers
from mesh.faces.grpc_face import Routing
from mesh.faces.updates import Updates
from mesh.link.delta_wire import take
from mesh.link.dispatch import Dispatcher
from mesh.link.pool import Pool
from mesh.link.transport import Transport
from mesh.link.watch import Watch
from mesh.traffic.snapshot import (
    EMPTY,
    Deployment,
    Endpoint,
    Method,
    Replica,
    Service,
    Snapshot,
    Version,
    WeightedDeployment,
)
from mesh.v1 import routing_pb2
from tests.bench.measures import Figure, Say

T = TypeVar("T")

DEPLOYMENTS, REPLICAS, ENDPOINTS = 1000, 20, 10_000
DOCUMENT = 2000
"""Bytes of each document of a service."""
LARGE = 200_000
"""Bytes of the documents of the deployment that changes."""
CHANGES = 20
"""Changes that are measured one after another in a round; a round's value is their median."""

GATEWAYS = 4
"""Gateways that a change is sent to; all are in one process, on one core."""
MOST_MILLISECONDS = 20.0
"""What one change may take of a controller's or a gateway's loop."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured in one round. Sizes in bytes, times in seconds.

    `publish` is to make and serialize the difference, `take` to parse and apply it, `follow` to
    route by it and to work out which endpoints it touches. `whole_*` are those of all of the table.
    """

    size: int
    publish: float
    take: float
    follow: float
    whole_size: int
    whole_publish: float
    whole_take: float
    whole_follow: float


def deployment(number: int, replicas: int, document: int) -> Deployment:
    """A deployment of one version with one service, its documents as random as compressed ones."""
    name = f"deployment-{number:04}"
    rng = Random(number)
    found = tuple(
        Replica(f"main-0123456789-Classifier-{rng.getrandbits(32):08x}", f"10.0.{n}.1:{40000 + n}")
        for n in range(replicas)
    )
    methods = {
        f"method_{n}": Method(f"method_{n}", f"/method_{n}", CallKind.UNARY, rpc=f"Method{n}")
        for n in range(5)
    }
    service = Service(
        "Classifier",
        methods,
        found,
        timeout=60.0,
        schema_json=rng.randbytes(document),
        docs=rng.randbytes(document),
        descriptors=rng.randbytes(document),
        rpc_service=f"d{number}.v1.ClassifierService",
    )
    version = Version(f"{name}-1", "main", "Classifier", {"Classifier": service}, 1)
    return Deployment(name, (version,))


def table() -> Snapshot:
    """The table of so many deployments and endpoints, one with large documents."""
    deployments = [
        deployment(number, REPLICAS, DOCUMENT if number else LARGE) for number in range(DEPLOYMENTS)
    ]
    shares = [(WeightedDeployment(each.name, 1),) for each in deployments]
    endpoints = (
        Endpoint(f"endpoint-{number:05}", shares[number % DEPLOYMENTS])
        for number in range(ENDPOINTS)
    )
    return Snapshot(
        1,
        1,
        {each.name: each for each in endpoints},
        {each.name: each for each in deployments},
        "endpoint-00000",
    )


def changed(snapshot: Snapshot) -> Snapshot:
    """The next snapshot: one replica of the deployment with large documents is another."""
    name = next(iter(snapshot.deployments))
    old = snapshot.deployments[name]
    (version,) = old.versions
    service = version.services["Classifier"]
    other = replace(service.replicas[0], id=f"main-0123456789-Classifier-{snapshot.number:08x}")
    service = replace(service, replicas=(*service.replicas[1:], other))
    version = replace(version, services={"Classifier": service})
    # As a controller publishes it: other mappings, and the same objects in them.
    return replace(
        snapshot,
        number=snapshot.number + 1,
        endpoints=dict(snapshot.endpoints),
        deployments={**snapshot.deployments, name: replace(old, versions=(version,))},
    )


class Gateway:
    """The part of a gateway that follows snapshots; its links are never opened."""

    def __init__(self) -> None:
        rng = Random(1)
        self.pool = Pool(self._never, monotonic, rng)
        self._dispatcher = Dispatcher(self.pool, monotonic, rng)
        self._affected = Affected(), Affected()

    async def _never(self, _: str) -> Transport:
        await asyncio.Event().wait()
        raise AssertionError

    def follow(self, snapshot: Snapshot) -> None:
        """Does what a gateway does for each snapshot, and for the first requests after it."""
        self._dispatcher.follow(snapshot)
        for each in self._affected:
            each.by(snapshot)


async def _costs() -> Costs:
    first = table()
    updates, gateway = Updates(), Gateway()
    gc.collect()
    whole, whole_publish = _timed(lambda: updates.update(None, first))
    mine, whole_take = _timed(lambda: take(EMPTY, _parsed(whole)))
    _, whole_follow = _timed(lambda: gateway.follow(mine))
    assert mine == first
    sizes, times, old = [], [], first
    for _ in range(CHANGES):
        await asyncio.sleep(0)  # in which links begin and end
        new = changed(old)
        raw, publish = _timed(partial(updates.update, old, new))
        mine, taken = _timed(partial(_taken, mine, raw))
        _, followed = _timed(partial(gateway.follow, mine))
        assert mine == new
        sizes.append(len(raw))
        times.append((publish, taken, followed))
        old = new
    await gateway.pool.close()
    publish, taken, followed = map(statistics.median, zip(*times, strict=True))
    return Costs(
        max(sizes), publish, taken, followed, len(whole), whole_publish, whole_take, whole_follow
    )


def _timed(step: Callable[[], T]) -> tuple[T, float]:
    before = time.perf_counter()
    made = step()
    return made, time.perf_counter() - before


def _parsed(raw: bytes) -> routing_pb2.Update:
    return routing_pb2.Update.FromString(raw)


def _taken(snapshot: Snapshot, raw: bytes) -> Snapshot:
    return take(snapshot, _parsed(raw))


async def _effects() -> list[float]:
    """Seconds from each change until all of `GATEWAYS` route by it, over gRPC in one process."""
    snapshots: Latest[Snapshot] = Latest()
    watchers = Watchers()
    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Routing(snapshots, watchers).handler(),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    newest = table()
    snapshots.put(newest)
    gateways = [Gateway() for _ in range(GATEWAYS)]
    watches = [
        Watch(address, f"gateway/{number}", gateway.follow, Random(number))
        for number, gateway in enumerate(gateways)
    ]
    for watch in watches:
        watch.start()
    for watch in watches:
        await watch.first()
    await watchers.reached(1)
    found = []
    for _ in range(CHANGES):
        newest = changed(newest)
        before = time.perf_counter()
        snapshots.put(newest)
        await watchers.reached(newest.number)
        found.append(time.perf_counter() - before)
    for watch in watches:
        await watch.close()
    for gateway in gateways:
        await gateway.pool.close()
    await server.stop(0)
    return found


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What was measured: the costs of each round, and the seconds to effect of each change."""

    costs: Sequence[Costs]
    effects: Sequence[float]


def snapshot_rounds(rounds: int, say: Say) -> Snapshots:
    """Measures so many times what a change costs, and once how long it is on its way."""
    costs = []
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}: a change in a large routing table")
        costs.append(asyncio.run(_costs()))
    say("a change on its way to gateways")
    return Snapshots(costs, asyncio.run(_effects()))


def snapshot_figures(found: Snapshots) -> list[Figure]:
    """What one change costs, and how soon it is in effect."""

    def milliseconds(title: str, of: Callable[[Costs], float]) -> Figure:
        values = [1000 * of(each) for each in found.costs]
        return Figure(title, values, MOST_MILLISECONDS, is_least=False, unit="ms")

    sizes = [float(each.size) for each in found.costs]
    return [
        Figure("one replica changes: bytes to each gateway", sizes, 2000, is_least=False),
        milliseconds("one replica changes: to make the update", lambda each: each.publish),
        milliseconds("one replica changes: to route by it", lambda each: each.take + each.follow),
        Figure(
            f"change to effect on {GATEWAYS} gateways, longest of {CHANGES}",
            [1000 * max(found.effects)],
            1000,
            is_least=False,
            unit="ms",
        ),
    ]


def snapshot_json(found: Snapshots) -> Mapping[str, object]:
    """Everything in plain values; sizes in bytes, times in seconds."""
    return {"costs": [asdict(each) for each in found.costs], "effects": list(found.effects)}
