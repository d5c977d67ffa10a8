"""Tests of rates that hold however often one looks: how often they err, and how soon they see."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import comb, exp, inf, isclose, sqrt
from random import Random

import pytest
from hypothesis import given, strategies as st

from mesh.control.sequential import (
    Count,
    at_most,
    evidence,
    exceeds,
    is_above,
    is_below,
    quantile_at_least,
    quantile_at_most,
)

RISK = 0.05
RUNS = 2_000

counts = st.integers(0, 10_000).flatmap(
    lambda trials: st.builds(Count, st.integers(0, trials), st.just(trials))
)
rates = st.floats(0.0005, 0.9995)


# Evidence


@given(counts, rates)
def test_evidence_is_on_average_what_it_was_one_trial_earlier(count: Count, rate: float) -> None:
    hit, missed = Count(count.hits + 1, count.trials + 1), Count(count.hits, count.trials + 1)
    now = evidence(count, rate)
    later = rate * exp(evidence(hit, rate) - now) + (1 - rate) * exp(evidence(missed, rate) - now)
    assert isclose(later, 1, rel_tol=1e-6)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5])
def test_evidence_against_the_truth_is_1_on_average(rate: float) -> None:
    trials = 60
    average = sum(
        comb(trials, hits)
        * rate**hits
        * (1 - rate) ** (trials - hits)
        * exp(evidence(Count(hits, trials), rate))
        for hits in range(trials + 1)
    )
    assert isclose(average, 1)


def test_what_cannot_be_is_infinitely_unlikely_and_no_trials_say_nothing() -> None:
    assert evidence(Count(1, 9), 0.0) == inf
    assert evidence(Count(8, 9), 1.0) == inf
    assert evidence(Count(0, 9), 0.0) < 0
    assert evidence(Count(9, 9), 1.0) < 0
    assert evidence(Count(0, 0), 0.3) == 0
    assert not is_above(Count(0, 0), 0.0, RISK)
    assert not is_below(Count(0, 0), 1.0, RISK)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("errs", [is_above, is_below])
def test_the_probability_ever_to_err_is_below_the_risk_to_the_last_digit(
    rate: float, errs: Callable[[Count, float, float], bool]
) -> None:
    # Not by chance: the distribution of the hits of all runs that have not erred yet, trial by
    # trial, with a look after each.
    alive, erred = {0: 1.0}, 0.0
    for trials in range(1, 601):
        following: defaultdict[int, float] = defaultdict(float)
        for hits, probability in alive.items():
            following[hits] += probability * (1 - rate)
            following[hits + 1] += probability * rate
        alive = {}
        for hits, probability in following.items():
            if errs(Count(hits, trials), rate, RISK):
                erred += probability
            else:
                alive[hits] = probability
    assert 0 <= erred <= RISK
    assert isclose(erred + sum(alive.values()), 1)


# Bounds


@given(counts, st.sampled_from([1e-6, 0.001, 0.05, 0.4]))
def test_an_upper_bound_is_where_the_evidence_reaches_the_risk(count: Count, risk: float) -> None:
    bound = at_most(count, risk)
    assert count.rate <= bound <= 1
    assert bound == 1 or is_below(count, bound, risk)
    assert not is_below(count, bound - 1e-6, risk)
    assert at_most(count, risk / 2) >= bound


def test_bounds_close_in_with_trials_and_stay_finite_for_billions() -> None:
    bounds = [at_most(Count(10**n // 1000, 10**n), 0.001) for n in range(3, 10)]
    assert all(later < earlier for earlier, later in pairwise(bounds))
    assert 0.001 < bounds[-1] < 0.00101
    assert at_most(Count(0, 0), RISK) == 1
    assert at_most(Count(5, 5), RISK) == 1


# Comparisons

Look = tuple[Count, Count]


def looks(random: Random, tested: float, base: float, share: float, batches: int) -> Iterator[Look]:
    """Counts of canary and main after each batch of 1 to 40 trials; `share` are the canary's."""
    canary_hits = canary_trials = main_hits = main_trials = 0
    for _ in range(batches):
        for _ in range(random.randint(1, 40)):
            if random.random() < share:
                canary_trials += 1
                canary_hits += random.random() < tested
            else:
                main_trials += 1
                main_hits += random.random() < base
        yield Count(canary_hits, canary_trials), Count(main_hits, main_trials)


