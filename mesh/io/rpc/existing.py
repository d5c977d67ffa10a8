"""A service behind a gRPC contract that was written by hand: its methods bound to that's rpcs.

Names decide: a method is the rpc of its name, an input the field of its name in the request, the
result the whole response or its one field. Types are compared when the service is defined, so
that what can't be read or written is an error there.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    OneofDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from mesh.call import CallKind
from mesh.errors import DefinitionError
from mesh.io.rpc.contract import Contract, Rpc, RpcMethod, inputs
from mesh.io.rpc.descriptors import pool_of
from mesh.io.rpc.enums import EnumType
from mesh.io.rpc.foreign import STRUCT, Elements, RawFile
from mesh.io.rpc.held import Held
from mesh.io.rpc.known import ANY, MOMENT, SPAN, OfKind
from mesh.io.rpc.messages import Arm, Field, Label, Member, Message
from mesh.io.rpc.naming import pascal, snake, upper_snake
from mesh.io.rpc.numbers import Numbers
from mesh.io.rpc.package import Value, fields_of, loader
from mesh.io.rpc.scalars import BINARY, BOOL, DOUBLE, INT64, PLAIN_TEXT, SCALARS, TEXT
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

_WHOLE = frozenset(SCALARS) - {"bool", "float", "double"}
_WORDS = {
    "Int64": "int",
    "Double": "float",
    "String": "str",
    "Bool": "bool",
    "Bytes": "bytes",
    "Tensor": "an array",
    "DataFrame": "a frame",
    "Column": "a series",
    "File": "a file",
    "Value": "any value",
    "Timestamp": "datetime",
    "Duration": "timedelta",
}
"""What annotations say, in words of Python."""
_FRACTIONS = frozenset({"float", "double"})
_WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in (
        *("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"),
    )
)


def bind(
    files: Sequence[FileDescriptorProto],
    rpc_service: str,
    methods: Iterable[RpcMethod],
    *,
    where: str,
) -> Contract:
    """The contract of `rpc_service` in these files, bound to methods by their names.

    Methods that it has no rpc for are left out. Raises DefinitionError, whose message `where`
    begins: there is no such service, an rpc without a method, or one whose messages the method
    can't read or write.
    """
    try:
        service: ServiceDescriptor = pool_of(files).FindServiceByName(rpc_service)
    except KeyError:
        known = [f"{file.package}.{each.name}" for file in files for each in file.service]
        has = f"has {', '.join(known)}" if known else "has no service"
        raise DefinitionError(f"{where}: the .proto {has}, not {rpc_service!r}") from None
    by_name = {each.name: each for each in methods}
    rpcs = []
    for rpc in service.methods:
        names = [name for name in by_name if rpc.name in (name, pascal(name))]
        if not names:
            raise DefinitionError(
                f"{where}: rpc {rpc.full_name} has no method; call one {snake(rpc.name)!r}"
            )
        rpcs.append(_Binder(f"{where}.{names[0]}").rpc(by_name[names[0]], rpc))
    package = service.file.package
    return Contract(package, service.name, tuple(rpcs), (), (), Numbers())


class _Binder:
    """Binds one method; `where` begins every message."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._classes: dict[Any, Message] = {}
        self._reads = True  # whether it is the request that is bound now

    def rpc(self, method: RpcMethod, rpc: MethodDescriptor) -> Rpc:
        kind = CallKind.of(streams_in=rpc.client_streaming, streams_out=rpc.server_streaming)
        if kind is not method.kind:
            raise DefinitionError(
                f"{self._where}: rpc {rpc.full_name} is {_words(kind)}, and the method"
                f" {_words(method.kind)}"
            )
        request = Message(f".{rpc.input_type.full_name}", rpc.input_type.name)
        item = None
        values = inputs(method.signature)
        stream = method.signature.stream
        if stream is not None:
            item = self._item(stream.name, stream.annotation, rpc.input_type)
            values = [] if item.whole is not None else values
        taken = [item] if item is not None else []
        request.members = (*self._inputs(values, rpc.input_type, taken), *taken)
        self._reads = False
        return Rpc(
            rpc.name,
            method.name,
            method.kind,
            request,
            self._response(method.signature.result, rpc.output_type),
            item,
        )

    def _item(self, name: str, annotation: Any, message: Descriptor) -> Member:
        value = Value(name, name, shape_of(annotation), may_lack=True)
        found = self._member(value, message, must=False)
        if found is None and isinstance(value.shape, ClassOf):
            whole = self._class(value.shape.annotation, message)
            return Member(name, name, None, whole=whole)
        if found is None:
            raise DefinitionError(f"{self._where}: {message.full_name} has no field {name!r}")
        return found

    def _inputs(
        self, values: Sequence[Value], message: Descriptor, taken: Sequence[Member]
    ) -> tuple[Member, ...]:
        if len(values) == 1 and not taken and isinstance(values[0].shape, ClassOf):
            (value,), shape = values, values[0].shape
            if _field_of(message, value.key) is None:
                whole = self._class(shape.annotation, message)
                return (Member(value.key, value.attribute, None, whole=whole),)
        if any(each.whole is not None for each in taken):
            return ()
        members = self._members(values, message)
        self._check_all_read([*members, *taken], message)
        return members

    def _response(self, annotation: Any, message: Descriptor) -> Message:
        made = Message(f".{message.full_name}", message.name, single=True)
        if annotation in (None, type(None)):
            made.single = False
            return made
        shape = shape_of(annotation)
        if isinstance(shape, ClassOf) and not self._is_held_by_one(shape, message):
            whole = self._class(shape.annotation, message)
            made.members = (Member("result", "result", None, whole=whole),)
            return made
        name = "result" if _field_of(message, "result") is not None else ""
        fields = list(message.fields)
        if not name and len(fields) == 1:
            name = fields[0].name
        if not name and len(message.oneofs) == 1 and isinstance(shape, UnionOf):
            name = message.oneofs[0].name
        if not name:
            raise DefinitionError(
                f"{self._where}: the result is one value, and {message.full_name} has"
                f" {len(fields)} fields, none of them 'result'"
            )
        member = self._member(Value(name, "result", shape), message, must=True)
        assert member is not None  # noqa: S101  # it must be there
        made.members = (member,)
        return made

    def _is_held_by_one(self, shape: ClassOf, message: Descriptor) -> bool:
        """Whether the response has one field, which is a message, that the class has no like of."""
        if len(message.fields) != 1 or message.fields[0].message_type is None:
            return False
        names = {snake(each.key) for each in fields_of(shape.annotation)}
        return message.fields[0].name not in names

    def _members(self, values: Sequence[Value], message: Descriptor) -> tuple[Member, ...]:
        found = (self._member(each, message, must=True) for each in values)
        return tuple(each for each in found if each is not None)

    def _check_all_read(self, members: Sequence[Member], message: Descriptor) -> None:
        read = {field.name for member in members for field in member.fields}
        for field in message.fields:
            if field.name not in read and not field.GetOptions().deprecated:
                raise DefinitionError(
                    f"{self._where}: nothing takes {field.full_name}; add a parameter"
                    f" {field.name!r}, or mark the field as deprecated"
                )

    def _member(self, value: Value, message: Descriptor, *, must: bool) -> Member | None:
        shape, may_lack = value.shape, value.may_lack
        nullable = isinstance(shape, OptionalOf) and not may_lack
        if isinstance(shape, OptionalOf):
            shape = shape.inner
        if isinstance(shape, UnionOf):
            oneof = _named(message.oneofs_by_name, value.key)
            if oneof is not None:
                arms = self._arms(shape, oneof)
                return Member(value.key, value.attribute, None, arms, oneof.name, nullable)
        field = _field_of(message, value.key)
        if field is None:
            if must and not (may_lack or nullable):
                raise DefinitionError(
                    f"{self._where}: {message.full_name} has no field {snake(value.key)!r}"
                )
            return None
        return Member(
            value.key,
            value.attribute,
            self._field(field, shape),
            nullable=nullable and field.has_presence,
            zero_lacks=may_lack and not field.has_presence,
        )

    def _arms(self, shape: UnionOf, oneof: OneofDescriptor) -> tuple[Arm, ...]:
        several = sum(isinstance(each.shape, ClassOf) for each in shape.arms) > 1
        free = {field.name: field for field in oneof.fields}
        arms = []
        for each in shape.arms:
            field = self._arm_field(each, oneof, free)
            del free[field.name]
            load = loader(each) if several or isinstance(each.shape, EnumOf) else None
            arms.append(Arm(field, each.fits, load))
        return tuple(arms)

    def _arm_field(
        self, arm: ArmOf, oneof: OneofDescriptor, free: Mapping[str, FieldDescriptor]
    ) -> Field:
        """The field of the arm's name, or the first that can hold it."""
        named = free.get(arm.name) or free.get(f"{oneof.name}_{arm.name}")
        if named is not None:
            return self._field(named, arm.shape)
        for field in free.values():
            with suppress(DefinitionError):
                return self._field(field, arm.shape)
        raise DefinitionError(
            f"{self._where}: oneof {oneof.full_name} has no field for {_described(arm.shape)}"
        )

    def _field(self, field: FieldDescriptor, shape: Shape) -> Field:
        name, number = field.name, field.number
        entry = _entry(field)
        if entry is not None:
            if not isinstance(shape, MapOf):
                raise self._misfit(field, shape)
            key = self._held(entry.fields_by_name["key"], shape.key)
            value = self._held(entry.fields_by_name["value"], shape.value)
            return Field(name, number, value, Label.MAP, key)
        if field.is_repeated:
            if isinstance(shape, ListOf):
                return Field(name, number, self._held(field, shape.item), Label.REPEATED)
            if isinstance(shape, OfKind) and shape.short in ("Tensor", "Column"):
                element = _scalar(field)
                if element is not None:
                    return Field(name, number, Elements(element, shape.kind), Label.REPEATED)
            raise self._misfit(field, shape)
        held = self._held(field, shape)
        tells = field.has_presence and not held.is_message
        return Field(name, number, held, Label.OPTIONAL if tells else Label.PLAIN)

    def _held(self, field: FieldDescriptor, shape: Shape) -> Held:
        message = field.message_type
        if isinstance(shape, EnumOf) and field.enum_type is not None:
            return self._enum(shape, field.enum_type)
        if isinstance(shape, EnumOf):
            shape = PLAIN_TEXT if _type_name(field) == "string" else INT64
        if isinstance(shape, Held):
            found = _held(field, shape)
            if found is None and message is not None and message.full_name in _WRAPPERS:
                found = self._wrapper(message, shape)
            if found is not None:
                return found
        elif message is not None:
            return self._message(field, message, shape)
        raise self._misfit(field, shape)

    def _wrapper(self, message: Descriptor, shape: Held) -> Held | None:
        """A scalar in a message of its own, as contracts have it that are older than `optional`."""
        value = message.fields_by_name["value"]
        holds = _held(value, shape)
        if holds is None:
            return None
        made = Message(f".{message.full_name}", message.name, single=True)
        made.members = (Member("value", "", Field("value", value.number, holds)),)
        return made

    def _message(self, field: FieldDescriptor, message: Descriptor, shape: Shape) -> Held:
        if isinstance(shape, ClassOf):
            return self._class(shape.annotation, message)
        if isinstance(shape, MapOf) and message.full_name == "google.protobuf.Struct":
            return STRUCT
        made = Message(f".{message.full_name}", message.name, single=True)
        if isinstance(shape, RowOf) and len(shape.items) == len(message.fields):
            made.single, made.row = False, True
            made.members = tuple(
                Member(each.name, "", self._field(each, item))
                for each, item in zip(message.fields, shape.items, strict=True)
            )
            return made
        if isinstance(shape, UnionOf) and len(message.oneofs) == 1:
            oneof = message.oneofs[0]
            arms = self._arms(shape, oneof)
            made.members = (Member(oneof.name, "", None, arms, oneof.name),)
            return made
        if len(message.fields) == 1 and isinstance(shape, (ListOf, MapOf, OptionalOf)):
            inner = shape.inner if isinstance(shape, OptionalOf) else shape
            (only,) = message.fields
            made.members = (Member(only.name, "", self._field(only, inner)),)
            return made
        raise self._misfit(field, shape)

    def _class(self, annotation: Any, message: Descriptor) -> Message:
        known = (annotation, message.full_name, self._reads)
        if known not in self._classes:
            made = self._classes[known] = Message(f".{message.full_name}", message.name)
            made.members = self._members(fields_of(annotation), message)
            if self._reads:
                self._check_all_read(made.members, message)
        return self._classes[known]

    def _enum(self, shape: EnumOf, enum: EnumDescriptor) -> EnumType:
        prefix = f"{upper_snake(enum.name)}_"
        numbers = {}
        for member in shape.cls:
            names = (member.name, f"{prefix}{upper_snake(member.name)}", str(member.value))
            found = next((v.number for v in enum.values if v.name in names), None)
            if found is None:
                raise DefinitionError(
                    f"{self._where}: enum {enum.full_name} has no value for {member}"
                )
            numbers[member] = found
        names_by_number = {each.number: each.name for each in enum.values}
        return EnumType(f".{enum.full_name}", enum.name, numbers, names_by_number)

    def _misfit(self, field: FieldDescriptor, shape: Shape) -> DefinitionError:
        label = "repeated " if field.is_repeated else ""
        return DefinitionError(
            f"{self._where}: {field.full_name} is {label}{_type_name(field)}, which is not what"
            f" the annotation says ({_described(shape)})"
        )


