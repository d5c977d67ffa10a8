"""The body of a request as it comes, which nobody waits for longer than is good."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from gateway.asgi import ClientGoneError, Event, Receive
from gateway.presence import Clients
from mesh.alarms import Alarms, Cancellable
from mesh.errors import DeadlineExceeded

AHEAD = 1024 * 1024
"""Bytes that are read of a body before they are wanted, to see whether its client goes away."""


class Incoming:
    """The parts of one body, for one task to take.

    `patience` is how many seconds may pass without a part for one who waits for it; None: any.

    What was asked of the server is never taken back: servers do not expect that, and what they
    give is the beginning of the next part.
    """

    __slots__ = (
        "_ahead",
        "_alarms",
        "_asked",
        "_clients",
        "_failure",
        "_is_whole",
        "_number",
        "_on_gone",
        "_parts",
        "_receive",
        "_waiter",
        "patience",
    )

    def __init__(
        self, receive: Receive, clients: Clients, alarms: Alarms, patience: float | None
    ) -> None:
        self._receive = receive
        self._clients = clients
        self._alarms = alarms
        self.patience = patience
        self._asked: asyncio.Future[Event] | None = None
        self._parts: deque[bytes] = deque()
        self._ahead = 0  # bytes in them
        self._is_whole = False  # all has been received, though perhaps not taken
        self._failure: Callable[[], Exception] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_gone: Callable[[], None] | None = None
        self._number: int | None = None  # among the clients that wait

    async def part(self) -> tuple[bytes, bool]:
        """The next part, and whether more may follow.

        Raises:
            ClientGoneError: the client has gone.
            DeadlineExceeded: nothing came for `patience` seconds.
            Exception: the one that `end` was told of.
        """
        while not self._parts:
            if self._failure is not None:
                raise self._failure()
            if self._is_whole:
                return b"", False
            if self._asked is None:
                self._ask()
            await self._change()
        part = self._parts.popleft()
        self._ahead -= len(part)
        self._read_ahead()
        return part, bool(self._parts) or not self._is_whole

    async def _change(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        alarm: Cancellable | None = None
        if (patience := self.patience) is not None:
            alarm = self._alarms.set(patience, self.end, lambda: _too_late(patience))
        try:
            await waiter
        finally:
            self._waiter = None
            if alarm is not None:
                alarm.cancel()

    def _ask(self) -> None:
        # A server that gives a future is asked without a task; its type says only "awaitable".
        asked = cast("asyncio.Future[Event]", asyncio.ensure_future(self._receive()))
        self._asked = asked
        asked.add_done_callback(self._take)

    def _take(self, asked: "asyncio.Future[Event]") -> None:
        self._asked = None
        if asked.cancelled():  # the loop ends
            self.end(ClientGoneError)
            return
        try:
            event = asked.result()
        except Exception as error:  # noqa: BLE001  # told to whoever waits
            failure = error
            self.end(lambda: failure)
            return
        if event["type"] == "http.disconnect":
            self.end(ClientGoneError)
            if self._on_gone is not None:
                self._on_gone()
            return
        part = event.get("body", b"")
        self._is_whole = not event.get("more_body")
        self._parts.append(part)
        self._ahead += len(part)
        self._wake()
        self._read_ahead()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self, failure: Callable[[], Exception]) -> None:
        """Has whoever waits for a part, now or later, raise what `failure` makes."""
        self._failure = self._failure or failure
        self._wake()

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Calls `on_gone` if the client goes away, until this is closed.

        While the body is still to come, some of it is read ahead for that: that the client has
        gone is not known while more than AHEAD bytes wait to be taken.
        """
        self._on_gone = on_gone
        self._read_ahead()

    def _read_ahead(self) -> None:
        if self._on_gone is None:
            return
        if self._is_whole:
            if self._number is None:
                self._number = self._clients.enter(self._receive, self._on_gone)
        elif self._asked is None and self._ahead < AHEAD:
            self._ask()

    def close(self) -> None:
        """The request is over."""
        self._on_gone = None
        self.end(ClientGoneError)
        if self._number is not None:
            self._clients.leave(self._number)
            self._number = None


def _too_late(patience: float) -> DeadlineExceeded:
    return DeadlineExceeded(f"nothing more of the request came for {patience:g} seconds")
