"""Where the content of a file argument is: in it, in a data URL, or behind another URL."""

from typing import Any, Final

from pydantic_core import PydanticCustomError

from mesh.io.files.data_url import from_data_url, is_data_url
from mesh.io.files.name import guess_media_type
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import OCTETS, File
from mesh.io.types.kind import Intake

_REMOTE: Final = ("http://", "https://")


def is_reference(text: str) -> bool:
    """Whether a text is a URL that holds or names a file."""
    return is_data_url(text) or text[:8].lower().startswith(_REMOTE)


def incoming(value: Any, intake: Intake | None, content_type: ContentType | None) -> File:
    """The file that an argument is, of which the content is here.

    Raises PydanticCustomError for what is no file, ValueError for a broken or unreachable one and
    for a media type that `content_type` doesn't mean.
    """
    file = _file(value, intake)
    if content_type is not None and not _is_so_by_name(file, content_type):
        content_type.check(file.media_type)
    return file


def _is_so_by_name(file: File, content_type: ContentType) -> bool:
    """Whether the name tells what the sender could not: curl knows few types, and says octets."""
    if file.media_type != OCTETS:
        return False
    guessed = guess_media_type(file.filename)
    return bool(guessed) and content_type.matches(guessed)


def _file(value: Any, intake: Intake | None) -> File:
    match value:
        case File():
            return _fetched(value.uri, intake) if value.uri else value
        case bytes():
            return File(value)
        case str() if is_data_url(value):
            return from_data_url(value)
        case str() if is_reference(value):
            return _fetched(value, intake)
        case _:
            raise PydanticCustomError("path_type", "Invalid file type")


def _fetched(uri: str, intake: Intake | None) -> File:
    if intake is None:
        raise ValueError("URLs are not accepted here")
    return intake.fetch(uri)
