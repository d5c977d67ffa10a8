"""A typed service without a transport: requests from plain values, replies as plain values."""

from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from mesh.call import TYPED
from mesh.definition.spec import service_spec
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.rpc.descriptors import pool_of
from mesh.io.types.kind import Intake


class Rig:
    """One instance of a service, called through its codecs as a replica calls it.

    The messages are made by the protobuf library from the exported descriptors, so what is
    written by hand is read by it, and the other way round.
    """

    def __init__(self, cls: type, intake: Intake | None = None) -> None:
        self.spec = service_spec(cls)
        self.instance = cls()
        self._pool = pool_of(self.spec.rpc.files)
        self._intake = intake

    def message(self, name: str, plain: Any = None, /, **values: Any) -> Message:
        """A message of the service's package from JSON values."""
        made = self.message_class(name)()
        return json_format.ParseDict(values if plain is None else plain, made)

    def message_class(self, name: str) -> Any:
        package = self.spec.rpc.contract.package
        full = name if "." in name else f"{package}.{name}"
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(full))

    def request(self, method: str, plain: Any = None, /, **values: Any) -> bytes:
        rpc = next(each for each in self.spec.rpc.contract.rpcs if each.method == method)
        name = rpc.request.proto.lstrip(".")
        return self.message(name, plain, **values).SerializeToString()

    def bound(self, method: str, plain: Any = None, /, **values: Any) -> Any:
        """What the method would be called with."""
        return self.decoded(method, self.request(method, plain, **values))

    def decoded(self, method: str, body: bytes) -> Any:
        bound, _ = self.spec.methods[method].decode_arguments(TYPED, body, self._intake)
        return bound

    def raw_call(self, method: str, body: bytes) -> Message:
        """The response message to a request's bytes."""
        bound = self.decoded(method, body)
        value = getattr(self.instance, self.spec.methods[method].attribute)(
            *bound.args, **bound.kwargs
        )
        return self.response(method, value)

    def response(self, method: str, value: Any) -> Message:
        """The response message that a result becomes."""
        rpc = next(each for each in self.spec.rpc.contract.rpcs if each.method == method)
        data = self.spec.methods[method].reply_encoder(TYPED).encode(value)
        found: Message = self.message_class(rpc.response.proto.lstrip(".")).FromString(data)
        return found

    def call(self, method: str, plain: Any = None, /, **values: Any) -> Any:
        """The response to a request, in JSON values with the .proto's own names."""
        reply = self.raw_call(method, self.request(method, plain, **values))
        return json_format.MessageToDict(reply, preserving_proto_field_name=True)


def intake(folder: Folder) -> CallIntake:
    """Takes files into the folder; nothing can be fetched."""
    return CallIntake(folder, None)
