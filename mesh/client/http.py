"""A client's calls over HTTP."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx

from mesh.client.content import CHUNK, Content
from mesh.client.frames import FrameReader
from mesh.client.http_messages import LIMITS, Reply, broken, refusal, request
from mesh.client.options import Options
from mesh.client.pending import PendingCall
from mesh.client.replies import Replies
from mesh.client.tries import Tries


class HttpTransport:
    """Calls at `url`. Usable from several threads.

    The deadline of a call is looked at between the pieces of its bodies; between two looks a
    silent peer is waited for as long as was left at the last change of direction.
    """

    def __init__(self, url: str, replies: Replies) -> None:
        self._client = httpx.Client(base_url=url, follow_redirects=False, limits=LIMITS)
        self._replies = replies

    def close(self) -> None:
        """Closes the connections; calls that run fail."""
        self._client.close()

    def describe(self, options: Options, tries: Tries) -> bytes:
        """The service's description as JSON. Raises MeshError."""
        made = self._client.build_request("GET", "schema.json", headers=options.fields())
        with self._sent(made, tries) as response:
            return b"".join(_body(response, tries))

    def call(self, call: PendingCall) -> Any:
        """The result of a method that gives one. Raises MeshError."""
        with ExitStack() as files:
            response = files.enter_context(self._sent(self._request(call, files), call.tries))
            reply = Reply(call.method, response.headers, self._replies)
            if reply.is_file:
                return _saved(reply, _body(response, call.tries))
            body = b"".join(_body(response, call.tries))
        return reply.value(body)

    def stream(self, call: PendingCall) -> Generator[Any, None, None]:
        """The items of a method that gives a stream, as they come. Raises MeshError."""
        reader = FrameReader()
        with ExitStack() as files:
            response = files.enter_context(self._sent(self._request(call, files), call.tries))
            reply = Reply(call.method, response.headers, self._replies)
            for data in _body(response, call.tries):
                yield from reply.items(reader, data)
        reader.end()

    def _request(self, call: PendingCall, files: ExitStack) -> httpx.Request:
        made: httpx.Request

        def read(body: Content) -> Iterator[bytes]:
            for piece in body.pieces:
                if isinstance(piece, bytes):
                    yield piece
                    continue
                while data := piece.read(CHUNK):
                    _limit(made, call.tries)
                    yield data
            _limit(made, call.tries)

        made = request(self._client, call, files, read)
        return made

    @contextmanager
    def _sent(self, made: httpx.Request, tries: Tries) -> Iterator[httpx.Response]:
        """The reply to a request when its head is there. Raises MeshError if it is no success."""
        _limit(made, tries)
        try:
            response = self._client.send(made, stream=True)
        except httpx.HTTPError as error:
            raise broken(error) from error
        with closing(response):
            _limit(made, tries)
            if response.status_code >= 300:
                raise refusal(response, b"".join(_body(response, tries)))
            yield response


def _limit(made: httpx.Request, tries: Tries) -> None:
    """Lets what follows of a request wait as long as is left. Raises DeadlineExceeded."""
    left = tries.left()
    made.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)


def _body(response: httpx.Response, tries: Tries) -> Iterator[bytes]:
    """The body as it comes. Raises DeadlineExceeded if that takes too long."""
    try:
        for data in response.iter_bytes():
            tries.left()
            yield data
    except httpx.HTTPError as error:
        raise broken(error) from error


def _saved(reply: Reply, body: Iterator[bytes]) -> Any:
    """The result that is one file; of a body that breaks off nothing is left."""
    path = reply.new_file()
    try:
        with path.open("wb") as file:
            file.writelines(body)
        return reply.file(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
