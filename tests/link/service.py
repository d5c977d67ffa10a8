"""A replica of a few methods, and a link to it in memory or over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal
from uuid import uuid4

from mesh.call import ReplyHead
from mesh.clock import Clock, monotonic
from mesh.errors import Internal, Overloaded
from mesh.link.call import ReplicaCall
from mesh.link.ends import CallerLink, ReplicaEnd
from mesh.link.nearby import NearbyServer, connect_nearby
from mesh.link.transport import GrpcCallerTransport, LinkServer, Transport, memory_pair
from tests.link.rig import until

Kind = Literal["memory", "grpc", "nearby"]


class Methods:
    """Takes calls as a replica's handler does: one task each, cancelled with the call."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.started: list[str] = []
        self.cancelled = 0
        self.refuses = False
        self.go_on = asyncio.Event()

    def take(self, call: ReplicaCall) -> None:
        """Starts the method that the call names."""
        if self.refuses:
            call.fail(Overloaded("full", retry_after=1.0), refused=True)
            return
        self.started.append(call.head.method)
        method: Callable[[ReplicaCall], Awaitable[None]] = getattr(self, call.head.method)
        task = asyncio.ensure_future(self._run(method, call))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        call.on_cancel = task.cancel

    async def _run(
        self, method: Callable[[ReplicaCall], Awaitable[None]], call: ReplicaCall
    ) -> None:
        try:
            await method(call)
        except asyncio.CancelledError:
            self.cancelled += 1

    async def echo(self, call: ReplicaCall) -> None:
        body = await call.message() or b""
        call.start_reply(ReplyHead("x/echo"), body, message_end=True, end=True)

    async def count(self, call: ReplicaCall) -> None:
        """Server stream: as many items as the request says."""
        number = int(await call.message() or b"0")
        call.start_reply(ReplyHead("x/count", stream=True))
        for item in range(number):
            await call.send(str(item).encode())
        call.end_reply()

    async def join(self, call: ReplicaCall) -> None:
        """Client stream: all messages in one."""
        parts = []
        while (part := await call.message()) is not None:
            parts.append(part)
        call.start_reply(ReplyHead("x/join"), b"".join(parts), message_end=True, end=True)

    async def chat(self, call: ReplicaCall) -> None:
        """Both ways: each message comes back."""
        call.start_reply(ReplyHead("x/chat", stream=True))
        while (part := await call.message()) is not None:
            await call.send(part)
        call.end_reply()

    async def hang(self, call: ReplicaCall) -> None:
        await asyncio.get_running_loop().create_future()

    async def wait(self, call: ReplicaCall) -> None:
        """Answers when the test lets it."""
        await self.go_on.wait()
        await self.echo(call)

    async def pour(self, call: ReplicaCall) -> None:
        """Sends without an end."""
        call.start_reply(ReplyHead("x/pour", stream=True))
        while not call.is_done:
            await call.send(bytes(100_000))

    async def fail(self, call: ReplicaCall) -> None:
        call.fail(Internal("as told"))


async def connected(
    kind: Kind, on_link: Callable[[Transport], Awaitable[None]]
) -> tuple[Transport, Callable[[], Awaitable[None]]]:
    """A caller's end of a link that is listened for, and what stops the listener."""
    if kind == "grpc":
        server = LinkServer(on_link)
        port = await server.start("127.0.0.1")
        return await GrpcCallerTransport.connect(f"127.0.0.1:{port}"), server.stop
    nearby = NearbyServer(on_link)
    address = f"test:{uuid4()}"
    await nearby.start(address)
    near = await connect_nearby(address)
    assert near is not None
    return near, nearby.stop


@asynccontextmanager
async def serving(
    kind: Kind, methods: Methods, clock: Clock = monotonic
) -> AsyncIterator[tuple[CallerLink, ReplicaEnd]]:
    """A link to `methods`; when it ends nothing may be left of any call."""
    end = ReplicaEnd(clock, methods.take)
    if kind == "memory":
        near, far = memory_pair()
        server = asyncio.ensure_future(end.serve(far))
        link = CallerLink(near, clock)
    else:
        near, stop = await connected(kind, end.serve)
        link = CallerLink(near, clock)
    try:
        yield link, end
    finally:
        await link.close()
        if kind == "memory":
            await server
        else:
            await stop()
        await until(lambda: not methods.tasks and not end._sessions)
    assert link.closed.done()
    assert not link.in_flight
    assert not end.in_flight
