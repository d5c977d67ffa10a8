"""Route, split and balance of one request, with many endpoints in the snapshot."""

import statistics
import time
from collections.abc import Iterable, Mapping
from random import Random

from mesh.call import CallKind
from mesh.link.dispatch import Dispatcher
from mesh.traffic.balance import choose_replica
from mesh.traffic.route import endpoint_of, method_of
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    Method,
    Replica,
    Service,
    Snapshot,
    Version,
    WeightedDeployment,
)
from tests.bench.measures import Figure, Say

ENDPOINTS = 10_000
REPLICAS = 4
"""Of each version."""
REQUESTS = 20_000
"""Of a round, each to another endpoint than the one before."""


class Reached:
    """The pool of a caller that has a link to every replica, each with some calls."""

    def __init__(self) -> None:
        self.on_change: object = None
        self.loads: Mapping[str, int] = {}

    def link(self, _: str) -> bool:
        return True

    def change(self, *, gone: Iterable[Replica], wanted: Iterable[Replica]) -> None:
        self.loads = {replica.id: hash(replica.id) % 7 for replica in wanted}


def table(endpoints: int = ENDPOINTS) -> Snapshot:
    """Endpoints over two deployments each, which have two versions."""
    deployments = {f"d{i}": _deployment(f"d{i}") for i in range(endpoints)}
    return Snapshot(
        endpoints={
            f"e{i}": Endpoint(
                f"e{i}",
                (
                    WeightedDeployment(f"d{i}", 90),
                    WeightedDeployment(f"d{(i + 1) % endpoints}", 10),
                ),
            )
            for i in range(endpoints)
        },
        deployments=deployments,
        default_endpoint="e0",
    )


def _deployment(name: str) -> Deployment:
    def version(label: str, weight: int) -> Version:
        replicas = tuple(Replica(f"{name}/{label}/{i}", "127.0.0.1:1") for i in range(REPLICAS))
        method = Method("classify", "/classify", CallKind.UNARY)
        entry = Service("S", {"classify": method}, replicas, max_concurrency=64)
        return Version(f"{name}-{label}", label, "S", {"S": entry}, weight)

    return Deployment(name, (version("main", 80), version("canary", 20)))


def route_rounds(rounds: int, say: Say) -> list[float]:
    """Microseconds of one request, in each round."""
    say("a snapshot of many endpoints")
    snapshot = table()
    pool = Reached()
    dispatcher = Dispatcher(pool, time.monotonic, Random(1))  # type: ignore[arg-type]  # links to nowhere
    dispatcher.follow(snapshot)
    rng = Random(2)
    names = [f"e{rng.randrange(ENDPOINTS)}" for _ in range(REQUESTS)]
    found = []
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}: route, split and balance")
        begun = time.perf_counter()
        for name in names:
            _one(dispatcher, pool, snapshot, name, rng)
        found.append((time.perf_counter() - begun) / REQUESTS * 1e6)
    return found[1:]  # in the first, what is worked out once is worked out


def _one(dispatcher: Dispatcher, pool: Reached, snapshot: Snapshot, name: str, rng: Random) -> None:
    endpoint, path = endpoint_of(
        snapshot, authority="127.0.0.1:3000", header=name, path="/classify"
    )
    _, version = dispatcher.choices.choose(
        snapshot.endpoints[endpoint], named="", key=lambda _: None
    )
    service, _ = method_of(version, path)
    choose_replica(service.replicas, pool.loads, rng, max_concurrency=service.max_concurrency)


def route_figures(rounds: list[float]) -> list[Figure]:
    """The figure to reach."""
    title = f"route, split and balance, {ENDPOINTS:,} endpoints"
    return [Figure(title, rounds, 10.0, is_least=False, unit="µs")]


def route_json(rounds: list[float]) -> dict[str, object]:
    """The same in plain values."""
    return {"endpoints": ENDPOINTS, "microseconds": rounds, "median": statistics.median(rounds)}