def _held(field: FieldDescriptor, shape: Held) -> Held | None:
    """What a field of this type holds for a value of this shape; None if it can't."""
    name = _type_name(field)
    fits = (
        (shape is INT64 and name in _WHOLE)
        or (shape is DOUBLE and name in _FRACTIONS)
        or (shape is BOOL and name == "bool")
    )
    if fits:
        return SCALARS[name]
    if shape is ANY and name == STRUCT.proto:
        return STRUCT
    if name == shape.proto or (shape is ANY and field.message_type is None):
        return _scalar(field) if shape is ANY and field.message_type is None else shape
    if shape in (MOMENT, SPAN) and name == "string":
        return PLAIN_TEXT
    if isinstance(shape, OfKind) and shape.short == "File" and name == "bytes":
        return RawFile(shape.kind)
    return None


def _scalar(field: FieldDescriptor) -> Held | None:
    """The type of a field that is no message and no enum."""
    others: Mapping[str, Held] = {"string": TEXT, "bytes": BINARY}
    name = _type_name(field)
    return SCALARS.get(name) or others.get(name)


def _type_name(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return f".{field.message_type.full_name}"
    if field.enum_type is not None:
        return f".{field.enum_type.full_name}"
    number: Any = field.type
    return FieldDescriptorProto.Type.Name(number).removeprefix("TYPE_").lower()


def _entry(field: FieldDescriptor) -> Descriptor | None:
    """The message of a map's entries; None for a field that is no map."""
    message = field.message_type
    return message if message is not None and message.GetOptions().map_entry else None


def _field_of(message: Descriptor, key: str) -> FieldDescriptor | None:
    found: FieldDescriptor | None = _named(message.fields_by_name, key)
    return found


def _named(found: Mapping[str, Any], key: str) -> Any:
    return found.get(key) or found.get(snake(key))


def _words(kind: CallKind) -> str:
    return kind.name.lower().replace("_", "-")


def _described(shape: Shape) -> str:
    match shape:
        case Held():
            return _WORDS.get(shape.short, shape.short)
        case ListOf(item):
            return f"a list of {_described(item)}"
        case MapOf(_, value):
            return f"a dict of {_described(value)}"
        case OptionalOf(inner):
            return f"{_described(inner)} or None"
        case RowOf(items):
            return f"a tuple of {', '.join(map(_described, items))}"
        case UnionOf(arms):
            return " or ".join(_described(each.shape) for each in arms)
        case ClassOf(annotation):
            return getattr(annotation, "__name__", str(annotation))
        case EnumOf(cls):
            return cls.__name__
