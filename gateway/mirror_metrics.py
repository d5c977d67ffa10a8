"""What became of requests that were copied to a mirror."""

# ruff: noqa: PLC0415 - prometheus_client is loaded for who is scraped only, as in mesh.observe.metrics

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import Metric


class MirrorKey(NamedTuple):
    """What copies are told apart by; all of it comes from configuration, or is one of few words.

    `deployment` and `version` are the mirror's. `result` is a gRPC code, or why none was sent:
    `busy`, `large` or `stream`.
    """

    endpoint: str
    deployment: str
    version: str
    result: str


class MirrorMetrics:
    """Copies of requests of one process. `count` is for one thread, `collect` for any."""

    def __init__(self) -> None:
        self.counts: dict[MirrorKey, int] = {}

    def __repr__(self) -> str:
        return f"MirrorMetrics({self.counts})"

    def count(self, key: MirrorKey) -> None:
        """Counts one request that was copied, or could not be."""
        self.counts[key] = self.counts.get(key, 0) + 1

    def collect(self) -> Iterator["Metric"]:
        """The one family."""
        from prometheus_client.metrics_core import CounterMetricFamily

        family = CounterMetricFamily(
            "mesh_mirrored_requests",
            "Requests that were copied to a mirror, or could not be.",
            labels=MirrorKey._fields,
        )
        # A copy, because another thread may add to the original meanwhile.
        for key, count in list(self.counts.items()):
            family.add_metric(key, count)
        yield family
