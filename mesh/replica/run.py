"""One call at a replica while it runs: decode → the user's method → encode."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mesh.alarms import Alarms, Cancellable
from mesh.call import ReplyHead
from mesh.clock import Clock
from mesh.definition.context import Context
from mesh.definition.manner import Manner
from mesh.errors import Cancelled, DeadlineExceeded, Internal, InvalidArgument, MeshError
from mesh.io.replies.response import is_response
from mesh.io.spec import NO_ITEM, Bound, MethodSpec, ReplyEncoder
from mesh.launch import Launch
from mesh.link.call import ReplicaCall
from mesh.link.limits import timed_out
from mesh.observe.logs import log_fields
from mesh.observe.tracing import Tracing
from mesh.replica import invoke
from mesh.replica.admission import Place
from mesh.replica.bodies import Bodies, CallFiles
from mesh.replica.replies import Replies, body_head, reply_head, send_whole
from mesh.replica.scope import CURRENT, Scope

log = logging.getLogger("mesh.replica")

_UNEXPECTED = "An unexpected error has occurred, please check the server log."


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the instance, with what is the same for all its calls."""

    spec: MethodSpec
    func: Callable[..., Any]
    span: str


@dataclass(frozen=True, slots=True)
class Around:
    """What all calls of a replica share."""

    service: str
    launch: Launch
    clock: Clock
    tracing: Tracing
    threads: invoke.Threads
    bodies: Bodies
    replies: Replies
    state: dict[str, Any]
    alarms: Alarms
    manner: Manner
    later: Callable[[Place, Iterable[Callable[[], Any]]], None]
    """Has work done that a call left for after its reply, in the call's place."""


