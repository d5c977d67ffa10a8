"""A service as a typed gRPC service: an rpc for each method, and the messages of these."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from mesh.call import CallKind
from mesh.io.models import annotation_of
from mesh.io.rpc.comments import field_comment, paragraph
from mesh.io.rpc.enums import EnumType
from mesh.io.rpc.messages import Member, Message
from mesh.io.rpc.naming import free, pascal, snake
from mesh.io.rpc.numbers import Numbers
from mesh.io.rpc.package import Package, Value, value_of
from mesh.io.rpc.shapes import OptionalOf, shape_of
from mesh.io.signature import Signature

VERSION = "v1"
"""The last part of a package's name where the service does not say its own."""


@dataclass(frozen=True, slots=True)
class RpcMethod:
    """What of a method matters here: its name, its signature and its words."""

    name: str
    kind: CallKind
    signature: Signature
    doc: str


@dataclass(frozen=True, slots=True)
class Rpc:
    """One rpc. `item` is the member of the request that holds an item of the method's stream."""

    name: str
    method: str
    kind: CallKind
    request: Message
    response: Message
    item: Member | None
    doc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """A typed gRPC service with all that belongs to its package."""

    package: str
    service: str
    rpcs: tuple[Rpc, ...]
    messages: tuple[Message, ...]
    enums: tuple[EnumType, ...]
    numbers: Numbers
    doc: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name of the service with its package, as it stands in paths."""
        return f"{self.package}.{self.service}"

    @property
    def required(self) -> frozenset[str]:
        """Fields without which a request is refused, by their full names.

        Scalars are not among them: proto3 takes 0 for one that is left out.
        """
        return frozenset(
            f"{message.proto.lstrip('.')}.{field.name}"
            for message in self.messages
            for member in message.members
            if member.required
            for field in member.fields
        )

    @property
    def path(self) -> str:
        """Where the .proto lies, seen from the folder that imports start from."""
        stem = snake(self.service.removesuffix("Service") or self.service)
        return f"{self.package.replace('.', '/')}/{stem}.proto"


def default_package(service: str) -> str:
    """The package of a service that does not say its own."""
    return f"{snake(service)}.{VERSION}"


def contract(
    service: str, doc: str, methods: Iterable[RpcMethod], package: str, numbers: Numbers
) -> Contract:
    """The typed form of a service with these methods."""
    made = Package(package, numbers)
    short = pascal(service)
    name = made.claim(short if short.endswith("Service") else f"{short}Service")
    methods = list(methods)
    rpc_names: dict[str, str] = {}
    for method in methods:
        rpc_names[method.name] = free(pascal(method.name), set(rpc_names.values()))
    # Before any class of the user's, so that these have the names that clients expect.
    claimed = {
        method: (made.claim(f"{rpc}Request"), made.claim(f"{rpc}Response"))
        for method, rpc in rpc_names.items()
    }
    rpcs = [_rpc(made, each, rpc_names[each.name], *claimed[each.name]) for each in methods]
    own = [message for rpc in rpcs for message in (rpc.request, rpc.response)]
    others = [each for each in made.messages if each not in own]
    return Contract(
        package,
        name,
        tuple(rpcs),
        (*own, *others),
        tuple(made.enums),
        numbers,
        paragraph(doc) if doc else (),
    )


def _rpc(package: Package, method: RpcMethod, name: str, request: str, response: str) -> Rpc:
    values = inputs(method.signature)
    stream = method.signature.stream
    if stream is not None:
        shape = shape_of(stream.annotation)
        if isinstance(shape, OptionalOf):
            shape = package.held(shape)  # so that an item which is None is told from no item
        about = (
            "One item of the stream. The first message may have none; what else is in it is"
            " ignored in later ones."
        )
        doc = (*field_comment(stream.annotation), *paragraph(about))
        values.append(Value(stream.name, stream.name, shape, may_lack=True, doc=doc))
    asked = package.message(request, values)
    return Rpc(
        name,
        method.name,
        method.kind,
        asked,
        _response(package, response, method.signature.result),
        asked.members[-1] if stream is not None else None,
        paragraph(method.doc) if method.doc else (),
    )


def inputs(signature: Signature) -> list[Value]:
    """The inputs of a method but for the stream."""
    if signature.model is not None:
        found = []
        for name, field in signature.model.model_fields.items():
            alias = field.validation_alias
            key = alias if isinstance(alias, str) else name
            found.append(value_of(key, annotation_of(field), field))
        return found
    return [
        value_of(each.name, each.annotation, _given(each.default)) for each in signature.parameters
    ]


def _given(default: Any) -> Any:
    return PydanticUndefined if default is inspect.Parameter.empty else default


def _response(package: Package, name: str, annotation: Any) -> Message:
    if annotation in (None, type(None)):
        return package.message(name, [])
    value = Value("result", "result", shape_of(annotation), doc=field_comment(annotation))
    return package.message(name, [value], single=True)
