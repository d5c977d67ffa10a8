"""Everything about a method that does not change from call to call, worked out once."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic.fields import FieldInfo

from mesh.call import CallKind
from mesh.io.arguments import NO_ITEM, Arguments, arguments, encode_item
from mesh.io.result import ReplyEncoder, Result, result
from mesh.io.signature import read_signature

__all__ = ["NO_ITEM", "MethodSpec", "ReplyEncoder", "method_spec"]


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method of a service: how it is called, and the codecs of its inputs and results.

    `name` is what callers say, `attribute` what the class calls it. `context_parameter` and
    `stream_parameter` are names of parameters of `func`, or None.
    """

    name: str
    attribute: str
    route: str
    kind: CallKind
    doc: str
    is_async: bool
    idempotent: bool
    func: Callable[..., Any]
    context_parameter: str | None
    stream_parameter: str | None
    arguments: Arguments
    result: Result

    def decode_arguments(self, media_type: str, body: bytes) -> tuple[dict[str, Any], Any]:
        """Keyword arguments from the first message, and the first item or NO_ITEM.

        A CALL body is a mesh.v1.CallRequest, any other JSON; an empty body has no arguments.
        Raises InvalidArgument naming every fault, UnsupportedMediaType for pickles.
        """
        return self.arguments.decode(media_type, body)

    def decode_item(self, media_type: str, body: bytes) -> Any:
        """An item of the stream parameter from a later message; raises as decode_arguments."""
        return self.arguments.decode_item(media_type, body)

    def reply_encoder(self, request_media_type: str, accept: str = "") -> ReplyEncoder:
        """What encodes the result, or each item of it, for the caller of such a request.

        The encoder raises Internal for a value that doesn't fit the return annotation.
        """
        return self.result.encoder(request_media_type, accept)

    def split_stream(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """A caller's arguments without the stream, and the stream; TypeError as Python's."""
        return self.arguments.split_stream(args, kwargs)

    def encode_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """A mesh.v1.CallRequest (CALL) with the arguments, which the stream is none of.

        Raises TypeError for arguments that Python would refuse, TypeError or ValueError for
        values that have no form on the wire.
        """
        return self.arguments.encode(args, kwargs)

    def encode_item(self, value: Any) -> bytes:
        """A mesh.v1.CallRequest (CALL) with one item of the stream; raises as encode_arguments."""
        return encode_item(value)

    def decode_reply(self, body: bytes) -> Any:
        """The value of a mesh.v1.CallReply (CALL) in the return annotation's type.

        Raises Internal for a message that is broken or doesn't fit.
        """
        return self.result.decode(body)


def method_spec(
    owner: type,
    func: Callable[..., Any],
    *,
    name: str,
    route: str,
    idempotent: bool = False,
    attribute: str = "",
    context: type | None = None,
    fields: Mapping[str, FieldInfo] = MappingProxyType({}),
    local_names: Mapping[str, Any] = MappingProxyType({}),
) -> MethodSpec:
    """Reads the method `func` of the class `owner`.

    `attribute` is its name in the class if that is not `name`. `context` is the type whose
    parameter is filled by the replica; `fields` are defaults that say more than a value;
    `local_names` help to read annotations in quotes. Raises DefinitionError naming class, method
    and parameter.
    """
    where = f"{owner.__qualname__}.{attribute or name}"
    read = read_signature(
        func, where=where, context=context, fields=fields, local_names=local_names
    )
    return MethodSpec(
        name=name,
        attribute=attribute or name,
        route=route,
        kind=CallKind.of(streams_in=read.stream is not None, streams_out=read.streams_out),
        doc=inspect.getdoc(func) or "",
        is_async=read.is_async,
        idempotent=idempotent,
        func=func,
        context_parameter=read.context,
        stream_parameter=read.stream.name if read.stream else None,
        arguments=arguments(name, read, where=where),
        result=result(name, read.result, stream=read.streams_out, where=where),
    )
