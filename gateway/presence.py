"""Noticing that a client went away while its call runs.

Only calls that take long are watched: to ask the server for each call would cost as much as a
small call itself.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.asgi import Receive
from mesh.clock import Clock
from mesh.errors import MeshError

PATIENCE = 0.05
"""Seconds after which a call is watched."""
LONGEST_PAUSE = 1.0
"""Seconds between two looks at one client at most; the pause doubles from PATIENCE on."""


class Presence:
    """One client that waits for its reply."""

    __slots__ = ("_asking", "_is_over", "_on_gone", "_pause", "_receive", "due", "since")

    def __init__(self, receive: Receive, on_gone: Callable[[], None], since: float) -> None:
        self._receive = receive
        self._on_gone = on_gone
        self._asking: asyncio.Task[None] | None = None
        self._is_over = False
        self._pause = PATIENCE
        self.since = since
        self.due = since + PATIENCE

    def look(self, now: float) -> None:
        """Asks the server whether the client is still there, unless it has not answered yet.

        Some servers answer when the client goes, others say at once that nothing more comes, as
        often as they are asked: so there are pauses.
        """
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self.due = now + self._pause
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())

    def end(self) -> None:
        """Stops to watch.

        What waits is left alone: the server answers it when the request is over, and does not
        expect that nobody waits for that any more.
        """
        self._is_over = True

    async def _ask(self) -> None:
        event = await self._receive()
        if event["type"] == "http.disconnect" and not self._is_over:
            self._is_over = True
            self._on_gone()


class Clients:
    """All clients that wait, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[int, Presence] = {}
        self._is_timed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, receive: Receive, on_gone: Callable[[], None]) -> int:
        """A client waits; `on_gone` is called if it goes away. Returns its number for `leave`."""
        presence = Presence(receive, on_gone, self._clock())
        number = id(presence)
        self._waiting[number] = presence
        if not self._is_timed:
            self._is_timed = True
            asyncio.get_running_loop().call_later(PATIENCE, self._look)
        return number

    def leave(self, number: int) -> None:
        """The client's reply is done."""
        self._waiting.pop(number).end()

    def _look(self) -> None:
        """Looks after those that wait for long already; comes again while anyone waits."""
        now = self._clock()
        limit = now - PATIENCE
        for presence in self._waiting.values():
            if presence.since > limit:
                break
            if presence.due <= now:
                presence.look(now)
        self._is_timed = bool(self._waiting)
        if self._is_timed:
            asyncio.get_running_loop().call_later(PATIENCE, self._look)


class Ends(Protocol):
    """What can be told that its work is of no use any more."""

    def cancel(self, failure: MeshError | None = None, /) -> None:
        """Gives the work up; what waits for it raises `failure`, or Cancelled."""


class Departure:
    """Gives a call up when its client goes away, whichever replica it is at."""

    __slots__ = ("_call", "_failure", "has_gone")

    def __init__(self) -> None:
        self._call: Ends | None = None
        self._failure: Callable[[], MeshError] | None = None
        self.has_gone = False

    def follow(self, call: Ends) -> None:
        """`call` is the one to give up from now on."""
        self._call = call
        if self.has_gone:
            call.cancel()
        elif self._failure is not None:
            call.cancel(self._failure())

    def cancel(self) -> None:
        """The client is gone."""
        self.has_gone = True
        if self._call is not None:
            self._call.cancel()

    def expire(self, failure: Callable[[], MeshError]) -> None:
        """The client has no more time: the call fails with what `failure` makes."""
        self._failure = failure
        if self._call is not None:
            self._call.cancel(failure())
