"""Latencies as counts in buckets that grow geometrically: small to send, exact to add up.

The bounds are those of DDSketch (Masson, Rim, Lee, VLDB 2019): a quantile is off by at most
ACCURACY of its value.
"""

from collections.abc import Mapping
from math import ceil, log

ACCURACY = 0.05
"""Relative error of a quantile at most."""
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = log(_GAMMA)
SHORTEST = 1e-5
"""Seconds; what is shorter counts as this long."""
LONGEST = 1e5
"""Seconds; who keeps counts for long need not tell longer ones apart."""


def bucket(seconds: float) -> int:
    """The number of the bucket that holds `seconds`."""
    return ceil(log(max(seconds, SHORTEST)) / _LOG_GAMMA)


def edge(number: int) -> float:
    """The longest latency in seconds that the bucket `number` holds.

    What it holds is longer than the edge of the bucket before it, except for SHORTEST.
    """
    return float(_GAMMA**number)


def quantile(counts: Mapping[int, int], q: float) -> float:
    """The value in seconds below which the fraction `q` (0 to 1) of what was counted lies.

    0 if nothing was counted.
    """
    rank = q * (sum(counts.values()) - 1)
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen > rank:
            return float(2 * _GAMMA**number / (_GAMMA + 1))
    return 0.0


def added(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    """Both together."""
    total = dict(one)
    for number, count in other.items():
        total[number] = total.get(number, 0) + count
    return total
