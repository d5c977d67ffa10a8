"""A client's calls over gRPC on an event loop; the messages are those of `grpc_messages`."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio

from mesh.client.description import MethodDescription
from mesh.client.grpc_messages import CHANNEL_OPTIONS, INFERENCE, failure, metadata, schema
from mesh.client.http_messages import Replies
from mesh.client.options import Options
from mesh.io.arguments import encode_call, encode_item


class AsyncGrpcTransport:
    """As GrpcTransport, for one event loop."""

    def __init__(self, target: str, replies: Replies, *, secure: bool) -> None:
        self._target, self._is_secure = target, secure
        self._replies = replies
        self._opened: Any = None

    @property
    def _channel(self) -> Any:
        """The channel, which belongs to the event loop in which it is opened."""
        if self._opened is None:
            self._opened = (
                grpc.aio.secure_channel(
                    self._target, grpc.ssl_channel_credentials(), CHANNEL_OPTIONS
                )
                if self._is_secure
                else grpc.aio.insecure_channel(self._target, CHANNEL_OPTIONS)
            )
        return self._opened

    async def close(self) -> None:
        """Closes the connection; calls that run fail."""
        if self._opened is not None:
            await self._opened.close()

    async def describe(self, options: Options) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        describe = self._channel.unary_unary(INFERENCE + "Describe")
        try:
            reply = await describe(b"", timeout=options.timeout, metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return schema(reply)

    async def call(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        call = self._channel.unary_unary(INFERENCE + "Call")
        body = encode_call(method.name, arguments)
        try:
            reply = await call(body, timeout=left, metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return self._replies.message(method, reply)

    async def stream(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> AsyncIterator[Any]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        rpc = self._channel.unary_stream(INFERENCE + "CallServerStream")
        body = encode_call(method.name, arguments)
        call = rpc(body, timeout=left, metadata=metadata(options))
        async for item in self._items(method, call):
            yield item

    async def send(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        sent: AsyncIterable[Any],
        options: Options,
        left: float | None,
    ) -> Any:
        """The result of a method that takes a stream, here of `sent`. Raises MeshError."""
        rpc = self._channel.stream_unary(INFERENCE + "CallClientStream")
        messages = _requests(method.name, arguments, sent)
        try:
            reply = await rpc(messages, timeout=left, metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return self._replies.message(method, reply)

    async def exchange(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        sent: AsyncIterable[Any],
        options: Options,
        left: float | None,
    ) -> AsyncIterator[Any]:
        """The items of a method that takes a stream and gives one. Raises MeshError."""
        rpc = self._channel.stream_stream(INFERENCE + "CallBidiStream")
        messages = _requests(method.name, arguments, sent)
        call = rpc(messages, timeout=left, metadata=metadata(options))
        async for item in self._items(method, call):
            yield item

    async def _items(self, method: MethodDescription, call: Any) -> AsyncIterator[Any]:
        try:
            async for reply in call:
                yield self._replies.message(method, reply)
        except grpc.RpcError as error:
            raise failure(error) from None
        finally:
            call.cancel()


async def _requests(
    method: str, arguments: Mapping[str, Any], items: AsyncIterable[Any]
) -> AsyncIterator[bytes]:
    yield encode_call(method, arguments)
    async for item in items:
        yield encode_item(item)
