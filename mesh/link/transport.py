"""What moves batches between the two ends of a link: a gRPC stream, or memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import grpc
import grpc.aio

from mesh.errors import MeshError, Unavailable

OPEN = "/mesh.v1.Link/Open"
OPTIONS: list[tuple[str, int]] = [
    # The peers of a link trust each other, and frames are bounded by the link itself.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
    # Two replicas that start on one port would share its connections.
    ("grpc.so_reuseport", 0),
    # One connection per link: links to one address must not share flow control.
    ("grpc.use_local_subchannel_pool", 1),
]
_DEPTH = 16
"""Batches that are on their way in memory at most."""
# What grpc.aio raises, depending on where in a stream's life its end is noticed.
_BROKEN = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)


class Transport(Protocol):
    """One end of a two-way stream of batches, in order, whole."""

    async def write(self, batch: bytes) -> None:
        """Hands a batch over; returns when the next may follow. Raises Unavailable when gone."""
        ...

    async def read(self) -> bytes | None:
        """The next batch of the other end; None when the stream has ended."""
        ...

    async def close(self) -> None:
        """Ends the stream for both ends. May be called twice."""
        ...


class Pipe:
    """Batches on their way from one end in memory to the other, 16 at most."""

    def __init__(self) -> None:
        self._batches: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False

    async def put(self, batch: bytes) -> None:
        """Waits for room. Raises Unavailable when closed."""
        while len(self._batches) >= _DEPTH and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        if self._is_closed:
            raise Unavailable("the link is closed")
        self._batches.append(batch)
        self._changed.set()

    async def get(self) -> bytes | None:
        """Waits for a batch; None when closed and empty."""
        while not self._batches and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        self._changed.set()
        return self._batches.popleft() if self._batches else None

    def close(self) -> None:
        """Takes no more; what is in it can still be read."""
        self._is_closed = True
        self._changed.set()


class MemoryTransport:
    """One end of a pair that lives in one process, for tests and for local graphs."""

    def __init__(self, inbox: Pipe, outbox: Pipe) -> None:
        self._inbox = inbox
        self._outbox = outbox

    async def write(self, batch: bytes) -> None:
        """As of Transport."""
        await self._outbox.put(batch)

    async def read(self) -> bytes | None:
        """As of Transport."""
        return await self._inbox.get()

    async def close(self) -> None:
        """As of Transport."""
        self._outbox.close()
        self._inbox.close()


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Two connected ends. A write waits while the other end has 16 batches to read."""
    one, two = Pipe(), Pipe()
    return MemoryTransport(one, two), MemoryTransport(two, one)


class GrpcCallerTransport:
    """The caller's end over gRPC: one stream on a channel of its own."""

    def __init__(self, channel: grpc.aio.Channel, stream: Any) -> None:
        self._channel = channel
        self._stream = stream

    @classmethod
    async def connect(cls, address: str) -> "GrpcCallerTransport":
        """Opens a link to `address` (`host:port`).

        Raises:
            Unavailable: nobody answers there.
        """
        channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        stream = channel.stream_stream(OPEN)()
        try:
            await stream.wait_for_connection()
        except _BROKEN as error:
            await channel.close()
            raise Unavailable(f"cannot reach the replica at {address}") from error
        except BaseException:
            await channel.close()
            raise
        return cls(channel, stream)

    async def write(self, batch: bytes) -> None:
        """As of Transport."""
        try:
            await self._stream.write(batch)
        except _BROKEN as error:
            raise _gone(error) from error

    async def read(self) -> bytes | None:
        """As of Transport."""
        try:
            batch = await self._stream.read()
        except _BROKEN:
            return None
        return None if batch is grpc.aio.EOF else batch

    async def close(self) -> None:
        """As of Transport."""
        self._stream.cancel()
        await self._channel.close()


class GrpcReplicaTransport:
    """The replica's end over gRPC, valid while the handler of the stream runs."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def write(self, batch: bytes) -> None:
        """As of Transport."""
        try:
            await self._context.write(batch)
        except _BROKEN as error:
            raise _gone(error) from error

    async def read(self) -> bytes | None:
        """As of Transport."""
        try:
            batch = await self._context.read()
        except _BROKEN:
            return None
        return None if batch is grpc.aio.EOF else batch

    async def close(self) -> None:
        """As of Transport: nothing to do here, the stream ends when its handler returns."""


def _gone(error: Exception) -> MeshError:
    return Unavailable(f"the link broke: {type(error).__name__}")


class LinkServer:
    """Listens for links over gRPC; every stream that opens is given to `on_link`."""

    def __init__(self, on_link: Callable[[Transport], Awaitable[None]]) -> None:
        self._on_link = on_link
        self._server = grpc.aio.server(options=OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(self._open)
        generic = grpc.method_handlers_generic_handler("mesh.v1.Link", {"Open": handler})
        self._server.add_generic_rpc_handlers((generic,))

    async def start(self, host: str, port: int = 0) -> int:
        """Starts to listen on `host`; returns the port, which the system chooses for 0.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        try:
            chosen = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise Unavailable(f"cannot listen on {host}:{port}") from error
        await self._server.start()
        return int(chosen)

    async def _open(self, _: AsyncIterator[bytes], context: Any) -> None:
        await self._on_link(GrpcReplicaTransport(context))

    async def stop(self, grace: float = 0.0) -> None:
        """Stops; streams that are open have `grace` seconds to end."""
        await self._server.stop(grace)
