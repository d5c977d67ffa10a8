"""The result of one method, or each item that it yields: how it is checked, sent and read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import orjson
from google.protobuf.message import DecodeError
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from mesh.call import CALL, JSON
from mesh.errors import DefinitionError, Internal, InvalidArgument
from mesh.io.adapter import adapter
from mesh.io.annotation import for_result
from mesh.io.json_schema import has_tensor, json_schema
from mesh.io.media import EVENTS, TEXT, wants_call
from mesh.io.types.tensor import TensorType, tensor_json
from mesh.io.value import from_value
from mesh.io.violations import first_fault
from mesh.io.wire import Chunks, put_field
from mesh.v1.inference_pb2 import CallReply

_VALUE = b"\x0a"  # the field of mesh.v1.CallReply

Check = Callable[[Any], Any]
"""Gives a result the type it is declared with; raises ValueError if it can't."""
Encode = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class ReplyEncoder:
    """Turns results of one method, or items of its stream, into messages of `media_type`.

    `stream` says whether the reply is a stream of them. `encode` raises Internal for a value that
    does not fit the method's return annotation.
    """

    media_type: str
    stream: bool
    encode: Encode


@dataclass(frozen=True, slots=True)
class Result:
    """The codecs of one method's result, made once."""

    method: str
    adapter: TypeAdapter[Any]
    schema: dict[str, Any]
    json: ReplyEncoder
    call: ReplyEncoder

    def encoder(self, request_media_type: str, accept: str) -> ReplyEncoder:
        """The encoder for what the caller wants back: see `media.wants_call`."""
        if request_media_type == JSON and accept in ("", "*/*"):
            return self.json
        return self.call if wants_call(request_media_type, accept) else self.json

    def decode(self, body: bytes) -> Any:
        """The value in a serialized mesh.v1.CallReply, as the return annotation has it.

        Raises Internal if it is no such message or doesn't fit: the other side is at fault.
        """
        try:
            return self.adapter.validator.validate_python(
                from_value(CallReply.FromString(body).value)
            )
        except DecodeError:
            raise Internal(f"{self.method}: the reply is no mesh.v1.CallReply") from None
        except ValidationError as error:
            raise Internal(f"{self.method}: the reply does not fit: {first_fault(error)}") from None
        except InvalidArgument as error:
            raise Internal(f"{self.method}: the reply does not fit: {error.message}") from None


def result(method: str, annotation: Any, *, stream: bool, where: str) -> Result:
    """The codecs of a method's result, or of the items of its `stream`.

    Raises DefinitionError, whose message `where` begins, if there can be none.
    """
    at = f"{where}: the return annotation"
    try:
        checked = for_result(annotation)
    except TypeError as error:
        raise DefinitionError(f"{at}: {error}") from error
    made = adapter(checked, where=at)
    schema = json_schema(made, "serialization")
    tensor = _bare_tensor(checked)
    check: Check = made.validator.validate_python
    if tensor is not None:
        check = tensor.load
    elif annotation is Any:
        check = _unchecked
    is_text = schema.get("type") == "string"
    natural = TEXT if is_text else JSON
    write_json = _json_writer(made, schema, is_text=is_text, is_tensor=tensor is not None)
    dump = _unchecked if tensor is not None else _dumper(made)
    return Result(
        method=method,
        adapter=made,
        schema=schema,
        json=ReplyEncoder(
            EVENTS if stream else natural, stream, _guarded(method, check, write_json)
        ),
        call=ReplyEncoder(CALL, stream, _guarded(method, check, lambda value: _reply(dump(value)))),
    )


def _bare_tensor(annotation: Any) -> TensorType | None:
    tensors = [each for each in get_args(annotation)[1:] if isinstance(each, TensorType)]
    return tensors[0] if get_origin(annotation) is Annotated and tensors else None


def _unchecked(value: Any) -> Any:
    return value


def _guarded(method: str, check: Check, write: Encode) -> Encode:
    def encode(value: Any) -> bytes:
        try:
            return write(check(value))
        except ValidationError as error:
            raise _misfit(method, first_fault(error)) from error
        except (TypeError, ValueError) as error:  # pydantic's and orjson's own among them
            raise _misfit(method, str(error)) from error

    return encode


def _misfit(method: str, reason: str) -> Internal:
    return Internal(f"{method}: the result does not fit the return annotation: {reason}")


def _dumper(of: TypeAdapter[Any]) -> Callable[[Any], Any]:
    def dump(value: Any) -> Any:
        return of.dump_python(value, by_alias=True, warnings=False)

    return dump


def _reply(value: Any) -> bytes:
    out: Chunks = []
    put_field(out, _VALUE, value)
    return b"".join(out)


def _json_writer(
    of: TypeAdapter[Any], schema: dict[str, Any], *, is_text: bool, is_tensor: bool
) -> Encode:
    if is_tensor:
        return tensor_json
    dump = _dumper(of)
    if is_text:
        return lambda value: _text(value, of)
    if has_tensor(schema):
        return lambda value: _mixed_json(dump(value))

    def write(value: Any) -> bytes:
        try:
            return of.dump_json(value, by_alias=True, warnings=False)
        except PydanticSerializationError:  # arrays and NumPy's numbers where anything may be
            return _mixed_json(dump(value))

    return write


def _text(value: Any, of: TypeAdapter[Any]) -> bytes:
    if isinstance(value, bytes):
        return value
    if type(value) is not str:
        value = of.dump_python(value, mode="json", warnings=False)
    text: str = value
    return text.encode()


def _mixed_json(value: Any) -> bytes:
    """JSON of anything, arrays and NumPy's numbers included, `NaN` and `Infinity` as they are."""
    try:
        text = orjson.dumps(value, default=_plain, option=_ORJSON)
    except TypeError:  # keys that are no text, whole numbers beyond 64 bits
        text = b"null"
    if b"null" not in text:
        return text
    # Either None or a number that is not finite, which orjson writes alike.
    return to_json(value, by_alias=True, inf_nan_mode="constants", fallback=_plain)


_ORJSON = (
    orjson.OPT_SERIALIZE_NUMPY
    # Pydantic writes these, so that a value looks the same wherever it stands.
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    return to_jsonable_python(value, by_alias=True, inf_nan_mode="constants")
