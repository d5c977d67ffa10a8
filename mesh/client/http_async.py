"""A client's calls over HTTP on an event loop; the messages are those of `http_messages`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, aclosing
from typing import Any

import httpx

from mesh.client.description import MethodDescription
from mesh.client.frames import FrameReader
from mesh.client.http_messages import Replies, broken, items, request
from mesh.client.options import Options


class AsyncHttpTransport:
    """As HttpTransport, for one event loop."""

    def __init__(self, url: str, replies: Replies) -> None:
        self._client = httpx.AsyncClient(base_url=url, follow_redirects=False)
        self._replies = replies

    async def close(self) -> None:
        """Closes the connections; calls that run fail."""
        await self._client.aclose()

    async def describe(self, options: Options) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        try:
            response = await self._client.get(
                "schema.json", headers=options.fields(), timeout=options.timeout
            )
        except httpx.HTTPError as error:
            raise broken(error) from error
        if response.status_code != 200:
            raise self._replies.failure(response, response.content)
        return response.content

    async def call(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        response = await self._send(method, arguments, options, left)
        async with aclosing(response):
            if self._replies.is_file(method, response):
                path = self._replies.empty_file(response)
                with path.open("wb") as file:
                    async for data in self._parts(response):
                        file.write(data)
                return self._replies.file(method, response, path)
            body = b"".join([data async for data in self._parts(response)])
        return self._replies.value(method, response, body)

    async def stream(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> AsyncIterator[Any]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        reader = FrameReader()
        response = await self._send(method, arguments, options, left)
        async with aclosing(response):
            async for data in self._parts(response):
                for item in items(reader, self._replies, method, data):
                    yield item
        reader.end()

    async def _send(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> httpx.Response:
        """The reply to a request when its head is there; to be closed."""
        with ExitStack() as files:
            made = request(self._client, method, arguments, options, left, files)
            try:
                response = await self._client.send(made, stream=True)
                if response.status_code >= 300:
                    raise self._replies.failure(response, await response.aread())
            except httpx.HTTPError as error:
                raise broken(error) from error
        return response

    async def _parts(self, response: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for data in response.aiter_bytes():
                yield data
        except httpx.HTTPError as error:
            raise broken(error) from error
