"""A body that is the root input itself: a text, a file, an image, bytes."""

from typing import Any

from pydantic_core import from_json

from mesh.call import JSON
from mesh.io.arguments import Arguments, Bound
from mesh.io.bodies.limits import Limits
from mesh.io.bodies.spool import Spool
from mesh.io.files.folder import Folder
from mesh.io.media import essence
from mesh.io.types.kind import Intake

_LONGEST_URL = 8192
"""Bytes of a body that may be the address of the file, and not the file."""


def decode_text(arguments: Arguments, body: bytes, intake: Intake | None) -> tuple[Bound, Any]:
    """The arguments from the body of a root input that is a str: UTF-8, with nothing taken off.

    An empty body is the default, or without one the empty text. Raises InvalidArgument.
    """
    if not body:
        return arguments.load_json(b"", intake)
    try:
        text: str | bytes = body.decode()
    except UnicodeDecodeError:
        text = body  # which pydantic refuses in its own words
    return arguments.load(text, intake)


class FileReader:
    """Reads the body of a root input that is a file, an image or bytes.

    The content-type says nothing about it: clients that know none send any.
    """

    __slots__ = ("_arguments", "_intake", "_may_be_url", "_media_type", "_spool")
    only_keeps = False

    def __init__(
        self,
        arguments: Arguments,
        media_type: str,
        *,
        may_be_url: bool,
        folder: Folder | None,
        intake: Intake | None,
        limits: Limits,
    ) -> None:
        """With `may_be_url`, a short body that is an http(s) URL is fetched."""
        self._arguments = arguments
        self._intake = intake
        self._media_type = essence(media_type)
        self._may_be_url = may_be_url
        self._spool = Spool(folder, limits.in_memory)

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body."""
        self._spool.write(data)

    def finish(self) -> tuple[Bound, Any]:
        """The arguments; an empty body is the default, or without one an empty file."""
        arguments, spool = self._arguments, self._spool
        if not spool.size and arguments.adapter.get_default_value() is not None:
            return arguments.load_json(b"", self._intake)
        text = self._text() if self._may_be_url else None
        return arguments.load(spool.file() if text is None else text, self._intake)

    def _text(self) -> str | None:
        """What the body says about the file, if it isn't the file."""
        spool = self._spool
        if self._media_type == JSON and spool.starts_with(b'"'):
            try:
                value = from_json(spool.read())
            except ValueError:
                return None
            return value if isinstance(value, str) else None
        if spool.size <= _LONGEST_URL and spool.starts_with(b"http"):
            text = spool.read().decode("latin-1").strip()
            if text.startswith(("http://", "https://")) and len(text.split()) == 1:
                return text
        return None

    def close(self) -> None:
        """Lets go of the open file."""
        self._spool.close()
