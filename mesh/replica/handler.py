"""One call at a replica: admission → decode → the user's method → encode."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mesh.call import CALL, ReplyHead
from mesh.clock import Clock
from mesh.definition.context import Context
from mesh.definition.spec import ServiceSpec
from mesh.errors import (
    Cancelled,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    MeshError,
    Overloaded,
    Unimplemented,
)
from mesh.io.spec import NO_ITEM, MethodSpec, ReplyEncoder
from mesh.launch import Launch
from mesh.link.call import ReplicaCall
from mesh.link.dispatch import timed_out
from mesh.observe.logs import log_fields
from mesh.observe.tracing import Tracing
from mesh.replica import invoke
from mesh.replica.admission import Admission, Place
from mesh.replica.scope import CURRENT, Scope

log = logging.getLogger("mesh.replica")

RETRY_AFTER = 1.0
"""Seconds that a refused caller is told to wait."""
_UNEXPECTED = "An unexpected error has occurred, please check the server log."


@dataclass(frozen=True, slots=True)
class _Method:
    """A method of the instance, with what is the same for all its calls."""

    spec: MethodSpec
    func: Callable[..., Any]
    span: str


@dataclass(frozen=True, slots=True)
class _Around:
    """What all calls of a replica share."""

    service: str
    launch: Launch
    clock: Clock
    tracing: Tracing
    threads: invoke.Threads
    state: dict[str, Any]


class Handler:
    """Takes the calls of one instance."""

    def __init__(
        self, service: ServiceSpec, instance: object, launch: Launch, clock: Clock, tracing: Tracing
    ) -> None:
        threads = invoke.Threads(launch.threads)
        self._around = _Around(service.name, launch, clock, tracing, threads, {})
        self._methods = {
            name: _Method(spec, spec.func.__get__(instance), f"{service.name}/{name}")
            for name, spec in service.methods.items()
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self.admission = Admission(launch.max_concurrency)

    def __repr__(self) -> str:
        return f"<Handler {self._around.service} {self.admission.taken} calls>"

    @property
    def running(self) -> int:
        """How many calls have not ended."""
        return len(self._tasks)

    def take(self, call: ReplicaCall) -> None:
        """Starts the call's method, or refuses the call at once."""
        name = call.head.method
        method = self._methods.get(name)
        if method is None:
            call.fail(Unimplemented(f"{self._around.service} has no method {name!r}"))
            return
        place = self.admission.admit()
        if place is None:
            call.fail(Overloaded("Too many requests", retry_after=RETRY_AFTER), refused=True)
            return
        run = _Run(self._around, method, call, place).run()
        task = asyncio.get_running_loop().create_task(run)
        self._tasks.add(task)
        # Not the run's own last step: one that is cancelled before its first takes none.
        task.add_done_callback(partial(self._ended, place))
        call.on_cancel = partial(_cancel, task)

    def _ended(self, place: Place, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        place.release()

    async def close(self) -> None:
        """Cancels what still runs and waits for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._around.threads.close()


class _Run:
    """One call while it runs."""

    __slots__ = ("_around", "_call", "_method", "_place", "_timer", "_trace", "_was_late")

    def __init__(self, around: _Around, method: _Method, call: ReplicaCall, place: Place) -> None:
        self._around = around
        self._method = method
        self._call = call
        self._place = place
        self._timer: asyncio.TimerHandle | None = None
        self._trace = call.head.trace
        self._was_late = False

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
            self._call.fail(error)
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
        except (Exception, SystemExit):  # a method that calls exit() must not end its replica
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
        CURRENT.set(Scope(deadline, head.metadata, head.request_id, self._trace))

    def _arm(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101  # this runs in the call's own task
        self._timer = loop.call_later(seconds, self._expire, task)

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
        body = await call.message()
        arguments, first = spec.decode_arguments(head.media_type, body or b"")
        context = None
        if spec.context_parameter is not None:
            context = arguments[spec.context_parameter] = self._context()
        if spec.stream_parameter is not None:
            arguments[spec.stream_parameter] = self._received(first)
        elif first is not NO_ITEM:
            raise InvalidArgument(f"{spec.name} takes no stream of items")
        encoder = spec.reply_encoder(head.media_type, head.accept)
        if spec.kind.streams_out:
            await self._stream(arguments, encoder, context)
            return
        value = await invoke.value(
            self._method.func,
            arguments,
            is_async=spec.is_async,
            threads=self._around.threads,
            place=self._place,
        )
        data = encoder.encode(value)
        call.start_reply(_reply_head(encoder, context), data, message_end=True, end=True)

    async def _stream(
        self, arguments: Mapping[str, Any], encoder: ReplyEncoder, context: Context | None
    ) -> None:
        call = self._call
        items = invoke.items(
            self._method.func,
            arguments,
            is_async=self._method.spec.is_async,
            threads=self._around.threads,
            place=self._place,
        )
        started = False
        try:
            async for item in items:
                data = encoder.encode(item)
                if started:
                    await call.send(data)
                else:
                    started = True
                    call.start_reply(_reply_head(encoder, context), data, message_end=True)
                    self._begin_streaming()
                if call.is_done:
                    return
        finally:
            await items.aclose()
        if not started:
            call.start_reply(_reply_head(encoder, context))
        call.end_reply()

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
            yield spec.decode_item(call.head.media_type, body)

    def _context(self) -> Context:
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
        )


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()


def _reply_head(encoder: ReplyEncoder, context: Context | None) -> ReplyHead:
    stream = encoder.stream
    if context is None:
        return ReplyHead(encoder.media_type, stream=stream)
    response = context.response
    media_type = encoder.media_type
    if media_type != CALL:  # whose callers know the form of what they get
        media_type = response.media_type or media_type
    return ReplyHead(media_type, response.status_code or 0, response.metadata(), stream)
