"""A client of a deployed service on an event loop."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from copy import copy
from functools import partial
from typing import Any, Self

from mesh.client.description import MethodDescription, ServiceDescription
from mesh.client.grpc_async import AsyncGrpcTransport
from mesh.client.http_async import AsyncHttpTransport
from mesh.client.http_messages import Replies
from mesh.client.options import Options
from mesh.client.shared import Address, Tries, changed, described
from mesh.errors import DeadlineExceeded, MeshError, Unimplemented
from mesh.io.folder import Folder
from mesh.io.intake import CallIntake


class AsyncClient:
    """As `mesh.Client`: methods are awaited, those that yield give async iterators.

        async with AsyncClient("grpc://host:3000") as client:
            labels = await client.classify(image=array)

    Methods are attributes inside `async with`, or once `connect` has been awaited. For one event
    loop.
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
        headers: dict[str, str] | None = None,
    ) -> None:
        """Connects when it is first needed. Raises ConfigError for a URL that is none."""
        address = Address(url)
        endpoint = endpoint or address.endpoint
        self._options = Options(timeout, retries, dict(headers or {}), endpoint, version, token)
        self._folder = Folder()
        replies = Replies(CallIntake(self._folder))
        self._transport: AsyncHttpTransport | AsyncGrpcTransport = (
            AsyncHttpTransport(address.url, replies)
            if address.is_http
            else AsyncGrpcTransport(address.target, replies, secure=address.is_secure)
        )
        self._service: ServiceDescription | None = None
        self._name = f"<AsyncClient {address.url}>"

    def __repr__(self) -> str:
        return self._name

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> ServiceDescription:
        """What the service says of itself, asked for once. Raises MeshError."""
        if self._service is None:
            document = await self._transport.describe(self._options)
            self._service = ServiceDescription.of_json(document)
        return self._service

    async def close(self) -> None:
        """Closes the connections and removes the files that were received."""
        await self._transport.close()
        await asyncio.to_thread(self._folder.remove)

    def options(self, **changes: Any) -> Self:
        """This client with another `timeout`, `retries`, `headers`, `token` or `version`."""
        made = copy(self)
        made.__dict__["_options"] = changed(self._options, changes)
        return made

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._service is None:
            raise AttributeError(f"{name!r}: not connected; use `async with`, or await connect()")
        method = described(self._service, name)
        return partial(self.stream if method.streams_out else self.call, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._service.methods if self._service else ())})

    def _streaming(self, method: MethodDescription) -> AsyncGrpcTransport:
        """What carries a stream of items to the service. Raises Unimplemented if nothing does."""
        if not isinstance(self._transport, AsyncGrpcTransport):
            raise Unimplemented(f"{method.name} takes a stream of items, which only gRPC carries")
        return self._transport

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of a method by its name.

        Raises TypeError for arguments that the method does not take, MeshError for what fails.
        """
        found = described(await self.connect(), method)
        arguments = found.bind(args, kwargs)
        sent = _each(arguments.pop(found.stream)) if found.stream else None
        tries = Tries(self._options, found, arguments)
        transport, options = self._transport, self._options
        while True:
            try:
                left = tries.left()
                async with asyncio.timeout(left):
                    if sent is not None:
                        return await self._streaming(found).send(
                            found, arguments, sent, options, left
                        )
                    return await transport.call(found, arguments, options, left)
            except TimeoutError:
                raise DeadlineExceeded("no reply within the time limit") from None
            except MeshError as error:
                await asyncio.sleep(tries.pause(error))

    async def stream(self, method: str, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The items of a method that yields, as they come; raises as `call`."""
        found = described(await self.connect(), method)
        arguments = found.bind(args, kwargs)
        sent = _each(arguments.pop(found.stream)) if found.stream else None
        tries = Tries(self._options, found, arguments)
        transport, options = self._transport, self._options
        has_begun = False
        while True:
            try:
                left = tries.left()
                items = (
                    transport.stream(found, arguments, options, left)
                    if sent is None
                    else self._streaming(found).exchange(found, arguments, sent, options, left)
                )
                async for item in items:
                    has_begun = True
                    yield item
                return
            except MeshError as error:
                if has_begun:
                    raise
                await asyncio.sleep(tries.pause(error))


async def _each(values: Any) -> AsyncIterable[Any]:
    """The items of an iterable of either kind."""
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
        return
    for value in values:
        yield value
