"""The messages and enums of one package, made of shapes as they are needed."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, get_args, get_origin

import typing_extensions
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mesh.errors import InvalidArgument
from mesh.io.annotation import for_input
from mesh.io.json_schema import has_files, json_schema
from mesh.io.models import members
from mesh.io.rpc.comments import class_comment, field_comment
from mesh.io.rpc.enums import UNSPECIFIED, EnumType
from mesh.io.rpc.held import Held
from mesh.io.rpc.messages import Arm, Field, Label, Member, Message
from mesh.io.rpc.naming import free, json_name, pascal, snake, upper_snake
from mesh.io.rpc.numbers import Numbers
from mesh.io.rpc.shapes import (
    ArmOf,
    ClassOf,
    EnumOf,
    ListOf,
    MapOf,
    OptionalOf,
    RowOf,
    Shape,
    UnionOf,
    shape_of,
)
from mesh.io.violations import violations


@dataclass(frozen=True, slots=True)
class Value:
    """A value that is to be a member of a message.

    `key` and `attribute` are as of a Member. `may_lack` says that it need not be given, and has
    another value then than an empty list, 0 or the like.
    """

    key: str
    attribute: str
    shape: Shape
    may_lack: bool = False
    doc: tuple[str, ...] = ()
    has_default: bool = False


def value_of(
    key: str, annotation: Any, default: Any = PydanticUndefined, attribute: str = ""
) -> Value:
    """An input, or a field of a class: `default` is a value or a FieldInfo."""
    shape = shape_of(annotation)
    return Value(
        key,
        attribute or key,
        shape,
        may_lack=_matters(default, shape),
        doc=field_comment(annotation, default),
        has_default=_has_default(default),
    )


def _has_default(default: Any) -> bool:
    if isinstance(default, FieldInfo):
        return not default.is_required()
    return default is not PydanticUndefined


def _matters(default: Any, shape: Shape) -> bool:
    """Whether a message must tell that a value was not given."""
    if isinstance(default, FieldInfo):
        if default.is_required():
            return False
        default = default.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return False
    is_collection = isinstance(shape, (ListOf, MapOf))
    return not is_collection or default is None or bool(len(default))


class Package:
    """Makes the messages of a package; each class, and each list of lists, is one message."""

    def __init__(self, name: str, numbers: Numbers) -> None:
        self.name = name
        self.numbers = numbers
        self.messages: list[Message] = []
        self.enums: list[EnumType] = []
        self._made: dict[Any, Held] = {}
        self._names: set[str] = set()

    def claim(self, name: str) -> str:
        """Takes a name for a message, an enum or a service, or one like it that is not taken."""
        found = free(name, self._names)
        self._names.add(found)
        return found

    def message(
        self,
        name: str,
        values: Sequence[Value],
        *,
        single: bool = False,
        row: bool = False,
        doc: tuple[str, ...] = (),
    ) -> Message:
        """A message with these values as members, under a name that was claimed."""
        made = self._begun(name, single=single, row=row, doc=doc)
        made.members = self._members(name, values)
        return made

    def _begun(self, name: str, *, single: bool, row: bool, doc: tuple[str, ...]) -> Message:
        made = Message(f".{self.name}.{name}", name, single=single, row=row, doc=doc)
        self.messages.append(made)
        return made

    def _members(self, owner: str, values: Sequence[Value]) -> tuple[Member, ...]:
        taken: set[str] = set()
        drafts = [self._draft(value, taken) for value in values]
        names = [field.name for draft in drafts for field in draft.fields]
        numbers = self.numbers.assign(owner, names)
        return tuple(_numbered(draft, numbers) for draft in drafts)

    def _draft(self, value: Value, taken: set[str]) -> Member:
        """The member, its fields without numbers."""
        name = _taken(snake(value.key), taken)
        shape, may_lack = value.shape, value.may_lack
        nullable = isinstance(shape, OptionalOf) and not may_lack
        if isinstance(shape, OptionalOf):
            shape, may_lack = shape.inner, True
        if isinstance(shape, UnionOf):
            arms = self._arms(name, shape, taken, value.doc)
            return Member(
                value.key, value.attribute, None, arms, name, nullable, required=not may_lack
            )
        field = self._field(name, shape, may_lack=may_lack, doc=value.doc)
        tells = field.label is Label.PLAIN and (
            field.holds.is_message or isinstance(field.holds, EnumType)
        )
        return Member(
            value.key,
            value.attribute,
            field,
            nullable=nullable,
            required=tells and not may_lack and not value.has_default,
        )

    def _field(self, name: str, shape: Shape, *, may_lack: bool, doc: tuple[str, ...]) -> Field:
        note = _note(shape)
        doc = (*doc, note) if note else doc
        match shape:
            case ListOf(item) if not may_lack:
                return Field(name, 0, self.held(item), Label.REPEATED, doc=doc)
            case MapOf(key, item) if not may_lack:
                return Field(name, 0, self.held(item), Label.MAP, key, doc)
        held = self.held(shape)
        tells = held.is_message or isinstance(held, EnumType) or not may_lack
        return Field(name, 0, held, Label.PLAIN if tells else Label.OPTIONAL, doc=doc)

    def _arms(
        self, name: str, shape: UnionOf, taken: set[str], doc: tuple[str, ...] = ()
    ) -> tuple[Arm, ...]:
        several = sum(isinstance(each.shape, ClassOf) for each in shape.arms) > 1
        arms = []
        for number, each in enumerate(shape.arms):
            field_name = _taken(f"{name}_{each.name}", taken)
            field = Field(field_name, 0, self.held(each.shape), doc=() if number else doc)
            load = loader(each) if several or isinstance(each.shape, EnumOf) else None
            arms.append(Arm(field, each.fits, load))
        return tuple(arms)

    def held(self, shape: Shape) -> Held:
        """What one field holds that has this shape; a message where a field can't say it."""
        match shape:
            case ClassOf(annotation):
                return self._class(annotation)
            case EnumOf(cls):
                return self._enum(cls)
            case OptionalOf(inner):
                made = self.held(inner)
                return self._around(f"Optional{made.short}", "value", shape)
            case ListOf(inner):
                return self._around(f"{self.held(inner).short}List", "items", shape)
            case MapOf(key, inner):
                name = f"{key.short}To{self.held(inner).short}Map"
                return self._around(name, "entries", shape)
            case UnionOf(arms):
                name = "Or".join(self.held(each.shape).short for each in arms)
                return self._around(name, "value", shape)
            case RowOf(items):
                return self._row(items)
        return shape

    def _around(self, name: str, key: str, shape: Shape) -> Held:
        """A message that stands for the value of its one member."""
        # Two unions of a name may have different classes.
        known = (name, shape if isinstance(shape, UnionOf) else None)
        if known not in self._made:
            made = self._made[known] = self._begun(self.claim(name), single=True, row=False, doc=())
            made.members = self._members(made.short, [Value(key, key, shape)])
        return self._made[known]

    def _row(self, items: tuple[Shape, ...]) -> Held:
        name = f"{'And'.join(self.held(each).short for each in items) or 'Empty'}Tuple"
        if name not in self._made:
            values = [
                Value(f"item{number}", "", each) for number, each in enumerate(items, start=1)
            ]
            self._made[name] = self.message(self.claim(name), values, row=True)
        return self._made[name]

    def _class(self, annotation: Any) -> Held:
        if annotation not in self._made:
            cls = get_origin(annotation) or annotation
            name = self.claim(self._class_name(annotation, cls))
            made = self._made[annotation] = self._begun(
                name, single=False, row=False, doc=class_comment(cls)
            )
            made.members = self._members(name, fields_of(annotation))
        return self._made[annotation]

    def _class_name(self, annotation: Any, cls: type) -> str:
        """The class's own name, with that of the class around it if it is taken."""
        inside = [getattr(each, "__name__", str(each)) for each in get_args(annotation)]
        name = pascal(" ".join([cls.__name__, *inside]))
        if name not in self._names:
            return name
        return pascal(cls.__qualname__.rpartition("<locals>.")[2])

    def _enum(self, cls: type[Enum]) -> Held:
        if cls not in self._made:
            name = self.claim(self._class_name(cls, cls))
            prefix = upper_snake(name)
            # The values of all enums of a package share its names.
            zero = self.claim(f"{prefix}_{UNSPECIFIED}")
            names = {member: self.claim(f"{prefix}_{upper_snake(member.name)}") for member in cls}
            numbers = self.numbers.assign(name, list(names.values()))
            made = EnumType(
                f".{self.name}.{name}",
                name,
                {member: numbers[text] for member, text in names.items()},
                {0: zero} | {numbers[each]: each for each in names.values()},
                doc=class_comment(cls),
            )
            self.enums.append(made)
            self._made[cls] = made
        return self._made[cls]


