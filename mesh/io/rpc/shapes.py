"""What an annotation is in a message: a type, an optional one, a list, a map, a union."""

import collections
import collections.abc
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import EncodedBytes, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from typing_extensions import TypeAliasType

from mesh.io.models import members
from mesh.io.rpc.held import Held
from mesh.io.rpc.known import ANY, MOMENT, SPAN, column, file, frame, tensor
from mesh.io.rpc.naming import snake
from mesh.io.rpc.scalars import BINARY, BOOL, DOUBLE, INT64, PLAIN_TEXT, TEXT, Text, as_text
from mesh.io.types.kind import Kind
from mesh.io.types.marker import Marker
from mesh.io.types.registry import expanded, kind_of


@dataclass(frozen=True, slots=True)
class OptionalOf:
    """A value or None."""

    inner: "Shape"


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of values."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class RowOf:
    """As many values as these, each of its own shape."""

    items: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values by key, which is a scalar."""

    key: Held
    value: "Shape"


@dataclass(frozen=True, slots=True)
class ArmOf:
    """One of the shapes of a union: its name, whether a checked value is of it, its class.

    Two are equal wherever they are from: `fits` is made anew each time and says nothing more.
    """

    name: str
    shape: "Shape"
    fits: Callable[[Any], bool] = field(compare=False)
    annotation: Any


@dataclass(frozen=True, slots=True)
class UnionOf:
    """A value of one of these shapes."""

    arms: tuple[ArmOf, ...]


@dataclass(frozen=True, slots=True)
class ClassOf:
    """An object of a class with fields: a message of its own."""

    annotation: Any


@dataclass(frozen=True, slots=True)
class EnumOf:
    """A member of an enum."""

    cls: type[Enum]


Shape = Held | OptionalOf | ListOf | RowOf | MapOf | UnionOf | ClassOf | EnumOf

_NAMED = (typing.NewType, TypeAliasType)
_UNIONS = (Union, types.UnionType)
_LISTS = (
    *(list, set, frozenset, collections.deque),
    *(collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Iterable),
    *(collections.abc.Set, collections.abc.MutableSet, collections.abc.Collection),
)
_MAPS = (
    *(dict, collections.OrderedDict, collections.defaultdict, collections.Counter),
    *(collections.abc.Mapping, collections.abc.MutableMapping),
)
_BY_CLASS: dict[Any, Held] = {
    bool: BOOL,
    int: INT64,
    float: DOUBLE,
    str: TEXT,
    datetime: MOMENT,
    timedelta: SPAN,
    Decimal: PLAIN_TEXT,  # which keeps its digits
    Any: ANY,
    object: ANY,
    dict: ANY,
}
_BY_SCHEMA = {"string": PLAIN_TEXT, "integer": INT64, "number": DOUBLE, "boolean": BOOL}
"""By the JSON type of what pydantic alone knows."""


def shape_of(annotation: Any, markers: tuple[Marker, ...] = ()) -> Shape:
    """The shape of an annotation; `markers` are those that stand around it.

    What nothing else is known of is any JSON value.
    """
    return _Reader().shape(annotation, markers)


class _Reader:
    """Reads one annotation; an alias that contains itself is any value where it does."""

    def __init__(self) -> None:
        self._aliases: list[Any] = []

    def shape(self, annotation: Any, markers: tuple[Marker, ...] = ()) -> Shape:
        if get_origin(annotation) is Annotated:
            inner, *metadata = get_args(annotation)
            if any(isinstance(each, EncodedBytes) for each in metadata):
                return PLAIN_TEXT
            own = tuple(each for each in metadata if isinstance(each, Marker))
            return self.shape(inner, (*markers, *own))
        if isinstance(annotation, _NAMED) or expanded(annotation) is not annotation:
            return self._alias(annotation, markers)
        kind = kind_of(annotation)
        if kind is not None:
            for marker in markers:
                kind = kind.marked(marker)
            return _of_kind(kind)
        if get_origin(annotation) in _UNIONS:
            return self._union(annotation, markers)
        return self._plain(annotation)

    def _alias(self, annotation: Any, markers: tuple[Marker, ...]) -> Shape:
        if annotation in self._aliases:
            return ANY
        self._aliases.append(annotation)
        if isinstance(annotation, typing.NewType):
            inner = annotation.__supertype__
        elif isinstance(annotation, TypeAliasType):
            inner = annotation.__value__
        else:
            inner = expanded(annotation)
        found = self.shape(inner, markers)
        self._aliases.pop()
        return found

    def _union(self, annotation: Any, markers: tuple[Marker, ...]) -> Shape:
        given = get_args(annotation)
        arms = [arm for arm in given if arm is not type(None)]
        if not arms:
            return ANY
        # Of the arms, markers are about kinds alone.
        shapes = [self.shape(arm, markers if _is_kind(arm) else ()) for arm in arms]
        if any(shape is ANY for shape in shapes):
            return ANY  # which can be any of the others, and None
        inner = shapes[0] if len(shapes) == 1 else _union(arms, shapes)
        return inner if len(arms) == len(given) else OptionalOf(inner)

    def _plain(self, annotation: Any) -> Shape:
        try:
            known = _BY_CLASS.get(annotation)
        except TypeError:  # not hashable
            return ANY
        if known is not None:
            return known
        origin, arguments = get_origin(annotation), get_args(annotation)
        cls = origin or annotation
        if origin is Literal:
            return _literal(arguments)
        if annotation is type(None):
            return OptionalOf(BOOL)
        if cls is tuple:
            return self._tuple(arguments)
        if cls in _LISTS:
            return ListOf(self.shape(arguments[0]) if arguments else ANY)
        if cls in _MAPS:
            return self._map(cls, arguments)
        if isinstance(cls, type) and issubclass(cls, Enum):
            return INT64 if issubclass(cls, Flag) else EnumOf(cls)
        if members(annotation) is not None:
            return ClassOf(annotation)
        return _by_schema(annotation)

    def _tuple(self, arguments: tuple[Any, ...]) -> Shape:
        if not arguments:
            return ListOf(ANY)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return ListOf(self.shape(arguments[0]))
        return RowOf(tuple(self.shape(each) for each in arguments if each != ()))

    def _map(self, cls: Any, arguments: tuple[Any, ...]) -> Shape:
        if not arguments:
            return ANY
        key = self.shape(arguments[0])
        value = INT64 if cls is collections.Counter else self.shape(arguments[1])
        if isinstance(key, Held) and key in (INT64, BOOL, TEXT):
            return MapOf(key, value)
        return MapOf(PLAIN_TEXT, value)


def _of_kind(kind: Kind) -> Held:
    schema = kind.json_schema()
    match schema.get("type"):
        case "tensor":
            return tensor(kind)
        case "dataframe":
            return frame(kind)
        case "array":
            return column(kind)
        case "string" if "media_type" not in schema:
            return BINARY
        case _:
            return file(kind)


def _is_kind(annotation: Any) -> bool:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return kind_of(annotation) is not None


def _literal(values: tuple[Any, ...]) -> Shape:
    if all(isinstance(each, str) for each in values):  # a member of an enum of texts is one
        return Text(as_text, f"One of {', '.join(json.dumps(as_text(each)) for each in values)}.")
    if all(type(each) is int for each in values):
        return INT64
    return ANY


def _union(arms: list[Any], shapes: list[Shape]) -> UnionOf:
    has_whole = any(shape is INT64 for shape in shapes)
    return UnionOf(
        tuple(
            ArmOf(_arm_name(arm), shape, _fits(arm, shape, has_whole=has_whole), arm)
            for arm, shape in zip(arms, shapes, strict=True)
        )
    )


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _arm_name(annotation: Any) -> str:
    bare = _bare(annotation)
    cls = get_origin(bare) or bare
    name = getattr(cls, "__name__", "") or str(bare)
    # `Image.Image` is called after its module, `NDArray` after its class.
    return snake(name.rpartition(".")[2])


def _fits(annotation: Any, shape: Shape, *, has_whole: bool) -> Callable[[Any], bool]:
    bare = _bare(annotation)
    cls = get_origin(bare) or bare
    if cls is Literal:
        values = get_args(bare)
        return lambda value: any(value == each and type(value) is type(each) for each in values)
    if shape is INT64:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if shape is DOUBLE:
        numbers = (float,) if has_whole else (float, int)
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    match shape:
        case ListOf() | RowOf() if isinstance(cls, type) and not issubclass(cls, tuple):
            return lambda value: isinstance(value, (list, tuple, set, frozenset))
        case MapOf():
            return lambda value: isinstance(value, collections.abc.Mapping)
        case ClassOf() if typing.is_typeddict(cls) or not isinstance(cls, type):
            return lambda value: isinstance(value, dict)
    if isinstance(cls, type):
        return lambda value: isinstance(value, cls)
    return lambda _: True


def _by_schema(annotation: Any) -> Shape:
    """The shape of what only pydantic knows, by what it is in JSON."""
    try:
        schema = TypeAdapter(annotation).json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError, NameError):
        return ANY
    if schema.get("type") == "string" and (form := schema.get("format")):
        return Text(as_text, f"In the form of a {form}, as in JSON Schema.")
    return _BY_SCHEMA.get(schema.get("type", ""), ANY)
