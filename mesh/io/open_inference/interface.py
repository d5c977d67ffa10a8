"""Which methods are models: their inputs and outputs as tensors, worked out at definition."""

import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from mesh.io import models
from mesh.io.annotation import for_input
from mesh.io.open_inference.datatypes import BF16, BOOL, BYTES, FP32, FP64, INT64, datatype_of
from mesh.io.signature import Signature
from mesh.io.types.elements import element_type, is_bfloat16
from mesh.io.types.kind import Kind
from mesh.io.types.tensor import TensorType

RESULT: Final = "result"
"""The name of the output of a method whose result is one tensor."""

_LISTS = (list, Sequence)
_SCALARS = {bool: BOOL, int: INT64, float: FP64, str: BYTES}


class Form(StrEnum):
    """What a tensor is in Python."""

    ARRAY = "array"
    """Of NumPy, torch or tensorflow."""
    SCALAR = "scalar"
    """A number, a text or bytes: the one element of a tensor of shape [1]."""
    LIST = "list"
    """Lists of scalars."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output. An extent of -1 is any.

    `is_free` says that any datatype is taken or given, and any number of dimensions: then
    `datatype` is the usual one. `is_binary` says that elements of BYTES are bytes and no text.
    `is_optional`: a request may leave it out, or a response.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    form: Form
    is_free: bool = False
    is_binary: bool = False
    is_optional: bool = False

    def document(self) -> dict[str, Any]:
        """As it is in JSON: `optional` only if it is so."""
        found: dict[str, Any] = {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.shape),
        }
        if self.is_optional:
            found["optional"] = True
        return found


@dataclass(frozen=True, slots=True)
class Interface:
    """A method as a model.

    `outputs` has one named RESULT for a result that is one tensor; else the fields of the result
    by name. It is None for a dict, of which only results tell the names.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec] | None
    is_single: bool
    streams: bool

    def document(self) -> dict[str, Any]:
        """What clients are told of it, as JSON has it."""
        return {
            "inputs": [each.document() for each in self.inputs.values()],
            "outputs": [each.document() for each in (self.outputs or {}).values()],
            "streams": self.streams,
        }


def interface(signature: Signature) -> Interface | None:
    """The method of this signature as a model; None if it is none.

    A model has no stream of inputs, and nothing but tensors and scalars in inputs and outputs.
    """
    if signature.stream is not None:
        return None
    inputs = _inputs(signature)
    if inputs is None:
        return None
    single = tensor_spec(RESULT, signature.result)
    outputs: dict[str, TensorSpec] | None
    if single is not None:
        outputs = {RESULT: single}
    else:
        result, _ = _opened(signature.result)
        fields = _fields(result)
        if fields is None:
            if not _is_dict_of_tensors(result):
                return None
            outputs = None
        else:
            found = _specs(fields)
            if not found:
                return None
            outputs = found
    return Interface(inputs, outputs, single is not None, signature.streams_out)


def _inputs(signature: Signature) -> dict[str, TensorSpec] | None:
    if signature.model is not None:
        return _specs(_model_fields(signature.model, by="validation_alias"))
    if signature.root:
        (parameter,) = signature.parameters
        if models.is_model(parameter.annotation):
            return _specs(_model_fields(parameter.annotation, by="validation_alias"))
    return _specs(
        (each.name, each.annotation, _has_default(each.default)) for each in signature.parameters
    )


_Field = tuple[str, Any, bool]
"""Name, annotation, and whether it may be left out."""


def _specs(fields: Iterable[_Field]) -> dict[str, TensorSpec] | None:
    found = {}
    for name, annotation, is_optional in fields:
        spec = tensor_spec(name, annotation)
        if spec is None:
            return None
        found[name] = replace(spec, is_optional=True) if is_optional else spec
    return found


def _has_default(default: Any) -> bool:
    if isinstance(default, FieldInfo):
        return not default.is_required()
    return default is not inspect.Parameter.empty


def _model_fields(model: type[BaseModel], *, by: str) -> Iterable[_Field]:
    for name, field in model.model_fields.items():
        alias = getattr(field, by) or field.alias
        known_as = alias if isinstance(alias, str) else name
        yield known_as, models.annotation_of(field), not field.is_required()


