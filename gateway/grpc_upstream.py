"""gRPC servers outside the mesh: calls of any method go there as bytes, and their replies back."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Container, Iterable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import grpc
import grpc.aio

from gateway.authorization import Guard
from gateway.forward import Request
from gateway.grpc import GrpcExchange
from gateway.grpc_metadata import read
from gateway.outside import Outside, UnreachableError
from gateway.record import Record
from mesh.call import Metadata, Trace
from mesh.errors import Cancelled, Code, MeshError
from mesh.link.dispatch import Dispatcher
from mesh.traffic.snapshot import Upstream

log = logging.getLogger("mesh.gateway")

CONNECT_TIMEOUT = 5.0
"""Seconds in which a connection must be open."""
POLL = 0.01
"""Seconds between two looks at a connection that is being opened."""
GRACE = 60.0
"""Seconds that calls have to end at a server that is no upstream any more."""
_OPTIONS = [
    # A server that comes back is to be found soon; it is left alone by ejection meanwhile.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Else channels to one address share a connection, also after they were closed.
    ("grpc.use_local_subchannel_pool", 1),
]
_PORTS = {"grpc": 80, "grpcs": 443}
_UNQUOTED = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"

Fields = list[tuple[bytes, bytes]]


class GrpcUpstreams:
    """Channels to gRPC upstreams, by their addresses. A message has `limit` bytes at most.

    `roots` are the certificates (PEM) of those whom grpcs ones must be known to; None for those
    that gRPC brings along.
    """

    def __init__(self, limit: int, roots: bytes | None = None) -> None:
        self._limit = limit
        self._roots = roots
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<GrpcUpstreams {len(self._channels)} channels>"

    async def channel(self, upstream: Upstream) -> grpc.aio.Channel:
        """A channel that has a connection. Raises UnreachableError if there is none in time."""
        channel = self._channels.get(upstream.url)
        if channel is None:
            channel = self._channels[upstream.url] = self._opened(upstream)
        ready, failed = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE
        state = channel.get_state(try_to_connect=True)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                while state is not ready:
                    if state in (failed, grpc.ChannelConnectivity.SHUTDOWN):
                        raise UnreachableError("the connection was refused or broke")
                    # Not by wait_for_state_change: gRPC frees what the end of a wait that was given
                    # up is written to, while it still waits.
                    await asyncio.sleep(POLL)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError:
            text = f"there was no connection after {CONNECT_TIMEOUT:g} seconds"
            raise UnreachableError(text) from None
        return channel

    def _opened(self, upstream: Upstream) -> grpc.aio.Channel:
        parts = urlsplit(upstream.url)
        target = parts.netloc if parts.port else f"{parts.netloc}:{_PORTS[parts.scheme]}"
        options = [*_OPTIONS, ("grpc.max_receive_message_length", self._limit)]
        if parts.scheme == "grpcs":
            credentials = grpc.ssl_channel_credentials(self._roots)
            return grpc.aio.secure_channel(target, credentials, options)
        return grpc.aio.insecure_channel(target, options)

    def keep(self, urls: Container[str]) -> None:
        """Lets go of other addresses; calls that go on there have some time."""
        for url in [url for url in self._channels if url not in urls]:
            closing = asyncio.ensure_future(self._channels.pop(url).close(GRACE))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Closes all channels at once."""
        for closing in self._closing:
            closing.cancel()
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()


