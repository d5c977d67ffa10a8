"""Time as an argument: what decides takes `now`, what waits takes a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Reads the monotonic clock."""

    def __call__(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


monotonic: Clock = time.monotonic
"""The machine's monotonic clock. Deadlines are points on it and are valid in one process only."""
