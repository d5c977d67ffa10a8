"""The reply to a gRPC request: header fields, messages and trailers, as they are written."""

from collections.abc import Iterable

from gateway import errors
from gateway.asgi import Event, Send
from gateway.forward import reply_fields
from gateway.grpc_compression import Codec
from gateway.grpc_frames import framed, prefix
from mesh.errors import Internal, MeshError
from mesh.link.call import CallerCall
from mesh.link.frames import CHUNK

Fields = list[tuple[bytes, bytes]]

OK: Fields = [(b"grpc-status", b"0")]
"""The trailers of a call that went well."""
_CONTENT_TYPE = (b"content-type", b"application/grpc")
_TOGETHER = 16 * 1024
"""Bytes of small messages of a stream that are written at a time."""


class Reply:
    """Writes one reply.

    `fields` go with its beginning, `codec` is what its messages are compressed with, and `ending`
    are the trailers of a failed call if they are not ours.
    """

    __slots__ = ("_send", "codec", "ending", "fields", "has_begun")

    def __init__(self, request_id: str, send: Send) -> None:
        self._send = send
        self.fields: Fields = [_CONTENT_TYPE, (b"x-request-id", request_id.encode("latin-1"))]
        self.codec: Codec | None = None
        self.ending: Fields | None = None
        self.has_begun = False

    async def begin(self) -> None:
        """Writes the header fields."""
        await self._send(self._start())

    def _start(self) -> Event:
        self.has_begun = True
        return {
            "type": "http.response.start",
            "status": 200,
            "headers": self.fields,
            "trailers": True,
        }

    async def more(self, body: bytes) -> None:
        """Writes messages behind their prefixes, or a part of one."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, trailers: Fields) -> None:
        """Writes the trailers."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        await self._send({"type": "http.response.trailers", "headers": trailers})

    async def one(self, body: bytes, trailers: Fields) -> None:
        """Writes a whole reply of one message, which is behind its prefix."""
        await self._send(self._start())
        await self._send({"type": "http.response.body", "body": body})
        await self._send({"type": "http.response.trailers", "headers": trailers})

    async def framed(self, message: bytes) -> bytes:
        """A message behind its prefix, compressed if the reply is."""
        return framed(message) if self.codec is None else await self.codec.framed(message)

    async def write(self, call: CallerCall) -> None:
        """Writes the reply of a call, which has begun to come. Raises MeshError if it fails."""
        head = call.head
        assert head is not None  # noqa: S101  # the reply has begun
        if head.metadata:
            self.fields += reply_fields(head.metadata)
        codec = self.codec
        if head.stream:
            await self._stream(call)
            return
        if head.length > CHUNK and codec is None:
            await self._pieces(call, head.length)
            return
        message = await call.message() or b""
        body = framed(message) if codec is None else await codec.framed(message)
        await self.one(body, _trailers(call))

    async def _stream(self, call: CallerCall) -> None:
        await self.begin()
        codec = self.codec
        while (item := await call.message()) is not None:
            if codec is not None:
                await self.more(await codec.framed(item))
                continue
            body = framed(item)
            # What is here already goes along: a client tells messages apart by their prefixes.
            while call.incoming.has_message and len(body) < _TOGETHER:
                body += framed(await call.message() or b"")
            await self.more(body)
        await self.end(_trailers(call))

    async def _pieces(self, call: CallerCall, length: int) -> None:
        """Writes one large message of `length` bytes as its pieces come."""
        await self.begin()
        await self.more(prefix(length))
        while (piece := await call.piece()) is not None:
            await self.more(piece.data)
            length -= len(piece.data)
        if length:
            raise Internal("the reply is not as long as it was said to be")
        await self.end(_trailers(call))

    async def fail(self, error: MeshError, told: Iterable[tuple[bytes, bytes]]) -> None:
        """Ends the reply with the error's status, whether it has begun or not.

        Those of the fields `told` go along that are still to be written.
        """
        trailers = self.ending or [
            *reply_fields(error.trailers),
            *errors.grpc_trailers(error),
        ]
        if self.has_begun:
            await self.end(trailers)
            return
        fields = [*self.fields, *trailers]
        fields += [field for field in told if field not in fields]
        await self._send({"type": "http.response.start", "status": 200, "headers": fields})
        await self._send({"type": "http.response.body", "body": b""})


def _trailers(call: CallerCall) -> Fields:
    return [*reply_fields(call.trailers), *OK] if call.trailers else OK
