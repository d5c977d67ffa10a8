"""Arguments of one method: how they are checked, decoded and sent."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
from google.protobuf.message import DecodeError
from pydantic import (
    BaseModel,
    ConfigDict,
    Secret,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.fields import FieldInfo

from mesh.errors import DefinitionError, InvalidArgument, Violation
from mesh.io.adapter import adapter
from mesh.io.annotation import for_input
from mesh.io.binding import NO_ITEM, Binding, Bound, binding
from mesh.io.fields import InputField, input_field
from mesh.io.json_schema import has_files, json_schema
from mesh.io.large_json import json_validator
from mesh.io.media import is_call
from mesh.io.models import annotation_of, is_model
from mesh.io.signature import Parameter, Signature
from mesh.io.types.kind import Intake
from mesh.io.value import from_value, read_kind
from mesh.io.violations import TITLE, invalid_input, root_title, violations
from mesh.io.wire import Chunks, put_entry, put_field, varint
from mesh.v1.inference_pb2 import CallRequest

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
        if not self.root:
            bound, item = self.load(found, intake)
            return bound, self._item_of(request, intake) if request.HasField("item") else item
        name = next(iter(self.fields))
        return self.load(found[name], intake) if name in found else self._load_nothing(intake)

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
                missing = Violation((stream,), "missing", "An item is required")
                raise invalid_input((missing,))
            return self._item_of(request, intake)
        try:
            return self.item.validator.validate_json(body, context=intake)
        except ValidationError as error:
            raise invalid_input(violations(error)).within(stream) from None

    def _item_of(self, request: CallRequest, intake: Intake | None) -> Any:
        item, stream = self.item, self.binding.stream
        if item is None or stream is None:
            return NO_ITEM
        try:
            return item.validator.validate_python(from_value(request.item), context=intake)
        except ValidationError as error:
            raise invalid_input(violations(error)).within(stream) from None
        except InvalidArgument as error:
            raise invalid_input(error.within(stream).violations) from None

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
    item: TypeAdapter[Any] | None = None
    if signature.stream is not None:
        stream = _checked(signature.stream, where)
        item = adapter(stream.annotation, where=_at(where, stream.name))
    if signature.model is not None:
        inputs = _of_model(signature.model, where)
    elif signature.root:
        inputs = _of_root(signature.parameters[0], where)
    else:
        parameters = [_checked(each, where) for each in signature.parameters]
        if signature.stream is not None:
            first = FieldInfo(default=NO_ITEM, json_schema_extra={"is_stream": True})
            # Where the method has it: callers go by the order of the schema's properties.
            at = list(signature.callable.parameters).index(stream.name)
            parameters.insert(at, Parameter(stream.name, stream.annotation, first))
        inputs = _of_parameters(parameters, where)
    fields = {
        each.name: each
        for each in inputs.fields
        if signature.stream is None or each.name != signature.stream.name
    }
    parts = {each.name: each for each in inputs.parts} if inputs.parts is not None else None
    return Arguments(
        method=method,
        adapter=inputs.adapter,
        root=signature.root,
        takes_files=has_files(json_schema(inputs.adapter, "validation")),
        fields=fields,
        parts=parts if signature.root else fields,
        title=inputs.title,
        item=item,
        binding=binding(signature),
        wire_names=inputs.wire_names,
        path=inputs.path,
        _open=inputs.open,
        _validate_json=json_validator(
            inputs.adapter,
            {} if signature.root else _numbers(inputs.fields),
            _numbers(inputs.fields).get(inputs.fields[0].name) if signature.root else None,
        ),
        _validate=inputs.adapter.validator.validate_python,
    )


def _numbers(fields: Iterable[InputField]) -> dict[str, np.dtype[Any]]:
    """The inputs that are arrays of floating numbers, with their element types."""
    return {
        each.name: each.kind.numbers
        for each in fields
        if each.kind is not None and not each.is_list and each.kind.numbers is not None
    }


@dataclass(frozen=True, slots=True)
class _Inputs:
    """All inputs of a method as one value of pydantic's."""

    adapter: TypeAdapter[Any]
    fields: tuple[InputField, ...]
    open: Callable[[Any], dict[str, Any]]
    """The inputs by parameter from such a value."""
    title: str = TITLE
    path: tuple[str, ...] = ()
    wire_names: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[InputField, ...] | None = None
    """The fields of a root input that is a model."""


def _of_parameters(parameters: Sequence[Parameter], where: str) -> _Inputs:
    """Each parameter is a field; some have another name there, because no field can have theirs."""
    renamed = {
        f"field_{number}": each.name
        for number, each in enumerate(parameters)
        if each.name.startswith("_") or hasattr(BaseModel, each.name)
    }

    def open_renamed(found: BaseModel) -> dict[str, Any]:
        return {renamed.get(name, name): value for name, value in found.__dict__.items()}

    return _Inputs(
        _model(parameters, renamed, where),
        tuple(input_field(each.name, each.annotation) for each in parameters),
        open_renamed if renamed else _open_model,
    )


def _of_root(parameter: Parameter, where: str) -> _Inputs:
    """The one parameter is all there is."""
    name, default = parameter.name, parameter.default
    checked = _checked(parameter, where).annotation
    with_default = checked
    if isinstance(default, FieldInfo):
        with_default = Annotated[checked, default]
    elif default is not inspect.Parameter.empty:
        with_default = Annotated[checked, FieldInfo(default=default)]
    return _Inputs(
        adapter(with_default, where=_at(where, name)),
        (input_field(name, checked),),
        lambda value: {name: value},
        title=root_title(parameter.annotation),
        path=() if is_model(parameter.annotation) else ("root",),
        parts=_model_fields(parameter.annotation, _at(where, name))
        if is_model(parameter.annotation)
        else None,
    )


def _of_model(model: type[BaseModel], where: str) -> _Inputs:
    """The fields of the user's model are the inputs."""
    at = f"{where}: input_spec"
    checked = _rewritten(model, at)
    return _Inputs(
        adapter(checked, where=at),
        _model_fields(model, at),
        _open_model,
        title=root_title(model),
        wire_names=_wire_names(model),
    )


def _wire_names(model: type[BaseModel]) -> dict[str, str]:
    return {
        name: field.validation_alias
        for name, field in model.model_fields.items()
        if isinstance(field.validation_alias, str)
    }


def _model_fields(model: type[BaseModel], at: str) -> tuple[InputField, ...]:
    """The fields of the model, as inputs."""
    wire_names = _wire_names(model)
    return tuple(
        input_field(wire_names.get(name, name), _rewritten(annotation_of(field), at))
        for name, field in model.model_fields.items()
    )


def _open_model(found: BaseModel) -> dict[str, Any]:
    return found.__dict__


def _at(where: str, name: str) -> str:
    return f"{where}: parameter {name!r}"


def _checked(parameter: Parameter, where: str) -> Parameter:
    """The parameter with the annotation that its inputs are checked by."""
    at = _at(where, parameter.name)
    annotation = _rewritten(parameter.annotation, at)
    adapter(annotation, where=at)
    return replace(parameter, annotation=annotation)


def _rewritten(annotation: Any, at: str) -> Any:
    try:
        return for_input(annotation)
    except TypeError as error:
        raise DefinitionError(f"{at}: {error}") from error


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
