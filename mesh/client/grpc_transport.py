"""A client's calls over gRPC."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import grpc

from mesh.client.description import MethodDescription
from mesh.client.grpc_messages import (
    CHANNEL_OPTIONS,
    INFERENCE,
    failure,
    metadata,
    requests,
    schema,
)
from mesh.client.http_messages import Replies
from mesh.client.options import Options
from mesh.io.arguments import encode_call


class GrpcTransport:
    """Calls at `target`, a `host:port`. Usable from several threads."""

    def __init__(self, target: str, replies: Replies, *, secure: bool) -> None:
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), CHANNEL_OPTIONS)
            if secure
            else grpc.insecure_channel(target, CHANNEL_OPTIONS)
        )
        self._replies = replies
        channel = self._channel
        self._unary = channel.unary_unary(INFERENCE + "Call")
        self._server_stream = channel.unary_stream(INFERENCE + "CallServerStream")
        self._client_stream = channel.stream_unary(INFERENCE + "CallClientStream")
        self._bidi_stream = channel.stream_stream(INFERENCE + "CallBidiStream")
        self._describe = channel.unary_unary(INFERENCE + "Describe")

    def close(self) -> None:
        """Closes the connection; calls that run fail."""
        self._channel.close()

    def describe(self, options: Options) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        try:
            reply = self._describe(b"", timeout=options.timeout, metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return schema(reply)

    def call(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        body = encode_call(method.name, arguments)
        try:
            reply = self._unary(body, timeout=left, metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return self._replies.message(method, reply)

    def stream(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> Iterator[Any]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        body = encode_call(method.name, arguments)
        call = self._server_stream(body, timeout=left, metadata=metadata(options))
        return self._items(method, call)

    def send(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        sent: Iterable[Any],
        options: Options,
        left: float | None,
    ) -> Any:
        """The result of a method that takes a stream, here of `sent`. Raises MeshError."""
        messages = requests(method.name, arguments, sent)
        try:
            reply = self._client_stream(messages, timeout=left, metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return self._replies.message(method, reply)

    def exchange(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        sent: Iterable[Any],
        options: Options,
        left: float | None,
    ) -> Iterator[Any]:
        """The items of a method that takes a stream and gives one. Raises MeshError."""
        messages = requests(method.name, arguments, sent)
        call = self._bidi_stream(messages, timeout=left, metadata=metadata(options))
        return self._items(method, call)

    def _items(self, method: MethodDescription, call: Any) -> Iterator[Any]:
        try:
            for reply in call:
                yield self._replies.message(method, reply)
        except grpc.RpcError as error:
            raise failure(error) from None
        finally:
            call.cancel()
