"""Server reflection, v1 and v1alpha: what typed services there are, and the files they are in.

https://github.com/grpc/grpc/blob/master/doc/server-reflection.md; both versions have the same
messages.
"""

import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from google.protobuf import (
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from gateway.grpc_typed import by_precedence
from mesh.errors import Code, InvalidArgument, MeshError, NotFound
from mesh.link.dispatch import Dispatcher
from mesh.traffic.snapshot import EMPTY, Endpoint, Service, Snapshot
from mesh.v1 import inference_pb2, open_inference_pb2, types_pb2

log = logging.getLogger("mesh.gateway")

_V1ALPHA, _V1 = "grpc.reflection.v1alpha", "grpc.reflection.v1"
PATHS = tuple(f"/{each}.ServerReflection/ServerReflectionInfo" for each in (_V1, _V1ALPHA))
"""The paths of its rpc."""
_OWN = (
    "mesh.v1.Inference",
    "grpc.health.v1.Health",
    "inference.GRPCInferenceService",
    f"{_V1}.ServerReflection",
    f"{_V1ALPHA}.ServerReflection",
)
"""The services that the gateway itself answers."""
_WELL_KNOWN = "google/protobuf/"

_KNOWN: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR
    for module in (
        inference_pb2,
        open_inference_pb2,
        health_pb2,
        reflection_pb2,
        types_pb2,
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )
)
"""Files that the gateway serves itself, or that those of services import."""


class Asked(NamedTuple):
    """Whose services a client asks for, by its metadata; empty: all.

    None of those of deployments that are `hidden` from it.
    """

    endpoint: str = ""
    version: str = ""
    hidden: frozenset[str] = frozenset()


