"""Arguments of one method: how they are checked, decoded and sent."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import DecodeError
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from mesh.errors import DefinitionError, InvalidArgument, Violation
from mesh.io.adapter import adapter
from mesh.io.annotation import for_input
from mesh.io.media import is_call
from mesh.io.signature import Parameter, Signature
from mesh.io.value import from_value, read_kind
from mesh.io.violations import TITLE, invalid_input, violations
from mesh.io.wire import Chunks, put_entry, put_field, varint
from mesh.v1.inference_pb2 import CallRequest

NO_ITEM: Any = type("NoItem", (), {"__repr__": lambda _: "NO_ITEM", "__slots__": ()})()
"""Stands for "this message carries no item of the stream"."""

_METHOD, _ARGUMENT, _ITEM = b"\x0a", b"\x12", b"\x1a"  # fields of mesh.v1.CallRequest


@dataclass(frozen=True, slots=True)
class Arguments:
    """The inputs of one method, as codecs that are made once.

    `model` is a pydantic model with a field for each input.
    """

    method: str
    model: TypeAdapter[BaseModel]
    item: TypeAdapter[Any] | None
    stream: str | None
    names: tuple[str, ...]
    """Inputs that may be given by position, in order; the stream among them."""
    known: frozenset[str]
    required: frozenset[str]
    renamed: Mapping[str, str]
    """Parameters by the names of their fields, where these differ."""
    signature: inspect.Signature
    validate_json: Callable[[bytes], BaseModel]
    validate: Callable[[Any], BaseModel]

    def decode(self, media_type: str, body: bytes) -> tuple[dict[str, Any], Any]:
        """Arguments by name, and the first item of the stream or NO_ITEM.

        Raises InvalidArgument with every fault in them, UnsupportedMediaType for pickles.
        """
        if is_call(media_type):
            return self._decode_call(body)
        try:
            found = self.validate_json(body or b"{}").__dict__
        except ValidationError as error:
            raise invalid_input(violations(error)) from None
        return self._split(found)

    def _decode_call(self, body: bytes) -> tuple[dict[str, Any], Any]:
        request = _parse(body)
        found: dict[str, Any] = {}
        for name, value in request.arguments.items():
            kind = value.WhichOneof("kind")
            if kind is not None:  # else: not given
                try:
                    found[name] = read_kind(kind, value)
                except InvalidArgument as error:
                    raise invalid_input(error.within(name).violations) from None
        try:
            arguments = self.validate(found).__dict__
        except ValidationError as error:
            raise invalid_input(violations(error)) from None
        kwargs, item = self._split(arguments)
        return kwargs, self._item_of(request) if request.HasField("item") else item

    def _split(self, found: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        if self.renamed:
            found = {self.renamed.get(name, name): value for name, value in found.items()}
        return found, NO_ITEM if self.stream is None else found.pop(self.stream)

    def decode_item(self, media_type: str, body: bytes) -> Any:
        """One item of the stream.

        Raises InvalidArgument with every fault in it, UnsupportedMediaType for pickles.
        """
        if self.item is None or self.stream is None:
            raise InvalidArgument(f"{self.method} takes one message, not a stream")
        if is_call(media_type):
            request = _parse(body)
            if not request.HasField("item"):
                missing = Violation((self.stream,), "missing", "An item is required")
                raise invalid_input((missing,))
            return self._item_of(request)
        try:
            return self.item.validator.validate_json(body)
        except ValidationError as error:
            raise invalid_input(violations(error)).within(self.stream) from None

    def _item_of(self, request: CallRequest) -> Any:
        item, stream = self.item, self.stream
        if item is None or stream is None:
            return NO_ITEM
        try:
            return item.validator.validate_python(from_value(request.item))
        except ValidationError as error:
            raise invalid_input(violations(error)).within(stream) from None
        except InvalidArgument as error:
            raise invalid_input(error.within(stream).violations) from None

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name, the stream among them, as Python would bind them.

        Raises TypeError as a call of the method would; defaults are not filled in.
        """
        if len(args) <= len(self.names):
            bound = dict(zip(self.names, args, strict=False))
            if kwargs.keys() <= self.known and kwargs.keys().isdisjoint(bound):
                bound.update(kwargs)
                if self.required <= bound.keys():
                    return bound
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def split_stream(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """What `encode` takes, and what the caller gave for the stream.

        Raises TypeError as a call of the method would.
        """
        bound = self.bind(args, kwargs)
        stream = bound.pop(self.stream) if self.stream is not None else None
        return (), bound, stream

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """A serialized mesh.v1.CallRequest with these arguments, which the stream is none of.

        Raises TypeError where Python would on a call, and TypeError or ValueError for values that
        have no form on the wire.
        """
        bound = self.bind(args, self._with_stream(args, kwargs))
        return encode_call(
            self.method, {key: value for key, value in bound.items() if key != self.stream}
        )

    def _with_stream(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments with something for the stream, if it was taken out of them."""
        if self.stream is None or self.stream in kwargs or self.stream in self.names[: len(args)]:
            return kwargs
        return {self.stream: None, **kwargs}


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
    parameters = [_checked(each, where) for each in signature.parameters]
    item: TypeAdapter[Any] | None = None
    if signature.stream is not None:
        stream = _checked(signature.stream, where)
        item = adapter(stream.annotation, where=_at(where, stream))
        first = FieldInfo(default=NO_ITEM, json_schema_extra={"is_stream": True})
        parameters.append(Parameter(stream.name, stream.annotation, first))
    renamed = {
        f"field_{number}": each.name
        for number, each in enumerate(parameters)
        if each.name.startswith("_") or hasattr(BaseModel, each.name)
    }
    model = _model(parameters, renamed, where)
    visible = signature.callable.parameters.values()
    return Arguments(
        method=method,
        model=model,
        item=item,
        stream=signature.stream.name if signature.stream else None,
        names=tuple(each.name for each in visible if each.kind is not each.KEYWORD_ONLY),
        known=frozenset(each.name for each in visible),
        required=frozenset(each.name for each in visible if each.default is each.empty),
        renamed=renamed,
        signature=signature.callable,
        validate_json=model.validator.validate_json,
        validate=model.validator.validate_python,
    )


def _at(where: str, parameter: Parameter) -> str:
    return f"{where}: parameter {parameter.name!r}"


def _checked(parameter: Parameter, where: str) -> Parameter:
    """The parameter with the annotation that its inputs are checked by."""
    at = _at(where, parameter)
    try:
        annotation = for_input(parameter.annotation)
    except TypeError as error:
        raise DefinitionError(f"{at}: {error}") from error
    adapter(annotation, where=at)
    return replace(parameter, annotation=annotation)


def _model(
    parameters: Iterable[Parameter], renamed: Mapping[str, str], where: str
) -> TypeAdapter[BaseModel]:
    """A model of the inputs; some are `renamed`, because no field can have their names."""
    field_names = {parameter: field for field, parameter in renamed.items()}
    config = ConfigDict(
        title=TITLE,
        protected_namespaces=(),
        ser_json_inf_nan="constants",
        alias_generator=lambda field: renamed.get(field, field),
    )
    fields: dict[str, Any] = {
        field_names.get(each.name, each.name): (
            each.annotation,
            ... if each.default is inspect.Parameter.empty else each.default,
        )
        for each in parameters
    }
    return adapter(create_model(TITLE, __config__=config, **fields), where=where)
