"""Users' classes that have kinds somewhere in them: models, dataclasses, TypedDicts, NamedTuples.

Such a class takes values of its types only; over the wire come JSON values and wire values. It is
read through a type derived from it, whose fields take those, and what comes out is an instance of
the user's own class.
"""

import copy
import dataclasses
import functools
import sys
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import typing_extensions
from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticSerializationUnexpectedValue, core_schema

Rewrite = Callable[[Any], Any]
"""Gives an annotation with its kinds in the mesh's form."""
_QUALIFIERS = (
    *(typing.Required, typing.NotRequired),
    *(typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.ReadOnly),
)


def is_model(annotation: Any) -> bool:
    """Whether the annotation is a pydantic model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def members(annotation: Any) -> Mapping[str, Any] | None:
    """Annotations of the fields by name; None for what is none of the classes named above.

    Raises TypeError for a field whose annotation names what nobody knows.
    """
    cls = get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return None
    if issubclass(cls, BaseModel):
        cls.model_rebuild(raise_errors=False)  # does nothing to a model that is complete
        return {name: annotation_of(field) for name, field in cls.model_fields.items()}
    if not (dataclasses.is_dataclass(cls) or _is_typed_dict(cls) or _is_named_tuple(cls)):
        return None
    try:
        hints = typing_extensions.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(f"{cls.__name__} cannot be read: {error}") from error
    if dataclasses.is_dataclass(cls):
        hints = {each.name: hints[each.name] for each in dataclasses.fields(cls) if each.init}
    parameters = getattr(cls, "__parameters__", ())
    given = dict(zip(parameters, get_args(annotation), strict=False))
    return {name: _given(_unqualified(hint), given) for name, hint in hints.items()}


def is_unreadable(annotation: Any) -> bool:
    """Whether pydantic refuses the class as it is: before Python 3.12, `typing.TypedDict`."""
    cls = get_origin(annotation) or annotation
    return sys.version_info < (3, 12) and _is_typed_dict(cls) and type(cls).__module__ == "typing"


def reader(annotation: Any, rewrite: Rewrite) -> Any:
    """The annotation that stands for a class which has `members`."""
    cls = get_origin(annotation) or annotation
    fields = members(annotation) or {}
    if issubclass(cls, BaseModel):
        return _model_reader(cls, rewrite)
    rewritten = {name: rewrite(each) for name, each in fields.items()}
    if _is_typed_dict(cls):
        return _typed_dict_reader(cls, rewritten)
    if _is_named_tuple(cls):
        return _named_tuple_reader(cls, rewritten)
    return _dataclass_reader(cls, rewritten)


class Deferred:
    """Stands in `Annotated` for a class whose reader is still being made.

    That is how a class can contain itself.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.annotation: Any = None

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(self.annotation)


def annotation_of(field: FieldInfo) -> Any:
    """The field's annotation with the metadata that pydantic moved out of it."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _unqualified(hint: Any) -> Any:
    """The hint without Required, NotRequired, ReadOnly."""
    while get_origin(hint) in _QUALIFIERS:
        (hint,) = get_args(hint)
    return hint


def _given(hint: Any, arguments: Mapping[Any, Any]) -> Any:
    """The hint with what stands for type variables."""
    if not arguments:
        return hint
    if isinstance(hint, typing.TypeVar):
        return arguments.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(arguments.get(each, each) for each in parameters)]


def _is_typed_dict(cls: Any) -> bool:
    return typing_extensions.is_typeddict(cls)


def _is_named_tuple(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_field_defaults")


def _model_reader(model: type[BaseModel], rewrite: Rewrite) -> Any:
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        annotation = annotation_of(field)
        if field.discriminator is None:
            rewritten = rewrite(annotation)
        else:  # which tells how the arms of a union are to be rewritten, and stays in the field
            by = FieldInfo(discriminator=field.discriminator)
            rewritten = get_args(rewrite(Annotated[annotation, by]))[0]
        if rewritten != annotation:
            changed = copy.copy(field)
            changed.annotation, changed.metadata = rewritten, []
            fields[name] = (rewritten, changed)
    made = create_model(
        model.__name__,
        __base__=model,
        __module__=model.__module__,
        # What it refers to may not be there yet.
        __cls_kwargs__={"defer_build": True},
        **fields,
    )
    made.__doc__ = model.__doc__
    return Annotated[made, _AsModel(model, made)]


def _dataclass_reader(cls: type, rewritten: Mapping[str, Any]) -> Any:
    known: Mapping[str, FieldInfo] = getattr(cls, "__pydantic_fields__", {})
    fields: dict[str, Any] = {}
    for each in dataclasses.fields(cls):
        if each.init:
            fields[each.name] = (rewritten[each.name], _default(each, known.get(each.name)))
    made = _fields_model(cls, fields)
    return Annotated[made, _AsDataclass(cls, made)]


def _default(field: "dataclasses.Field[Any]", known: FieldInfo | None) -> Any:
    if known is not None:
        plain = copy.copy(known)
        plain.metadata = []  # it stands in the annotation
        return plain
    if isinstance(field.default, FieldInfo):
        return field.default
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return FieldInfo(default_factory=field.default_factory)
    return ...


def _fields_model(cls: type, fields: Mapping[str, Any]) -> type[BaseModel]:
    """A model of these fields that looks like `cls` from outside."""
    taken = [name for name in fields if name.startswith("_") or hasattr(BaseModel, name)]
    names = {name: f"field_{number}" for number, name in enumerate(taken)}
    known_as = {field: name for name, field in names.items()}
    config = ConfigDict(
        title=cls.__name__,
        protected_namespaces=(),
        defer_build=True,
        arbitrary_types_allowed=True,
        alias_generator=lambda field: known_as.get(field, field),
    )
    return create_model(
        cls.__name__,
        __config__=config,
        __module__=cls.__module__,
        **{names.get(name, name): field for name, field in fields.items()},
    )


def _typed_dict_reader(cls: type, rewritten: Mapping[str, Any]) -> Any:
    required = cls.__required_keys__  # type: ignore[attr-defined]  # every TypedDict has them
    keys = {
        name: each if name in required else typing_extensions.NotRequired[each]
        for name, each in rewritten.items()
    }
    # Called, not declared: that is what makes one of fields which are known only now.
    made: Any = typing_extensions.TypedDict(cls.__name__, keys)  # type: ignore[misc]  # see above
    made.__module__, made.__doc__ = cls.__module__, cls.__doc__
    config = getattr(cls, "__pydantic_config__", None)
    if config is not None:
        setattr(made, "__pydantic_config__", config)  # noqa: B010 - no TypedDict declares it
    return made


def _named_tuple_reader(cls: Any, rewritten: Mapping[str, Any]) -> Any:
    body = {"__annotations__": dict(rewritten), "__module__": cls.__module__}
    body |= {"__doc__": cls.__doc__, **cls._field_defaults}
    made = types.new_class(
        cls.__name__, (typing.NamedTuple,), exec_body=lambda names: names.update(body)
    )
    whole = tuple[tuple(rewritten.values())] if rewritten else tuple[()]  # type: ignore[misc]  # known only now
    return Annotated[made, _AsNamedTuple(cls, whole)]


class Reads(ABC):
    """Stands in `Annotated` around the type by which a class of the user's is read."""

    def __init__(self, cls: type) -> None:
        self.cls = cls

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self.read, handler(source), serialization=self.serialization()
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # The serializer is a function, of which pydantic knows no schema.
        inner: CoreSchema = schema["schema"]
        return handler(inner)

    @abstractmethod
    def read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        """An instance of the user's class."""

    @abstractmethod
    def serialization(self) -> Any:
        """How the reading type writes instances of the user's."""


