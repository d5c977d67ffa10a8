"""Latencies in buckets: what a quantile of them is worth."""

from collections import Counter

from hypothesis import given, strategies as st

from mesh.traffic.latency import ACCURACY, LONGEST, SHORTEST, added, bucket, edge, quantile

seconds = st.floats(SHORTEST, LONGEST)


@given(seconds)
def test_a_bucket_holds_what_lies_between_its_edge_and_the_one_before(value: float) -> None:
    number = bucket(value)
    rounding = 1 + 1e-9
    assert edge(number - 1) / rounding < value <= edge(number) * rounding


@given(st.lists(seconds, min_size=1), st.floats(0, 1))
def test_a_quantile_is_off_by_the_accuracy_at_most(values: list[float], q: float) -> None:
    exact = sorted(values)[int(q * (len(values) - 1))]
    found = quantile(Counter(map(bucket, values)), q)
    assert abs(found - exact) <= (ACCURACY + 1e-9) * exact


@given(st.lists(seconds), st.lists(seconds))
def test_counts_added_are_the_counts_of_both(one: list[float], other: list[float]) -> None:
    both = added(Counter(map(bucket, one)), Counter(map(bucket, other)))
    assert both == Counter(map(bucket, one + other))


def test_what_is_shorter_than_the_shortest_counts_as_that_and_nothing_has_no_quantile() -> None:
    assert bucket(0.0) == bucket(SHORTEST)
    assert quantile({}, 0.5) == 0.0
