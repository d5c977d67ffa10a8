"""Everything about a method that does not change from call to call, worked out once."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mesh.call import TYPED, CallKind
from mesh.io.arguments import NO_ITEM, Arguments, Bound, arguments, encode_item
from mesh.io.bodies.reader import Reader, reader
from mesh.io.bodies.whole import WholeReader
from mesh.io.files.intake import CallIntake
from mesh.io.open_inference.decoder import Decoder
from mesh.io.open_inference.interface import Interface, interface
from mesh.io.open_inference.media import is_open_inference
from mesh.io.result import ReplyEncoder, Result, result
from mesh.io.signature import Signature, read_signature
from mesh.io.types.kind import Intake

__all__ = ["NO_ITEM", "Bound", "MethodSpec", "ReplyEncoder", "method_spec"]


class Typed(Protocol):
    """The codecs of a method's rpc in the typed gRPC service of its service."""

    encoder: ReplyEncoder

    def decode(self, body: bytes, intake: Intake | None = None) -> tuple[Bound, Any]:
        """As MethodSpec.decode_arguments, of a request message."""

    def decode_item(self, body: bytes, intake: Intake | None = None) -> Any:
        """As MethodSpec.decode_item, of a later request message."""


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method of a service: how it is called, and the codecs of its inputs and results.

    `name` is what callers say, `attribute` what the class calls it. `context_parameter` and
    `stream_parameter` are names of parameters of `func`, or None. `typed` gives its codecs as an
    rpc, which are made when they are first asked for; None for a method of no service.
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
    signature: Signature
    model: Interface | None
    """The method as a model of the Open Inference Protocol, if it can be one."""
    typed: Callable[[], Typed] | None = None

    def decode_arguments(
        self, media_type: str, body: bytes, intake: Intake | None = None
    ) -> tuple[Bound, Any]:
        """What `func` is called with from the first message, and the first item or NO_ITEM.

        A CALL body is a mesh.v1.CallRequest, a TYPED one a message of the method's rpc, any other
        JSON; an empty body has no arguments. `intake` takes files. Raises InvalidArgument naming
        every fault, UnsupportedMediaType for pickles.
        """
        if media_type == TYPED and self.typed is not None:
            return self.typed().decode(body, intake)
        return self.arguments.decode(media_type, body, intake)

    def reader(self, media_type: str, query: str = "", intake: CallIntake | None = None) -> Reader:
        """What reads a body of any media type piece by piece; raises as decode_arguments.

        `query` is the request's query string, which has the other inputs beside a body that is
        one array or frame.
        """
        if media_type == TYPED and self.typed is not None:
            return WholeReader(self.typed().decode, intake)
        if is_open_inference(media_type):
            decoder = Decoder(self.model, self.arguments, self.result, media_type)
            return WholeReader(decoder.decode, intake)
        return reader(self.arguments, media_type, query, intake)

    def decode_item(self, media_type: str, body: bytes, intake: Intake | None = None) -> Any:
        """An item of the stream parameter from a later message; raises as decode_arguments."""
        if media_type == TYPED and self.typed is not None:
            return self.typed().decode_item(body, intake)
        return self.arguments.decode_item(media_type, body, intake)

    def reply_encoder(self, request_media_type: str, accept: str = "") -> ReplyEncoder:
        """What encodes the result, or each item of it, for the caller of such a request.

        The encoder raises Internal for a value that doesn't fit the return annotation.
        """
        if request_media_type == TYPED and self.typed is not None:
            return self.typed().encoder
        return self.result.encoder(request_media_type, accept)

    def split_stream(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """A caller's arguments without the stream, and the stream; TypeError as Python's."""
        return self.arguments.binding.split_stream(args, kwargs)

    def encode_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """A mesh.v1.CallRequest (CALL) with the arguments, which the stream is none of.

        Raises TypeError for arguments that Python would refuse, TypeError or ValueError for
        values that have no form on the wire.
        """
        return self.arguments.encode(args, kwargs)

    def encode_item(self, value: Any) -> bytes:
        """A mesh.v1.CallRequest (CALL) with one item of the stream; raises as encode_arguments."""
        return encode_item(value)

    def decode_reply(self, body: bytes, intake: Intake | None = None) -> Any:
        """The value of a mesh.v1.CallReply (CALL) in the return annotation's type.

        `intake` takes its files; without one, there can be no paths in it. Raises Internal for a
        message that is broken or doesn't fit.
        """
        return self.result.decode(body, intake)


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
    input_spec: type[BaseModel] | None = None,
    output_spec: Any = None,
) -> MethodSpec:
    """Reads the method `func` of the class `owner`.

    `attribute` is its name in the class if that is not `name`. `context` is the type whose
    parameter is filled by the replica; `fields` are defaults that say more than a value;
    `local_names` help to read annotations in quotes. `input_spec` is a model whose fields are the
    inputs; `output_spec` stands for the return annotation. Raises DefinitionError naming class,
    method and parameter.
    """
    where = f"{owner.__qualname__}.{attribute or name}"
    read = read_signature(
        func,
        where=where,
        context=context,
        fields=fields,
        local_names=local_names,
        input_spec=input_spec,
        output_spec=output_spec,
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
        signature=read,
        model=interface(read),
    )
