"""Messages: their fields, and how Python's objects become messages and come out of them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mesh.errors import InvalidArgument, Violation
from mesh.io.rpc.enums import EnumType
from mesh.io.rpc.held import LENGTH, Held, tag_of
from mesh.io.wire import Chunks, close_field

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "MISSING", "__slots__": ()})()
"""Stands for "the message does not say"."""


class Label(Enum):
    """How often a field may be there, and whether it tells that it is not."""

    PLAIN = "plain"
    """Of a scalar, 0 where it is not given; of a message, presence of itself."""
    OPTIONAL = "optional"
    """A scalar that may be absent."""
    REPEATED = "repeated"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `key` is what a map's keys are; `doc` has lines for a reader of the .proto.

    Each occurrence on the wire begins with its `tag`.
    """

    name: str
    number: int
    holds: Held
    label: Label = Label.PLAIN
    key: Held | None = None
    doc: tuple[str, ...] = ()
    tag: bytes = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        repeated = self.label in (Label.REPEATED, Label.MAP)
        tag = tag_of(self.number, LENGTH if repeated else self.holds.wire)
        object.__setattr__(self, "tag", tag)

    @property
    def has_presence(self) -> bool:
        """Whether a message tells that the field was not given."""
        return self.holds.is_message or self.label is Label.OPTIONAL


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the fields that a union is. `fits` tells whether a checked value is of it.

    `load` makes of what was read a value that pydantic takes for no other arm's; None: as it is.
    """

    field: Field
    fits: Callable[[Any], bool]
    load: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One value inside a message: a field, or with `arms` one of several.

    `key` is its name in what pydantic reads, `attribute` its name in the object that is written.
    `nullable` says that where it is absent it was given as None; else it was not given. With
    `zero_lacks` a 0, or an empty text, says that it was not given. With `whole` it is the message
    itself.
    """

    key: str
    attribute: str
    field: Field | None
    arms: tuple[Arm, ...] = ()
    oneof: str = ""
    nullable: bool = False
    zero_lacks: bool = False
    whole: "Message | None" = None
    required: bool = False
    """Whether it must be given, and a message tells that it is not."""

    @property
    def fields(self) -> list[Field]:
        """All of its fields."""
        return [self.field] if self.field is not None else [arm.field for arm in self.arms]

    def read(self, message: Any) -> Any:
        """The value in a message, or MISSING. Raises InvalidArgument with its path."""
        try:
            found = self._found(message)
        except InvalidArgument as error:
            raise error.within(self.key) from None
        return None if found is MISSING and self.nullable else found

    def _found(self, message: Any) -> Any:
        if self.whole is not None:
            return self.whole.read(message)
        if self.field is None:
            name = message.WhichOneof(self.oneof)
            if name is None:
                return MISSING
            arm = next((each for each in self.arms if each.field.name == name), None)
            if arm is None:
                text = f"{name} is not taken here"
                raise InvalidArgument(text, violations=(Violation((), "union_tag_invalid", text),))
            value = arm.field.holds.read(getattr(message, name))
            return value if arm.load is None else arm.load(value)
        field = self.field
        match field.label:
            case Label.REPEATED:
                return _read_all(field.holds, getattr(message, field.name))
            case Label.MAP:
                return _read_map(field.holds, getattr(message, field.name))
        if field.has_presence and not message.HasField(field.name):
            return MISSING
        value = getattr(message, field.name)
        if not value and (self.zero_lacks or _is_unspecified(field.holds)):
            return MISSING
        return field.holds.read(value)

    def put(self, out: Chunks, value: Any) -> int:
        """Appends the value; returns how many bytes that is. Raises TypeError or ValueError."""
        if self.whole is not None:
            return self.whole.put_members(out, value)
        if self.field is None:
            return 0 if value is None else self._put_arm(out, value)
        field = self.field
        if value is None and self.field.holds.proto != ".google.protobuf.Value":
            return 0
        match field.label:
            case Label.REPEATED:
                return field.holds.put_all(out, field.tag, value)
            case Label.MAP:
                return self._put_map(out, field, value)
        return field.holds.put(out, field.tag, value)

    def _put_arm(self, out: Chunks, value: Any) -> int:
        failure: Exception | None = None
        at = len(out)
        for arm in self.arms:
            if arm.fits(value):
                try:
                    return arm.field.holds.put(out, arm.field.tag, value)
                except (TypeError, ValueError) as error:  # a list of other items, say
                    failure = failure or error
                    del out[at:]
        raise failure or TypeError(
            f"a {type(value).__name__} is none of what {self.attribute!r} can be"
        )

    def _put_map(self, out: Chunks, field: Field, entries: Mapping[Any, Any]) -> int:
        assert field.key is not None  # noqa: S101  # maps have one
        size = 0
        for key, value in entries.items():
            at = len(out)
            out.append(field.tag)
            inner = field.key.put(out, tag_of(1, field.key.wire), key)
            inner += field.holds.put(out, tag_of(2, field.holds.wire), value)
            size += close_field(out, at, inner)
        return size


def _is_unspecified(holds: Held) -> bool:
    """Whether 0 stands for no member of an enum; in a contract written by hand it may be one."""
    return isinstance(holds, EnumType) and 0 not in holds.members.values()


def _read_all(holds: Held, values: Any) -> list[Any]:
    if holds.reads_plainly:
        return list(values)
    read = holds.read
    try:
        return [read(each) for each in values]
    except InvalidArgument:
        return [_within(index, holds, each) for index, each in enumerate(values)]


def _read_map(holds: Held, entries: Any) -> dict[Any, Any]:
    if holds.reads_plainly:
        return dict(entries)
    return {key: _within(key, holds, each) for key, each in entries.items()}


def _within(step: str | int, holds: Held, value: Any) -> Any:
    try:
        return holds.read(value)
    except InvalidArgument as error:
        raise error.within(step) from None


class Message(Held):
    """A message with `members` in order, set once all of them are known.

    A `single` one stands for the value of its one member, a `row` for a tuple of the values of
    its members; any other for an object that has them as attributes, or a dict.
    """

    is_message = True

    def __init__(
        self,
        proto: str,
        short: str,
        *,
        single: bool = False,
        row: bool = False,
        doc: tuple[str, ...] = (),
    ) -> None:
        self.proto = proto
        self.short = short
        self.single = single
        self.row = row
        self.doc = doc
        self.members: Sequence[Member] = ()

    def __repr__(self) -> str:
        return f"<Message {self.proto} with {[each.key for each in self.members]}>"

    def read(self, value: Any) -> Any:
        """The value of the one member, a list of them, or a dict of those that were given."""
        if self.single:
            found = self.members[0].read(value)
            return None if found is MISSING else found
        values = {member.key: member.read(value) for member in self.members}
        if self.row:
            return [None if each is MISSING else each for each in values.values()]
        return {key: each for key, each in values.items() if each is not MISSING}

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises TypeError or ValueError for what does not fit."""
        at = len(out)
        out.append(tag)
        return close_field(out, at, self.put_members(out, value))

    def put_members(self, out: Chunks, value: Any) -> int:
        """Appends what is in the message, without a tag; returns and raises as `put`."""
        if self.single:
            return self.members[0].put(out, value)
        if self.row:
            pairs = zip(self.members, value, strict=True)
            return sum([member.put(out, each) for member, each in pairs])
        if isinstance(value, Mapping):
            present = [member for member in self.members if member.attribute in value]
            return sum([member.put(out, value[member.attribute]) for member in present])
        return sum([each.put(out, getattr(value, each.attribute)) for each in self.members])
