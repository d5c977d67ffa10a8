"""The tries of one call, until its deadline."""

from random import Random

from mesh.client.options import Options
from mesh.client.retry import NotSent, pause
from mesh.clock import monotonic
from mesh.errors import Code, DeadlineExceeded, MeshError

_RNG = Random()  # noqa: S311  # spreads tries in time


def late() -> DeadlineExceeded:
    """The error of a call whose time is up."""
    return DeadlineExceeded("no reply within the time limit")


class Tries:
    """How often a call may still be made, and how long.

    `can_repeat`: the same arguments can be sent again; `idempotent`: so can what may have run.
    """

    def __init__(self, options: Options, *, can_repeat: bool, idempotent: bool) -> None:
        self._retries = options.retries if can_repeat else 0
        self._idempotent = idempotent
        self._made = 0
        self._broke: MeshError | None = None
        limit = options.timeout
        self._deadline = None if limit is None else monotonic() + limit

    def left(self) -> float | None:
        """Seconds until the deadline, None if there is none. Raises DeadlineExceeded after it."""
        if self._deadline is None:
            return None
        left = self._deadline - monotonic()
        if left <= 0:
            raise late()
        return left

    def pause(self, error: MeshError) -> float:
        """Seconds until the next try after one that failed; raises its error if there is none.

        Where nobody is at the address any more, that is the error of the try that was there.
        """
        self._made += 1
        if not isinstance(error, NotSent):
            self._broke = error if error.code is Code.UNAVAILABLE else None
        wait = pause(
            error,
            tries=self._made,
            retries=self._retries,
            idempotent=self._idempotent,
            left=float("inf") if self._deadline is None else self._deadline - monotonic(),
            rng=_RNG,
        )
        if wait is None:
            raise self._broke if self._broke and isinstance(error, NotSent) else error
        return wait
