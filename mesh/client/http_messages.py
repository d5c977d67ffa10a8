"""Calls over HTTP as requests and replies, apart from sending them."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from mesh.call import CALL, JSON
from mesh.client.content import Content, content
from mesh.client.description import MethodDescription
from mesh.client.failure import of_http
from mesh.client.frames import FrameReader
from mesh.client.pending import PendingCall
from mesh.client.replies import Replies
from mesh.client.retry import NotSent
from mesh.client.tries import late
from mesh.errors import Internal, MeshError, Unavailable, Unimplemented
from mesh.io.media import essence
from mesh.io.replies.file_head import filename_of

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)
"""No call waits for another's connection."""
_FILE_ACCEPT = f"application/octet-stream, {CALL};q=0.1"
"""Asks for a file as it is, whatever its media type."""

Body = bytes | Iterator[bytes] | AsyncIterator[bytes]


def request(
    client: httpx.Client | httpx.AsyncClient,
    call: PendingCall,
    files: ExitStack,
    read: Callable[[Content], Iterator[bytes] | AsyncIterator[bytes]],
) -> httpx.Request:
    """The request of one try. Its open files, which `read` reads, are closed by `files`."""
    method = call.method
    if call.items is not None:
        raise Unimplemented(f"{method.name} takes a stream of items, which only gRPC carries")
    made = content(method, call.arguments, files)
    fields = call.options.fields() | {
        "accept": _FILE_ACCEPT if method.gives_file else CALL,
        "content-type": made.media_type,
    }
    body: Body
    if all(isinstance(piece, bytes) for piece in made.pieces):
        body = b"".join(piece for piece in made.pieces if isinstance(piece, bytes))
    else:
        body = read(made)
        size = made.size()
        if size is not None:
            fields["content-length"] = str(size)
    route = method.route.lstrip("/")
    return client.build_request("POST", route, headers=fields, content=body, timeout=None)


def broken(error: httpx.HTTPError) -> MeshError:
    """The error for a request that httpx could not finish."""
    if isinstance(error, httpx.TimeoutException):
        return late()
    if isinstance(error, httpx.ConnectError):
        return NotSent(f"cannot connect to {_place(error)}: {error}")
    return Unavailable(f"the connection broke while the call ran: {error or type(error).__name__}")


def _place(error: httpx.HTTPError) -> str:
    """Who was to be reached, as `scheme://host:port`."""
    try:
        url = error.request.url
    except RuntimeError:  # nothing was asked yet
        return "the mesh"
    return f"{url.scheme}://{url.netloc.decode()}"


class Reply:
    """The head of a reply that succeeded, and what its body becomes."""

    def __init__(self, method: MethodDescription, headers: Mapping[str, str], replies: Replies):
        self._method = method
        self._replies = replies
        self._media_type = essence(headers.get("content-type", ""))
        self._disposition = headers.get("content-disposition", "")

    @property
    def is_file(self) -> bool:
        """Whether the body is a file as it is, to be put on disk while it comes."""
        return self._method.gives_file and self._media_type not in (CALL, JSON)

    def new_file(self) -> Path:
        """Where that file is to be written."""
        return self._replies.new_file(filename_of(self._disposition))

    def file(self, path: Path) -> Any:
        """The result whose body was written to `path`."""
        return self._replies.file(self._method, path, self._media_type)

    def value(self, body: bytes) -> Any:
        """The result in a whole body. Raises Internal if it is not what its media type says."""
        if self._media_type == CALL:
            return self._replies.result(self._method, body)
        if self._media_type == JSON:
            try:
                return json.loads(body)
            except ValueError:
                raise Internal("the reply is no JSON") from None
        return body.decode(errors="replace") if self._media_type.startswith("text/") else body

    def items(self, reader: FrameReader, data: bytes) -> Iterator[Any]:
        """The items of a stream that `data` completes. Raises Internal if it is no stream."""
        if self._media_type != CALL:
            raise Internal(f"the reply is {self._media_type}, not a stream of mesh.v1 messages")
        for message in reader.feed(data):
            yield self._replies.result(self._method, message)


def refusal(response: httpx.Response, body: bytes) -> MeshError:
    """The error that a reply of a status without success means."""
    return of_http(response.status_code, response.headers, body)
