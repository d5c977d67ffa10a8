"""A client of `mesh.v1.Inference` that needs no stub: methods by name, arguments by name."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import grpc

from mesh.client.grpc_messages import CHANNEL_OPTIONS, INFERENCE, description, failure, requests
from mesh.client.replies import wire_result
from mesh.io.arguments import encode_call
from mesh.v1 import inference_pb2

Metadata = Mapping[str, str]


class GrpcClient:
    """Calls an endpoint of a mesh. Usable from several threads.

    `target` is `host:port`; `endpoint` is the endpoint's name (empty: the mesh's default),
    `version` a version of its deployment (empty: chosen by weight). With `secure` the connection
    is encrypted, and the system's certificates vouch for the server. Arguments and results are
    None, bool, int, float, str, bytes, NumPy arrays, and lists and dicts of them; models and
    dataclasses are sent as dicts. Time limits are in seconds.

    All methods raise MeshError, of the class for the code that the mesh answered. `mesh.Client`
    knows the methods by name, and files.
    """

    def __init__(
        self,
        target: str,
        *,
        endpoint: str = "",
        version: str = "",
        metadata: Metadata | None = None,
        secure: bool = False,
    ) -> None:
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), CHANNEL_OPTIONS)
            if secure
            else grpc.insecure_channel(target, CHANNEL_OPTIONS)
        )
        own = {"x-mesh-endpoint": endpoint, "x-mesh-version": version}
        self._metadata = {**(metadata or {}), **{name: v for name, v in own.items() if v}}
        channel = self._channel
        self._unary = channel.unary_unary(INFERENCE + "Call")
        self._server_stream = channel.unary_stream(INFERENCE + "CallServerStream")
        self._client_stream = channel.stream_unary(INFERENCE + "CallClientStream")
        self._bidi_stream = channel.stream_stream(INFERENCE + "CallBidiStream")
        self._describe = channel.unary_unary(INFERENCE + "Describe")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calls that run fail."""
        self._channel.close()

    def call(self, method: str, *, timeout: float | None = None, **arguments: Any) -> Any:
        """The result of a method that returns one value."""
        return self.call_with(method, arguments, timeout=timeout)[0]

    def call_with(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
    ) -> tuple[Any, dict[str, str]]:
        """As `call`, with metadata of this call; also gives the metadata of the reply."""
        body = encode_call(method, arguments)
        try:
            reply, call = self._unary.with_call(
                body, timeout=timeout, metadata=self._fields(metadata)
            )
        except grpc.RpcError as error:
            raise failure(error) from None
        return wire_result(reply), {each.key: each.value for each in call.initial_metadata()}

    def stream(
        self, method: str, *, timeout: float | None = None, **arguments: Any
    ) -> Iterator[Any]:
        """The items of a method that is a generator, as they come."""
        body = encode_call(method, arguments)
        yield from _items(self._server_stream(body, timeout=timeout, metadata=self._fields(None)))

    def send(
        self, method: str, items: Iterable[Any], *, timeout: float | None = None, **arguments: Any
    ) -> Any:
        """The result of a method that takes a stream, here of `items`."""
        try:
            reply = self._client_stream(
                requests(encode_call(method, arguments), items),
                timeout=timeout,
                metadata=self._fields(None),
            )
        except grpc.RpcError as error:
            raise failure(error) from None
        return wire_result(reply)

    def exchange(
        self, method: str, items: Iterable[Any], *, timeout: float | None = None, **arguments: Any
    ) -> Iterator[Any]:
        """The items of a method that takes a stream and is a generator, as they come."""
        yield from _items(
            self._bidi_stream(
                requests(encode_call(method, arguments), items),
                timeout=timeout,
                metadata=self._fields(None),
            )
        )

    def describe(self, timeout: float | None = None) -> inference_pb2.DescribeReply:
        """The endpoint's service: its methods, its schema as JSON, its typed gRPC service."""
        try:
            reply = self._describe(b"", timeout=timeout, metadata=self._fields(None))
        except grpc.RpcError as error:
            raise failure(error) from None
        return description(reply)

    def _fields(self, metadata: Metadata | None) -> list[tuple[str, str]]:
        return [*{**self._metadata, **(metadata or {})}.items()]


def _items(replies: Any) -> Iterator[Any]:
    try:
        for reply in replies:
            yield wire_result(reply)
    except grpc.RpcError as error:
        raise failure(error) from None
    finally:
        replies.cancel()
