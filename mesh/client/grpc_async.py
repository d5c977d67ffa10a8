"""A client's calls over gRPC on an event loop; the messages are those of `grpc_messages`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import grpc.aio

from mesh.client.grpc_messages import (
    CHANNEL_OPTIONS,
    INFERENCE,
    description,
    failure,
    metadata,
    request,
    requests_async,
)
from mesh.client.options import Options
from mesh.client.outgoing import LIGHT, is_light
from mesh.client.pending import PendingCall
from mesh.client.replies import Replies


class AsyncGrpcTransport:
    """As GrpcTransport, for one event loop. Files and large values are left to threads."""

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
            reply = await describe(b"", metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return description(reply).schema_json

    async def call(self, call: PendingCall) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        if call.items is None:
            rpc, body = self._channel.unary_unary(INFERENCE + "Call"), await _request(call)
        else:
            rpc = self._channel.stream_unary(INFERENCE + "CallClientStream")
            body = requests_async(call)
        try:
            reply = await rpc(body, timeout=call.tries.left(), metadata=metadata(call.options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return await self._result(call, reply)

    async def stream(self, call: PendingCall) -> AsyncGenerator[Any, None]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        if call.items is None:
            rpc = self._channel.unary_stream(INFERENCE + "CallServerStream")
            body = await _request(call)
        else:
            rpc = self._channel.stream_stream(INFERENCE + "CallBidiStream")
            body = requests_async(call)
        replies = rpc(body, timeout=call.tries.left(), metadata=metadata(call.options))
        try:
            async for reply in replies:
                yield await self._result(call, reply)
        except grpc.RpcError as error:
            raise failure(error) from None
        finally:
            replies.cancel()

    async def _result(self, call: PendingCall, reply: bytes) -> Any:
        if len(reply) < LIGHT:
            return self._replies.result(call.method, reply)
        return await asyncio.to_thread(self._replies.result, call.method, reply)


async def _request(call: PendingCall) -> Any:
    if is_light(dict(call.arguments)):
        return request(call)
    return await asyncio.to_thread(request, call)
