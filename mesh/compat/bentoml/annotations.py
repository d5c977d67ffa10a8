"""What BentoML's annotations say, in the mesh's words."""

import functools
import operator
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from bentoml import IODescriptor
from bentoml.validators import (
    ContentType as TheirContentType,
    DataframeSchema as TheirFrame,
    DType as TheirDType,
    FileSchema,
    PILImageEncoder,
    Shape as TheirShape,
    TensorSchema,
)
from pydantic import BaseModel

from mesh.io.types.content_type import ContentType
from mesh.io.types.frame_schema import DataframeSchema
from mesh.io.types.marker import Marker
from mesh.io.types.tensor import DType, Shape


def translated(annotation: Any) -> Any:
    """The annotation with BentoML's markers replaced by ours, at any depth.

    Fields of models that it names are marked anew, in place: BentoML itself rewrites them so.
    Raises TypeError or ValueError for what contradicts itself.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        marks = tuple(_marks(metadata))
        inner = translated(inner)
        return Annotated[(inner, *marks)] if marks else inner
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, BaseModel):
            _mark(annotation)
        return annotation
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, map(translated, arguments))
    if not isinstance(annotation, _ALIASES) or not isinstance(origin, type):
        return annotation
    changed = tuple(map(_argument, arguments))
    return annotation if changed == arguments else origin[changed]  # type: ignore[index]


_ALIASES = (types.GenericAlias, type(typing.List[int]))  # noqa: UP006 - the class of typing's own


def _argument(argument: Any) -> Any:
    return argument if isinstance(argument, list) else translated(argument)


def _tensor(marker: TensorSchema) -> Iterator[Marker]:
    if marker.shape is not None:
        yield Shape(marker.shape)
    if marker.dtype is not None:
        yield DType(marker.dtype)


def _file(marker: FileSchema) -> Iterator[Marker]:
    if marker.content_type is not None:
        yield ContentType(marker.content_type)


_OURS: dict[type, Callable[[Any], Iterable[Marker]]] = {
    TheirShape: lambda marker: [Shape(tuple(marker.dimensions))],
    TheirDType: lambda marker: [DType(marker.dtype)],
    TheirContentType: lambda marker: [ContentType(marker.content_type)],
    TheirFrame: lambda marker: [DataframeSchema(marker.orient, marker.columns)],
    TensorSchema: _tensor,
    FileSchema: _file,
    PILImageEncoder: lambda _: [],
}


def _marks(metadata: Iterable[Any]) -> Iterator[Any]:
    """The markers of an annotation in our words; what is not BentoML's stays."""
    for each in metadata:
        ours = _OURS.get(type(each))
        yield from (each,) if ours is None else ours(each)


_MARKED: set[type[BaseModel]] = set()


def _mark(model: type[BaseModel]) -> None:
    """Translates the fields of a model, and of those that it names."""
    if model in _MARKED:
        return
    _MARKED.add(model)
    for field in model.model_fields.values():
        annotation = translated(field.annotation)
        if issubclass(model, IODescriptor):
            field.annotation = annotation
            field.metadata = list(_marks(field.metadata))