def _fields(result: Any) -> Iterable[_Field] | None:
    """The fields of a class of the user's, as results have them; None for other results."""
    if models.is_model(result):
        fields = _model_fields(result, by="serialization_alias")
        return [(name, annotation, False) for name, annotation, _ in fields]
    members = models.members(result)
    if members is None:
        return None
    return [(name, annotation, False) for name, annotation in members.items()]


def _is_dict_of_tensors(annotation: Any) -> bool:
    if get_origin(annotation) not in (dict, Mapping):
        return False
    key, value = get_args(annotation)
    return key is str and tensor_spec("", value) is not None


def tensor_spec(name: str, annotation: Any) -> TensorSpec | None:
    """What a value of this annotation is as a tensor; None if it is none."""
    annotation, may_be_none = _opened(annotation)
    found = _of_kind(name, annotation) if isinstance(annotation, Kind) else _plain(name, annotation)
    return replace(found, is_optional=True) if found is not None and may_be_none else found


def _plain(name: str, annotation: Any) -> TensorSpec | None:
    origin = get_origin(annotation)
    if origin in _LISTS or annotation in _LISTS:
        return _list(name, get_args(annotation))
    if origin is tuple:
        first, *rest = get_args(annotation) or (None,)
        return _list(name, (first,)) if rest == [...] else None
    datatype = _datatype(annotation)
    return None if datatype is None else TensorSpec(name, datatype, (1,), Form.SCALAR)


def _list(name: str, arguments: tuple[Any, ...]) -> TensorSpec | None:
    inner = tensor_spec(name, arguments[0]) if arguments else None
    if inner is None or inner.is_optional or inner.form is Form.ARRAY:
        return None
    rest = inner.shape if inner.form is Form.LIST else ()
    return replace(inner, shape=(-1, *rest), form=Form.LIST)


def _datatype(annotation: Any) -> str | None:
    """The datatype of a scalar: of a class, or of the values that there are."""
    if get_origin(annotation) is Literal:
        return _common(get_args(annotation))
    if not isinstance(annotation, type):
        return None
    if issubclass(annotation, Enum):
        return _common([member.value for member in annotation])
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    return BYTES if issubclass(annotation, str) else None


def _common(values: Iterable[Any]) -> str | None:
    found = {type(each) for each in values}
    return _SCALARS.get(found.pop()) if len(found) == 1 else None


def _of_kind(name: str, kind: Kind) -> TensorSpec | None:
    schema = kind.json_schema()
    if schema.get("type") == "string" and schema.get("format") == "binary":
        return TensorSpec(name, BYTES, (1,), Form.SCALAR, is_binary=True)
    if schema.get("type") != "tensor":
        return None
    shape = schema.get("shape")
    datatype = _element_datatype(kind, schema)
    if datatype is None:
        return None
    return TensorSpec(
        name,
        datatype or (FP64 if schema.get("format") == TensorType.FORMAT else FP32),
        (-1,) if shape is None else tuple(shape),
        Form.ARRAY,
        is_free=not datatype or shape is None,
    )


def _element_datatype(kind: Kind, schema: Mapping[str, Any]) -> str | None:
    """The datatype of an array's elements; empty if any will do, None if there is none."""
    if isinstance(kind, TensorType) and kind.dtype is not None and is_bfloat16(kind.dtype):
        return BF16
    dtype = schema.get("dtype")
    if dtype is None:
        return ""
    if dtype == "bfloat16":
        return BF16
    return datatype_of(element_type("str" if dtype == "str_" else dtype))


def _opened(annotation: Any) -> tuple[Any, bool]:
    """The kind or the class that it is about, and whether it may be None.

    Unions of more than one such are left as they are.
    """
    may_be_none = False
    annotation = for_input(annotation)
    while True:
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, TypeAliasType):
            annotation = annotation.__value__
        elif get_origin(annotation) is Annotated:
            inner, *metadata = get_args(annotation)
            kinds = [each for each in metadata if isinstance(each, Kind)]
            if kinds:
                return kinds[0], may_be_none
            reads = [each.cls for each in metadata if isinstance(each, models.Reads)]
            annotation = reads[0] if reads else inner
            if reads:
                return annotation, may_be_none
        elif get_origin(annotation) in (Union, types.UnionType):
            arms = [arm for arm in get_args(annotation) if arm is not type(None)]
            if len(arms) != 1:
                return annotation, may_be_none
            may_be_none = True
            annotation = arms[0]
        else:
            return annotation, may_be_none