class Crossing:
    """Has gRPC upstreams answer what is for them."""

    def __init__(
        self, dispatcher: Dispatcher, guard: Guard, outside: Outside, upstreams: GrpcUpstreams
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._outside = outside
        self._upstreams = upstreams
        self._urls = outside.urls

    async def serve(
        self,
        exchange: GrpcExchange,
        request: Request,
        endpoint: str,
        path: str,
        record: Record,
        *,
        is_foreign: bool = False,
    ) -> bool:
        """Answers the request; False if a deployment is to do that.

        `is_foreign`: no deployment has an rpc with this path.

        Raises:
            MeshError: as `GrpcExchange.relay`, or no server can be reached.
            ClientGoneError: nobody waits for the reply any more.
        """
        found = self._dispatcher.snapshot.endpoints.get(endpoint)
        if found is None or not found.upstreams:
            return False
        if self._urls is not self._outside.urls:
            self._urls = self._outside.urls
            self._upstreams.keep(self._urls)
        if is_foreign and not any(each.is_grpc and each.weight for each in found.upstreams):
            return False
        tried: set[str] = set()
        while True:
            upstream = self._outside.choose(
                found, request, grpc=True, tried=tried, alone=is_foreign
            )
            if upstream is None:
                return False
            allowed = self._guard.admit_outside(
                request.shown, self._dispatcher.snapshot, found, request.metadata
            )
            trace = record.leave(request, endpoint, upstream)
            try:
                channel = await self._upstreams.channel(upstream)
            except UnreachableError as error:
                log.warning("upstream %s cannot be reached: %s", upstream.name, error)
                record.turn_back()
                self._outside.failed(upstream)
                tried.add(upstream.url)
                continue
            self._outside.reached(upstream)
            metadata = outgoing(request._replace(metadata=allowed), upstream, trace)
            await exchange.relay(partial(_Call, channel, path, metadata))
            return True


def outgoing(request: Request, upstream: Upstream, trace: Trace) -> Metadata:
    """The metadata that goes to the upstream, without what gRPC itself says.

    A key of the upstream takes the place of what the client says to be.
    """
    found = [
        (name, value)
        for name, value in read(request.metadata)
        if not name.startswith("grpc-")
        and name != "user-agent"
        and not (upstream.api_key and name == "authorization")
    ]
    if upstream.api_key:
        found.append(("authorization", f"Bearer {upstream.api_key}"))
    found.append(("x-request-id", request.request_id))
    if trace.traceparent:
        found.append(("traceparent", trace.traceparent))
    if trace.tracestate:
        found.append(("tracestate", trace.tracestate))
    return tuple(found)


class _Call:
    """A call of any kind: on the wire each is a stream of messages both ways."""

    def __init__(
        self, channel: grpc.aio.Channel, path: str, metadata: Metadata, left: float | None
    ) -> None:
        stream = channel.stream_stream(path)
        self._call: Any = stream(timeout=left, metadata=metadata)
        self._failure: MeshError | None = None

    async def send(self, message: bytes) -> bool:
        """Sends one message; False if the call is over."""
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        return True

    async def send_end(self) -> None:
        """No more messages come."""
        # If the call is over, whoever reads the reply is told.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._call.done_writing()

    async def head(self) -> Metadata:
        """The metadata with which the reply begins; empty if it ended before."""
        try:
            return _plain(await self._call.initial_metadata())
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            self._check_own_cancel()
            return ()

    async def messages(self) -> AsyncIterator[bytes]:
        """The messages of the reply as they come; they end with the call, however that ends."""
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                yield message
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            self._check_own_cancel()

    def _check_own_cancel(self) -> None:
        """Lets a cancelled task be one: gRPC raises the same for a call that was given up."""
        if not self._call.done():
            raise asyncio.CancelledError

    async def ending(self) -> tuple[MeshError | None, Fields]:
        """How the call failed, if it did, and the trailers that say so."""
        if self._failure is not None:
            raise self._failure
        code = await self._call.code()
        number: int = code.value[0]
        metadata = _plain(await self._call.trailing_metadata() or ())
        fields: Fields = [(name.encode(), _encoded(value)) for name, value in metadata]
        fields.append((b"grpc-status", b"%d" % number))
        if code is grpc.StatusCode.OK:
            return None, fields
        details = await self._call.details() or ""
        if details:
            fields.append((b"grpc-message", quote(details, safe=_UNQUOTED).encode()))
        return MeshError(details, code=Code(number)), fields

    def cancel(self, failure: MeshError | None = None, /) -> None:
        """Gives the call up; it ends with `failure`, or Cancelled."""
        if not self._call.done():
            self._failure = failure or Cancelled("the call was given up")
            self._call.cancel()


def _plain(metadata: Iterable[tuple[str, str | bytes]]) -> Metadata:
    return tuple((name, value) for name, value in metadata)


def _encoded(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return b64encode(value).rstrip(b"=")
    return value.encode("latin-1", "replace")
