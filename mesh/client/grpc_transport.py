"""A client's calls over gRPC."""

from collections.abc import Generator
from typing import Any

import grpc

from mesh.client.grpc_messages import (
    CHANNEL_OPTIONS,
    INFERENCE,
    description,
    failure,
    metadata,
    request,
    requests,
)
from mesh.client.options import Options
from mesh.client.pending import PendingCall
from mesh.client.replies import Replies
from mesh.client.tries import Tries


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

    def describe(self, options: Options, tries: Tries) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        try:
            reply = self._describe(b"", timeout=tries.left(), metadata=metadata(options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return description(reply).schema_json

    def call(self, call: PendingCall) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        rpc, body = (
            (self._unary, request(call))
            if call.items is None
            else (self._client_stream, requests(request(call), call.items))
        )
        try:
            reply = rpc(body, timeout=call.tries.left(), metadata=metadata(call.options))
        except grpc.RpcError as error:
            raise failure(error) from None
        return self._replies.result(call.method, reply)

    def stream(self, call: PendingCall) -> Generator[Any, None, None]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        rpc, body = (
            (self._server_stream, request(call))
            if call.items is None
            else (self._bidi_stream, requests(request(call), call.items))
        )
        replies = rpc(body, timeout=call.tries.left(), metadata=metadata(call.options))
        try:
            for reply in replies:
                yield self._replies.result(call.method, reply)
        except grpc.RpcError as error:
            raise failure(error) from None
        finally:
            replies.cancel()
