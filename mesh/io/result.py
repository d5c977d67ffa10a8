"""The result of one method, or each item that it yields: how it is checked, sent and read."""

from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import DecodeError
from pydantic import TypeAdapter, ValidationError

from mesh.errors import DefinitionError, Internal, InvalidArgument
from mesh.io.adapter import adapter
from mesh.io.annotation import for_input, for_result
from mesh.io.json_schema import json_schema
from mesh.io.replies.encoder import NATIVE, ReplyEncoder, Style
from mesh.io.replies.forms import Forms
from mesh.io.replies.natural import natural
from mesh.io.replies.response import is_response_class
from mesh.io.replies.values import Values, values
from mesh.io.types.kind import Intake
from mesh.io.value import from_value
from mesh.io.violations import first_fault
from mesh.v1.inference_pb2 import CallReply

__all__ = ["ReplyEncoder", "Result", "Style", "result"]


@dataclass(frozen=True, slots=True)
class Result:
    """The codecs of one method's result, made once.

    `adapter` is pydantic's view of results, `schema` their JSON schema, `reader` reads them at a
    caller.
    """

    method: str
    annotation: Any
    stream: bool
    adapter: TypeAdapter[Any]
    reader: TypeAdapter[Any]
    schema: dict[str, Any]
    values: Values
    forms: Forms

    def encoder(self, request_media_type: str, accept: str) -> ReplyEncoder:
        """The encoder for what the caller wants back: see `media.preferred`."""
        return self.forms.encoder(request_media_type, accept)

    def styled(self, style: Style) -> "Result":
        """The same result as another style of service writes it."""
        return replace(self, forms=_forms(self, style))

    @property
    def takes_files(self) -> bool:
        """Whether there are files in the result, so that `decode` needs an intake and may block."""
        return self.values.has_files

    def decode(self, body: bytes, intake: Intake | None = None) -> Any:
        """The value in a serialized mesh.v1.CallReply, as the return annotation has it.

        Files are put where `intake` says. Raises Internal if it is no such message or doesn't
        fit: the other side is at fault.
        """
        try:
            return self.reader.validator.validate_python(
                from_value(CallReply.FromString(body).value), context=intake
            )
        except DecodeError:
            raise Internal(f"{self.method}: the reply is no mesh.v1.CallReply") from None
        except ValidationError as error:
            raise Internal(f"{self.method}: the reply does not fit: {first_fault(error)}") from None
        except InvalidArgument as error:
            raise Internal(f"{self.method}: the reply does not fit: {error.message}") from None


def result(
    method: str, annotation: Any, *, stream: bool, where: str, style: Style = NATIVE
) -> Result:
    """The codecs of a method's result, or of the items of its `stream`.

    Raises DefinitionError, whose message `where` begins, if there can be none.
    """
    at = f"{where}: the return annotation"
    if isinstance(annotation, type) and is_response_class(annotation):
        annotation = Any  # it goes out as it is, and nothing is known of it before
    try:
        checked, read = for_result(annotation), for_input(annotation)
    except TypeError as error:
        raise DefinitionError(f"{at}: {error}") from error
    made = adapter(checked, where=at)
    schema = json_schema(made, "serialization")
    found = values(method, annotation, checked, made)
    reader = adapter(read, where=at) if found.kinds else made
    write = natural(annotation, found, made, schema, style)
    forms = Forms(found, write, stream=stream, style=style)
    return Result(method, annotation, stream, made, reader, schema, found, forms)


def _forms(of: Result, style: Style) -> Forms:
    write = natural(of.annotation, of.values, of.adapter, of.schema, style)
    return Forms(of.values, write, stream=of.stream, style=style)
