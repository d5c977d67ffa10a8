"""What `depends()` becomes in a replica: the other service, called through the mesh."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mesh.call import CALL, CallHead
from mesh.definition.spec import ServiceSpec
from mesh.errors import Internal, MeshError
from mesh.io.spec import MethodSpec
from mesh.link.call import CallerCall
from mesh.link.dispatch import Dispatcher
from mesh.observe.span import Span
from mesh.observe.tracing import Tracing
from mesh.replica.scope import CURRENT, OUTSIDE, Scope
from mesh.traffic.snapshot import Service

START_WAIT = 120.0
"""Seconds that a service which calls another while it is made waits for that to be ready."""


@dataclass(frozen=True, slots=True)
class Route:
    """The service behind a handle: always of the caller's own version."""

    deployment: str
    version_id: str
    spec: ServiceSpec


class Caller:
    """Calls the methods of one service; every call runs on the replica's event loop.

    `lag` gives the seconds by which the replica may hear later than its callers that its graph is
    complete.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        loop: asyncio.AbstractEventLoop,
        route: Route,
        tracing: Tracing,
        lag: Callable[[], float],
    ) -> None:
        self._lag = lag
        self._dispatcher = dispatcher
        self._route = route
        self._tracing = tracing
        self.loop = loop

    @property
    def methods(self) -> "dict[str, MethodSpec]":
        """The methods that can be called, by name."""
        return dict(self._route.spec.methods)

    def _find(self) -> Service:
        route = self._route
        version = self._dispatcher.version(route.deployment, route.version_id)
        return version.services[route.spec.name]

    def _start(self, method: MethodSpec) -> tuple[CallHead, Span]:
        scope: Scope = CURRENT.get()
        span = self._tracing.start(f"{self._route.spec.name}/{method.name}", "client", scope.trace)
        head = CallHead(
            method.name,
            CALL,
            CALL,
            scope.deadline,
            scope.metadata,
            scope.request_id,
            span.trace,
        )
        return head, span

    async def value(self, method: MethodSpec, args: Any, kwargs: Any) -> Any:
        """The result of a method that returns one value."""
        head, span = self._start(method)
        try:
            call, sender = await self._ask(method, head, args, kwargs)
            if sender is not None:
                sender.cancel()  # the reply is there: what is left would not be read
            try:
                body = await call.message()
            except BaseException:
                call.cancel()
                raise
            if body is None:
                raise Internal(f"{method.name} ended without a result")
            return await _decoded(method, body)
        except MeshError as error:
            span.fail(error)
            raise
        finally:
            span.end()

    async def items(self, method: MethodSpec, args: Any, kwargs: Any) -> AsyncIterator[Any]:
        """The items of a method that is a generator; closing this gives the call up."""
        head, span = self._start(method)
        try:
            call, sender = await self._ask(method, head, args, kwargs)
            try:
                while (body := await call.message()) is not None:
                    yield await _decoded(method, body)
            finally:
                call.cancel()
                if sender is not None:
                    sender.cancel()  # it may wait for an item that never comes
        except MeshError as error:
            span.fail(error)
            raise
        finally:
            span.end()

    async def _ask(
        self, method: MethodSpec, head: CallHead, args: Any, kwargs: Any
    ) -> "tuple[CallerCall, asyncio.Task[None] | None]":
        """The call when its reply has begun, and what still sends the stream of its items."""
        route, dispatcher = self._route, self._dispatcher
        stream = None
        if method.stream_parameter is not None:
            args, kwargs, stream = method.split_stream(args, kwargs)
        body = method.encode_arguments(args, kwargs)
        if CURRENT.get() is OUTSIDE:
            await dispatcher.wait_for_version(
                route.deployment, route.version_id, None, service=route.spec.name, limit=START_WAIT
            )
        else:
            # Who called may have heard of this graph a moment before we hear of all of it.
            await dispatcher.wait_for_version(
                route.deployment,
                route.version_id,
                head.deadline,
                service=route.spec.name,
                limit=self._lag(),
            )
        if stream is None:
            call = await dispatcher.ask(self._find, head, body, idempotent=method.idempotent)
            return call, None
        call, service = await dispatcher.open(self._find, head)
        sender = asyncio.ensure_future(_send_all(call, method, body, stream))
        try:
            await dispatcher.reply(call, service, head)
        except BaseException:
            sender.cancel()
            raise
        return call, sender


async def _send_all(
    call: CallerCall, method: MethodSpec, body: bytes, stream: AsyncIterator[Any]
) -> None:
    try:
        await call.send(body)
        async for item in stream:
            await call.send(method.encode_item(item))
            if call.is_done:
                return
        await call.send(b"", message_end=False, end=True)
    except MeshError as error:
        call.cancel(error)
    except Exception as error:  # noqa: BLE001  # the user's iterator may raise anything
        call.cancel(Internal(f"the stream of items broke: {error}"))


class AsyncHandle:
    """The methods of a service as coroutines and async generators."""

    def __init__(self, caller: Caller) -> None:
        for name, method in caller.methods.items():
            call = caller.items if method.kind.streams_out else caller.value
            setattr(self, name, _named(partial(_call, call, method), method))


class SyncHandle:
    """The methods of a service as plain functions and generators, for methods in threads."""

    def __init__(self, caller: Caller) -> None:
        for name, method in caller.methods.items():
            if method.kind.streams_out:
                func = partial(_iterate, caller, method)
            else:
                func = partial(_wait, caller, method)
            setattr(self, name, _named(func, method))


class Handle:
    """A service that runs elsewhere in the mesh.

    `handle.method(...)` is sync or async as the method itself is; `to_async` and `to_sync` have
    all methods in one form.
    """

    def __init__(self, caller: Caller) -> None:
        self.to_async = AsyncHandle(caller)
        self.to_sync = SyncHandle(caller)
        for name, method in caller.methods.items():
            form = self.to_async if method.is_async else self.to_sync
            setattr(self, name, getattr(form, name))


def _named(func: "partial[Any]", method: MethodSpec) -> "partial[Any]":
    func.__doc__ = method.doc
    return func


def _call(call: Callable[..., Any], method: MethodSpec, *args: Any, **kwargs: Any) -> Any:
    return call(method, args, kwargs)


def _wait(caller: Caller, method: MethodSpec, *args: Any, **kwargs: Any) -> Any:
    _refuse_on_loop(caller, method)
    # The scope of the call is a context variable of this thread; the loop has another context.
    coroutine = _within(CURRENT.get(), caller.value(method, args, kwargs))
    return asyncio.run_coroutine_threadsafe(coroutine, caller.loop).result()


async def _within(scope: Scope, coroutine: Any) -> Any:
    CURRENT.set(scope)
    return await coroutine


def _iterate(caller: Caller, method: MethodSpec, *args: Any, **kwargs: Any) -> Iterator[Any]:
    _refuse_on_loop(caller, method)
    scope = CURRENT.get()
    items = caller.items(method, args, kwargs)
    end = object()

    def step(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(_within(scope, coroutine), caller.loop).result()

    try:
        while (item := step(anext(items, end))) is not end:
            yield item
    finally:
        step(items.aclose())  # type: ignore[attr-defined]  # an async generator in truth


def _refuse_on_loop(caller: Caller, method: MethodSpec) -> None:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if running is caller.loop:
        raise Internal(
            f"{method.name} would block the event loop: in an async method use"
            f" `await self.<dependency>.to_async.{method.name}(...)`"
        )


async def _decoded(method: MethodSpec, body: bytes) -> Any:
    """The value of a reply; its files are put among those of the call that asks for it."""
    if not method.result.takes_files:
        return method.decode_reply(body)
    files = CURRENT.get().files
    if files is None:
        return await asyncio.to_thread(method.decode_reply, body)
    return await files.run(partial(method.decode_reply, body))
