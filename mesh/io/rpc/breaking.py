"""What a change of a .proto breaks for clients that were generated from the older one.

The rules are those of buf's category FILE, as far as they are about what a client can notice:
https://buf.build/docs/breaking/rules/
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that older clients can't cope with: where it is, and what."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class _Declared:
    """Everything that files declare, by full name."""

    messages: Mapping[str, DescriptorProto]
    enums: Mapping[str, EnumDescriptorProto]
    services: Mapping[str, ServiceDescriptorProto]


def breaks(
    old: Iterable[FileDescriptorProto],
    new: Iterable[FileDescriptorProto],
    required: Container[str] = (),
) -> list[Break]:
    """Everything that the old files promised and the new ones do not keep; additions are none.

    But for those that are `required`, by their full names: fields without which a request is
    refused, of which a .proto can't tell.
    """
    before, after = _declared(old), _declared(new)
    return [
        *_services(before, after),
        *_messages(before, after),
        *_added(before, after, required),
        *_enums(before, after),
    ]


def _added(before: _Declared, after: _Declared, required: Container[str]) -> Iterator[Break]:
    for name, old in before.messages.items():
        known = {each.name for each in old.field}
        for each in after.messages[name].field if name in after.messages else ():
            where = f"{name}.{each.name}"
            if each.name not in known and where in required:
                yield Break(where, "it is new and required: requests without it are refused")


def _declared(files: Iterable[FileDescriptorProto]) -> _Declared:
    messages: dict[str, DescriptorProto] = {}
    enums: dict[str, EnumDescriptorProto] = {}
    services: dict[str, ServiceDescriptorProto] = {}

    def collect(prefix: str, message: DescriptorProto) -> None:
        name = f"{prefix}{message.name}"
        messages[name] = message
        for nested in message.nested_type:
            collect(f"{name}.", nested)
        enums.update({f"{name}.{each.name}": each for each in message.enum_type})

    for file in files:
        prefix = f"{file.package}." if file.package else ""
        for message in file.message_type:
            collect(prefix, message)
        enums.update({f"{prefix}{each.name}": each for each in file.enum_type})
        services.update({f"{prefix}{each.name}": each for each in file.service})
    return _Declared(messages, enums, services)


def _services(before: _Declared, after: _Declared) -> Iterator[Break]:
    for name, old in before.services.items():
        new = after.services.get(name)
        if new is None:
            yield Break(name, "the service is gone")
            continue
        rpcs = {each.name: each for each in new.method}
        for rpc in old.method:
            where = f"{name}.{rpc.name}"
            if rpc.name not in rpcs:
                yield Break(where, "the rpc is gone")
                continue
            now = rpcs[rpc.name]
            for side, attribute in (("requests", "input_type"), ("responses", "output_type")):
                was, becomes = getattr(rpc, attribute), getattr(now, attribute)
                if was != becomes:
                    what = f"its {side} were {was.lstrip('.')} and are {becomes.lstrip('.')}"
                    yield Break(where, what)
            for side, attribute in (("client", "client_streaming"), ("server", "server_streaming")):
                if getattr(rpc, attribute) != getattr(now, attribute):
                    begins = "began" if getattr(now, attribute) else "ended"
                    yield Break(where, f"streaming from the {side} {begins}")


def _messages(before: _Declared, after: _Declared) -> Iterator[Break]:
    for name, old in before.messages.items():
        new = after.messages.get(name)
        if old.options.map_entry:
            yield from _entries(name, old, new)
        elif new is None:
            yield Break(name, "the message is gone")
        else:
            yield from _fields(name, old, new)


def _entries(name: str, old: DescriptorProto, new: DescriptorProto | None) -> Iterator[Break]:
    """The types of a map; that the map is gone is its field's matter."""
    for each in old.field if new is not None else ():
        now = next((field for field in new.field if field.name == each.name), None) if new else None
        if now is not None and _type(each) != _type(now):
            yield Break(name, f"the map's {each.name}s were {_type(each)} and are {_type(now)}")


def _fields(name: str, old: DescriptorProto, new: DescriptorProto) -> Iterator[Break]:
    now = {each.number: each for each in new.field}
    numbers = {each.name: each.number for each in new.field}
    for each in new.field:
        if any(reserved.start <= each.number < reserved.end for reserved in old.reserved_range):
            yield Break(f"{name}.{each.name}", f"its number {each.number} was reserved")
    for field in old.field:
        where = f"{name}.{field.name}"
        found = now.get(field.number)
        if found is None:
            moved = numbers.get(field.name)
            if moved is not None:
                yield Break(where, f"its number was {field.number} and is {moved}")
            elif any(each.start <= field.number < each.end for each in new.reserved_range):
                yield Break(where, "the field is gone")
            else:
                yield Break(where, f"the field is gone, and its number {field.number} is free")
            continue
        yield from _field(where, field, found, old, new)


def _field(
    where: str,
    old: FieldDescriptorProto,
    new: FieldDescriptorProto,
    before: DescriptorProto,
    after: DescriptorProto,
) -> Iterator[Break]:
    facts = (
        ("name", old.name, new.name),
        ("type", _type(old), _type(new)),
        ("cardinality", _cardinality(old), _cardinality(new)),
        ("oneof", _oneof(old, before), _oneof(new, after)),
    )
    for fact, was, becomes in facts:
        if was != becomes:
            yield Break(where, f"its {fact} was {was or 'none'} and is {becomes or 'none'}")


def _type(field: FieldDescriptorProto) -> str:
    if field.type_name:
        return field.type_name.lstrip(".")
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _cardinality(field: FieldDescriptorProto) -> str:
    if field.proto3_optional:
        return "optional"
    name = FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()
    return "plain" if name == "optional" else name


def _oneof(field: FieldDescriptorProto, owner: DescriptorProto) -> str:
    if field.proto3_optional or not field.HasField("oneof_index"):
        return ""
    return owner.oneof_decl[field.oneof_index].name


def _enums(before: _Declared, after: _Declared) -> Iterator[Break]:
    for name, old in before.enums.items():
        new = after.enums.get(name)
        if new is None:
            yield Break(name, "the enum is gone")
            continue
        now: dict[Any, int] = {each.name: each.number for each in new.value}
        for value in old.value:
            where = f"{name}.{value.name}"
            if value.name not in now:
                yield Break(where, "the value is gone")
            elif now[value.name] != value.number:
                yield Break(where, f"its number was {value.number} and is {now[value.name]}")
