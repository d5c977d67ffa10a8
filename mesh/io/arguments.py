"""Arguments of one method: how they are checked, decoded and sent."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter, ValidationError

from mesh.errors import InvalidArgument, Violation
from mesh.io.binding import NO_ITEM, Binding, Bound, binding
from mesh.io.fields import InputField
from mesh.io.inputs import inputs
from mesh.io.json_schema import has_files, json_schema
from mesh.io.large_json import json_validator
from mesh.io.media import is_call
from mesh.io.signature import Signature
from mesh.io.types.kind import Intake
from mesh.io.value import from_value, read_kind
from mesh.io.violations import invalid_input, violations
from mesh.io.wire import Chunks, put_entry, put_field
from mesh.v1.inference_pb2 import CallRequest
from mesh.varint import varint

__all__ = [
    "NO_ITEM",
    "Arguments",
    "Bound",
    "InputField",
    "arguments",
    "encode_call",
    "encode_item",
]

_SECRETS = (Secret, SecretStr, SecretBytes)
_METHOD, _ARGUMENT, _ITEM = b"\x0a", b"\x12", b"\x1a"  # fields of mesh.v1.CallRequest


@dataclass(frozen=True, slots=True)
class Arguments:
    """The inputs of one method, as codecs that are made once.

    `adapter` is of a pydantic model with a field for each input; with `root` it is of the one
    input, whose value is the whole body. `fields` are the inputs by the names that callers use,
    the stream not among them; `parts` are what the parts of a form are for: these, or the fields
    of a root input that is a model (None for another root input). `takes_files` says that decoding
    may write or fetch files, and so block.
    """

    method: str
    adapter: TypeAdapter[Any]
    root: bool
    takes_files: bool
    fields: Mapping[str, InputField]
    parts: Mapping[str, InputField] | None
    title: str
    """What the arguments are called in error messages."""
    item: TypeAdapter[Any] | None
    binding: Binding
    wire_names: Mapping[str, str]
    """Names of inputs as callers say them, where these are not those of the parameters."""
    path: tuple[str, ...]
    """What the paths of faults begin with: something for a root input that is no model."""
    _open: Callable[[Any], dict[str, Any]]
    """Inputs by parameter from what the adapter gave."""
    _validate_json: Callable[..., Any]
    _validate: Callable[..., Any]

    def decode(
        self, media_type: str, body: bytes, intake: Intake | None = None
    ) -> tuple[Bound, Any]:
        """What the function is called with, and the first item of the stream or NO_ITEM.

        A CALL body is a mesh.v1.CallRequest, any other JSON. Raises InvalidArgument with every
        fault in them, UnsupportedMediaType for pickles.
        """
        if is_call(media_type):
            return self.load_call(body, intake)
        return self.load_json(body, intake)

    def load_json(self, body: bytes, intake: Intake | None) -> tuple[Bound, Any]:
        """What the function is called with, from a JSON text; an empty body gives nothing.

        Raises InvalidArgument with every fault.
        """
        if self.root and not body:
            return self._load_nothing(intake)
        try:
            found = self._validate_json(body or b"{}", context=intake)
        except ValidationError as error:
            raise self._misfit(error) from None
        return self.binding.bound(self._open(found))

    def load(self, found: Any, intake: Intake | None) -> tuple[Bound, Any]:
        """What the function is called with, from JSON values or wire values.

        `found` has them by the names of the inputs; for a root input it is its value. Raises
        InvalidArgument with every fault.
        """
        try:
            arguments = self._validate(found, context=intake)
        except ValidationError as error:
            raise self._misfit(error) from None
        return self.binding.bound(self._open(arguments))

    def load_call(self, body: bytes, intake: Intake | None) -> tuple[Bound, Any]:
        """What the function is called with, from a serialized mesh.v1.CallRequest.

        Raises InvalidArgument with every fault.
        """
        request = _parse(body)
        found: dict[str, Any] = {}
        for name, value in request.arguments.items():
            kind = value.WhichOneof("kind")
            if kind is not None:  # else: not given
                try:
                    found[name] = read_kind(kind, value)
                except InvalidArgument as error:
                    path = self.path if self.root else (name,)
                    raise invalid_input(error.within(*path).violations, self.title) from None
        bound, item = self.load_named(found, intake)
        if request.HasField("item") and self.item is not None:
            item = self._item_of(request, intake)
        return bound, item

    def load_named(self, found: dict[str, Any], intake: Intake | None) -> tuple[Bound, Any]:
        """As `load`, for values by the names of inputs; a root input has one too."""
        if not self.root:
            return self.load(found, intake)
        name = next(iter(self.fields))
        return self.load(found[name], intake) if name in found else self._load_nothing(intake)

    def load_fields(self, found: dict[str, Any], intake: Intake | None) -> tuple[Bound, Any]:
        """As `load_named`; of a root input that is a model, values by the names of its fields."""
        if self.root and self.parts is not None:
            return self.load(found, intake)
        return self.load_named(found, intake)

    def _load_nothing(self, intake: Intake | None) -> tuple[Bound, Any]:
        """A root input that was not given: its default, or what an empty body is."""
        default = self.adapter.get_default_value()
        if default is not None:
            return self.binding.bound(self._open(default.value))
        (field,) = self.fields.values()
        return self.load("" if field.is_text else {}, intake)

    def _misfit(self, error: ValidationError) -> InvalidArgument:
        found = violations(error)
        made = invalid_input(found, self.title)
        return made if found[0].type == "json_invalid" else made.within(*self.path)

    def decode_item(self, media_type: str, body: bytes, intake: Intake | None = None) -> Any:
        """One item of the stream.

        Raises InvalidArgument with every fault in it, UnsupportedMediaType for pickles.
        """
        stream = self.binding.stream
        if self.item is None or stream is None:
            raise InvalidArgument(f"{self.method} takes one message, not a stream")
        if is_call(media_type):
            request = _parse(body)
            if not request.HasField("item"):
                raise self.no_item()
            return self._item_of(request, intake)
        try:
            return self.item.validator.validate_json(body, context=intake)
        except ValidationError as error:
            raise invalid_input(violations(error)).within(stream) from None

    def _item_of(self, request: CallRequest, intake: Intake | None) -> Any:
        try:
            value = from_value(request.item)
        except InvalidArgument as error:
            raise invalid_input(error.within(self.binding.stream or "").violations) from None
        return self.load_item(value, intake)

    def load_item(self, value: Any, intake: Intake | None) -> Any:
        """An item of the stream from a JSON value or a wire value; raises InvalidArgument."""
        item, stream = self.item, self.binding.stream
        if item is None or stream is None:
            return NO_ITEM
        try:
            return item.validator.validate_python(value, context=intake)
        except ValidationError as error:
            raise invalid_input(violations(error)).within(stream) from None

    def no_item(self) -> InvalidArgument:
        """The error for a later message of a stream that holds no item."""
        path = (self.binding.stream,) if self.binding.stream is not None else ()
        return invalid_input((Violation(path, "missing", "An item is required"),))

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """A serialized mesh.v1.CallRequest with these arguments, which the stream is none of.

        Raises TypeError where Python would on a call, and TypeError or ValueError for values that
        have no form on the wire.
        """
        inputs = self.binding.bind_inputs(args, kwargs)
        for name, value in inputs.items():
            if isinstance(value, _SECRETS):  # which writes itself as asterisks
                inputs[name] = value.get_secret_value()
        if self.wire_names:
            inputs = {self.wire_names.get(name, name): value for name, value in inputs.items()}
        return encode_call(self.method, inputs)

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments as callers give them, with references and unions."""
        return json_schema(self.adapter, "validation")


