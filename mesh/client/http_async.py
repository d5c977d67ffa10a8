"""A client's calls over HTTP on an event loop; the messages are those of `http_messages`.

The client sets the time limits around these calls.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from typing import Any

import httpx

from mesh.client.content import CHUNK, Content
from mesh.client.frames import FrameReader
from mesh.client.http_messages import LIMITS, Reply, broken, refusal, request
from mesh.client.options import Options
from mesh.client.outgoing import LIGHT, is_light
from mesh.client.pending import PendingCall
from mesh.client.replies import Replies


class AsyncHttpTransport:
    """As HttpTransport, for one event loop. Files and large values are left to threads."""

    def __init__(self, url: str, replies: Replies) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            follow_redirects=False,
            limits=LIMITS,
            timeout=None,  # noqa: S113  # the client's own are around it
        )
        self._replies = replies

    async def close(self) -> None:
        """Closes the connections; calls that run fail."""
        await self._client.aclose()

    async def describe(self, options: Options) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        made = self._client.build_request("GET", "schema.json", headers=options.fields())
        async with self._sent(made) as response:
            return b"".join([data async for data in _body(response)])

    async def call(self, call: PendingCall) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        async with self._called(call) as response:
            reply = Reply(call.method, response.headers, self._replies)
            if reply.is_file:
                return await _saved(reply, _body(response, CHUNK))
            body = b"".join([data async for data in _body(response)])
        if len(body) < LIGHT:
            return reply.value(body)
        return await asyncio.to_thread(reply.value, body)

    async def stream(self, call: PendingCall) -> AsyncGenerator[Any, None]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        reader = FrameReader()
        async with self._called(call) as response:
            reply = Reply(call.method, response.headers, self._replies)
            async with aclosing(_body(response)) as body:
                async for data in body:
                    for item in reply.items(reader, data):
                        yield item
        reader.end()

    @asynccontextmanager
    async def _called(self, call: PendingCall) -> AsyncIterator[httpx.Response]:
        async with AsyncExitStack() as stack:
            files = stack.enter_context(ExitStack())
            if is_light(dict(call.arguments)):
                made = request(self._client, call, files, _read)
            else:
                made = await asyncio.to_thread(request, self._client, call, files, _read)
            yield await stack.enter_async_context(self._sent(made))

    @asynccontextmanager
    async def _sent(self, made: httpx.Request) -> AsyncIterator[httpx.Response]:
        """The reply to a request when its head is there. Raises MeshError if it is no success."""
        try:
            response = await self._client.send(made, stream=True)
        except httpx.HTTPError as error:
            raise broken(error) from error
        try:
            if response.status_code >= 300:
                raise refusal(response, b"".join([data async for data in _body(response)]))
            yield response
        finally:
            await response.aclose()


async def _read(content: Content) -> AsyncIterator[bytes]:
    for piece in content.pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        while data := await asyncio.to_thread(piece.read, CHUNK):
            yield data


async def _body(response: httpx.Response, size: int | None = None) -> AsyncGenerator[bytes, None]:
    """The body as it comes, or in pieces of `size` bytes."""
    try:
        async for data in response.aiter_bytes(size):
            yield data
    except httpx.HTTPError as error:
        raise broken(error) from error


async def _saved(reply: Reply, body: AsyncIterator[bytes]) -> Any:
    """The result that is one file; of a body that breaks off nothing is left."""
    path = await asyncio.to_thread(reply.new_file)
    try:
        with path.open("wb") as file:
            async for data in body:
                await asyncio.to_thread(file.write, data)
        return await asyncio.to_thread(reply.file, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
