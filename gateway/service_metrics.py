"""Metrics under the names that services of other systems have always had, for their dashboards."""

# ruff: noqa: PLC0415 - prometheus_client is loaded for who is scraped only, as in mesh.observe.metrics

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Self

from gateway.admin import METRICS
from gateway.asgi import Event, Send
from gateway.fronts import Fronted
from mesh.clock import Clock, monotonic
from mesh.traffic.snapshot import Service

if TYPE_CHECKING:
    from prometheus_client import Metric

_VERSION = "not available"
"""What a service says that was never built."""
_PLACEHOLDERS = ("200", "500")
"""Codes that each method's counter has from the start, so that a rate is known from the first."""


class _Key(NamedTuple):
    """Labels of a series but for the code. Paths come from configuration, never from a request."""

    path: str
    service: str


class _Series:
    __slots__ = ("durations", "seconds")

    def __init__(self, bounds: int) -> None:
        self.durations = [0] * (bounds + 1)
        self.seconds = 0.0


class _Space:
    """The series of one namespace."""

    def __init__(self) -> None:
        self.buckets: dict[str, tuple[float, ...]] = {}
        self.series: dict[tuple[_Key, str], _Series] = {}
        self.running: dict[_Key, int] = {}
        self.latest: dict[str, float] = {}


class Count:
    """One request: counted with the status that was sent, unless its metrics are off."""

    def __init__(self, metrics: "ServiceMetrics", fronted: Fronted, send: Send) -> None:
        service = fronted.front.service
        inside = fronted.inside
        self._metrics = metrics if service.edge.metrics and inside != METRICS else None
        self._service = service
        self._path = fronted.path if fronted.front.knows(fronted.path) else ""
        self._send = send
        self._status = 0
        self._since = 0.0

    async def send(self, event: Event) -> None:
        """Passes an event on, and notes the status."""
        if event["type"] == "http.response.start":
            self._status = event["status"]
        await self._send(event)

    def __enter__(self) -> Self:
        if self._metrics is not None:
            self._since = self._metrics.clock()
            self._metrics.begin(self._service, self._path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._metrics is not None:
            seconds = self._metrics.clock() - self._since
            # Nobody was told a status where the client had gone.
            code = str(self._status or 499)
            self._metrics.end(self._service, self._path, code, seconds)


class ServiceMetrics:
    """Requests by namespace, service, path and code. `begin` and `end` are for one thread."""

    def __init__(self, clock: Clock = monotonic, now: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._now = now
        self._spaces: dict[str, _Space] = {}

    def count(self, fronted: Fronted, send: Send) -> "Count":
        """Counts one request while it is served, from what is sent through it."""
        return Count(self, fronted, send)

    def begin(self, service: Service, path: str) -> None:
        """A request has come for a path of the service."""
        space = self._spaces.get(service.edge.metrics)
        if space is None:
            space = self._spaces[service.edge.metrics] = _Space()
        if service.name not in space.buckets:
            space.buckets[service.name] = service.edge.buckets
            for route in service.routes:
                for code in _PLACEHOLDERS:
                    self._series(space, _Key(route, service.name), code)
        key = _Key(path, service.name)
        space.running[key] = space.running.get(key, 0) + 1
        space.latest[service.name] = self._now()

    def end(self, service: Service, path: str, code: str, seconds: float) -> None:
        """A request that `begin` counted has ended with this HTTP status."""
        space = self._spaces[service.edge.metrics]
        key = _Key(path, service.name)
        space.running[key] -= 1
        series = self._series(space, key, code)
        series.seconds += seconds
        series.durations[bisect_left(space.buckets[service.name], seconds)] += 1

    def _series(self, space: _Space, key: _Key, code: str) -> _Series:
        found = space.series.get((key, code))
        if found is None:
            found = space.series[key, code] = _Series(len(space.buckets[key.service]))
        return found

    def collect(self) -> "Iterator[Metric]":
        """The families of each namespace."""
        for name, space in list(self._spaces.items()):
            yield from _families(name, space)


def _families(namespace: str, space: _Space) -> "Iterator[Metric]":
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    labels = ("endpoint", "service_name", "service_version", "runner_name")
    with_code = (*labels, "http_response_code")
    total = CounterMetricFamily(
        f"{namespace}_request", "Requests that have ended.", labels=with_code
    )
    duration = HistogramMetricFamily(
        f"{namespace}_request_duration_seconds", "How long requests took.", labels=with_code
    )
    running = GaugeMetricFamily(
        f"{namespace}_request_in_progress", "Requests that have not ended.", labels=labels
    )
    latest = GaugeMetricFamily(
        f"{namespace}_last_request_timestamp_seconds",
        "When the last request came, in seconds since the Unix epoch.",
        labels=labels[1:],
    )
    for (key, code), series in list(space.series.items()):
        values = (*_labels(key), code)
        count = sum(series.durations)
        total.add_metric(values, count)
        if count:
            bounds = (*map(str, map(float, space.buckets[key.service])), "+Inf")
            counts = accumulate(map(float, series.durations))
            duration.add_metric(values, list(zip(bounds, counts, strict=True)), series.seconds)
    for key, number in list(space.running.items()):
        running.add_metric(_labels(key), number)
    for service, moment in list(space.latest.items()):
        latest.add_metric((service, _VERSION, service), moment)
    yield from (total, duration, running, latest)


def _labels(key: _Key) -> tuple[str, ...]:
    return (key.path, key.service, _VERSION, key.service)
