"""Content that comes in pieces: in memory while it is small, then in a file."""

import os
import tempfile
from pathlib import Path

from mesh.io.files.folder import Folder
from mesh.io.types.file import File


class Spool:
    """One content on its way in.

    `folder` is the call's; without one everything stays in memory. `in_memory` is the size up to
    which content does not go to a file.
    """

    __slots__ = ("_folder", "_handle", "_in_memory", "_parts", "path", "size")

    def __init__(self, folder: Folder | None, in_memory: int) -> None:
        self._folder = folder
        self._in_memory = in_memory
        self._parts: list[bytes] = []
        self._handle = -1
        self.path: Path | None = None
        self.size = 0

    def __repr__(self) -> str:
        return f"<Spool {self.size} bytes at {self.path or 'memory'}>"

    def write(self, data: bytes) -> None:
        """Adds to the content. Raises OSError if the disk takes no more, or the folder is gone."""
        self.size += len(data)
        if self.path is None and (self._folder is None or self.size <= self._in_memory):
            self._parts.append(data)
            return
        if self.path is None:
            self._open()
        _write_all(self._handle, data)

    def _open(self) -> None:
        assert self._folder is not None  # noqa: S101  # `write` looked
        # In a folder that was removed meanwhile this fails, and makes nothing.
        self._handle, name = tempfile.mkstemp(prefix="body-", dir=self._folder.path)
        self.path = Path(name)
        parts, self._parts = self._parts, []
        for part in parts:
            _write_all(self._handle, part)

    def file(self, media_type: str = "", filename: str = "") -> File:
        """Ends the content; it is where it came to lie."""
        self.close()
        if self.path is None:
            return File(b"".join(self._parts), media_type, filename)
        return File(b"", media_type, filename, self.path)

    def read(self) -> bytes:
        """Ends the content and reads it whole."""
        self.close()
        return b"".join(self._parts) if self.path is None else self.path.read_bytes()

    def starts_with(self, prefix: bytes) -> bool:
        """Whether the content, which has ended, begins so."""
        if self.path is None:
            return b"".join(self._parts).startswith(prefix)
        self.close()
        with self.path.open("rb") as file:
            return file.read(len(prefix)) == prefix

    def close(self) -> None:
        """Lets go of the open file. May be called twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
