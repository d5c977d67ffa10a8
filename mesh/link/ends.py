"""The two ends of a link on an event loop: one task writes what waits, one reads what comes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mesh.call import CallHead
from mesh.clock import Clock
from mesh.errors import MeshError, Unavailable
from mesh.link.call import CallerCall, ReplicaCall
from mesh.link.session import CallerSession, ProtocolError, ReplicaSession
from mesh.link.transport import Transport

_log = logging.getLogger(__name__)


class _Writer:
    """Writes all batches that a session has, whenever it has any."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._has_work = False  # `take` may have something to give
        self._is_writing = False
        self._has_ended = False
        self._work: asyncio.Future[None] | None = None  # what `run` waits for
        self._flushed: asyncio.Future[None] | None = None  # what `flush` waits for

    def wake(self) -> None:
        """There is something to write."""
        if not self._has_work:
            self._has_work = True
            _resolve(self._work)

    def end(self) -> None:
        """Nothing more will be written."""
        self._has_ended = True
        _resolve(self._flushed)

    async def flush(self) -> None:
        """Returns when nothing waits to be written, or the link has ended."""
        while not self._has_ended and (self._has_work or self._is_writing):
            self._flushed = asyncio.get_running_loop().create_future()
            await self._flushed

    async def run(self, take: Callable[[], bytes | None], is_busy: Callable[[], bool]) -> None:
        """Writes what `take` gives, until cancelled; `is_busy` tells that more is to come."""
        loop, write = asyncio.get_running_loop(), self._transport.write
        while True:
            if not self._has_work:
                self._work = loop.create_future()
                await self._work
            if is_busy():
                # One turn of the loop, so that what else is ready adds its frames to the batch:
                # a write costs more than all that it carries.
                await asyncio.sleep(0)
            self._has_work = False
            self._is_writing = True
            while (batch := take()) is not None:
                await write(batch)
            self._is_writing = False
            _resolve(self._flushed)


def _resolve(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


async def _read(transport: Transport, receive: Callable[[bytes], None]) -> None:
    while (batch := await transport.read()) is not None:
        receive(batch)


async def _run_until_either(*parts: Awaitable[None]) -> None:
    """Runs all until one ends, then ends the others; a link that breaks is no error here."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, ProtocolError):
            _log.error("a link was broken off: %s", result)
        elif isinstance(result, Exception) and not isinstance(result, Unavailable):
            raise result


class CallerLink:
    """A caller's link to one replica, open until `closed` is done."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._writer = _Writer(transport)
        self._session = CallerSession(clock, self._writer.wake)
        self._writer.wake()  # the hello
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.ensure_future(self._run())

    def __repr__(self) -> str:
        state = "closed" if self.closed.done() else "open"
        return f"<CallerLink {state} {self._session!r}>"

    def when_going_away(self, tell: Callable[[], None]) -> None:
        """Calls `tell` when the replica says that it takes no new calls."""
        self._session.on_going_away = tell

    def when_room(self, tell: Callable[[], None]) -> None:
        """Calls `tell`, and nobody else, whenever there may be a place for another call.

        That is when a call is over, and when the replica says so.
        """
        self._session.on_room = tell

    @property
    def is_usable(self) -> bool:
        """Whether new calls can be opened."""
        return not (self.closed.done() or self._session.is_going_away)

    @property
    def in_flight(self) -> int:
        """How many calls are open."""
        return len(self._session.calls)

    def open(
        self,
        head: CallHead,
        data: bytes = b"",
        *,
        message_end: bool = True,
        end: bool = True,
        waits: bool = False,
    ) -> CallerCall:
        """Starts a call with the first piece of its request; with `end` that is all of it.

        `waits` asks to be told (`when_room`) when there is a place, if there is none.

        Raises:
            Unavailable: the link is closed or its replica takes no new calls.
        """
        if not self.is_usable:
            raise Unavailable("the replica takes no new calls")
        return self._session.open(head, data, message_end=message_end, end=end, waits=waits)

    def retire(self) -> None:
        """Takes no new calls; the link closes when those that are open are done."""
        self._session.is_going_away = True
        self._session.on_idle = self._stop
        if not self._session.calls:
            self._stop()

    def _stop(self) -> None:
        # Cancelling the task would not close the transport if it has not begun to run.
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def _run(self) -> None:
        try:
            await _run_until_either(
                self._writer.run(self._session.take, self._session.is_busy),
                _read(self._transport, self._session.receive),
                self._stopped,
            )
        finally:
            self._session.close()
            await self._transport.close()

    async def close(self) -> None:
        """Ends the link; calls that are open fail."""
        self._stop()
        await asyncio.gather(self.closed, return_exceptions=True)


class ReplicaEnd:
    """The replica's ends of all links to it. `on_call` gets every new call and must not block."""

    def __init__(self, clock: Clock, on_call: Callable[[ReplicaCall], None]) -> None:
        self._clock = clock
        self._on_call = on_call
        self._sessions: dict[ReplicaSession, _Writer] = {}
        self._is_going_away = False
        self._idle = asyncio.Event()

    def __repr__(self) -> str:
        return f"<ReplicaEnd {len(self._sessions)} links, {self.in_flight} calls>"

    @property
    def in_flight(self) -> int:
        """How many calls are open on all links."""
        return sum(len(session.calls) for session in self._sessions)

    async def serve(self, transport: Transport) -> None:
        """Serves one link until it ends."""
        writer = _Writer(transport)
        session = ReplicaSession(self._clock, writer.wake, self._take)
        session.on_idle = self._tell_idle
        self._sessions[session] = writer
        writer.wake()  # the hello
        if self._is_going_away:
            session.go_away()
        try:
            await _run_until_either(
                writer.run(session.take, session.is_busy), _read(transport, session.receive)
            )
        finally:
            del self._sessions[session]
            session.close()
            writer.end()
            await transport.close()

    def _take(self, call: ReplicaCall) -> None:
        if self._is_going_away:
            call.fail(Unavailable("the replica takes no new calls"), refused=True)
        else:
            self._on_call(call)

    def _tell_idle(self) -> None:
        if self._is_going_away and not self.in_flight:
            self._idle.set()

    async def drain(self, grace: float) -> bool:
        """Takes no new calls and waits for those that run, `grace` seconds at most.

        Returns whether all were answered and the answers written.
        """
        self._is_going_away = True
        for session in self._sessions:
            session.go_away()
        self._idle.clear()
        self._tell_idle()
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
                await asyncio.gather(*(writer.flush() for writer in self._sessions.values()))
        except TimeoutError:
            return False
        return True

    def break_off(self, failure: MeshError) -> None:
        """Fails every call that is still open, with `failure`."""
        for session in list(self._sessions):
            for call in list(session.calls.values()):
                call.fail(failure, at_once=True)
