"""Open Inference over gRPC: one request as one call, or a stream of requests as many."""

import asyncio
from collections.abc import Callable
from functools import partial

from gateway import errors
from gateway.asgi import ClientGoneError
from gateway.forward import Aim, call_head
from gateway.grpc import GrpcExchange
from gateway.grpc_frames import MessageReader
from gateway.grpc_messages import Messages
from gateway.grpc_metadata import read
from gateway.grpc_open_inference import ANSWERS, INFER, MISSING, OPEN, SERVICE, STREAM, answer
from gateway.grpc_reply import OK
from gateway.open_inference import at_version
from gateway.open_inference_models import name_of, picker
from gateway.open_inference_names import Names, names
from gateway.running import Running, Turn
from mesh.call import CallHead, Trace
from mesh.errors import Cancelled, InvalidArgument, MeshError, Unimplemented
from mesh.io.open_inference.media import PROTO, Body
from mesh.v1.open_inference_pb2 import ModelInferResponse, ModelStreamInferResponse
from mesh.varint import varint

MOST = 32
"""Requests of one stream that are under way at a time; later ones wait to be read."""
_RESPONSE = b"\x12"
"""The tag of ModelStreamInferResponse.infer_response."""

Begin = Callable[[Aim], Trace]


def is_open_inference(path: str) -> bool:
    """Whether it is the path of an rpc of the protocol, whatever endpoint stands before it."""
    return SERVICE in path


class InferenceExchange(GrpcExchange):
    """One gRPC request of the protocol, and its reply."""

    __slots__ = ()

    async def serve(self, endpoint: str, path: str, begin: Begin) -> None:
        """Answers it. `begin` is told the (first) target and gives the trace.

        Raises:
            MeshError: the call failed; `fail` tells the client.
            ClientGoneError: nobody waits for the reply any more.
        """
        if path in ANSWERS:
            make = self._answering(endpoint, path)
            await self.answer(make(await self.asked()))
        elif path == INFER:
            await self._infer(endpoint, begin)
        elif path == STREAM:
            await self._stream(endpoint, begin)
        else:
            raise Unimplemented(MISSING.get(path, f"there is no gRPC method {path!r}"))

    def _answering(self, endpoint: str, path: str) -> Callable[[bytes], bytes]:
        """What makes the gateway's own reply to a message. Raises MeshError."""
        snapshot, request = self._dispatcher.snapshot, self._request
        if path not in OPEN and endpoint in snapshot.endpoints:
            self._guard.admit_anywhere(request.shown, snapshot, snapshot.endpoints[endpoint])
        hidden = self._guard.hidden(request.shown, snapshot)
        return answer(path, snapshot, endpoint, request, hidden)

    async def _infer(self, endpoint: str, begin: Begin) -> None:
        self._choose_codecs()
        messages = Messages(self._incoming, self._limits.of(endpoint), self._codec)
        first = await messages.first()
        if first is None:
            raise InvalidArgument("the request has no message")
        aim = self._aim = self._found(endpoint, names(first), streams=False)
        self._check(aim, first)
        head = self._head(aim, begin(aim), streams=False)
        await messages.check_end()
        await self._asking(aim, head, first)

    def _found(self, endpoint: str, named: Names, *, streams: bool) -> Aim:
        """Chooses the target of one request. Raises MeshError."""
        request = at_version(self._request, named.version)
        pick = picker(named.model, streams=streams)
        return Aim(self._dispatcher, self._guard, request, endpoint, pick)

    def _check(self, aim: Aim, message: bytes) -> None:
        """Raises TooLarge for a message that is too large for its target."""
        MessageReader(self._limit(aim)).check(len(message))

    def _head(self, aim: Aim, trace: Trace, *, streams: bool) -> CallHead:
        body = Body(PROTO, name_of(aim), aim.target.version.name, streams=streams)
        return call_head(
            self._request,
            aim.target.method,
            metadata=read(aim.metadata),
            media_type=str(body),
            accept="",
            deadline=self._deadline,
            trace=trace,
        )

    async def _stream(self, endpoint: str, begin: Begin) -> None:
        """Answers each request of a stream with its responses.

        Those of methods that return come in the order of their requests, those of methods that
        yield when they are there.
        """
        self._choose_codecs()
        snapshot = self._dispatcher.snapshot
        if endpoint in snapshot.endpoints:  # else each message tells of its own failure
            self._guard.admit_anywhere(self._request.shown, snapshot, snapshot.endpoints[endpoint])
        requests = _Requests(endpoint, begin)
        messages = Messages(self._incoming, self._limits.of(endpoint), self._codec)
        running = Running(MOST)
        self._gone.follow(running)
        self._incoming.patience = None
        self._incoming.watch(self._gone.cancel)
        await self._reply.begin()
        try:
            async for message in messages.rest():
                await running.start(partial(self._respond, requests, message))
            await running.finished()
        except Cancelled as error:
            raise ClientGoneError if self._gone.has_gone else error from None
        finally:
            await running.close()
        await self._reply.end(OK)

    async def _respond(self, requests: "_Requests", message: bytes, turn: Turn) -> None:
        """Writes the responses to one request, or the message that tells why there are none."""
        named = Names("")
        try:
            named = names(message)
            aim = self._found(requests.endpoint, named, streams=True)
            self._check(aim, message)
            head = self._head(aim, requests.trace(aim), streams=True)
            await self._call(aim, head, message, requests.writing, turn)
        except MeshError as error:
            failed = ModelStreamInferResponse(
                error_message=errors.sentence(error),
                infer_response=ModelInferResponse(id=named.id),
            )
            await turn.come()
            await self._write_one(requests.writing, failed.SerializeToString())

    async def _call(
        self, aim: Aim, head: CallHead, message: bytes, writing: asyncio.Lock, turn: Turn
    ) -> None:
        if aim.target.method.kind.streams_out:
            turn.give_up()
        self._mirrors.copy(aim, head, message)
        idempotent = aim.target.method.idempotent
        call = await self._dispatcher.ask(aim.find, head, message, idempotent=idempotent)
        try:
            while (item := await call.message()) is not None:
                await turn.come()
                await self._write_one(writing, _RESPONSE + varint(len(item)) + item)
        finally:
            call.cancel()

    async def _write_one(self, writing: asyncio.Lock, message: bytes) -> None:
        body = await self._reply.framed(message)
        async with writing:
            await self._reply.more(body)


class _Requests:
    """What the requests of one stream share."""

    def __init__(self, endpoint: str, begin: Begin) -> None:
        self.endpoint = endpoint
        self.writing = asyncio.Lock()
        self._begin = begin
        self._trace: Trace | None = None

    def trace(self, aim: Aim) -> Trace:
        """The trace of the stream, which is counted for the target of its first request."""
        if self._trace is None:
            self._trace = self._begin(aim)
        return self._trace
