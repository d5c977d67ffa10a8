"""A description of a .proto file as its text."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from mesh.io.rpc.naming import json_name

_Path = tuple[int, ...]
_INDENT = "  "
_LARGEST_FIELD = 2**29 - 1
_LARGEST_ENUM = 2**31 - 1


def proto_text(file: FileDescriptorProto) -> str:
    """The text of a file: what its descriptor says, with the comments that it has.

    Options that protobuf itself does not know are left out.
    """
    return _Writer(file).text()


class _Writer:
    """Writes one file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments: Mapping[_Path, str] = {
            tuple(each.path): each.leading_comments
            for each in file.source_code_info.location
            if each.leading_comments
        }
        self._scope = f".{file.package}." if file.package else "."

    def text(self) -> str:
        blocks = [
            self._head(),
            *(self._service(each, (6, at)) for at, each in enumerate(self._file.service)),
            *(self._message(each, (4, at)) for at, each in enumerate(self._file.message_type)),
            *(self._enum(each, (5, at)) for at, each in enumerate(self._file.enum_type)),
        ]
        return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"

    def _head(self) -> list[str]:
        file = self._file
        lines = [*self._comment((12,)), f'syntax = "{file.syntax or "proto2"}";']
        if file.package:
            lines += ["", f"package {file.package};"]
        if file.dependency:
            public = {file.dependency[at] for at in file.public_dependency}
            imports = sorted(file.dependency)
            lines += [
                "",
                *(f'import {"public " if each in public else ""}"{each}";' for each in imports),
            ]
        options = list(_options(file))
        return lines + (["", *options] if options else [])

    def _comment(self, path: _Path) -> list[str]:
        text = self._comments.get(path, "")
        return (
            [f"//{line}".rstrip() for line in text.removesuffix("\n").split("\n")] if text else []
        )

    def _service(self, service: ServiceDescriptorProto, path: _Path) -> list[str]:
        inside = [
            line
            for at, rpc in enumerate(service.method)
            for line in (*self._comment((*path, 2, at)), *self._rpc(rpc))
        ]
        return [*self._comment(path), *_block(f"service {service.name}", inside)]

    def _rpc(self, rpc: MethodDescriptorProto) -> list[str]:
        asked = f"{'stream ' if rpc.client_streaming else ''}{self._type(rpc.input_type)}"
        given = f"{'stream ' if rpc.server_streaming else ''}{self._type(rpc.output_type)}"
        head = f"rpc {rpc.name}({asked}) returns ({given})"
        if rpc.options.deprecated:
            return _block(head, ["option deprecated = true;"])
        return [f"{head};"]

    def _type(self, name: str) -> str:
        if name.startswith(self._scope):
            return name.removeprefix(self._scope)
        first = name.lstrip(".").partition(".")[0]
        # Else protoc would look for it inside the package of that name that this one is in.
        return name if first in self._file.package.split(".")[1:] else name.lstrip(".")

    def _message(self, message: DescriptorProto, path: _Path) -> list[str]:
        inside: list[str] = []
        entries = {each.name: each for each in message.nested_type if each.options.map_entry}
        for at, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                inside += self._message(nested, (*path, 3, at))
        for at, enum in enumerate(message.enum_type):
            inside += self._enum(enum, (*path, 4, at))
        inside += _reserved(message, _LARGEST_FIELD, closed=False)
        inside += self._fields(message, path, entries)
        return [*self._comment(path), *_block(f"message {message.name}", inside)]

    def _fields(
        self, message: DescriptorProto, path: _Path, entries: Mapping[str, DescriptorProto]
    ) -> Iterator[str]:
        written: set[int] = set()
        for at, field in enumerate(message.field):
            is_arm = field.HasField("oneof_index") and not field.proto3_optional
            if not is_arm:
                yield from self._comment((*path, 2, at))
                yield self._field(field, entries)
            elif field.oneof_index not in written:
                written.add(field.oneof_index)
                yield from self._comment((*path, 8, field.oneof_index))
                yield from self._oneof(message, path, field.oneof_index)

    def _oneof(self, message: DescriptorProto, path: _Path, index: int) -> list[str]:
        inside = [
            line
            for at, field in enumerate(message.field)
            if field.HasField("oneof_index") and field.oneof_index == index
            for line in (*self._comment((*path, 2, at)), self._field(field, {}))
        ]
        return _block(f"oneof {message.oneof_decl[index].name}", inside)

    def _field(self, field: FieldDescriptorProto, entries: Mapping[str, DescriptorProto]) -> str:
        entry = entries.get(field.type_name.rpartition(".")[2])
        if entry is not None:
            key, value = entry.field
            return f"map<{self._held(key)}, {self._held(value)}> {field.name} = {field.number};"
        label = ""
        if field.label == field.LABEL_REPEATED:
            label = "repeated "
        elif field.proto3_optional or (
            self._file.syntax != "proto3" and not field.HasField("oneof_index")
        ):
            label = "required " if field.label == field.LABEL_REQUIRED else "optional "
        options = ", ".join(_field_options(field))
        end = f" [{options}];" if options else ";"
        return f"{label}{self._held(field)} {field.name} = {field.number}{end}"

    def _held(self, field: FieldDescriptorProto) -> str:
        if field.type_name:
            return self._type(field.type_name)
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()

    def _enum(self, enum: EnumDescriptorProto, path: _Path) -> list[str]:
        inside = ["option allow_alias = true;"] if enum.options.allow_alias else []
        inside += _reserved(enum, _LARGEST_ENUM, closed=True)
        for at, value in enumerate(enum.value):
            end = " [deprecated = true];" if value.options.deprecated else ";"
            inside += [*self._comment((*path, 2, at)), f"{value.name} = {value.number}{end}"]
        return [*self._comment(path), *_block(f"enum {enum.name}", inside)]


def _block(head: str, inside: Sequence[str]) -> list[str]:
    if not inside:
        return [f"{head} {{}}"]
    return [f"{head} {{", *(f"{_INDENT}{line}" if line else "" for line in inside), "}"]


def _field_options(field: FieldDescriptorProto) -> Iterator[str]:
    if field.HasField("default_value"):
        is_text = field.type in (field.TYPE_STRING, field.TYPE_BYTES)
        text = field.default_value
        yield f"default = {json.dumps(text) if is_text else text}"
    if field.json_name and field.json_name != json_name(field.name):
        yield f"json_name = {json.dumps(field.json_name)}"
    if field.options.HasField("packed"):
        yield f"packed = {str(field.options.packed).lower()}"
    if field.options.deprecated:
        yield "deprecated = true"


def _options(file: FileDescriptorProto) -> Iterator[str]:
    options = file.options
    for name in ("go_package", "java_package", "java_outer_classname", "csharp_namespace"):
        if options.HasField(name):
            yield f'option {name} = "{getattr(options, name)}";'
    if options.java_multiple_files:
        yield "option java_multiple_files = true;"


def _reserved(
    of: DescriptorProto | EnumDescriptorProto, largest: int, *, closed: bool
) -> Iterable[str]:
    if of.reserved_range:
        yield f"reserved {', '.join(_ranges(of, largest, closed=closed))};"
    if of.reserved_name:
        quoted = ", ".join(f'"{each}"' for each in of.reserved_name)
        yield f"reserved {quoted};"


def _ranges(
    of: DescriptorProto | EnumDescriptorProto, largest: int, *, closed: bool
) -> Iterator[str]:
    for each in of.reserved_range:
        last = each.end if closed else each.end - 1
        end = "max" if last >= largest else str(last)
        yield str(each.start) if last == each.start else f"{each.start} to {end}"
