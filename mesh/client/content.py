"""Arguments of a call as the body of an HTTP request.

Files go as they are, in a form or as the whole body, and are read while they are sent; everything
else is one mesh.v1.CallRequest, in which arrays keep their bytes.
"""

import io
import json
import mimetypes
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mesh.call import CALL
from mesh.client.description import MethodDescription, Schema
from mesh.io.arguments import encode_call
from mesh.io.json_text import json_text
from mesh.io.types.file import OCTETS, File
from mesh.io.types.registry import wire_value

_REMOTE = ("http://", "https://", "data:")

Part = tuple[str, tuple[str | None, IO[bytes] | bytes | str, str]]
"""A part of a form as httpx takes it: its field, and file name, content and media type."""


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a request: `body` of `media_type`, or else `parts` of a form."""

    media_type: str = ""
    body: bytes | IO[bytes] = b""
    parts: tuple[Part, ...] = ()


def content(method: MethodDescription, arguments: Mapping[str, Any], files: ExitStack) -> Content:
    """The body that carries `arguments`; what is opened for it is closed by `files`.

    Raises FileNotFoundError and the like for a file that cannot be opened, TypeError or
    ValueError for a value that has no form on the wire.
    """
    given = {name: _file(value, method.schema_of(name)) for name, value in arguments.items()}
    found = {name: value for name, value in given.items() if value is not None}
    if not found:
        return Content(CALL, encode_call(method.name, arguments))
    if method.root:
        file = found[method.root][0]
        return Content(file.media_type or OCTETS, _open(file, files))
    parts: list[Part] = []
    for name, value in arguments.items():
        if name in found:
            parts += [(name, _part(file, files)) for file in found[name]]
        else:
            parts.append((name, (None, json_text(value), "application/json")))
    return Content(parts=tuple(parts))


def is_repeatable(arguments: Mapping[str, Any]) -> bool:
    """Whether the same arguments can be sent again: files that the caller opened cannot."""
    return not any(
        _is_stream(each)
        for value in arguments.values()
        for each in (value if isinstance(value, list | tuple) else (value,))
    )


def _file(value: Any, schema: Schema) -> list[File] | None:
    """The files that an argument is; None if it is something else."""
    if isinstance(value, list | tuple) and value:
        each = [_file(item, schema.get("items") or {}) for item in value]
        return [files[0] for files in each if files] if all(each) else None
    if _is_stream(value):
        name = getattr(value, "name", "")
        filename = Path(name).name if isinstance(name, str) else ""
        return [_StreamFile(media_type=_guess(filename), filename=filename, stream=value)]
    if isinstance(value, str):
        # A text for a file is the name of one here, unless it says that it is elsewhere.
        if schema.get("type") != "file" or value.startswith(_REMOTE):
            return None
        value = Path(value)
    if isinstance(value, bytes) and schema.get("type") == "file":
        return [File(value, schema.get("content_type", OCTETS))]
    wire = wire_value(value)
    return [wire] if isinstance(wire, File) else None


@dataclass(frozen=True, slots=True)
class _StreamFile(File):
    """A file that the caller has opened."""

    stream: IO[bytes] | None = None


def _is_stream(value: Any) -> bool:
    if isinstance(value, io.TextIOBase):
        raise TypeError("a file must be opened in binary mode")
    return isinstance(value, io.IOBase) or (hasattr(value, "read") and hasattr(value, "seek"))


def _open(file: File, files: ExitStack) -> bytes | IO[bytes]:
    if isinstance(file, _StreamFile) and file.stream is not None:
        return file.stream
    if file.path is not None:
        return files.enter_context(file.path.open("rb"))
    return file.data


def _part(file: File, files: ExitStack) -> tuple[str | None, IO[bytes] | bytes | str, str]:
    if file.uri:
        return None, json.dumps(file.uri), "application/json"
    media_type = file.media_type or _guess(file.filename)
    return file.filename or "file", _open(file, files), media_type


def _guess(filename: str) -> str:
    return mimetypes.guess_type(filename)[0] or OCTETS
