import itertools
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mesh.errors import Code
from mesh.observe.metrics import (
    BUCKETS,
    MAX_CODES,
    MAX_SERIES,
    RequestKey,
    RequestMetrics,
    render,
)

KEY = RequestKey("digits", "digits", "main", "Classifier", "classify", "http")
CANARY = KEY._replace(version="v2", protocol="grpc")


class Scrape:
    """What one scrape of `metrics` reads."""

    def __init__(self, metrics: RequestMetrics) -> None:
        families = text_string_to_metric_families(render(metrics).decode())
        self.samples = [sample for family in families for sample in family.samples]
        self._values = {(s.name, frozenset(s.labels.items())): s.value for s in self.samples}
        assert len(self._values) == len(self.samples), "a series is there twice"

    def __call__(self, name: str, key: RequestKey, **labels: str) -> float:
        return self._values[name, frozenset((key._asdict() | labels).items())]


def test_ended_requests_are_counted_by_key_and_code() -> None:
    metrics = RequestMetrics()
    for key, code in ((KEY, "OK"), (KEY, "OK"), (KEY, "INTERNAL"), (CANARY, "OK")):
        metrics.begin(key)
        metrics.end(key, code, 0.01)
    value = Scrape(metrics)
    assert value("mesh_requests_total", KEY, code="OK") == 2
    assert value("mesh_requests_total", KEY, code="INTERNAL") == 1
    assert value("mesh_requests_total", CANARY, code="OK") == 1


def test_requests_are_in_flight_until_they_end() -> None:
    metrics = RequestMetrics()
    metrics.begin(KEY)
    metrics.begin(KEY)
    assert Scrape(metrics)("mesh_requests_in_flight", KEY) == 2
    metrics.end(KEY, "OK", 0.01)
    assert Scrape(metrics)("mesh_requests_in_flight", KEY) == 1
    assert repr(metrics) == "RequestMetrics(1 series, 1 in flight)"
    metrics.end(KEY, "OK", 0.01)
    assert Scrape(metrics)("mesh_requests_in_flight", KEY) == 0


@given(st.lists(st.one_of(st.sampled_from(BUCKETS), st.floats(0, 1000)), max_size=30))
def test_a_bucket_counts_all_requests_up_to_its_bound(durations: list[float]) -> None:
    metrics = RequestMetrics()
    metrics.begin(KEY)
    for seconds in durations:
        metrics.begin(KEY)
        metrics.end(KEY, "OK", seconds)
    value = Scrape(metrics)
    name = "mesh_request_duration_seconds"
    for bound in BUCKETS:
        expected = sum(seconds <= bound for seconds in durations)
        assert value(f"{name}_bucket", KEY, le=str(bound)) == expected
    assert value(f"{name}_bucket", KEY, le="+Inf") == len(durations)
    assert value(f"{name}_count", KEY) == len(durations)
    assert value(f"{name}_sum", KEY) == pytest.approx(sum(durations))


def test_keys_beyond_the_bound_share_one_series() -> None:
    metrics = RequestMetrics()
    keys = [KEY._replace(method=f"m{number}") for number in range(MAX_SERIES + 50)]
    for key in keys:
        metrics.begin(key)
    for key in keys[1:]:
        metrics.end(key, "OK", 0.01)
    value = Scrape(metrics)
    series = Counter(sample.name for sample in value.samples)
    assert series["mesh_requests_in_flight"] == MAX_SERIES + 1
    other = RequestKey(*["other"] * 6)
    assert value("mesh_requests_total", other, code="OK") == 50
    assert value("mesh_requests_in_flight", other) == 0
    assert value("mesh_requests_in_flight", keys[0]) == 1


def test_codes_beyond_the_bound_share_one_count() -> None:
    metrics = RequestMetrics()
    for number in range(MAX_CODES + 5):
        metrics.begin(KEY)
        metrics.end(KEY, f"c{number}", 0.01)
    assert Scrape(metrics)("mesh_requests_total", KEY, code="other") == 5
    assert len(Code) + 1 <= MAX_CODES


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_a_label(text: str) -> None:
    metrics = RequestMetrics()
    key = KEY._replace(method=text)
    metrics.begin(key)
    assert Scrape(metrics)("mesh_requests_in_flight", key) == 1


def test_a_process_without_requests_renders_the_names_only() -> None:
    text = render(RequestMetrics()).decode()
    assert "# TYPE mesh_requests_total counter\n" in text
    assert "# TYPE mesh_request_duration_seconds histogram\n" in text
    assert "# TYPE mesh_requests_in_flight gauge\n" in text
    assert not Scrape(RequestMetrics()).samples


def test_requests_that_come_while_metrics_are_read_do_not_disturb_the_reader() -> None:
    metrics = RequestMetrics()

    class Busy(RequestKey):
        """A key during whose reading further requests come, as from another thread."""

        def __iter__(self) -> Iterator[str]:
            key = KEY._replace(method=f"m{next(numbers)}")
            metrics.begin(key)
            metrics.begin(self)
            metrics.end(self, key.method, 0.01)
            return super().__iter__()

    numbers = itertools.count()
    busy = Busy(*KEY)
    metrics.begin(busy)
    metrics.end(busy, "OK", 0.01)
    value = Scrape(metrics)
    assert value("mesh_requests_total", KEY, code="OK") == 1
    assert next(numbers) > 0
