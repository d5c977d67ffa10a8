"""Quantiles of very many latencies."""

import numpy as np

from mesh.simulate.trace import Floats

_SHORTEST = 1e-5
"""Seconds; what is shorter counts as this long."""
_STEP = float(np.log(1.01))
_BUCKETS = 2048
"""From 10 us to more than an hour, each a hundredth longer than the one before."""


class Quantiles:
    """Counts in buckets that grow geometrically: a quantile is off by at most a hundredth."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)

    def __repr__(self) -> str:
        return f"Quantiles({self.count}, p50={self.of(0.5):.3g}, p99={self.of(0.99):.3g})"

    @property
    def count(self) -> int:
        """How many were added."""
        return int(self._counts.sum())

    def add(self, latencies: Floats) -> None:
        """Adds some, in seconds."""
        places = np.log(np.maximum(latencies, _SHORTEST) / _SHORTEST) / _STEP
        places = np.minimum(places, _BUCKETS - 1).astype(np.int64)
        self._counts += np.bincount(places, minlength=_BUCKETS)

    def of(self, q: float) -> float:
        """The value in seconds below which the fraction `q` lies; 0 if there are none."""
        if not self.count:
            return 0.0
        rank = q * (self.count - 1)
        place = int(np.searchsorted(np.cumsum(self._counts), rank, side="right"))
        return _SHORTEST * float(np.exp((place + 0.5) * _STEP))


def quantile(ordered: Floats, q: float) -> float:
    """The nearest value to the fraction `q` of some in order; there is one at least."""
    return float(ordered[round(q * (len(ordered) - 1))])
