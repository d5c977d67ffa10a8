"""The responses to one request: as a message, as JSON with bytes behind it, as plain JSON."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.call import JSON as PLAIN_JSON
from mesh.io.json_text import json_text
from mesh.io.media import EVENTS
from mesh.io.open_inference import media, tensors
from mesh.io.open_inference.interface import Interface
from mesh.io.open_inference.media import Body
from mesh.io.open_inference.outputs import Output, outputs_of, values_of
from mesh.io.open_inference.request import InferRequest, fault
from mesh.io.replies.body import ReplyBody, body_of
from mesh.io.replies.encoder import ReplyEncoder, always
from mesh.io.replies.values import Values
from mesh.v1.open_inference_pb2 import ModelInferResponse
from mesh.varint import varint

HEADER = "inference-header-content-length"
"""The header field with the bytes of JSON at the beginning of a body."""
FINAL = "triton_final_response"
"""The parameter that tells whether a response in a stream is the last of its request."""
OCTETS = "application/octet-stream"
_RAW = b"\x32"
"""The tag of ModelInferResponse.raw_output_contents."""


@dataclass(frozen=True, slots=True)
class Replier:
    """Makes what encodes the results of one call, for the request that it answers."""

    body: Body
    request: InferRequest
    model: Interface
    values: Values

    def encoder(self) -> ReplyEncoder:
        """The encoder, in the form of the request."""
        match self.body.media_type:
            case media.PROTO:
                return self._proto()
            case media.JSON:
                return self._json()
            case _:
                return self._generate()

    def _outputs(self, checked: Any) -> list[Output]:
        return outputs_of(self.values.wire(checked), self.model, self.request.outputs)

    # gRPC

    def _proto(self) -> ReplyEncoder:
        streams = self.model.streams
        is_last = not streams if self.body.streams else None

        def encode(checked: Any) -> bytes:
            return self._message(self._outputs(checked), is_last)

        last: Callable[[], bytes] | None = None
        if self.body.streams and streams and self.request.ends:
            last = self._end
        return ReplyEncoder(media.PROTO, streams, self.values.guarded(encode), last=last)

    def _end(self) -> bytes:
        return self._message([], is_last=True)

    def _message(self, outputs: list[Output], is_last: bool | None) -> bytes:
        response = ModelInferResponse(
            model_name=self.body.model, model_version=self.body.version, id=self.request.id
        )
        if is_last is not None:
            response.parameters[FINAL].bool_param = is_last
        contents = None
        if self.request.typed and all(tensors.is_typed(each.datatype) for each in outputs):
            contents = [tensors.to_contents(each.datatype, each.array) for each in outputs]
        for number, each in enumerate(outputs):
            output = response.outputs.add(
                name=each.name, datatype=each.datatype, shape=each.array.shape
            )
            if contents is not None:
                output.contents.CopyFrom(contents[number])
        parts = [response.SerializeToString()]
        if contents is None:
            # Written here, for the protobuf library copies the elements several times.
            for each in outputs:
                raw = tensors.to_raw(each.array)
                parts += (_RAW, varint(len(raw)), raw)
        return b"".join(parts)

    # HTTP

    def _json(self) -> ReplyEncoder:
        request = self.request

        def make(checked: Any) -> ReplyBody:
            return self._whole(self._outputs(checked))

        def encode(checked: Any) -> bytes:
            return self._head(self._outputs(checked))[0]

        binary = request.is_binary or any(request.binary.values())
        if not binary and not self.body.compress:
            return ReplyEncoder(PLAIN_JSON, False, self.values.guarded(encode))
        return ReplyEncoder(
            OCTETS,
            False,
            self.values.guarded(encode),
            varies=always,
            body=self.values.guarded(make),
        )

    def _head(self, outputs: list[Output]) -> tuple[bytes, list[bytes]]:
        """The JSON of a response, and the bytes behind it."""
        raws: list[bytes] = []
        described = []
        for each in outputs:
            head = json_text(
                {"name": each.name, "datatype": each.datatype, "shape": list(each.array.shape)}
            )
            if self.request.wants_binary(each.name):
                raw = tensors.to_raw(each.array)
                raws.append(raw)
                rest = b'"parameters":{"binary_data_size":%d}' % len(raw)
            else:
                rest = b'"data":' + self._data(each)
            described.append(head[:-1] + b"," + rest + b"}")
        said = json_text(self._names())
        return said[:-1] + b',"outputs":[' + b",".join(described) + b"]}", raws

    def _data(self, output: Output) -> bytes:
        try:
            return tensors.to_json(output.array)
        except ValueError as error:
            raise fault(output.name, str(error)) from None

    def _whole(self, outputs: list[Output]) -> ReplyBody:
        head, raws = self._head(outputs)
        metadata = [(HEADER, str(len(head)))] if raws else []
        whole = b"".join((head, *raws))
        match self.body.compress:
            case "gzip":
                whole = gzip.compress(whole, compresslevel=1)
            case "deflate":
                whole = zlib.compress(whole, 1)
        if self.body.compress:
            metadata.append(("content-encoding", self.body.compress))
        return body_of(OCTETS if raws else PLAIN_JSON, whole, metadata=tuple(metadata))

    def _names(self) -> dict[str, Any]:
        names = {"model_name": self.body.model, "model_version": self.body.version}
        return {"id": self.request.id, **names} if self.request.id else names

    # Generate

    def _generate(self) -> ReplyEncoder:
        def encode(checked: Any) -> bytes:
            return json_text({**self._names(), **values_of(self.values.wire(checked), self.model)})

        def event(checked: Any) -> bytes:
            return b"data: " + encode(checked) + b"\n\n"

        if not self.body.streams:
            return ReplyEncoder(PLAIN_JSON, False, self.values.guarded(encode))
        return ReplyEncoder(
            EVENTS, self.model.streams, self.values.guarded(event), failure=_failure
        )


def _failure(message: str) -> bytes:
    return b"data: " + json_text({"error": message}) + b"\n\n"
