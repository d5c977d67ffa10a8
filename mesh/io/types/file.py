"""A file on its way: its content, or where that is."""

import io
import shutil
from pathlib import Path
from typing import BinaryIO

OCTETS = "application/octet-stream"
"""Media type of content of which nothing else is known."""


class File:
    """A file as it crosses the mesh: content with its media type and name.

        client.transcribe(audio=mesh.File(data, "audio/mpeg", "talk.mp3"))

    As a parameter or result of a method it is what `Path` is, with both at hand. The content is
    `data`, or it is at `path` on this machine, or it is yet to be fetched from `uri`. `media_type`
    and `filename` (a base name, without folders) are empty where the sender gave none. Immutable.
    No dataclass: pydantic would take it apart where it writes one.
    """

    __match_args__ = ("data", "media_type", "filename", "path", "uri")
    __slots__ = __match_args__

    def __init__(
        self,
        data: bytes = b"",
        media_type: str = "",
        filename: str = "",
        path: Path | None = None,
        uri: str = "",
    ) -> None:
        self.data = data
        self.media_type = media_type
        self.filename = filename
        self.path = path
        self.uri = uri

    def __repr__(self) -> str:
        where = self.uri or (str(self.path) if self.path else f"{len(self.data)} bytes")
        return f"File({where}, {self.media_type!r}, {self.filename!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[object, ...]:
        return self.data, self.media_type, self.filename, self.path, self.uri

    @property
    def size(self) -> int:
        """Bytes of content. Raises ValueError if it is yet to be fetched, OSError if it is gone."""
        self._must_be_here()
        return len(self.data) if self.path is None else self.path.stat().st_size

    def read(self) -> bytes:
        """The whole content; raises as `size` does."""
        self._must_be_here()
        return self.data if self.path is None else self.path.read_bytes()

    def open(self) -> BinaryIO:
        """The content as a stream of bytes, for the caller to close; raises as `size` does."""
        self._must_be_here()
        return io.BytesIO(self.data) if self.path is None else self.path.open("rb")

    def save(self, target: str | Path) -> Path:
        """Writes the content to `target`, or under its own name into a folder; returns where.

        Raises ValueError as `size` does and for a folder where the file has no name, OSError where
        nothing can be written.
        """
        self._must_be_here()
        target = Path(target)
        if target.is_dir():
            name = Path(self.filename).name
            if not name or name == "..":
                raise ValueError(f"the file has no name to take in the folder {target}")
            target = target / name
        if self.path is None:
            target.write_bytes(self.data)
        else:
            shutil.copyfile(self.path, target)
        return target

    def named(self, filename: str, media_type: str = "") -> "File":
        """The same content under another name, and if given another media type."""
        return File(self.data, media_type or self.media_type, filename, self.path, self.uri)

    def _must_be_here(self) -> None:
        if self.uri:
            raise ValueError("the content of this file is yet to be fetched from its URL")
