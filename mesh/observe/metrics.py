"""Counts and durations of requests, kept as plain numbers and rendered for Prometheus."""

# ruff: noqa: PLC0415 - prometheus_client costs 10 to 14 MiB and 40 to 70 ms: only who is scraped pays

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of what `render` returns."""
BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds of the duration histogram, in seconds; what is longer has a bucket of its own."""
MAX_SERIES = 1_000
"""Keys that have numbers of their own."""
MAX_CODES = 32
"""Result codes that have a count of their own, per key; more than gRPC has."""


class RequestKey(NamedTuple):
    """What requests are told apart by.

    `protocol` is `http` or `grpc`. Values must come from configuration, never from a request: who
    calls an endpoint or method that does not exist is counted under an empty name.
    """

    endpoint: str = ""
    deployment: str = ""
    version: str = ""
    service: str = ""
    method: str = ""
    protocol: str = ""


_OTHER = "other"
_OTHER_KEY = RequestKey(*[_OTHER] * len(RequestKey._fields))


class _Series:
    """Numbers of one key. `durations` has a count per bucket, the last for longer requests."""

    __slots__ = ("codes", "durations", "in_flight", "seconds")

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.durations = [0] * (len(BUCKETS) + 1)
        self.in_flight = 0
        self.seconds = 0.0


class Source(Protocol):
    """Something that has metrics to show."""

    def collect(self) -> Iterable["Metric"]:
        """The metrics as they are now."""
        ...


class RequestMetrics:
    """Requests of one process, by key and result code.

    Memory is bounded: keys beyond MAX_SERIES share one series that has "other" in every label,
    codes beyond MAX_CODES of a key share one count. `begin` and `end` are for one thread;
    `collect` may run in another.
    """

    def __init__(self) -> None:
        self._series: dict[RequestKey, _Series] = {}

    def begin(self, key: RequestKey) -> None:
        """Counts a request that has started."""
        series = self._series.get(key) or self._added(key)
        series.in_flight += 1

    def end(self, key: RequestKey, code: str, seconds: float) -> None:
        """Counts a request that `begin` counted and that took `seconds`, with its result."""
        series = self._series.get(key) or self._added(key)
        series.in_flight -= 1
        series.seconds += seconds
        series.durations[bisect_left(BUCKETS, seconds)] += 1
        codes = series.codes
        if code not in codes and len(codes) >= MAX_CODES:
            code = _OTHER
        codes[code] = codes.get(code, 0) + 1

    def _added(self, key: RequestKey) -> _Series:
        if len(self._series) >= MAX_SERIES:
            key = _OTHER_KEY
        return self._series.setdefault(key, _Series())

    def collect(self) -> Iterator["Metric"]:
        """The three families: requests by code, their durations, and those in flight."""
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        labels = RequestKey._fields
        requests = CounterMetricFamily(
            "mesh_requests", "Requests that have ended.", labels=(*labels, "code")
        )
        durations = HistogramMetricFamily(
            "mesh_request_duration_seconds", "How long requests took.", labels=labels
        )
        in_flight = GaugeMetricFamily(
            "mesh_requests_in_flight", "Requests that have not ended.", labels=labels
        )
        # Copies, because another thread may add to the originals meanwhile.
        for key, series in list(self._series.items()):
            for code, count in list(series.codes.items()):
                requests.add_metric((*key, code), count)
            durations.add_metric(key, _cumulative(series.durations), series.seconds)
            in_flight.add_metric(key, series.in_flight)
        yield from (requests, durations, in_flight)

    def __repr__(self) -> str:
        running = sum(series.in_flight for series in self._series.values())
        return f"RequestMetrics({len(self._series)} series, {running} in flight)"


def _cumulative(counts: Iterable[int]) -> list[tuple[str, float]]:
    bounds = (*map(str, BUCKETS), "+Inf")
    return list(zip(bounds, accumulate(map(float, counts)), strict=True))


def render(*sources: Source) -> bytes:
    """The metrics of `sources` in the text format of CONTENT_TYPE; names must not repeat."""
    from prometheus_client import generate_latest
    from prometheus_client.registry import Collector

    class All(Collector):
        def collect(self) -> Iterator["Metric"]:
            for source in sources:
                yield from source.collect()

    return generate_latest(All())
