"""What replicas and callers measure, as the controller decides by it. Plain values.

Rates and levels are averages over the time since the last report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.traffic.latency import added


@dataclass(frozen=True, slots=True)
class ReplicaLoad:
    """One replica: calls that it holds, what it uses, calls that it has ended per second.

    `cpu` is in percent of the cores it reserved (of one core if it reserved none), `gpu` in
    percent of its devices, `memory` in bytes. `at` is when it was measured, `since` when the
    replica reported for the first time, in seconds on the controller's clock.
    """

    in_flight: float = 0.0
    cpu: float = 0.0
    gpu: float = 0.0
    memory: float = 0.0
    qps: float = 0.0
    at: float = 0.0
    since: float = float("-inf")


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """All replicas of a service that are ready: `in_flight` of all, the rest on average.

    `queued` are the calls that wait with callers because replicas are full or there are none.
    `replicas` is how many of them have reported; 0 means that nothing but `queued` is known.
    While replicas come and go, calls are with others than the last reports say. `moved` are those
    of the calls in flight that are in replicas which have just begun to report; `gone` are calls,
    not among those, of replicas that take no more or have just ended. Others may have both.
    """

    replicas: int = 0
    in_flight: float = 0.0
    queued: float = 0.0
    cpu: float = 0.0
    gpu: float = 0.0
    memory: float = 0.0
    qps: float = 0.0
    moved: float = 0.0
    gone: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Requests that ended at one version: how many, how many failed, how long they took.

    `errors` are the requests that failed through the service's fault: HTTP 5xx, and the gRPC
    codes that stand for it. `latencies` counts requests by the number of their bucket (see
    `mesh.traffic.latency`).
    """

    requests: int = 0
    errors: int = 0
    latencies: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What one process has measured.

    `seconds` is the time over which loads are averaged, `replicas` are loads by replica id,
    `waiting` the calls that wait now by deployment, version id and service, `outcomes` the requests
    that ended and were in no report before, by deployment and version id. `uses` are the tokens,
    by their SHA-256, that opened protected deployments, with when they did last in seconds since
    the Unix epoch.
    """

    reporter: str = ""
    seconds: float = 0.0
    replicas: Mapping[str, ReplicaLoad] = field(default_factory=dict)
    waiting: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, str], Outcomes] = field(default_factory=dict)
    uses: Mapping[bytes, float] = field(default_factory=dict)


MOST_USES = 10_000
"""Tokens whose use is remembered until it is reported."""
MOST_OUTCOMES = 10_000
"""Versions whose requests are remembered while they cannot be reported."""


def together(
    one: Mapping[tuple[str, str], Outcomes], other: Mapping[tuple[str, str], Outcomes]
) -> dict[tuple[str, str], Outcomes]:
    """The requests of both; those of versions beyond MOST_OUTCOMES are left out."""
    total = dict(one)
    for key, more in other.items():
        before = total.get(key)
        if before is not None:
            total[key] = Outcomes(
                before.requests + more.requests,
                before.errors + more.errors,
                added(before.latencies, more.latencies),
            )
        elif len(total) < MOST_OUTCOMES:
            total[key] = more
    return total
