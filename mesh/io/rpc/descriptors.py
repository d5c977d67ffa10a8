"""A contract as protobuf's own description of a .proto file, comments included."""

from collections.abc import Iterable, Sequence

from google.protobuf import descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from mesh.io.rpc.contract import Contract, Rpc
from mesh.io.rpc.enums import EnumType
from mesh.io.rpc.held import Held
from mesh.io.rpc.messages import Field, Label, Member, Message
from mesh.io.rpc.naming import pascal
from mesh.v1 import types_pb2

SHARED = (
    struct_pb2.DESCRIPTOR,
    timestamp_pb2.DESCRIPTOR,
    duration_pb2.DESCRIPTOR,
    types_pb2.DESCRIPTOR,
)
"""Files that a contract may import, each behind those that it imports itself."""
_HOMES = {
    f".{message.full_name}": file.name
    for file in SHARED
    for message in file.message_types_by_name.values()
}
_FILE_SYNTAX, _FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES = 12, 4, 5, 6
_FIELDS, _ONEOFS, _VALUES, _METHODS = 2, 8, 2, 2
_Path = tuple[int, ...]


def file_descriptor(contract: Contract) -> FileDescriptorProto:
    """The file of a contract, with the comments for its readers."""
    file = FileDescriptorProto(
        name=contract.path,
        package=contract.package,
        syntax="proto3",
        dependency=sorted(set(_imports(contract.messages))),
    )
    file.options.java_multiple_files = True
    folder, _, _ = contract.path.rpartition("/")
    file.options.go_package = f"{folder};{contract.package.replace('.', '')}"
    _comment(file, (_FILE_SYNTAX,), [f"The gRPC API of {contract.service}."])
    for at, message in enumerate(contract.messages):
        file.message_type.append(_message(message, contract))
        _comment_message(file, (_FILE_MESSAGES, at), message)
    for at, enum in enumerate(contract.enums):
        file.enum_type.append(_enum(enum, contract))
        _comment(file, (_FILE_ENUMS, at), enum.doc)
        for place, number in enumerate(enum.names):
            _comment(file, (_FILE_ENUMS, at, _VALUES, place), _value_doc(enum, number))
    file.service.append(_service(contract))
    service: _Path = (_FILE_SERVICES, 0)
    _comment(file, service, contract.doc or [f"The methods of {contract.service}."])
    for at, rpc in enumerate(contract.rpcs):
        _comment(file, (*service, _METHODS, at), rpc.doc)
    return file


def pool_of(files: Iterable[FileDescriptorProto]) -> descriptor_pool.DescriptorPool:
    """A pool of its own with these files and those that they may import.

    Two services may have files of one name: versions of a deployment, say.
    """
    pool = descriptor_pool.DescriptorPool()
    for shared in SHARED:
        pool.AddSerializedFile(shared.serialized_pb)
    known = {each.name for each in SHARED}
    for file in files:
        if file.name not in known:
            pool.AddSerializedFile(file.SerializeToString())
    return pool


def file_set(files: Iterable[FileDescriptorProto]) -> bytes:
    """Files as a serialized google.protobuf.FileDescriptorSet, without those of SHARED."""
    shared = {each.name for each in SHARED}
    own = [each for each in files if each.name not in shared]
    return FileDescriptorSet(file=own).SerializeToString(deterministic=True)