class Run:
    """One call while it runs."""

    __slots__ = (
        *("_around", "_call", "_context", "_files", "_method", "_place"),
        *("_last_item", "_timer", "_trace", "_was_late"),
    )

    def __init__(self, around: Around, method: Method, call: ReplicaCall, place: Place) -> None:
        self._around = around
        self._method = method
        self._call = call
        self._place = place
        self._files = CallFiles(around.bodies, place)
        self._timer: Cancellable | None = None
        self._trace = call.head.trace
        self._was_late = False
        self._context: Context | None = None
        self._last_item: Callable[[str], bytes] | None = None  # tells of a failure midway

    async def run(self) -> None:
        """Runs the call to its end; every failure is told to the caller, none is raised."""
        head = self._call.head
        span = None
        if self._around.tracing.enabled:
            span = self._around.tracing.start(self._method.span, "server", head.trace)
            span.set("mesh.replica", self._around.launch.replica_id)
            span.set("mesh.version", self._around.launch.version)
            self._trace = span.trace
        log_fields.set({"request_id": head.request_id, "trace_id": self._trace.trace_id})
        error = await self._guarded()
        if error is not None:
            last = self._last_item(error.message) if self._last_item is not None else b""
            trailers = () if self._context is None else self._context.response.trailing()
            self._call.fail(error, last_item=last, trailers=trailers)
        if self._timer is not None:
            self._timer.cancel()
        if span is not None:
            if error is not None:
                span.fail(error)
            span.end()

    async def _guarded(self) -> MeshError | None:
        """Answers the call; returns why that failed."""
        try:
            self._enter()
            await self._answer()
        except MeshError as error:
            if error.status >= 500 and not isinstance(error, DeadlineExceeded):
                log.warning("%s failed: %r", self._method.span, error)
            return error
        except asyncio.CancelledError:
            if self._was_late:
                return self._late()
            return Cancelled("the call was given up")
        except (Exception, SystemExit, KeyboardInterrupt) as raised:
            # exit() in a method must not end its replica.
            meant = self._around.manner.failure(raised) if isinstance(raised, Exception) else None
            if meant is not None:
                return meant
            log.exception("%s failed", self._method.span)
            return Internal(_UNEXPECTED)
        return None

    def _enter(self) -> None:
        """Sets the call's scope and its timer."""
        around, head = self._around, self._call.head
        now = around.clock()
        deadline = head.deadline
        if around.launch.timeout is not None:
            limit = now + around.launch.timeout
            deadline = limit if deadline is None else min(limit, deadline)
        if deadline is not None:
            if deadline <= now:
                raise self._late()
            self._arm(deadline - now)
        CURRENT.set(Scope(deadline, head.metadata, head.request_id, self._trace, self._files))

    def _arm(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # this runs in the call's own task
        self._timer = self._around.alarms.set(seconds, self._expire, task)

    def _expire(self, task: "asyncio.Task[None]") -> None:
        self._was_late = True
        task.cancel()

    def _late(self) -> MeshError:
        head, timeout = self._call.head, self._around.launch.timeout
        by_service = timeout is not None and (
            head.deadline is None or self._around.clock() < head.deadline
        )
        return timed_out(timeout if by_service else None)

    async def _answer(self) -> None:
        spec, call = self._method.spec, self._call
        head = call.head
        bodies = self._around.bodies
        bound, first = await bodies.arguments(spec, call, self._place, self._files)
        arguments = bound.kwargs
        context = None
        if spec.context_parameter is not None:
            context = self._context = self._made_context()
            arguments[spec.context_parameter] = self._around.manner.context(context, spec)
        if spec.stream_parameter is not None:
            arguments[spec.stream_parameter] = self._received(first)
        elif first is not NO_ITEM:
            raise InvalidArgument(f"{spec.name} takes no stream of items")
        encoder = bound.encoder or spec.reply_encoder(head.media_type, head.accept)
        if spec.kind.streams_out:
            await self._stream(bound, encoder, context)
            return
        value = await invoke.value(
            self._method.func,
            bound,
            is_async=spec.is_async,
            threads=self._around.threads,
            place=self._place,
        )
        self._trail(context)
        if is_response(value) or encoder.varies(value):
            await self._reply_body(value, encoder, context)
        else:
            data = await self._encoded(value, encoder) if encoder.blocks else encoder.encode(value)
            send_whole(call, _reply_head(encoder, context), data)
        self._leave(context)

    async def _reply_body(self, value: Any, encoder: ReplyEncoder, context: Context | None) -> None:
        """Replies with a value that says itself what it goes out as."""
        call, replies, place = self._call, self._around.replies, self._place
        body = await replies.body(encoder, value, place)
        head = body_head(body, None if context is None else context.response)
        await replies.send(call, head, body, place, self._begin_streaming)
        if body.after is not None:
            self._around.later(place, [body.after])

    async def _encoded(self, value: Any, encoder: ReplyEncoder) -> bytes:
        """The message of a value whose encoding blocks."""
        return await self._around.replies.data(encoder, value, self._place)

    def _trail(self, context: Context | None) -> None:
        """Has the trailers that the method set sent with the end of the reply."""
        if context is not None and (trailers := context.response.trailing()):
            self._call.trail(trailers)

    def _leave(self, context: Context | None) -> None:
        """Has the work done that the method left for after its reply."""
        if context is not None and context.response.background:
            self._around.later(self._place, context.response.background.take())

    async def _stream(self, bound: Bound, encoder: ReplyEncoder, context: Context | None) -> None:
        call = self._call
        items = invoke.items(
            self._method.func,
            bound,
            is_async=self._method.spec.is_async,
            threads=self._around.threads,
            place=self._place,
        )
        started = False
        try:
            async for item in items:
                data = (
                    await self._encoded(item, encoder) if encoder.blocks else encoder.encode(item)
                )
                if started:
                    await call.send(data)
                else:
                    started = True
                    call.start_reply(_reply_head(encoder, context), data, message_end=True)
                    self._last_item = encoder.failure
                    self._begin_streaming()
                if call.is_done:
                    return
        finally:
            await items.aclose()
        if not started:
            call.start_reply(_reply_head(encoder, context))
        if encoder.last is not None:
            await call.send(encoder.last())
        self._trail(context)
        call.end_reply()
        self._leave(context)

    def _begin_streaming(self) -> None:
        """The service's time limit ends with the first item; only the caller's deadline stays."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._call.head.deadline
        if deadline is not None:
            self._arm(max(0.0, deadline - self._around.clock()))

    async def _received(self, first: Any) -> AsyncIterator[Any]:
        """The items of the method's stream parameter."""
        spec, call = self._method.spec, self._call
        if first is not NO_ITEM:
            yield first
        while (body := await call.message()) is not None:
            yield await self._around.bodies.item(spec, call, body, self._files)

    def _made_context(self) -> Context:
        around, head = self._around, self._call.head
        return Context(
            method=head.method,
            metadata=head.metadata,
            query=head.query,
            request_id=head.request_id,
            deadline=CURRENT.get().deadline,
            clock=around.clock,
            deployment=around.launch.deployment,
            version=around.launch.version,
            state=around.state,
            folder=self._files.folder,
        )


def _reply_head(encoder: ReplyEncoder, context: Context | None) -> ReplyHead:
    response = None if context is None else context.response
    return reply_head(encoder.media_type, stream=encoder.stream, response=response)
