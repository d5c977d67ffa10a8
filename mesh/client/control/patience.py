"""How long a client waits for a controller that is away: one that died is made anew, elsewhere."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from mesh.clock import Clock, monotonic
from mesh.errors import DeadlineExceeded, MeshError, Unavailable

AWAY = 30.0
"""Seconds without a controller after which nobody waits for it any more."""
POLL = 0.25
"""Seconds between two tries."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def _still(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Patience:
    """Up to `limit` seconds without an answer; `tell` is told in one line when a wait begins."""

    limit: float = AWAY
    clock: Clock = monotonic
    pause: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = _still


ENOUGH = Patience()
"""For whoever says nothing else."""


def was_sent(error: httpx.HTTPError) -> bool:
    """Whether a request that failed so may have been heard, and done."""
    return not isinstance(error, _NEVER_SENT)


def got_away(error: httpx.HTTPError) -> bool:
    """Whether somebody took a connection and ended it before the answer."""
    if isinstance(error, httpx.RemoteProtocolError):  # else no server of HTTP
        return "disconnected" in str(error) or "closed connection" in str(error)
    return isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError)


class Outage:
    """The time that one question finds no controller. `may_be_done`: a try may have been heard.

    It is waited out for as long as `patience` has it, and for `most` seconds at most.
    """

    def __init__(self, patience: Patience, most: float = math.inf) -> None:
        self._patience = patience
        self._limit = min(patience.limit, max(most, 0.0))
        self._until: float | None = None
        self.may_be_done = False

    def wait_for(self, failure: MeshError, *, is_sent: bool, is_repeatable: bool) -> None:
        """Returns when it is time for another try.

        Raises `failure`, which says then how it stands, where nothing is to be tried any more.
        """
        if isinstance(failure, DeadlineExceeded):
            raise failure
        self.may_be_done |= is_sent
        if is_sent and not is_repeatable:
            raise _told(failure, "it may have been done: look before you do it again")
        now, limit = self._patience.clock(), self._limit
        said = f"{round(limit, 1):g} s"
        if self._until is None:
            self._until = now + limit
            if limit:
                self._patience.tell(f"{failure.message}; waiting for it, {said} at most")
        if now >= self._until:
            waited = f"waited {said} for it" if limit else ""
            hint = "it is safe to do this again" if self.may_be_done else ""
            raise _told(failure, "; ".join(filter(None, (waited, hint))))
        self._patience.pause(POLL)


def _told(failure: MeshError, more: str) -> MeshError:
    if not more:
        return failure
    return Unavailable(f"{failure.message}; {more}", retry_after=failure.retry_after)
