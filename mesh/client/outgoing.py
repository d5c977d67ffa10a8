"""Arguments as they go out: what stands for a file becomes one."""

import io
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np

from mesh.client.description import MethodDescription, Schema, resolved
from mesh.io.files.name import base_name, guess_media_type
from mesh.io.types.file import OCTETS, File
from mesh.io.types.registry import is_file_class, wire_value

LIGHT = 64 * 1024
"""Bytes that are encoded or decoded in less time than it takes to ask another thread."""
_FEW = 32
_PLAIN = ("string", "integer", "number", "boolean")
_NARROW = ("float16", "float32")
_REMOTE = ("http://", "https://", "data:")


class OpenedFile:
    """A file that the caller has opened, from where it stands; its content can be sent once."""

    __slots__ = ("filename", "media_type", "stream")

    def __init__(self, stream: IO[bytes]) -> None:
        name = getattr(stream, "name", "")
        self.stream = stream
        self.filename = base_name(name) if isinstance(name, str) else ""
        self.media_type = guess_media_type(self.filename) or OCTETS

    def read(self) -> File:
        """The rest of the content, in memory."""
        return File(self.stream.read(), self.media_type, self.filename)


def outgoing(value: Any, name: str, method: MethodDescription) -> Any:
    """The argument with a File, or an OpenedFile at its top, for all that its schema has as files.

    Raises TypeError for a file opened as text, ValueError naming the argument for a path where no
    file is.
    """
    definitions = method.input.get("$defs", {})
    schema = method.schema_of(name)
    try:
        if _is_stream(value):
            return OpenedFile(value)
        if isinstance(value, list | tuple) and any(map(_is_stream, value)):
            items = schema.get("items") or {}
            return [
                OpenedFile(each) if _is_stream(each) else _outgoing(each, items, definitions)
                for each in value
            ]
        return _outgoing(value, schema, definitions)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _outgoing(value: Any, schema: Schema, definitions: Schema) -> Any:
    schema = resolved(value, schema, definitions)
    match value:
        case dict():
            return {
                key: _outgoing(item, _named(schema, key), definitions)
                for key, item in value.items()
            }
        case list() | tuple():
            if _is_plain(schema.get("items")):
                return value
            return [_outgoing(item, schema.get("items") or {}, definitions) for item in value]
        case str() | bytes() if schema.get("type") == "file":
            return _file(value, schema)
        case _ if _is_stream(value):
            return OpenedFile(value).read()
        case PurePath():
            return wire_value(value)
        case _ if is_file_class(type(value)):
            return wire_value(value)
        case np.ndarray() if value.dtype.kind == "f" and schema.get("dtype") in _NARROW:
            return _narrowed(value, str(schema["dtype"]))
    return value


def _narrowed(array: Any, name: str) -> Any:
    """The array in the element type that the method takes, if its numbers have a place there.

    Arrays are of float64 where nobody said otherwise, and a service refuses to lose precision
    that it was given on purpose.
    """
    with np.errstate(over="ignore"):
        narrow = array.astype(name)
    return array if (np.isinf(narrow) & np.isfinite(array)).any() else narrow


def _named(schema: Schema, key: object) -> Schema:
    found = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else {}


def _is_plain(schema: Schema | None) -> bool:
    """Whether nothing of this schema is a file, so that long lists are not gone through."""
    return schema is not None and schema.get("type") in _PLAIN


def _file(value: str | bytes, schema: Schema) -> Any:
    """A text is the name of a file here, unless it says that it is elsewhere."""
    if isinstance(value, bytes):
        return File(value, schema.get("content_type", OCTETS))
    return value if value.startswith(_REMOTE) else wire_value(Path(value))


def is_once(argument: Any) -> bool:
    """Whether an argument that is going out can be sent only once."""
    each = argument if isinstance(argument, list) else [argument]
    return any(isinstance(item, OpenedFile) for item in each)


def _is_stream(value: Any) -> bool:
    if isinstance(value, io.TextIOBase):
        raise TypeError("a file must be opened in binary mode")
    return isinstance(value, io.IOBase) or (hasattr(value, "read") and hasattr(value, "fileno"))


def in_memory(value: Any) -> Any:
    """The argument with the content of a file that the caller opened."""
    if isinstance(value, list):
        return [each.read() if isinstance(each, OpenedFile) else each for each in value]
    return value.read() if isinstance(value, OpenedFile) else value


def is_light(value: Any) -> bool:
    """Whether a value is surely encoded at once, and without a look at the disk."""
    match value:
        case None | bool() | int() | float():
            return True
        case str() | bytes():
            return len(value) < LIGHT
        case list() | tuple():
            return len(value) < _FEW and all(map(is_light, value))
        case dict():
            return len(value) < _FEW and all(map(is_light, value.values()))
        case _:
            size = getattr(value, "nbytes", None)
            return isinstance(size, int) and size < LIGHT