def _taken(name: str, taken: set[str]) -> str:
    """Takes a name for a field; two that are one in JSON are not allowed either."""
    number, found = 1, name
    while found in taken or json_name(found) in taken:
        number += 1
        found = f"{name}{number}"
    taken.update((found, json_name(found)))
    return found


def _note(shape: Shape) -> str:
    """What a type says about its values, or about those of a list of it."""
    while isinstance(shape, (OptionalOf, ListOf)):
        shape = shape.inner if isinstance(shape, OptionalOf) else shape.item
    return shape.note if isinstance(shape, Held) else ""


def _numbered(draft: Member, numbers: dict[str, int]) -> Member:
    def numbered(field: Field) -> Field:
        return replace(field, number=numbers[field.name])

    return replace(
        draft,
        field=numbered(draft.field) if draft.field is not None else None,
        arms=tuple(replace(arm, field=numbered(arm.field)) for arm in draft.arms),
    )


def fields_of(annotation: Any) -> list[Value]:
    """The fields of a class as values of the message that it is."""
    cls = get_origin(annotation) or annotation
    found = []
    for name, each in (members(annotation) or {}).items():
        key, default = _key_and_default(cls, name)
        found.append(value_of(key, each, default, attribute=name))
    return found


def _key_and_default(cls: Any, name: str) -> tuple[str, Any]:
    """What a field is called in JSON, and its default."""
    if issubclass(cls, BaseModel):
        field = cls.model_fields[name]
        alias = field.validation_alias
        return (alias if isinstance(alias, str) else name), field
    if dataclasses.is_dataclass(cls):
        known = getattr(cls, "__pydantic_fields__", {}).get(name)
        return name, _dataclass_default(cls, name) if known is None else known
    if typing_extensions.is_typeddict(cls):
        is_required = name in cls.__required_keys__
        return name, PydanticUndefined if is_required else None
    return name, cls._field_defaults.get(name, PydanticUndefined)


def _dataclass_default(cls: Any, name: str) -> Any:
    field = next(each for each in dataclasses.fields(cls) if each.name == name)
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return PydanticUndefined


def loader(arm: ArmOf) -> Callable[[Any], Any] | None:
    """What makes objects of the arm's class, which no other arm then takes for its own.

    None where the class has files, which only the call they are for can take, or is a dict. Of an
    enum it is the member, whose value might be another arm's.
    """
    if isinstance(arm.shape, EnumOf):
        return arm.shape.cls
    if not isinstance(arm.shape, ClassOf) or typing_extensions.is_typeddict(arm.annotation):
        return None
    adapter: TypeAdapter[Any] = TypeAdapter(for_input(arm.annotation))
    if has_files(json_schema(adapter, "validation")):
        return None

    def load(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise InvalidArgument(str(error), violations=violations(error)) from None

    return load
