"""Arguments of a call as the body of an HTTP request.

Files go as they are, in a form or as the whole body, and are read while they are sent; arrays and
frames beside them are parts of their own. Everything else is one mesh.v1.CallRequest, in which
arrays keep their bytes.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from mesh.call import CALL, JSON
from mesh.client.description import MethodDescription
from mesh.client.outgoing import LIGHT, OpenedFile, in_memory
from mesh.errors import UnsupportedMediaType
from mesh.io import arrow
from mesh.io.arguments import encode_call
from mesh.io.bodies import npy
from mesh.io.json_text import json_text
from mesh.io.media import ARROW, NPY
from mesh.io.types.file import OCTETS, File
from mesh.io.types.registry import wire_value
from mesh.io.types.table import Column, Table

Piece = bytes | IO[bytes]
"""A part of a body: bytes, or a file to be read from where it stands to its end."""
CHUNK = 1024 * 1024
"""Bytes that are read from a file at a time."""


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a request: `pieces` one after the other, of `media_type`."""

    media_type: str
    pieces: tuple[Piece, ...]

    def size(self) -> int | None:
        """Bytes of all pieces; None if one is a pipe or the like."""
        sizes = [len(each) if isinstance(each, bytes) else _rest(each) for each in self.pieces]
        known = [each for each in sizes if each is not None]
        return sum(known) if len(known) == len(sizes) else None


def content(method: MethodDescription, arguments: Mapping[str, Any], files: ExitStack) -> Content:
    """The body that carries `arguments`; what is opened for it is closed by `files`.

    Raises OSError for a file that cannot be opened, TypeError or ValueError for a value that has
    no form on the wire.
    """
    if not any(map(_is_file, arguments.values())):
        values = {name: in_memory(value) for name, value in arguments.items()}
        return Content(CALL, (encode_call(method.name, values),))
    if method.root:
        file = arguments[method.root]
        if isinstance(file, list) or (isinstance(file, File) and file.uri):
            values = {method.root: in_memory(file)}
            return Content(CALL, (encode_call(method.name, values),))
        return Content(file.media_type or OCTETS, (_open(file, files),))
    boundary = secrets.token_hex(16)
    pieces = _form(arguments, boundary.encode(), files)
    return Content(f"multipart/form-data; boundary={boundary}", tuple(pieces))


def _is_file(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, File | OpenedFile) for each in value)
    return isinstance(value, File | OpenedFile)


def _open(file: File | OpenedFile, files: ExitStack) -> Piece:
    if isinstance(file, OpenedFile):
        return file.stream
    return file.data if file.path is None else files.enter_context(file.path.open("rb"))


def _rest(file: IO[bytes]) -> int | None:
    """Bytes from where a file stands to its end; None if nobody knows."""
    try:
        if not file.seekable():
            return None
        here = file.tell()
        try:
            status = os.fstat(file.fileno())
        except OSError:  # of a file in memory, which has no number
            end = file.seek(0, os.SEEK_END)
            file.seek(here)
            return max(end - here, 0)
        return max(status.st_size - here, 0) if stat.S_ISREG(status.st_mode) else None
    except (OSError, AttributeError):
        return None


def _form(arguments: Mapping[str, Any], boundary: bytes, files: ExitStack) -> Iterator[Piece]:
    for name, value in arguments.items():
        for part in _parts(value):
            filename, media_type, piece = (
                part
                if isinstance(part, tuple)
                else (part.filename or "file", part.media_type or OCTETS, _open(part, files))
            )
            yield b"--%b\r\n%b\r\n\r\n" % (boundary, _head(name, filename, media_type))
            yield piece
            yield b"\r\n"
    yield b"--%b--\r\n" % boundary


def _head(name: str, filename: str, media_type: str) -> bytes:
    shown = f'; filename="{_quoted(filename)}"' if filename else ""
    return (
        f'Content-Disposition: form-data; name="{_quoted(name)}"{shown}\r\n'
        f"Content-Type: {media_type}"
    ).encode()


def _quoted(name: str) -> str:
    """A name as browsers write it: percent signs for the three characters that would end it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _parts(value: Any) -> Iterator[tuple[str, str, bytes] | File | OpenedFile]:
    """The parts of one argument: files, and the name, media type and content of other things."""
    if _is_file(value):
        for file in value if isinstance(value, list) else [value]:
            is_remote = isinstance(file, File) and file.uri
            yield ("", JSON, json_text(file.uri)) if is_remote else file
        return
    arrays = _arrays(value)
    if arrays is None:
        text = json_text(value)
        # As a file it may be longer: servers bound the text of a form.
        yield ("value.json" if len(text) > LIGHT and not isinstance(value, str) else "", JSON, text)
        return
    yield from arrays


def _arrays(value: Any) -> list[tuple[str, str, bytes]] | None:
    """An array, a frame or a list of them, each in its own format; None for anything else."""
    if isinstance(value, list | tuple):
        each = [_arrays(item) for item in value[:1]]
        if not each or each[0] is None:
            return None
        found = [_arrays(item) for item in value]
        return None if None in found else [part for parts in found if parts for part in parts]
    wire = wire_value(value)
    try:
        if isinstance(wire, np.ndarray):
            return [("value.npy", NPY, npy.write_npy(wire))]
        if isinstance(wire, Table | Column):
            return [("value.arrows", ARROW, arrow.write_table(wire))]
    except (ValueError, UnsupportedMediaType):  # elements that only JSON can tell, or no pyarrow
        return None
    return None
