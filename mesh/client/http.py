"""A client's calls over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import httpx

from mesh.client.description import MethodDescription
from mesh.client.frames import FrameReader
from mesh.client.http_messages import Replies, broken, items, request
from mesh.client.options import Options


class HttpTransport:
    """Calls at `url`. Usable from several threads."""

    def __init__(self, url: str, replies: Replies) -> None:
        self._client = httpx.Client(base_url=url, follow_redirects=False)
        self._replies = replies

    def close(self) -> None:
        """Closes the connections; calls that run fail."""
        self._client.close()

    def describe(self, options: Options) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        try:
            response = self._client.get(
                "schema.json", headers=options.fields(), timeout=options.timeout
            )
        except httpx.HTTPError as error:
            raise broken(error) from error
        if response.status_code != 200:
            raise self._replies.failure(response, response.content)
        return response.content

    def call(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        with ExitStack() as files:
            response = self._send(method, arguments, options, left, files)
            if self._replies.is_file(method, response):
                path = self._replies.empty_file(response)
                with path.open("wb") as file:
                    file.writelines(self._parts(response))
                return self._replies.file(method, response, path)
            body = b"".join(self._parts(response))
        return self._replies.value(method, response, body)

    def stream(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
    ) -> Iterator[Any]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        reader = FrameReader()
        with ExitStack() as files:
            response = self._send(method, arguments, options, left, files)
            for data in self._parts(response):
                yield from items(reader, self._replies, method, data)
        reader.end()

    def _send(
        self,
        method: MethodDescription,
        arguments: Mapping[str, Any],
        options: Options,
        left: float | None,
        files: ExitStack,
    ) -> httpx.Response:
        """The reply to a request when its head is there; closed by `files`."""
        made = request(self._client, method, arguments, options, left, files)
        try:
            response = self._client.send(made, stream=True)
            files.callback(response.close)
            if response.status_code >= 300:
                raise self._replies.failure(response, response.read())
        except httpx.HTTPError as error:
            raise broken(error) from error
        return response

    def _parts(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise broken(error) from error
