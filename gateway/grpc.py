"""gRPC: one request as a call of any of the four kinds, in any of the forms that gRPC has here."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import NamedTuple

from gateway.asgi import ClientGoneError, Send
from gateway.authorization import Guard
from gateway.forward import Aim, PickMethod, Request, call_head
from gateway.grpc_compression import ACCEPTED, IDENTITY, Codec, codec_of, takes
from gateway.grpc_frames import framed, timeout_seconds
from gateway.grpc_messages import Limits, Messages
from gateway.grpc_metadata import read
from gateway.grpc_reply import OK, Reply
from gateway.grpc_streams import Relayed, relay, send_all, send_large, sending
from gateway.incoming import Incoming
from gateway.mirror import LARGE, STREAM, Mirrors
from gateway.presence import Departure
from gateway.sessions import cookie_fields, entered
from mesh.alarms import Alarms, Cancellable
from mesh.call import CallHead, CallKind, Trace
from mesh.clock import Clock
from mesh.errors import Cancelled, InvalidArgument, MeshError, Unimplemented
from mesh.link.call import CallerCall
from mesh.link.dispatch import Dispatcher
from mesh.link.limits import timed_out
from mesh.traffic.snapshot import Method, Service


class Form(NamedTuple):
    """What the messages of an rpc are, and which sides of it are streams.

    `media_type` is that of request and reply messages; `kind` is None for the kind of the method
    that is called; `picker` gives, for the first message of a call, what finds that method. It
    looks into the message only if it `reads_message`.
    """

    media_type: str
    kind: CallKind | None
    picker: Callable[[bytes], PickMethod]
    reads_message: bool = True

    def kind_of(self, method: Method) -> CallKind:
        """The kind of a call of the method."""
        return self.kind or method.kind


OWN_LIMIT = 64 * 1024
"""Bytes of a message to the gateway itself."""


class GrpcExchange:
    """One gRPC request and its reply."""

    __slots__ = (
        "_aim",
        "_alarm",
        "_alarms",
        "_clock",
        "_codec",
        "_deadline",
        "_dispatcher",
        "_gone",
        "_guard",
        "_incoming",
        "_limits",
        "_mirrors",
        "_reply",
        "_request",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        guard: Guard,
        alarms: Alarms,
        clock: Clock,
        request: Request,
        incoming: Incoming,
        send: Send,
        limits: Limits,
        mirrors: Mirrors,
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._mirrors = mirrors
        self._alarms = alarms
        self._clock = clock
        self._request = request
        self._incoming = incoming
        self._limits = limits
        self._reply = Reply(request.request_id, send)
        self._aim: Aim | None = None
        self._codec: Codec | None = None  # of the request
        self._gone = Departure()
        self._deadline: float | None = None
        self._alarm: Cancellable | None = None

    def start(self) -> None:
        """Begins to count the time that the client gives, for all that is done here.

        Raises InvalidArgument if what it says is no time.
        """
        given = self._request.fields.get(b"grpc-timeout")
        if given is None:
            return
        seconds = timeout_seconds(given.decode("latin-1"))
        self._deadline = self._clock() + seconds
        self._alarm = self._alarms.set(seconds, self._expire)

    def _expire(self) -> None:
        # Replicas keep the deadline as well; this is for those that do not answer, and for clients
        # that do not send what they began.
        too_late = partial(timed_out, None)
        self._incoming.end(too_late)
        self._gone.expire(too_late)

    def close(self) -> None:
        """Leaves nothing behind of the request."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._incoming.close()

    async def asked(self) -> bytes:
        """The one message of a request that the gateway itself answers.

        Raises as `run`.
        """
        self._choose_codecs()
        messages = Messages(self._incoming, OWN_LIMIT, self._codec)
        message = await messages.first()
        if message is None:
            raise InvalidArgument("the request has no message")
        await messages.check_end()
        return message

    async def answer(self, reply: bytes) -> None:
        """Writes the gateway's own reply of one message."""
        await self._reply.one(framed(reply), OK)

    async def follow(self, replies: AsyncGenerator[bytes]) -> None:
        """Writes the gateway's own replies as they come, until they end or the client leaves.

        Raises:
            DeadlineExceeded: the client's deadline has passed.
            ClientGoneError: the client has left.
        """
        await self._reply.begin()
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._incoming.watch(partial(_resolve, gone))
        reply: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                reply = asyncio.ensure_future(anext(replies, None))
                left = None if self._deadline is None else max(0.0, self._deadline - self._clock())
                await asyncio.wait((reply, gone), timeout=left, return_when=FIRST_COMPLETED)
                if not reply.done():
                    raise ClientGoneError if gone.done() else timed_out(None)
                message = reply.result()
                if message is None:
                    break
                body = framed(message)
                await self._reply.more(body)
        finally:
            if reply is not None and not reply.done():
                reply.cancel()
                await asyncio.wait((reply,))
            await replies.aclose()
        await self._reply.end(OK)

    async def converse(self, answer: Callable[[bytes], bytes]) -> None:
        """Writes the gateway's own answer to each message as it comes.

        Raises what `answer` raises, and as `run`.
        """
        self._choose_codecs()
        messages = Messages(self._incoming, OWN_LIMIT, self._codec)
        self._incoming.patience = None
        await self._reply.begin()
        async for message in messages.rest():
            body = framed(answer(message))
            await self._reply.more(body)
        await self._reply.end(OK)

    def enter(self, endpoint: str) -> Request:
        """The request as one to the endpoint, with the key of its session."""
        found = self._dispatcher.snapshot.endpoints.get(endpoint)
        if found is not None and found.session is not None:
            request = self._request = entered(self._request, found)
            self._reply.fields += cookie_fields(request)
        return self._request

    async def relay(self, open_: Callable[[float | None], Relayed]) -> None:
        """Passes messages on to a server outside, and its reply back, both as they come.

        `open_` starts the call, with the seconds that are left for it.

        Raises:
            MeshError: the call failed, by the server or on the way.
            ClientGoneError: nobody waits for the reply any more.
        """
        self._choose_codecs()
        left = None if self._deadline is None else max(0.0, self._deadline - self._clock())
        call = open_(left)
        self._gone.follow(call)
        self._incoming.patience = None
        self._incoming.watch(self._gone.cancel)
        messages = Messages(self._incoming, self._limits.default, self._codec)
        try:
            await relay(call, messages, self._reply)
        except Cancelled as error:
            raise ClientGoneError if self._gone.has_gone else error from None

    async def run(self, endpoint: str, form: Form, begin: Callable[[Aim], Trace]) -> None:
        """Makes the call and writes its reply. `begin` is told the target and gives the trace.

        Raises:
            MeshError: the call failed; `fail` tells the client.
            ClientGoneError: nobody waits for the reply any more.
        """
        if b"grpc-encoding" in self._request.fields:
            self._choose_codecs()
        if form.reads_message:
            messages = Messages(self._incoming, self._limits.of(endpoint), self._codec)
            first = await messages.first()
            aim = self._aimed(endpoint, form.picker(first or b""))
            messages.reader.limit = self._limit(aim)
            if first is not None:
                messages.reader.check(len(first))
        else:
            aim = self._aimed(endpoint, form.picker(b""))
            messages = Messages(self._incoming, self._limit(aim), self._codec)
            first = None
        head = call_head(
            self._request,
            aim.target.method,
            metadata=read(aim.metadata),
            media_type=form.media_type,
            accept=form.media_type,
            deadline=self._deadline,
            trace=begin(aim),
        )
        if form.kind_of(aim.target.method).streams_in:
            await self._streaming(aim, head, first, messages)
            return
        if not form.reads_message:
            first = await messages.first(whole=False)
        if messages.reader.left:
            await self._passing(aim, head, messages)
            return
        if first is None:
            raise InvalidArgument("the request has no message")
        if not messages.is_over:
            await messages.check_end()
        await self._asking(aim, head, first)

    def _aimed(self, endpoint: str, pick: PickMethod) -> Aim:
        aim = self._aim = Aim(self._dispatcher, self._guard, self._request, endpoint, pick)
        return aim

    def _limit(self, aim: Aim) -> int:
        """Bytes of a message to the target at most."""
        return aim.target.service.max_request_bytes or self._limits.default

    def _choose_codecs(self) -> None:
        fields = self._request.fields
        try:
            codec = self._codec = codec_of(fields.get(b"grpc-encoding", IDENTITY))
        except Unimplemented:
            self._reply.fields.append(ACCEPTED)
            raise
        if codec is not None and takes(fields.get(b"grpc-accept-encoding", b""), codec):
            self._reply.codec = codec
            self._reply.fields.append((b"grpc-encoding", codec.name))

    async def _asking(self, aim: Aim, head: CallHead, message: bytes) -> None:
        """A call with one request message."""
        self._mirrors.copy(aim, head, message)
        self._incoming.watch(self._gone.cancel)
        try:
            call = await self._dispatcher.ask(
                aim.find,
                head,
                message,
                idempotent=aim.target.method.idempotent,
                on_open=self._gone.follow,
            )
            await self._write(call)
        except Cancelled as error:
            raise ClientGoneError if self._gone.has_gone else error from None

    async def _opened(self, aim: Aim, head: CallHead) -> tuple[CallerCall, Service]:
        """A call whose request is still to come; its client's end is its own, waiting included."""
        self._incoming.watch(self._gone.cancel)
        try:
            call, service = await self._dispatcher.open(aim.find, head, on_wait=self._gone.follow)
        except Cancelled as error:
            raise ClientGoneError if self._gone.has_gone else error from None
        self._gone.follow(call)
        return call, service

    async def _passing(self, aim: Aim, head: CallHead, messages: Messages) -> None:
        """A call with one large message, passed on as it comes; such a call has one try."""
        self._mirrors.skip(aim, LARGE)
        call, service = await self._opened(aim, head)
        try:
            await send_large(call, messages)
            await self._dispatcher.reply(call, service, head)
            await self._write(call)
        except Cancelled as error:
            raise ClientGoneError if self._gone.has_gone else error from None
        finally:
            call.cancel()

    async def _streaming(
        self, aim: Aim, head: CallHead, first: bytes | None, messages: Messages
    ) -> None:
        """A call with a stream of request messages; such a call has one try."""
        self._mirrors.skip(aim, STREAM)
        # Silence is for the service's time limit to judge, and after its first reply for nobody.
        self._incoming.patience = None
        call, service = await self._opened(aim, head)
        try:
            async with sending(call, messages, send_all(call, first, messages)):
                await self._dispatcher.reply(call, service, head)
                await self._write(call)
        except Cancelled as error:
            raise ClientGoneError if self._gone.has_gone else error from None

    async def _write(self, call: CallerCall) -> None:
        """Writes the call's reply, which has begun."""
        assert self._aim is not None  # noqa: S101  # there is a call
        try:
            self._reply.fields.append(self._aim.version_field())
            await self._reply.write(call)
        finally:
            call.cancel()

    async def fail(self, error: MeshError) -> None:
        """Ends the reply with the error's status, whether it has begun or not."""
        await self._reply.fail(error, () if self._aim is None else (self._aim.version_field(),))


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