def _imports(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        for field in _fields(message):
            if field.holds.proto in _HOMES:
                yield _HOMES[field.holds.proto]


def _fields(message: Message) -> list[Field]:
    return [field for member in message.members for field in member.fields]


def _message(message: Message, contract: Contract) -> DescriptorProto:
    made = DescriptorProto(name=message.short)
    for member in message.members:
        if member.arms:
            made.oneof_decl.add(name=member.oneof)
    optional = [each for each in _fields(message) if each.label is Label.OPTIONAL]
    oneofs = [member.oneof for member in message.members if member.arms]
    # Protobuf has the oneofs that stand for `optional` behind all others.
    oneofs += [made.oneof_decl.add(name=f"_{each.name}").name for each in optional]
    for member in message.members:
        for field in member.fields:
            made.field.append(_field(made, field, member, oneofs, contract))
    gone = contract.numbers.gone(message.short)
    made.reserved_name.extend(sorted(set(gone.values()) - {each.name for each in made.field}))
    for number in sorted(gone):
        made.reserved_range.add(start=number, end=number + 1)
    return made


def _field(
    owner: DescriptorProto, field: Field, member: Member, oneofs: Sequence[str], contract: Contract
) -> FieldDescriptorProto:
    made = FieldDescriptorProto(name=field.name, number=field.number)
    repeated = field.label in (Label.REPEATED, Label.MAP)
    made.label = made.LABEL_REPEATED if repeated else made.LABEL_OPTIONAL
    if field.key is not None:
        entry = owner.nested_type.add(name=f"{pascal(field.name)}Entry")
        entry.options.map_entry = True
        for name, number, holds in (("key", 1, field.key), ("value", 2, field.holds)):
            part = entry.field.add(name=name, number=number, label=made.LABEL_OPTIONAL)
            _set_type(part, holds)
        made.type = made.TYPE_MESSAGE
        made.type_name = f".{contract.package}.{owner.name}.{entry.name}"
        return made
    _set_type(made, field.holds)
    if field.label is Label.OPTIONAL:
        made.proto3_optional = True
        made.oneof_index = oneofs.index(f"_{field.name}")
    elif member.arms:
        made.oneof_index = oneofs.index(member.oneof)
    return made


def _set_type(field: FieldDescriptorProto, holds: Held) -> None:
    if holds.is_message:
        field.type = field.TYPE_MESSAGE
    elif isinstance(holds, EnumType):
        field.type = field.TYPE_ENUM
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{holds.proto.upper()}")
        return
    field.type_name = holds.proto


def _enum(enum: EnumType, contract: Contract) -> EnumDescriptorProto:
    made = EnumDescriptorProto(name=enum.short)
    for number, name in enum.names.items():
        made.value.add(name=name, number=number)
    gone = contract.numbers.gone(enum.short)
    made.reserved_name.extend(sorted(set(gone.values()) - set(enum.names.values())))
    for number in sorted(gone):
        made.reserved_range.add(start=number, end=number)  # of enums both ends are in it
    return made


def _value_doc(enum: EnumType, number: int) -> list[str]:
    if not number:
        return ["None was given."]
    value = next(member.value for member, each in enum.members.items() if each == number)
    return [f"In Python and JSON: {value!r}."]


def _service(contract: Contract) -> ServiceDescriptorProto:
    made = ServiceDescriptorProto(name=contract.service)
    for rpc in contract.rpcs:
        _add_rpc(made, rpc)
    return made


def _add_rpc(service: ServiceDescriptorProto, rpc: Rpc) -> None:
    made = service.method.add(
        name=rpc.name, input_type=rpc.request.proto, output_type=rpc.response.proto
    )
    if rpc.kind.streams_in:
        made.client_streaming = True
    if rpc.kind.streams_out:
        made.server_streaming = True


def _comment_message(file: FileDescriptorProto, path: _Path, message: Message) -> None:
    _comment(file, path, message.doc)
    at = oneof = 0
    for member in message.members:
        if member.arms:
            _comment(file, (*path, _ONEOFS, oneof), member.arms[0].field.doc)
            oneof += 1
        for field in member.fields:
            if not member.arms:
                _comment(file, (*path, _FIELDS, at), field.doc)
            at += 1


def _comment(file: FileDescriptorProto, path: _Path, lines: Sequence[str]) -> None:
    if lines:
        text = "".join(f" {line}\n" if line else "\n" for line in lines)
        file.source_code_info.location.add(path=path, span=(0, 0, 0), leading_comments=text)
