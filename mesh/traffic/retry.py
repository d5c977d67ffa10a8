"""Whether a failed call may be sent to another replica."""

from dataclasses import dataclass

ATTEMPTS = 4
"""Replicas that one call is offered at most."""


@dataclass(slots=True)
class RetryBudget:
    """Bounds the calls that are sent again after a replica may have run them.

    Each call adds `ratio` of a retry, up to `burst`; each retry takes one. So in an outage the
    load grows by that ratio at most, however many callers try.
    """

    ratio: float = 0.2
    burst: float = 10.0
    left: float = 10.0

    def earn(self) -> None:
        """A call was made for the first time."""
        self.left = min(self.burst, self.left + self.ratio)

    def spend(self) -> bool:
        """Takes one retry; False if none is left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


def may_retry(
    *, attempt: int, refused: bool, lost: bool, idempotent: bool, budget: RetryBudget
) -> bool:
    """Whether the call that failed in its `attempt` (from 1) may go to another replica.

    `refused`: the method never ran, so nothing speaks against it. `lost`: the replica died while
    it held the call; only an `idempotent` method may run twice, and only within the budget.
    """
    if attempt >= ATTEMPTS:
        return False
    return refused or (lost and idempotent and budget.spend())
