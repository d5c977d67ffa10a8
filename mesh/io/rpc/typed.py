"""The typed gRPC service of a service, made when it is first needed."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from mesh.errors import DefinitionError
from mesh.io.rpc.codec import RpcCodec
from mesh.io.rpc.contract import Contract, RpcMethod, contract, default_package
from mesh.io.rpc.descriptors import file_descriptor, file_set, pool_of
from mesh.io.rpc.existing import bind
from mesh.io.rpc.numbers import Numbers
from mesh.io.spec import MethodSpec


class TypedService:
    """Messages and codecs of all methods of one service.

    `package` is empty for the usual one; `known` are numbers of fields that clients know, as
    Numbers has them.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        methods: Mapping[str, MethodSpec],
        *,
        package: str = "",
        known: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = name
        self._doc = doc
        self._methods = methods
        self._package = package or default_package(name)
        self._known = known

    def __repr__(self) -> str:
        return f"<TypedService {self._package} with {sorted(self._methods)}>"

    def _rpc_methods(self) -> list[RpcMethod]:
        methods = sorted(self._methods.values(), key=_place)
        return [RpcMethod(each.name, each.kind, each.signature, each.doc) for each in methods]

    @cached_property
    def _made(self) -> Contract:
        numbers = Numbers(self._known)
        return contract(self._name, self._doc, self._rpc_methods(), self._package, numbers)

    @property
    def contract(self) -> Contract:
        """What the service is in protobuf. Raises ConfigError for numbers that are none."""
        return self._made

    @property
    def full_name(self) -> str:
        """The name of the gRPC service with its package."""
        return self.contract.full_name

    @property
    def numbers(self) -> dict[str, Any] | None:
        """The numbers of its fields, as they are to be kept; None if others say what they are."""
        return self.contract.numbers.plain()

    @cached_property
    def _file(self) -> FileDescriptorProto:
        return file_descriptor(self.contract)

    @property
    def files(self) -> Sequence[FileDescriptorProto]:
        """The descriptors of its own files, each behind those that it imports."""
        return (self._file,)

    @cached_property
    def _pool(self) -> DescriptorPool:
        try:
            return pool_of(self.files)
        except TypeError as error:  # what the library says of names that clash, and the like
            text = " ".join(str(error).split())
            raise DefinitionError(f"{self._name} has no valid .proto: {text}") from error

    @property
    def descriptors(self) -> bytes:
        """Its files as a serialized google.protobuf.FileDescriptorSet."""
        return file_set(self.files)

    @cached_property
    def codecs(self) -> Mapping[str, RpcCodec]:
        """The codecs of its methods by name. Raises DefinitionError if its .proto is not valid."""
        made = {}
        for rpc in self.contract.rpcs:
            request = self._pool.FindMessageTypeByName(rpc.request.proto.lstrip("."))
            parse = message_factory.GetMessageClass(request).FromString
            method = self._methods[rpc.method]
            made[rpc.method] = RpcCodec(rpc, parse, method.arguments, method.result)
        return made

    @cached_property
    def rpcs(self) -> Mapping[str, str]:
        """Names of rpcs by method."""
        return {rpc.method: rpc.name for rpc in self.contract.rpcs}

    def prepare(self) -> None:
        """Makes what is made when it is first needed. Raises ConfigError, DefinitionError."""
        _ = self.codecs

    def attached(self) -> dict[str, MethodSpec]:
        """The methods, each with its codecs."""
        return {
            name: replace(method, typed=partial(self._codec, name) if self._has(name) else None)
            for name, method in self._methods.items()
        }

    def _has(self, name: str) -> bool:
        """Whether the method has an rpc."""
        return name in self._methods

    def _codec(self, name: str) -> RpcCodec:
        return self.codecs[name]


class BoundService(TypedService):
    """A service behind a contract that was written by hand, in `files` under `rpc_service`.

    Raises DefinitionError, whose message `where` begins, if the methods don't fit it.
    """

    def __init__(
        self,
        name: str,
        methods: Mapping[str, MethodSpec],
        files: Sequence[FileDescriptorProto],
        rpc_service: str,
        *,
        where: str,
    ) -> None:
        super().__init__(name, "", methods)
        self._files = files
        self._bound = bind(files, rpc_service, self._rpc_methods(), where=where)

    @property
    def contract(self) -> Contract:
        """The contract as far as methods are bound to it."""
        return self._bound

    @property
    def files(self) -> Sequence[FileDescriptorProto]:
        """The descriptors of the contract's files, each behind those that it imports."""
        return self._files

    @property
    def numbers(self) -> None:
        """Not ours to give."""
        return

    def _has(self, name: str) -> bool:
        return name in self.rpcs


def _place(method: MethodSpec) -> tuple[int, str]:
    """Where a method stands in its class, for who reads the .proto beside it."""
    code = getattr(inspect.unwrap(method.func), "__code__", None)
    return (code.co_firstlineno if code is not None else 0, method.name)