def _parse(body: bytes) -> CallRequest:
    try:
        return CallRequest.FromString(body)
    except DecodeError:
        fault = Violation((), "message_invalid", "The body is no mesh.v1.CallRequest")
        raise invalid_input((fault,)) from None


def encode_call(method: str, arguments: Mapping[str, Any]) -> bytes:
    """A serialized mesh.v1.CallRequest that names a method and its arguments.

    Raises TypeError or ValueError for a value that has no form on the wire.
    """
    name = method.encode()
    out: Chunks = [_METHOD, varint(len(name)), name]
    for key, value in arguments.items():
        put_entry(out, _ARGUMENT, key, value)
    return b"".join(out)


def encode_item(value: Any) -> bytes:
    """A serialized mesh.v1.CallRequest with one item of a stream.

    Raises TypeError or ValueError for a value that has no form on the wire.
    """
    out: Chunks = []
    put_field(out, _ITEM, value)
    return b"".join(out)


def arguments(method: str, signature: Signature, *, where: str) -> Arguments:
    """The codecs of a method's inputs; `where` begins every message.

    Raises DefinitionError naming the parameter that cannot be an input.
    """
    found = inputs(signature, where=where)
    fields = {each.name: each for each in found.fields}
    parts = {each.name: each for each in found.parts} if found.parts is not None else None
    numbers = _numbers(found.fields)
    return Arguments(
        method=method,
        adapter=found.adapter,
        root=signature.root,
        takes_files=has_files(json_schema(found.adapter, "validation")),
        fields=fields,
        parts=parts if signature.root else fields,
        title=found.title,
        item=found.item,
        binding=binding(signature),
        wire_names=found.wire_names,
        path=found.path,
        _open=found.open,
        _validate_json=json_validator(
            found.adapter,
            {} if signature.root else numbers,
            numbers.get(found.fields[0].name) if signature.root else None,
        ),
        _validate=found.adapter.validator.validate_python,
    )


def _numbers(fields: Iterable[InputField]) -> dict[str, np.dtype[Any]]:
    """The inputs that are arrays of floating numbers, with their element types."""
    return {
        each.name: each.kind.numbers
        for each in fields
        if each.kind is not None and not each.is_list and each.kind.numbers is not None
    }
