"""What counts of events say about their probability, however often one looks. Pure.

`n` trials had `k` hits. For one probability `p` the likelihood of that, averaged over all
probabilities by a Beta(1/2, 1/2) prior and divided by the likelihood at `p`, is

    M(p) = B(1/2 + k, 1/2 + n - k) / B(1/2, 1/2) / (p^k (1 - p)^(n - k))

If `p` is true then M(p) is a non-negative martingale that starts at 1, so the probability that it
*ever* reaches 1 / risk is at most `risk` (Ville's inequality). The probabilities at which it has
not reached that are a confidence sequence: they hold the true one at all times at once with
probability 1 - risk. So one may look after every trial and stop at will, and nothing is
approximate: it holds for one trial and for rates of 0. This is Robbins' mixture ("Statistical
methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41, 1970)
for Bernoulli trials (Lai, "On confidence sequences", Annals of Statistics 4, 1976); Howard, Ramdas,
McAuliffe and Sekhon ("Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
Statistics 49, 2021) have it among others, and Johari, Koomen, Pekelis and Walsh ("Always valid
inference", Operations Research 70, 2022) say what it is for in comparisons such as these.

Two rates are compared by a bound of each, with half of the risk. Unlike a mixture over the
difference this needs no assumption on how the trials of the two are interleaved, and costs the less
the more is known of one of them. Quantiles are bounded through the rate of trials beyond them, as
by Howard and Ramdas ("Sequential estimation of quantiles with applications to A/B testing and
best-arm identification", Bernoulli 28, 2022).

Trials count as independent, with one probability for each of the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, lgamma, log

_PRIOR = 0.5
# Jeffreys' prior: what it costs against the best guess grows as slowly as log(n) / 2, at rates
# near 0 as well, and rates of errors are near 0.
_LOG_NORM = 2 * lgamma(_PRIOR) - lgamma(2 * _PRIOR)
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Count:
    """`hits` of `trials`; hits are at most as many as trials."""

    hits: int
    trials: int

    @property
    def rate(self) -> float:
        """Hits per trial; 0 without trials."""
        return self.hits / self.trials if self.trials else 0.0


def evidence(count: Count, rate: float) -> float:
    """Logarithm of M(rate): how much the count speaks against `rate`, from both sides.

    `rate` is a probability, 0 and 1 included. Infinite if the count is impossible at `rate`.
    """
    hits, misses = count.hits, count.trials - count.hits
    if (hits and rate <= 0) or (misses and rate >= 1):
        return inf
    mixture = lgamma(_PRIOR + hits) + lgamma(_PRIOR + misses) - lgamma(2 * _PRIOR + count.trials)
    likelihood = (hits * log(rate) if hits else 0.0) + (misses * log(1 - rate) if misses else 0.0)
    return mixture - _LOG_NORM - likelihood


def is_above(count: Count, rate: float, risk: float) -> bool:
    """Whether the true rate is above `rate`; ever wrongly so with probability `risk` at most."""
    return count.rate > rate and evidence(count, rate) >= -log(risk)


def is_below(count: Count, rate: float, risk: float) -> bool:
    """Whether the true rate is below `rate`; ever wrongly so with probability `risk` at most."""
    return count.rate < rate and evidence(count, rate) >= -log(risk)


def at_most(count: Count, risk: float) -> float:
    """An upper bound of the true rate, 1 without trials.

    The probability that it is ever too low is at most `risk`.
    """
    low, high = count.rate, 1.0
    if not is_below(count, high, risk):
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if is_below(count, middle, risk):
            high = middle
        else:
            low = middle
    return high


def exceeds(
    tested: Count, base: Count, margin: float, *, tested_risk: float, base_risk: float
) -> bool:
    """Whether the rate of `tested` is above that of `base` by more than `margin` (from 0).

    The probability that this is ever true although it is not so is at most `tested_risk` +
    `base_risk`, over all the looks at growing counts. `base_risk` is spent on an upper bound of the
    rate of `base`, which may be used for other comparisons at no further risk.
    """
    # Where even the rate that base has shown is not exceeded its upper bound is not either.
    if not is_above(tested, base.rate + margin, tested_risk):
        return False
    return is_above(tested, at_most(base, base_risk) + margin, tested_risk)


def quantile_at_most(counts: Mapping[int, int], q: float, risk: float) -> int | None:
    """An upper bound of the bucket that holds the quantile `q` of what `counts` is a sample of.

    `counts` are trials by number of bucket, `q` is between 0 and 1. None if the counts are too
    few for a bound. The probability that the bound is ever too low is at most `risk`.
    """
    trials, tail = sum(counts.values()), 0
    if not is_below(Count(0, trials), 1 - q, risk):
        return None
    # A bucket is above the quantile if what lies in it and beyond is less than 1 - q.
    for number in sorted(counts, reverse=True):
        tail += counts[number]
        if not is_below(Count(tail, trials), 1 - q, risk):
            return number
    raise AssertionError("what lies in the lowest bucket and beyond is everything")


def quantile_at_least(counts: Mapping[int, int], q: float, risk: float) -> int | None:
    """A lower bound of the bucket that holds the quantile `q` of what `counts` is a sample of.

    As `quantile_at_most`, but for the other side.
    """
    trials = tail = sum(counts.values())
    if not is_above(Count(tail, trials), 1 - q, risk):
        return None
    # A bucket is below the quantile if what lies beyond it is more than 1 - q.
    for number in sorted(counts):
        tail -= counts[number]
        if not is_above(Count(tail, trials), 1 - q, risk):
            return number
    raise AssertionError("beyond the highest bucket there is nothing")