class Reflection:
    """Answers by the newest snapshot."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._snapshot = EMPTY
        self._indexes: dict[Asked, Index] = {}
        self._older: dict[Asked, Index] = {}

    def answer(self, asked: Asked, message: bytes) -> bytes:
        """The serialized reply to a serialized request.

        Raises:
            InvalidArgument: the message is no request.
            NotFound: there is no such version.
        """
        try:
            request = ServerReflectionRequest.FromString(message)
        except DecodeError:
            raise InvalidArgument("the message is not a ServerReflectionRequest") from None
        reply: bytes = self._index(asked).reply(request).SerializeToString()
        return reply

    def _index(self, asked: Asked) -> "Index":
        snapshot = self._dispatcher.snapshot
        if snapshot is not self._snapshot:
            # Most snapshots change no service: what was made for the last one may still hold.
            self._older, self._indexes = self._indexes, {}
            self._snapshot = snapshot
        index = self._indexes.get(asked)
        if index is None:
            services = list(_services(snapshot, asked))
            if asked.version and not services:
                raise NotFound(f"there is no version {asked.version!r}")
            older = self._older.get(asked)
            index = older if older is not None and older.is_of(services) else Index(services)
            self._indexes[asked] = index
        return index


def _services(snapshot: Snapshot, asked: Asked) -> Iterator[tuple[str, Service]]:
    """The entry services that the client may mean, with where they are; those preferred first."""
    for endpoint in by_precedence(snapshot):
        if asked.endpoint in ("", endpoint.name):
            yield from _entries(snapshot, endpoint, asked)


def _entries(snapshot: Snapshot, endpoint: Endpoint, asked: Asked) -> Iterator[tuple[str, Service]]:
    named = asked.version
    for share in endpoint.deployments:
        if share.deployment in asked.hidden:
            continue
        deployment = snapshot.deployments.get(share.deployment)
        for version in deployment.versions if deployment is not None else ():
            entry = version.services.get(version.entry)
            if entry is not None and named in ("", version.name, version.id):
                yield f"{endpoint.name}/{version.name}", entry


class Index:
    """Files by name, and symbols with the names of the files that define them."""

    def __init__(self, services: Iterable[tuple[str, Service]]) -> None:
        """Takes typed services with where they are.

        Of services of one name the first counts; a file of a name that another file has, with
        other contents, gets the place before its name.
        """
        services = list(services)
        self._made_of = _essence(services)
        self._files = dict(_known_files())
        self._symbols = dict(_known_symbols())
        self.typed: dict[str, str] = {}  # where each is
        seen: dict[str, bytes] = {}
        for place, service in services:
            name = service.rpc_service
            if not name or not service.descriptors:
                continue
            if name not in seen:
                seen[name] = service.descriptors
                self._add_service(place, service)
            elif seen[name] != service.descriptors:
                log.warning(
                    "reflection shows %s of %s and not the other one of %s, unless that is named",
                    name,
                    self.typed.get(name),
                    place,
                )

    def is_of(self, services: Iterable[tuple[str, Service]]) -> bool:
        """Whether an index of these services would be the same."""
        return self._made_of == _essence(services)

    def _add(self, file: FileDescriptorProto) -> None:
        self._files[file.name] = file
        for symbol in _symbols(file):
            self._symbols.setdefault(symbol, file.name)

    def _add_service(self, place: str, service: Service) -> None:
        try:
            found = FileDescriptorSet.FromString(zlib.decompress(service.descriptors)).file
        except (zlib.error, DecodeError):
            log.exception("the descriptors of %s cannot be read", service.rpc_service)
            return
        # The well-known ones are the same everywhere, if not to the byte: compilers differ.
        files = [
            file
            for file in found
            if not (file.name.startswith(_WELL_KNOWN) and file.name in self._files)
        ]
        renamed = self._renamed(place, files)
        for file in files:
            for number, imported in enumerate(file.dependency):
                file.dependency[number] = renamed.get(imported, imported)
            file.name = renamed.get(file.name, file.name)
            self._add(file)
        self.typed[service.rpc_service] = place

    def _renamed(self, place: str, files: Sequence[FileDescriptorProto]) -> dict[str, str]:
        """New names for the files whose names are taken, and for those that import them."""
        taken = {file.name for file in files if self._files.get(file.name, file) != file}
        while (
            more := {file.name for file in files if not taken.isdisjoint(file.dependency)} - taken
        ):
            taken |= more
        return {name: f"{place}/{name}" for name in taken}

    def reply(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        """The reply to one request; what is not found is an error inside it."""
        reply = ServerReflectionResponse(valid_host=request.host, original_request=request)
        try:
            self._fill(reply, request)
        except MeshError as error:
            reply.error_response.error_code = error.code
            reply.error_response.error_message = error.message
        return reply

    def _fill(self, reply: ServerReflectionResponse, request: ServerReflectionRequest) -> None:
        match request.WhichOneof("message_request"):
            case "list_services":
                for name in sorted({*self.typed, *_OWN}):
                    reply.list_services_response.service.add(name=name)
            case "file_by_filename":
                reply.file_descriptor_response.file_descriptor_proto.extend(
                    self._with_imports(request.file_by_filename)
                )
            case "file_containing_symbol":
                symbol = request.file_containing_symbol
                if symbol not in self._symbols:
                    raise NotFound(f"there is no symbol {symbol!r}")
                reply.file_descriptor_response.file_descriptor_proto.extend(
                    self._with_imports(self._symbols[symbol])
                )
            case "file_containing_extension" | "all_extension_numbers_of_type":
                raise NotFound("there are no extensions")
            case _:
                raise MeshError("the request asks for nothing", code=Code.INVALID_ARGUMENT)

    def _with_imports(self, name: str) -> list[bytes]:
        """The file with this name and all that it imports, serialized. Raises NotFound."""
        if name not in self._files:
            raise NotFound(f"there is no file {name!r}")
        wanted = [name]
        for each in wanted:
            for imported in self._files[each].dependency:
                if imported not in wanted and imported in self._files:
                    wanted.append(imported)
        return [self._files[each].SerializeToString() for each in wanted]


def _essence(services: Iterable[tuple[str, Service]]) -> list[tuple[str, str, bytes]]:
    """What of the services an index depends on."""
    return [(place, service.rpc_service, service.descriptors) for place, service in services]


@cache
def _known_files() -> Mapping[str, FileDescriptorProto]:
    """The files of the gateway's own services, and those that they and others import, by name."""
    files: dict[str, FileDescriptorProto] = {}
    left = list(_KNOWN)
    for known in left:
        if known.name not in files:
            files[known.name] = FileDescriptorProto()
            known.CopyToProto(files[known.name])
            left += known.dependencies
    other = _as_v1(files[reflection_pb2.DESCRIPTOR.name])
    return {**files, other.name: other}


@cache
def _known_symbols() -> Mapping[str, str]:
    """What these files define, with their names."""
    return {symbol: file.name for file in _known_files().values() for symbol in _symbols(file)}


def _as_v1(file: FileDescriptorProto) -> FileDescriptorProto:
    """The file of the other version: grpcio-reflection has one, and they differ in the name."""
    text = MessageToJson(file).replace(_V1ALPHA, _V1).replace("/v1alpha/", "/v1/")
    return Parse(text, FileDescriptorProto())


def _symbols(file: FileDescriptorProto) -> Iterator[str]:
    """The full names of what the file defines: types, services and their methods."""
    prefix = f"{file.package}." if file.package else ""
    for service in file.service:
        yield prefix + service.name
        for method in service.method:
            yield f"{prefix}{service.name}.{method.name}"
    for enum in file.enum_type:
        yield prefix + enum.name
    for message in file.message_type:
        yield from _inside(prefix, message)


def _inside(prefix: str, message: DescriptorProto) -> Iterator[str]:
    name = prefix + message.name
    yield name
    for enum in message.enum_type:
        yield f"{name}.{enum.name}"
    for nested in message.nested_type:
        yield from _inside(f"{name}.", nested)
