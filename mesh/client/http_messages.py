"""Calls over HTTP as requests and replies, apart from sending them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from google.protobuf.message import DecodeError

from mesh.call import CALL
from mesh.client.content import content
from mesh.client.description import MethodDescription, Schema
from mesh.client.failure import of_http
from mesh.client.frames import FrameReader
from mesh.client.options import Options
from mesh.client.retry import NotSent
from mesh.client.typed import Typed
from mesh.errors import DeadlineExceeded, Internal, MeshError, Unavailable
from mesh.io.intake import CallIntake
from mesh.io.replies.file_head import filename_of
from mesh.io.types.file import File
from mesh.io.value import from_value
from mesh.v1.inference_pb2 import CallReply

FILE_ACCEPT = f"application/octet-stream, {CALL};q=0.1"
"""Asks for a file as it is, whatever its media type."""


def request(
    client: httpx.Client | httpx.AsyncClient,
    method: MethodDescription,
    arguments: Mapping[str, Any],
    options: Options,
    left: float | None,
    files: ExitStack,
) -> httpx.Request:
    """The request of one try, which has `left` seconds; its open files are closed by `files`."""
    body = content(method, arguments, files)
    fields = options.fields() | {"accept": FILE_ACCEPT if method.gives_file else CALL}
    if body.media_type:
        fields["content-type"] = body.media_type
    return client.build_request(
        "POST",
        method.route.lstrip("/"),
        headers=fields,
        content=None if body.parts else body.body,
        files=list(body.parts) or None,
        timeout=left,
    )


def broken(error: httpx.HTTPError) -> MeshError:
    """The error for a request that httpx could not finish."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return NotSent(f"cannot connect: {error}")
    if isinstance(error, httpx.TimeoutException):
        return DeadlineExceeded("no reply within the time limit")
    return Unavailable(f"the connection broke: {error or type(error).__name__}")


class Replies:
    """Reads replies; files among them are kept by `intake`."""

    def __init__(self, intake: CallIntake) -> None:
        self._intake = intake
        self._typed = Typed(intake)

    def failure(self, response: httpx.Response, body: bytes) -> MeshError:
        """The error that a reply of a status without success means."""
        return of_http(response.status_code, response.headers, body)

    def is_file(self, method: MethodDescription, response: httpx.Response) -> bool:
        """Whether the body is a file as it is, to be put on disk while it comes."""
        return method.gives_file and _essence(response) not in (CALL, "application/json")

    def empty_file(self, response: httpx.Response) -> Path:
        """Where the file of a reply is to be written."""
        name = filename_of(response.headers.get("content-disposition", ""))
        return self._intake.keep(File(filename=name))

    def file(self, method: MethodDescription, response: httpx.Response, path: Path) -> Any:
        """The file at `path`, as the method's schema has it."""
        return self.typed(File(path=path, media_type=_essence(response)), method.output)

    def value(self, method: MethodDescription, response: httpx.Response, body: bytes) -> Any:
        """The result in a whole reply."""
        if _essence(response) == CALL:
            return self.message(method, body)
        return natural(response, body)

    def message(self, method: MethodDescription, body: bytes) -> Any:
        """The value of one serialized mesh.v1.CallReply."""
        try:
            value = from_value(CallReply.FromString(body).value)
        except DecodeError:
            raise Internal("the reply is not a mesh.v1.CallReply") from None
        return self.typed(value, method.output)

    def typed(self, value: Any, schema: Schema) -> Any:
        """A wire value as the schema has it. Raises Internal for a file that cannot be kept."""
        try:
            return self._typed.value(value, schema)
        except ValueError as error:
            raise Internal(f"the reply cannot be read: {error}") from None


def items(
    reader: FrameReader, replies: Replies, method: MethodDescription, data: bytes
) -> Iterator[Any]:
    """The items of a streamed reply that `data` completes."""
    for message in reader.feed(data):
        yield replies.message(method, message)


def natural(response: httpx.Response, body: bytes) -> Any:
    """A result that did not come as a mesh.v1 message: JSON, text or bytes."""
    essence = _essence(response)
    if essence == "application/json":
        try:
            return httpx.Response(200, content=body).json()
        except ValueError:
            raise Internal("the reply is no JSON") from None
    return body.decode(errors="replace") if essence.startswith("text/") else body


def _essence(response: httpx.Response) -> str:
    media_type: str = response.headers.get("content-type", "")
    return media_type.partition(";")[0].strip().lower()
