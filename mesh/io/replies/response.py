"""A response of starlette's that a method returns in place of a value: it goes out as it is."""

from collections.abc import AsyncGenerator
from functools import lru_cache
from pathlib import Path
from typing import Any

from mesh.io.replies.body import ReplyBody
from mesh.io.replies.file_head import headers_of
from mesh.io.types.file import File

_HOME = ("starlette.responses", "Response")
_MOVED = frozenset({"content-length", "content-type"})
"""Fields that travel as such, not among the others."""


def is_response(value: Any) -> bool:
    """Whether the value is one; loads nothing."""
    cls: type = type(value)
    return is_response_class(cls)


@lru_cache(maxsize=4096)
def is_response_class(cls: type) -> bool:
    """Whether values of the class are responses; loads nothing."""
    return any((base.__module__, base.__qualname__) == _HOME for base in cls.__mro__)


def response_body(response: Any) -> ReplyBody:
    """The body, status and header fields of a response. Blocks for one that is a file.

    Raises OSError for a file that is gone.
    """
    fields = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.raw_headers
    ]
    media_type = next((value for name, value in fields if name == "content-type"), "")
    metadata = tuple(field for field in fields if field[0] not in _MOVED)
    status, after = response.status_code, response.background
    chunks = getattr(response, "body_iterator", None)
    if chunks is not None:
        return ReplyBody(media_type, (), None, metadata, status, _chunks(chunks), after)
    path = getattr(response, "path", None)
    if path is None:
        data = bytes(response.body)
        return ReplyBody(media_type, (data,), len(data), metadata, status, after=after)
    found = Path(path).stat()
    said = {name for name, _ in fields}
    stated = headers_of(File(), found.st_size, found.st_mtime_ns)
    metadata += tuple(field for field in stated if field[0] not in said | _MOVED)
    return ReplyBody(media_type, (Path(path),), found.st_size, metadata, status, after=after)


async def _chunks(iterator: Any) -> AsyncGenerator[bytes]:
    try:
        async for chunk in iterator:
            yield chunk.encode() if isinstance(chunk, str) else bytes(chunk)
    finally:
        if hasattr(iterator, "aclose"):  # an async iterator need not have one
            await iterator.aclose()