class _AsModel(Reads):
    """Makes instances of the reading subclass instances of the user's model."""

    def __init__(self, cls: type[BaseModel], made: type[BaseModel]) -> None:
        super().__init__(cls)
        self._made = made

    def read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        """An instance of the user's model; one that is so already is not looked at."""
        if isinstance(value, self.cls):
            return value
        made = handler(value)
        # Same fields, same layout; pydantic's own __setattr__ knows fields only.
        object.__setattr__(made, "__class__", self.cls)
        return made

    def serialization(self) -> Any:
        """The fields, by `write`."""
        return core_schema.wrap_serializer_function_ser_schema(self.write)

    def write(self, value: Any, handler: core_schema.SerializerFunctionWrapHandler) -> Any:
        """The fields as the reading subclass writes them."""
        if not isinstance(value, self.cls):
            raise PydanticSerializationUnexpectedValue(f"is no {self.cls.__name__}")
        twin = copy.copy(value)
        object.__setattr__(twin, "__class__", self._made)
        return handler(twin)


class _AsDataclass(Reads):
    """Makes a dataclass of the user's from a model of its fields."""

    def __init__(self, cls: type, made: type[BaseModel]) -> None:
        super().__init__(cls)
        self._made = made
        self._names = {
            field.alias or name: name  # the alias is the dataclass's own name
            for name, field in made.model_fields.items()
        }

    def read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        """An instance of the dataclass; one that is so already is not looked at."""
        if isinstance(value, self.cls):
            return value
        found = handler(value).__dict__
        return self.cls(**{name: found[field] for name, field in self._names.items()})

    def serialization(self) -> Any:
        """The fields, by `write`."""
        return core_schema.wrap_serializer_function_ser_schema(self.write)

    def write(self, value: Any, handler: core_schema.SerializerFunctionWrapHandler) -> Any:
        """The fields that can be given to the dataclass."""
        if not isinstance(value, self.cls):
            raise PydanticSerializationUnexpectedValue(f"is no {self.cls.__name__}")
        fields = {field: getattr(value, name) for name, field in self._names.items()}
        return handler(self._made.model_construct(**fields))


class _AsNamedTuple(Reads):
    """Makes a NamedTuple of the user's from one with other types of fields."""

    def __init__(self, cls: Any, whole: Any) -> None:
        super().__init__(cls)
        self._whole = whole

    def read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        """An instance of the user's class, its items checked whatever they come in."""
        return self.cls(*handler(value))

    def serialization(self) -> Any:
        """A list of the items."""
        return core_schema.plain_serializer_function_ser_schema(self._write, info_arg=True)

    def _write(self, value: Any, info: core_schema.SerializationInfo[Any]) -> Any:
        mode: Literal["json", "python"] = "json" if info.mode_is_json() else "python"
        return self._items.dump_python(
            tuple(value), mode=mode, by_alias=True, warnings=False, context=info.context
        )

    @functools.cached_property
    def _items(self) -> TypeAdapter[tuple[Any, ...]]:
        # Made when first used: a class may contain itself.
        return TypeAdapter(self._whole)
