"""Bytes as parameters and results."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError, PydanticKnownError

from mesh.io.types.content_type import ContentType
from mesh.io.types.file import OCTETS, File
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.source import incoming, is_reference


@dataclass(frozen=True, slots=True)
class BinaryKind(Kind):
    """Bytes; with a `ContentType` the content of a file."""

    content_type: ContentType | None = None

    def marked(self, marker: object) -> "BinaryKind":
        """This kind with a `ContentType`; raises TypeError for other markers."""
        if not isinstance(marker, ContentType):
            raise TypeError(f"{marker!r} says nothing about bytes")
        return BinaryKind(marker)

    def load(self, value: Any, intake: Intake | None) -> bytes:
        """The bytes, those of a text in UTF-8, or the content of a file.

        With a `ContentType` a data URL or an http(s) URL stands for the file. Raises
        PydanticCustomError for other values, and as `incoming` does.
        """
        match value:
            case bytes():
                return value
            case str() if self.content_type is None or not is_reference(value):
                return _utf8(value)
            case str() | File():
                return incoming(value, intake, self.content_type).read()
            case _:
                raise _no_bytes()

    def check(self, value: Any) -> bytes:
        """The bytes of a buffer or, in UTF-8, of a text. Raises PydanticCustomError."""
        match value:
            case bytes():
                return value
            case bytearray() | memoryview():
                return bytes(value)
            case str():
                return _utf8(value)
            case _:
                raise _no_bytes()

    def wire(self, value: Any) -> bytes | File:
        """The bytes; a file of the `ContentType` if there is one."""
        if self.content_type is None:
            return bytes(value)
        is_known = not self.content_type.is_pattern
        return File(bytes(value), self.content_type.pattern if is_known else OCTETS)

    def json_schema(self) -> dict[str, Any]:
        """A text of bytes, with its media type if that is known."""
        schema: dict[str, Any] = {"type": "string", "format": "binary"}
        if self.content_type is not None:
            schema["media_type"] = self.content_type.pattern
        return schema


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise PydanticCustomError("bytes_type", "Input should be valid Unicode text") from None


def _no_bytes() -> PydanticKnownError:
    return PydanticKnownError("bytes_type")


def kind(_annotation: Any) -> BinaryKind:
    """What `bytes` says."""
    return BinaryKind()


def wire_value(value: bytes) -> bytes:
    """Bytes are themselves."""
    return value
