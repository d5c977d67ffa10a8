"""Outcomes by version: what is taken, what is recent, what is forgotten."""

from math import isclose

from hypothesis import given, strategies as st

from mesh.control.loads import Outcomes
from mesh.control.outcomes import SLOT, WINDOW, Ledger, VersionMetrics, summary, together
from mesh.traffic.latency import ACCURACY, LONGEST, SHORTEST, bucket

NOTHING = Outcomes()

outcomes = st.builds(
    Outcomes,
    st.integers(0, 1_000),
    st.integers(0, 1_000),
    st.dictionaries(st.integers(-20, 20), st.integers(1, 1_000), max_size=5),
)


# Sums


@given(outcomes, outcomes)
def test_together_counts_each_once(one: Outcomes, other: Outcomes) -> None:
    both = together(one, other)
    assert both.requests == one.requests + other.requests
    assert both.errors == one.errors + other.errors
    assert sum(both.latencies.values()) == sum(one.latencies.values()) + sum(
        other.latencies.values()
    )
    assert together(one, NOTHING) == one


def test_a_summary_has_rates_and_quantiles() -> None:
    latencies = {bucket(0.01): 150, bucket(0.1): 45, bucket(1.0): 5}
    found = summary(Outcomes(200, 3, latencies), seconds=50)
    assert (found.requests, found.errors, found.rate, found.error_rate) == (200, 3, 4.0, 0.015)
    for quantile, exact in ((found.p50, 0.01), (found.p90, 0.1), (found.p99, 1.0)):
        assert isclose(quantile, exact, rel_tol=ACCURACY + 1e-9)


def test_a_summary_of_nothing_or_of_no_time_is_zeros() -> None:
    assert summary(NOTHING, 60) == VersionMetrics(0, 0.0, 0, 0.0, 0.0, 0.0, 0.0)
    assert summary(Outcomes(5), 0).rate == 0.0


# Taking


def test_each_outcome_is_taken_once_and_stays_in_the_total() -> None:
    ledger = Ledger()
    ledger.add("shop", "v1", Outcomes(2, 1, {3: 2}), 0.0)
    ledger.add("shop", "v1", Outcomes(1, 0, {3: 1}), 1.0)  # another gateway
    assert ledger.take("shop", "v1") == Outcomes(3, 1, {3: 3})
    assert ledger.take("shop", "v1") == NOTHING
    ledger.add("shop", "v1", Outcomes(1, 1, {4: 1}), 2.0)
    assert ledger.take("shop", "v1") == Outcomes(1, 1, {4: 1})
    assert ledger.total("shop", "v1") == Outcomes(4, 2, {3: 3, 4: 1})


def test_versions_and_deployments_are_kept_apart() -> None:
    ledger = Ledger()
    ledger.add("shop", "v1", Outcomes(1), 0.0)
    ledger.add("shop", "v2", Outcomes(2), 0.0)
    ledger.add("mall", "v1", Outcomes(3), 0.0)
    assert ledger.take("shop", "v2").requests == 2
    assert ledger.take("shop", "v1").requests == 1
    assert ledger.take("mall", "v1").requests == 3


def test_a_version_nobody_knows_has_nothing() -> None:
    ledger = Ledger()
    assert ledger.take("shop", "v1") == ledger.total("shop", "v1") == NOTHING
    assert ledger.recent("shop", "v1", 7.0) == (NOTHING, WINDOW)


def test_what_was_given_out_does_not_change_afterwards() -> None:
    ledger = Ledger()
    ledger.add("shop", "v1", Outcomes(1, 0, {3: 1}), 0.0)
    total, (recent, _) = ledger.total("shop", "v1"), ledger.recent("shop", "v1", 0.0)
    ledger.add("shop", "v1", Outcomes(1, 0, {3: 1}), 0.0)
    assert total == recent == Outcomes(1, 0, {3: 1})


# What is recent


def test_recent_is_the_last_five_minutes() -> None:
    ledger = Ledger()
    for second in range(1_000):
        ledger.add("shop", "v1", Outcomes(2, 1, {3: 2}), float(second))
    found, seconds = ledger.recent("shop", "v1", 999.0)
    assert WINDOW - SLOT <= seconds <= WINDOW
    assert found.requests == 2 * found.errors == found.latencies[3]
    assert abs(found.requests / seconds - 2) < 0.02
    assert ledger.recent("shop", "v1", 999.0 + WINDOW)[0] == NOTHING
    assert ledger.total("shop", "v1").requests == 2_000


def test_a_new_version_is_measured_over_its_own_time() -> None:
    ledger = Ledger()
    ledger.add("shop", "v1", Outcomes(10), 1_003.0)
    assert ledger.recent("shop", "v1", 1_003.0) == (Outcomes(10), SLOT)
    assert ledger.recent("shop", "v1", 1_063.0) == (Outcomes(10), 60.0)


def test_a_clock_that_went_back_loses_nothing() -> None:
    ledger = Ledger()
    ledger.add("shop", "v1", Outcomes(1), 500.0)
    ledger.add("shop", "v1", Outcomes(1), 20.0)
    assert ledger.recent("shop", "v1", 500.0)[0] == Outcomes(2)


@given(st.lists(st.tuples(st.floats(0, 100), outcomes), max_size=20))
def test_recent_is_never_more_than_all(reports: list[tuple[float, Outcomes]]) -> None:
    ledger, now, expected = Ledger(), 0.0, NOTHING
    for pause, reported in reports:
        now += pause
        ledger.add("shop", "v1", reported, now)
        expected = together(expected, reported)
    recent, seconds = ledger.recent("shop", "v1", now)
    assert ledger.total("shop", "v1") == ledger.take("shop", "v1") == expected
    assert recent.requests <= expected.requests
    assert seconds <= WINDOW
    if now < WINDOW - SLOT:
        assert recent == expected


# Memory


def test_versions_that_are_gone_are_forgotten() -> None:
    ledger = Ledger()
    for version in ("v1", "v2", "v3"):
        ledger.add("shop", version, Outcomes(1), 0.0)
    ledger.keep([("shop", "v2"), ("shop", "v9")])
    assert [ledger.total("shop", version).requests for version in ("v1", "v2", "v3")] == [0, 1, 0]
    assert repr(ledger) == "Ledger(1 of 20000 versions)"


def test_of_too_many_versions_those_that_were_silent_longest_go() -> None:
    ledger = Ledger(versions=2)
    ledger.add("shop", "v1", Outcomes(1), 0.0)
    ledger.add("shop", "v2", Outcomes(1), 1.0)
    ledger.add("shop", "v1", Outcomes(1), 2.0)
    ledger.add("shop", "v3", Outcomes(1), 3.0)
    assert [ledger.total("shop", version).requests for version in ("v1", "v2", "v3")] == [2, 0, 1]


def test_buckets_that_no_latency_has_are_counted_in_the_outermost() -> None:
    ledger = Ledger()
    ledger.add("shop", "v1", Outcomes(4, 0, dict.fromkeys((-(10**9), -999, 999, 10**9), 1)), 0.0)
    assert ledger.total("shop", "v1").latencies == {bucket(SHORTEST): 2, bucket(LONGEST): 2}
