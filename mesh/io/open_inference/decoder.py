"""Requests of the protocol as calls of one method."""

from mesh.errors import Unimplemented
from mesh.io.arguments import Arguments
from mesh.io.binding import Asking, Bound
from mesh.io.open_inference import media
from mesh.io.open_inference.compression import inflated
from mesh.io.open_inference.generate_request import read_generate
from mesh.io.open_inference.interface import Interface
from mesh.io.open_inference.json_request import read_json
from mesh.io.open_inference.media import Body
from mesh.io.open_inference.proto_request import read_proto
from mesh.io.open_inference.reply import Replier
from mesh.io.open_inference.request import InferRequest, arguments_of, check_names
from mesh.io.result import Result
from mesh.io.types.kind import Intake


class Decoder:
    """Decodes the body of one call, and knows how its reply is encoded."""

    __slots__ = ("_arguments", "_body", "_model", "_result")

    def __init__(
        self, model: Interface | None, arguments: Arguments, result: Result, media_type: str
    ) -> None:
        """Raises Unimplemented if the method is no model."""
        if model is None:
            raise Unimplemented(f"{arguments.method} is no model")
        self._model = model
        self._arguments = arguments
        self._result = result
        self._body = Body.of(media_type)

    def decode(self, data: bytes, intake: Intake | None) -> tuple[Bound, object]:
        """The arguments, with what encodes the reply, and NO_ITEM.

        Raises InvalidArgument naming every tensor at fault, TooLarge for a compressed body.
        """
        body, model, arguments = self._body, self._model, self._arguments
        if body.encoding:
            data = inflated(data, body.encoding, body.limit)
        request = self._request(data)
        check_names(request, model)
        found = (
            dict(request.inputs)
            if body.media_type == media.GENERATE
            else arguments_of(request, model)
        )
        bound, item = arguments.load_fields(found, intake)
        encoder = Replier(body, request, model, self._result.values).encoder()
        return Asking(bound, encoder), item

    def _request(self, data: bytes) -> InferRequest:
        match self._body.media_type:
            case media.PROTO:
                return read_proto(data)
            case media.JSON:
                return read_json(data, self._body.header)
            case _:
                return read_generate(data, self._model)
