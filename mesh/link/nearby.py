"""Links that stay in one machine: the same batches over a Unix socket, each behind its length.

Between machines a link is a gRPC stream. Within one, HTTP/2 and the threads of gRPC take three
quarters of a round trip (measured: 200 to 250 us, against 62 us here), so a replica also listens
on an abstract Unix socket that is named after its address, and callers which find it use it.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from struct import Struct
from typing import cast

from mesh.errors import Unavailable
from mesh.link.frames import BATCH
from mesh.link.transport import Transport

_ROOM = 2 * 2**20  # bytes that a socket may hold, of which the system takes some
_LENGTH = Struct("<I")
_PEER = Struct("3i")  # struct ucred of unix(7): process, user, group
_LONGEST = 256 * BATCH
"""Bytes of one batch at most: frames bound what a batch holds, this bounds what a fault does."""
_PAUSE_AT = 4 * BATCH
"""Bytes of unread batches above which nothing more is taken from the socket."""

_FLUSH_WAIT = 1.0
"""Seconds in which the other end has to read what was written before a link is closed."""


def _widen(ours: socket.socket | None) -> None:
    """Lets a whole batch wait in the socket, so that the two ends need not take turns.

    The system may allow less.
    """
    if ours is not None:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)


def _name(address: str) -> str:
    """The abstract socket of the replica at `address`, unix(7)."""
    return f"\0mesh-link-{address}"


class NearbyTransport(asyncio.Protocol):
    """One end of a link over a connected socket; a Transport once `connection_made` was called."""

    def __init__(self, on_open: "Callable[[NearbyTransport], None] | None" = None) -> None:
        self._on_open = on_open
        self._socket: asyncio.Transport | None = None
        self._prefix = b""  # the beginning of a batch's length
        self._parts: list[memoryview] = []  # the beginning of a batch
        self._missing = 0  # bytes of it that are still to come
        self._batches: deque[bytes] = deque()
        self._unread = 0  # bytes in the batches
        self._is_paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._has_ended = False
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As of asyncio.Protocol."""
        # uvloop's transports have the methods of asyncio.Transport, not its type.
        self._socket = cast("asyncio.Transport", transport)
        _widen(transport.get_extra_info("socket"))
        if self._on_open is not None:
            self._on_open(self)

    def data_received(self, data: bytes | bytearray) -> None:
        """As of asyncio.Protocol: cuts what has come into batches."""
        if self._prefix:
            data, self._prefix = self._prefix + data, b""
        view = memoryview(data)
        start, length = 0, len(data)
        if self._missing:
            start = min(self._missing, length)
            self._gather(view[:start])
        while start < length:
            if length - start < _LENGTH.size:
                self._prefix = bytes(view[start:])
                break
            (size,) = _LENGTH.unpack_from(data, start)
            if size > _LONGEST:
                self._abort()
                return
            start += _LENGTH.size
            end = start + size
            if end <= length:
                self._put(data[start:end] if type(data) is bytes else bytes(view[start:end]))
            else:
                self._missing = size
                self._gather(view[start:])
            start = end
        if self._unread > _PAUSE_AT and not self._is_paused and self._socket is not None:
            self._is_paused = True
            self._socket.pause_reading()
        self._wake()

    def _gather(self, part: memoryview) -> None:
        """Takes a part of a batch; what has come is copied once, when the batch is complete."""
        self._parts.append(part)
        self._missing -= len(part)
        if not self._missing:
            parts, self._parts = self._parts, []
            self._put(b"".join(parts))

    def _put(self, batch: bytes) -> None:
        self._batches.append(batch)
        self._unread += len(batch)

    def _abort(self) -> None:
        self._has_ended = True
        if self._socket is not None:
            self._socket.abort()
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        """As of asyncio.Protocol."""
        self._has_ended = True
        self._writable.set()
        self._lost.set()
        self._wake()

    def pause_writing(self) -> None:
        """As of asyncio.Protocol."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """As of asyncio.Protocol."""
        self._writable.set()

    async def write(self, batch: bytes) -> None:
        """As of Transport."""
        if self._has_ended or self._socket is None:
            raise Unavailable("the link broke")
        self._socket.writelines((_LENGTH.pack(len(batch)), batch))
        if not self._writable.is_set():
            await self._writable.wait()

    async def read(self) -> bytes | None:
        """As of Transport."""
        while not self._batches:
            if self._has_ended:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        batch = self._batches.popleft()
        self._unread -= len(batch)
        if self._is_paused and self._unread <= _PAUSE_AT and self._socket is not None:
            self._is_paused = False
            self._socket.resume_reading()
        return batch

    async def close(self) -> None:
        """As of Transport."""
        self._has_ended = True
        self._wake()
        if self._socket is None:
            return
        self._socket.close()
        try:
            async with asyncio.timeout(_FLUSH_WAIT):
                await self._lost.wait()
        except TimeoutError:
            self._socket.abort()


async def connect_nearby(address: str, *, user: int | None = None) -> NearbyTransport | None:
    """A link to the replica at `address` (`host:port`) if it is on this machine, else None.

    Anyone here could listen under its name, so it must be a process of `user` (None: our own).
    Raises Unavailable if it is there and cannot be reached.
    """
    try:
        ours = socket.socket(socket.AF_UNIX)
    except OSError as error:  # no more files, say
        raise Unavailable(f"cannot reach the replica at {address}: {error}") from error
    try:
        ours.setblocking(False)
        ours.connect(_name(address))
        peer = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        _, owner, _ = _PEER.unpack(peer)
    except OSError:
        ours.close()
        return None
    if owner != (os.geteuid() if user is None else user):
        ours.close()
        return None
    loop = asyncio.get_running_loop()
    try:
        _, link = await loop.create_unix_connection(NearbyTransport, sock=ours)
    except OSError as error:
        ours.close()
        raise Unavailable(f"cannot reach the replica at {address}: {error}") from error
    return link


class NearbyServer:
    """Listens for links from this machine; each is given to `on_link`."""

    def __init__(self, on_link: Callable[[Transport], Awaitable[None]]) -> None:
        self._on_link = on_link
        self._links: set[asyncio.Future[None]] = set()
        self._server: asyncio.AbstractServer | None = None

    async def start(self, address: str) -> None:
        """Starts to listen for the replica at `address`.

        Raises:
            Unavailable: the system has no such sockets, or another process has the name.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_unix_server(
                lambda: NearbyTransport(self._opened), path=_name(address)
            )
        except OSError as error:
            raise Unavailable(f"cannot listen for {address} on this machine") from error

    def _opened(self, link: NearbyTransport) -> None:
        serving = asyncio.ensure_future(self._serve(link))
        self._links.add(serving)
        serving.add_done_callback(self._links.discard)

    async def _serve(self, link: NearbyTransport) -> None:
        try:
            await self._on_link(link)
        finally:
            await link.close()

    async def stop(self, grace: float = 0.0) -> None:
        """Stops; links that are open have `grace` seconds to end."""
        if self._server is not None:
            self._server.close()
        if self._links:
            await asyncio.wait(self._links, timeout=grace)
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
