"""A result with files in it as a multipart body (RFC 2046, RFC 7578).

The first part, named `result`, is the result as JSON in which `{"$part": name}` stands for each
file. Then comes one part for each file, under that name: the path to the file in the result, its
steps apart by dots (`docs.0.image`), or `file` if the result is nothing but the file. Characters
that are not ASCII, spaces, quotes and backslashes are `_` in it, and a name that is there already
gets `~2`, `~3` and so on at its end. A client puts the two together by replacing each such object
by the part that it names.
"""

import re
import secrets
from collections.abc import Mapping
from mimetypes import guess_extension
from typing import Any

from pydantic import BaseModel

from mesh.call import JSON
from mesh.io.json_text import json_text
from mesh.io.replies.body import Part, ReplyBody, body_of
from mesh.io.replies.file_head import content_disposition
from mesh.io.types.file import OCTETS, File
from mesh.io.types.kind import WIRE
from mesh.io.types.registry import is_file_class, wire_value

REFERENCE = "$part"
"""The only key of an object in the first part that stands for a file."""
RESULT = "result"
"""Name of the first part."""

_UNSAFE = re.compile(r"[^!#-\[\]-~]")
"""What the name of a part is spared: quotes, spaces, what is not ASCII."""
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


def multipart(subtype: str, value: Any) -> ReplyBody | None:
    """The wire value `value` as a body of `multipart/<subtype>`; None if no file is in it.

    Raises OSError for a file that is not there, TypeError or ValueError for a value that has no
    form in JSON.
    """
    files: dict[str, File] = {}
    bare = _without_files(value, (), files)
    if not files:
        return None
    boundary = secrets.token_hex(16)
    opening = f"--{boundary}\r\n".encode()
    form = "form-data" if subtype == "form-data" else "inline"
    head = _fields(f'{form}; name="{RESULT}"', JSON)
    parts: list[Part] = [opening + head + json_text(bare)]
    for name, each in files.items():
        file = _named(each, name)
        parts.append(b"\r\n" + opening + _head(subtype, name, file))
        parts.append(file.data if file.path is None else file.path)
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return body_of(f"multipart/{subtype}; boundary={boundary}", *parts)


def _without_files(value: Any, path: tuple[str, ...], files: dict[str, File]) -> Any:
    """The value with a reference in the place of each file, which `files` takes."""
    if is_file_class(type(value)):  # where the annotation says nothing of it
        value = wire_value(value)
    if isinstance(value, File) and not value.uri:
        name = _free(".".join(path) or "file", files)
        files[name] = value
        return {REFERENCE: name}
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True, context=WIRE)
    if isinstance(value, Mapping):
        return {key: _without_files(each, (*path, str(key)), files) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [
            _without_files(each, (*path, str(index)), files) for index, each in enumerate(value)
        ]
    return value


def _free(path: str, taken: Mapping[str, File]) -> str:
    name = _UNSAFE.sub("_", path)
    free, number = name, 1
    while free in taken or free == RESULT:
        number += 1
        free = f"{name}~{number}"
    return free


def _named(file: File, name: str) -> File:
    """The file with a media type, and with a name: if it has none, the last step of its path."""
    media_type = _BREAKS.sub("", file.media_type) or OCTETS
    end = name.rpartition(".")[2] + (guess_extension(media_type) or "")
    filename = file.filename or (file.path.name if file.path else "") or end
    return file.named(filename, media_type)


def _head(subtype: str, name: str, file: File) -> bytes:
    """The header fields of a file's part and the empty line behind them."""
    if subtype == "form-data":  # which has no filename*, and whose clients escape as browsers do
        filename = _BREAKS.sub("_", file.filename).replace('"', "%22")
        disposition = f'form-data; name="{name}"; filename="{filename}"'
    else:
        disposition = f'{content_disposition(file)}; name="{name}"'
    return _fields(disposition, file.media_type)


def _fields(disposition: str, media_type: str) -> bytes:
    return f"Content-Disposition: {disposition}\r\nContent-Type: {media_type}\r\n\r\n".encode()
