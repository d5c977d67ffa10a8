"""A client that knows of a service only what the gateway's reflection says."""

from collections.abc import Iterable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

Metadata = Sequence[tuple[str, str | bytes]]


class Reflected:
    """The rpcs of one service. Requests are keyword arguments, or dicts of them for streams."""

    def __init__(self, channel: grpc.Channel, service: str) -> None:
        self._channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.service = DescriptorPool(self.database).FindServiceByName(service)

    def message(self, rpc: str, **fields: Any) -> Any:
        """The request of an rpc."""
        return GetMessageClass(self.service.methods_by_name[rpc].input_type)(**fields)

    def rpc(self, name: str) -> Any:
        """The rpc as grpc has it."""
        method = self.service.methods_by_name[name]
        kinds = {
            (False, False): self._channel.unary_unary,
            (False, True): self._channel.unary_stream,
            (True, False): self._channel.stream_unary,
            (True, True): self._channel.stream_stream,
        }
        return kinds[method.client_streaming, method.server_streaming](
            f"/{self.service.full_name}/{name}",
            GetMessageClass(method.input_type).SerializeToString,
            GetMessageClass(method.output_type).FromString,
        )

    def call(self, name: str, *, metadata: Metadata = (), **fields: Any) -> Any:
        """The reply of a unary rpc."""
        return self.rpc(name)(self.message(name, **fields), metadata=metadata, timeout=30)

    def stream(self, name: str, **fields: Any) -> list[Any]:
        """The replies of an rpc that streams them."""
        return list(self.rpc(name)(self.message(name, **fields), timeout=30))

    def send(self, name: str, items: Iterable[dict[str, Any]]) -> Any:
        """What an rpc replies to a stream of requests."""
        messages = iter([self.message(name, **item) for item in items])
        return self.rpc(name)(messages, timeout=30)
