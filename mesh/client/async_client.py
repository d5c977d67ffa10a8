"""A client of a deployed service on an event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from copy import copy
from functools import partial
from typing import Any, Self, TypeVar, Unpack

from mesh.client.address import Address
from mesh.client.description import ServiceDescription
from mesh.client.fields import FieldValue
from mesh.client.grpc_async import AsyncGrpcTransport
from mesh.client.http_async import AsyncHttpTransport
from mesh.client.options import Changes, Options
from mesh.client.outgoing import is_light
from mesh.client.pending import PendingCall, pending
from mesh.client.replies import Replies
from mesh.client.tries import Tries, late
from mesh.errors import FailedPrecondition, MeshError

T = TypeVar("T")


class AsyncClient:
    """As `mesh.Client`: methods are awaited, those that yield give async iterators.

        async with AsyncClient("grpc://host:3000") as client:
            labels = await client.classify(image=array)

    Methods are attributes inside `async with`, or once `connect` has been awaited. For one event
    loop. A stream that is left before its end goes on until it is closed (`contextlib.aclosing`)
    or collected.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: str = "",
        version: str = "",
        token: str = "",
        timeout: float | None = 60.0,
        retries: int = 2,
        headers: Mapping[str, FieldValue] | None = None,
    ) -> None:
        """Connects when it is first needed.

        Raises ConfigError for a URL that is none, or an option that cannot be sent.
        """
        address = Address(url)
        endpoint = endpoint or address.endpoint
        self._options = Options(timeout, retries, dict(headers or {}), endpoint, version, token)
        self._replies = Replies()
        self._transport: AsyncHttpTransport | AsyncGrpcTransport = (
            AsyncHttpTransport(address.url, self._replies)
            if address.is_http
            else AsyncGrpcTransport(address.target, self._replies, secure=address.is_secure)
        )
        self._closed = asyncio.Event()
        self._service: ServiceDescription | None = None
        self._name = f"<AsyncClient {address.shown}>"

    def __repr__(self) -> str:
        return self._name

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> ServiceDescription:
        """What the service says of itself, asked for once. Raises MeshError."""
        self._must_be_open()
        if self._service is None:
            tries = Tries(self._options, can_repeat=True, idempotent=True)
            document = await _tried(lambda: self._transport.describe(self._options), tries)
            self._service = ServiceDescription.of_json(document)
        return self._service

    async def close(self) -> None:
        """Closes the connections, also those of `options`, and removes the files received.

        May be called again. Calls that run fail.
        """
        if not self._closed.is_set():
            self._closed.set()
            await self._transport.close()
            await asyncio.to_thread(self._replies.close)

    def options(self, **changes: Unpack[Changes]) -> Self:
        """This client with other options, on the same connections; `headers` are added."""
        options = self._options.changed(changes)
        made = copy(self)
        made.__dict__["_options"] = options
        if not options.is_same_service(self._options):
            made.__dict__["_service"] = None
        return made

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        self._must_be_open()
        if self._service is None:
            raise AttributeError(f"{name!r}: not connected; use `async with`, or await connect()")
        method = self._service.method(name)
        return partial(self.stream if method.streams_out else self.call, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._service.methods if self._service else ())})

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of a method by its name.

        Raises AttributeError for a method that the service has not, TypeError or ValueError for
        arguments that it cannot take or a method that yields, MeshError for what fails.
        """
        call = await self._pending(method, args, kwargs)
        if call.method.streams_out:
            raise TypeError(f"{method}() gives a stream: iterate over stream({method!r}, …)")
        return await _tried(lambda: self._transport.call(call), call.tries)

    async def stream(self, method: str, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The items of a method that yields, as they come; raises as `call`."""
        call = await self._pending(method, args, kwargs)
        if not call.method.streams_out:
            raise TypeError(f"{method}() gives no stream: await call({method!r}, …)")
        has_begun = False
        while True:
            self._must_be_open()
            try:
                async with aclosing(self._transport.stream(call)) as items:
                    while True:
                        try:
                            item = await _in_time(items.__anext__, call.tries)
                        except StopAsyncIteration:
                            return
                        has_begun = True
                        yield item
            except MeshError as error:
                if has_begun:
                    raise
                await asyncio.sleep(call.tries.pause(error))

    async def _pending(self, method: str, args: Any, kwargs: Any) -> PendingCall:
        service = await self.connect()
        if is_light(args) and is_light(kwargs):
            return pending(service, self._options, method, args, kwargs)
        return await asyncio.to_thread(pending, service, self._options, method, args, kwargs)

    def _must_be_open(self) -> None:
        if self._closed.is_set():
            raise FailedPrecondition(f"{self._name} is closed")


async def _tried(attempt: Callable[[], Awaitable[T]], tries: Tries) -> T:
    while True:
        try:
            return await _in_time(attempt, tries)
        except MeshError as error:
            await asyncio.sleep(tries.pause(error))


async def _in_time(attempt: Callable[[], Awaitable[T]], tries: Tries) -> T:
    """What an attempt gives, if it does so before the deadline. Raises DeadlineExceeded."""
    limit = asyncio.timeout(tries.left())
    try:
        async with limit:
            return await attempt()
    except TimeoutError:
        if limit.expired():
            raise late() from None
        raise
