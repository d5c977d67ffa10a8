"""The messages of a typed gRPC service as arguments, and results as its messages."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from mesh.call import TYPED
from mesh.errors import InvalidArgument, Violation
from mesh.io.arguments import Arguments, Bound
from mesh.io.replies.encoder import ReplyEncoder
from mesh.io.result import Result
from mesh.io.rpc.contract import Rpc
from mesh.io.rpc.lift import LARGE, lift
from mesh.io.rpc.messages import MISSING, Field, Label
from mesh.io.types.kind import Intake
from mesh.io.value import from_tensor
from mesh.io.violations import invalid_input
from mesh.io.wire import Chunks


class RpcCodec:
    """Reads the requests of one rpc and writes its responses."""

    def __init__(
        self, rpc: Rpc, parse: Callable[[bytes], Any], arguments: Arguments, result: Result
    ):
        self._rpc = rpc
        self._parse = parse
        self._arguments = arguments
        self._inputs = [each for each in rpc.request.members if each is not rpc.item]
        fields = [(each.field, each) for each in self._inputs if each.field is not None]
        self._tensors = {field.number: each for field, each in fields if _is_tensor(field)}
        self._response = rpc.response
        values = result.values
        self.encoder = ReplyEncoder(
            TYPED, result.stream, values.guarded(self._write), blocks=values.has_files
        )

    def decode(self, body: bytes, intake: Intake | None = None) -> tuple[Bound, Any]:
        """What the method is called with, and the first item of its stream or NO_ITEM.

        Raises InvalidArgument with every fault.
        """
        found: dict[str, Any] = {}
        try:
            if len(body) > LARGE and self._tensors:
                body = self._lift(body, found)
            message = self._message(body)
            for member in self._inputs:
                if member.key not in found and (value := member.read(message)) is not MISSING:
                    found[member.key] = value
        except InvalidArgument as error:
            raise invalid_input(error.violations, self._arguments.title) from None
        bound, first = self._arguments.load_named(found, intake)
        item = MISSING if self._rpc.item is None else self._item(message)
        return bound, first if item is MISSING else self._arguments.load_item(item, intake)

    def _lift(self, body: bytes, found: dict[str, Any]) -> bytes:
        """Reads large arrays where they lie in the message; returns the rest of it."""
        body, lifted = lift(body, self._tensors)
        for number, (tensor, data) in lifted.items():
            key = self._tensors[number].key
            try:
                found[key] = from_tensor(tensor, data)
            except InvalidArgument as error:
                raise error.within(key) from None
        return body

    def decode_item(self, body: bytes, intake: Intake | None = None) -> Any:
        """An item of the stream from a later message; raises InvalidArgument."""
        item = self._item(self._message(body))
        if item is MISSING:
            raise self._arguments.no_item()
        return self._arguments.load_item(item, intake)

    def _item(self, message: Any) -> Any:
        item = self._rpc.item
        try:
            return MISSING if item is None else item.read(message)
        except InvalidArgument as error:
            raise invalid_input(error.violations) from None

    def _message(self, body: bytes) -> Any:
        try:
            return self._parse(body)
        except DecodeError:
            text = f"The message is no {self._rpc.request.proto.lstrip('.')}"
            raise invalid_input((Violation((), "message_invalid", text),)) from None

    def _write(self, checked: Any) -> bytes:
        out: Chunks = []
        self._response.put_members(out, checked)
        return b"".join(out)


def _is_tensor(field: Field) -> bool:
    return field.label is Label.PLAIN and field.holds.proto == ".mesh.v1.Tensor"