def alarms(canary: Count, main: Count, margin: float = 0.0) -> bool:
    return exceeds(canary, main, margin, tested_risk=RISK / 2, base_risk=RISK / 2)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])  # with 0.98 main has next to nothing
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
def test_equal_rates_raise_no_more_false_alarms_than_the_risk(rate: float, share: float) -> None:
    false = sum(
        any(alarms(*look) for look in looks(Random(seed), rate, rate, share, 40))
        for seed in range(RUNS)
    )
    assert false <= RISK * RUNS


def test_a_rate_that_is_higher_by_the_margin_just_so_raises_no_more_either() -> None:
    false = sum(
        any(alarms(*look, 0.05) for look in looks(Random(seed), 0.051, 0.001, 0.5, 40))
        for seed in range(RUNS)
    )
    assert false <= RISK * RUNS


def test_a_test_for_a_single_look_would_not_pass_this() -> None:
    def once(canary: Count, main: Count) -> bool:
        trials = canary.trials + main.trials
        if not canary.trials or not main.trials:
            return False
        pooled = (canary.hits + main.hits) / trials
        error = sqrt(pooled * (1 - pooled) * (1 / canary.trials + 1 / main.trials))
        return error > 0 and (canary.rate - main.rate) / error > 1.645  # 5 % on one side

    false = sum(
        any(once(*look) for look in looks(Random(seed), 0.3, 0.3, 0.5, 40)) for seed in range(RUNS)
    )
    assert false > 3 * RISK * RUNS


def requests_until_alarm(tested: float, base: float, share: float, seed: int) -> int:
    """Of the canary, with a margin of 1 %."""
    for canary, main in looks(Random(seed), tested, base, share, 2_000):
        if exceeds(canary, main, 0.01, tested_risk=0.005, base_risk=0.005):
            return canary.trials
    raise AssertionError("not seen")


@pytest.mark.parametrize(
    ("tested", "base", "share", "within"),
    [
        (1.0, 0.0, 0.05, 20),
        (1.0, 0.001, 0.5, 50),  # a batch has up to 40
        (0.1, 0.0, 0.05, 300),
        (0.1, 0.001, 0.05, 300),
        (0.1, 0.001, 0.5, 800),
    ],
)
def test_a_canary_that_fails_is_seen(tested: float, base: float, share: float, within: int) -> None:
    for seed in range(200):
        assert requests_until_alarm(tested, base, share, seed) <= within


def test_all_failures_are_seen_once_there_is_something_to_compare_with() -> None:
    for failed in range(20):
        assert not exceeds(Count(failed, failed), Count(0, 0), 0.0, tested_risk=0.4, base_risk=0.4)
    assert exceeds(Count(15, 15), Count(0, 15), 0.01, tested_risk=0.005, base_risk=0.005)


# Quantiles


def latencies(random: Random, batches: int) -> Iterator[dict[int, int]]:
    """Counts in geometrically distributed buckets after each batch of 25."""
    found: Counter[int] = Counter()
    for _ in range(batches):
        found.update(int(random.expovariate(0.5)) for _ in range(25))
        yield found


TRUE_P90 = 4
"""The bucket in which a tenth of expovariate(0.5) begins: its quantile is ln(10) / 0.5 = 4.6."""


def test_bounds_of_a_quantile_err_no_more_than_the_risk() -> None:
    low = high = 0
    for seed in range(RUNS // 2):
        above = below = False
        for found in latencies(Random(seed), 80):
            bound = quantile_at_most(found, 0.9, RISK)
            above |= bound is not None and bound < TRUE_P90
            bound = quantile_at_least(found, 0.9, RISK)
            below |= bound is not None and bound > TRUE_P90
        low += above
        high += below
    assert low <= RISK * RUNS / 2
    assert high <= RISK * RUNS / 2


def test_bounds_of_a_quantile_meet_at_it_with_many_trials() -> None:
    *_, found = latencies(Random(1), 4_000)
    assert quantile_at_least(found, 0.9, RISK) == quantile_at_most(found, 0.9, RISK) == TRUE_P90
    moved = {number + 7: count for number, count in found.items()}
    assert quantile_at_least(moved, 0.9, RISK) == TRUE_P90 + 7


def test_too_few_trials_have_no_bound() -> None:
    risk = 0.001
    assert quantile_at_most({}, 0.99, risk) is None
    assert quantile_at_least({}, 0.99, risk) is None
    assert quantile_at_most({3: 1_000}, 0.99, risk) is None
    assert quantile_at_most({3: 1_200}, 0.99, risk) == 3
    assert quantile_at_least({3: 1}, 0.99, risk) is None
    assert quantile_at_least({3: 2}, 0.99, risk) == 3
    assert quantile_at_least({3: 2, 5: 10}, 0.99, risk) == 5
