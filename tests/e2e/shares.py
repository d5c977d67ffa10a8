"""What chance allows of a share of requests."""

import math
from statistics import NormalDist

# One test in a million of a mesh that is right fails; draws are many, so that few wrong ones pass.
_BOUND = NormalDist().inv_cdf(1 - 0.5e-6)


def within(count: int, draws: int, share: float) -> bool:
    """Whether `count` of `draws` is what chance allows where `share` is the probability."""
    return abs(count - draws * share) <= _BOUND * math.sqrt(draws * share * (1 - share)) + 1
