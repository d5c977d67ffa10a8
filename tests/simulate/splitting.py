"""Whether requests are divided by weights, and what it costs to send one on its way."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from math import sqrt
from random import Random
from statistics import NormalDist

from mesh.call import CallKind
from mesh.link.dispatch import Dispatcher
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    Method,
    Replica,
    Service,
    Snapshot,
    SplitBy,
    Version,
    WeightedDeployment,
)
from tests.bench.route import ENDPOINTS, Reached, route_rounds
from tests.simulate.rows import Row, Say

REQUESTS = 100_000
WEIGHTS = {"a": 1, "b": 9, "c": 90}
CHANCE = NormalDist().inv_cdf(0.9995)
"""Standard deviations that 99.9 % of all runs keep to, on both sides."""


def rows(say: Say) -> Iterator[Row]:
    """Errors of shares as a part of what chance allows; microseconds of a request."""
    splits = {
        "weights of an endpoint": _by_endpoint,
        "canaries, at random": lambda: _by_version(SplitBy.RANDOM),
        "canaries, by header": lambda: _by_version(SplitBy.HEADER),
    }
    for title, counts in splits.items():
        say(f"{REQUESTS:,} requests: {title}")
        yield Row("split 1/9/90", f"{title}: largest error ÷ 99.9 % bound", _error(counts()), 1.0)
    microseconds = min(route_rounds(5, say))
    title = f"route, split and balance, {ENDPOINTS:,} endpoints: best of 5"
    yield Row("split 1/9/90", title, microseconds, 10.0, "µs")


def _error(counts: Counter[str]) -> float:
    total = sum(WEIGHTS.values())

    def of(name: str, weight: int) -> float:
        share = weight / total
        return abs(counts[name] - REQUESTS * share) / (
            CHANCE * sqrt(REQUESTS * share * (1 - share))
        )

    return max(of(name, weight) for name, weight in WEIGHTS.items())


def _version(identity: str, name: str, weight: int) -> Version:
    method = Method("predict", "/predict", CallKind.UNARY)
    replicas = (Replica(f"{identity}-1", "127.0.0.1:1"),)
    return Version(identity, name, "S", {"S": Service("S", {"p": method}, replicas)}, weight)


def _dispatcher(snapshot: Snapshot) -> Dispatcher:
    made = Dispatcher(Reached(), time.monotonic, Random(11))  # type: ignore[arg-type]  # links to nowhere
    made.follow(snapshot)
    return made


def _counted(snapshot: Snapshot, of: Callable[[tuple[str, Version]], str]) -> Counter[str]:
    dispatcher, endpoint = _dispatcher(snapshot), snapshot.endpoints["e"]
    counts: Counter[str] = Counter()
    for number in range(REQUESTS):
        chosen = dispatcher.choices.choose(
            endpoint, named="", key=lambda _, user=number: f"user-{user}"
        )
        counts[of(chosen)] += 1
    return counts


def _by_endpoint() -> Counter[str]:
    deployments = {name: Deployment(name, (_version(name, "main", 100),)) for name in WEIGHTS}
    shares = tuple(WeightedDeployment(*each) for each in WEIGHTS.items())
    snapshot = Snapshot(1, 1, {"e": Endpoint("e", shares)}, deployments, "e")
    return _counted(snapshot, lambda chosen: chosen[0])


def _by_version(split_by: SplitBy) -> Counter[str]:
    versions = tuple(_version(f"d-{name}", name, weight) for name, weight in WEIGHTS.items())
    key = "" if split_by is SplitBy.RANDOM else "x-user"
    deployment = Deployment("d", versions, split_by, key)
    endpoint = Endpoint("e", (WeightedDeployment("d", 1),))
    snapshot = Snapshot(1, 1, {"e": endpoint}, {"d": deployment}, "e")
    return _counted(snapshot, lambda chosen: chosen[1].name)
