"""Users' pydantic models whose fields are plain arrays.

Such a model takes only arrays (`arbitrary_types_allowed`); over the wire come lists. It is read
through a subclass whose array fields take both, and what comes out is the user's own class.
"""

import copy
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

import numpy as np
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from mesh.io.types.tensor import DType, Shape, tensor_type


def with_arrays(model: type[BaseModel], rewrite: Callable[[Any], Any]) -> Any:
    """The annotation that stands for `model`: itself, unless a plain array is somewhere in it.

    `rewrite` gives the annotation of a field with its arrays in the mesh's form. Raises TypeError
    for a model that has plain arrays and contains itself.
    """
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        types = _types_in(_annotation(field))
        if np.ndarray in types:
            if model in types:
                raise TypeError(
                    f"{model.__name__} contains itself: say DType or Shape of each array in it"
                )
            fields[name] = _rewritten(field, rewrite)
    if not fields:
        return model
    reader = create_model(model.__name__, __base__=model, __module__=model.__module__, **fields)
    reader.__doc__ = model.__doc__
    return Annotated[reader, _ReadsAs(model)]


def _rewritten(field: FieldInfo, rewrite: Callable[[Any], Any]) -> tuple[Any, FieldInfo]:
    changed = copy.copy(field)
    changed.annotation = rewrite(_annotation(field))
    changed.metadata = [each for each in field.metadata if not isinstance(each, Shape | DType)]
    return changed.annotation, changed


def _annotation(field: FieldInfo) -> Any:
    """The field's annotation with the array markers that pydantic moved out of it."""
    markers = [each for each in field.metadata if isinstance(each, Shape | DType)]
    return Annotated[(field.annotation, *markers)] if markers else field.annotation


def _types_in(annotation: Any) -> set[Any]:
    """Models and plain arrays that occur in the annotation, at any depth."""
    found: set[Any] = set()
    rest = [annotation]
    while rest:
        each = rest.pop()
        if isinstance(each, list):
            rest += each
        elif get_origin(each) is Annotated:
            inner, *metadata = get_args(each)
            # What is marked reads lists by itself.
            if not any(isinstance(marker, Shape | DType) for marker in metadata):
                rest.append(inner)
        elif tensor_type(each) is not None:
            found.add(np.ndarray)
        elif isinstance(each, type) and issubclass(each, BaseModel) and each not in found:
            found.add(each)
            rest += [_annotation(field) for field in each.model_fields.values()]
        else:
            rest += get_args(each)
    return found


class _ReadsAs:
    """Makes instances of the reading subclass instances of the user's model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.model_dump(by_alias=True)
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # The serializer above is a function, of which pydantic knows no schema.
        inner: CoreSchema = schema["schema"]
        return handler(inner)

    def _read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, self._model):
            return value
        made = handler(value)
        # Same fields, same layout; pydantic's own __setattr__ knows fields only.
        object.__setattr__(made, "__class__", self._model)
        return made
