"""Paths as parameters and results: files."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from mesh.io.files.name import given_name, guess_media_type
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import OCTETS, File
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.source import incoming


@dataclass(frozen=True, slots=True)
class PathKind(Kind):
    """A file by its path: an argument's is in the call's own folder, a result's anywhere."""

    content_type: ContentType | None = None

    def marked(self, marker: object) -> "PathKind":
        """This kind with a `ContentType`; raises TypeError for other markers."""
        if not isinstance(marker, ContentType):
            raise TypeError(f"{marker!r} says nothing about a file")
        return PathKind(marker)

    def load(self, value: Any, intake: Intake | None) -> Path:
        """A new file in the call's folder, from a file, a data URL or an http(s) URL.

        Raises as `incoming` does, and OSError if the file can't be written.
        """
        file = incoming(value, intake, self.content_type)
        if intake is None:
            raise ValueError("files are not accepted here")
        return intake.keep(file)

    def check(self, value: Any) -> Path:
        """The path of a regular file; raises ValueError for anything else."""
        if not isinstance(value, PurePath | str):
            what = type(value).__name__
            raise ValueError(f"must be the path of a file, not {what}")  # noqa: TRY004  # as pydantic reads it
        path = Path(value)
        if not path.is_file():
            raise ValueError(f"there is no file {str(path)!r}")
        return path

    def wire(self, value: Any) -> File:
        """The file at the path, under its name."""
        path = Path(value)
        return File(media_type=self._media_type(path), filename=given_name(path), path=path)

    def _media_type(self, path: Path) -> str:
        if self.content_type is not None and not self.content_type.is_pattern:
            return self.content_type.pattern
        return guess_media_type(path.name) or OCTETS

    def json_schema(self) -> dict[str, Any]:
        """A file, of the part of its media type before the slash if that is known."""
        if self.content_type is None:
            return {"type": "file", "format": "binary"}
        pattern = self.content_type.pattern
        return {"type": "file", "format": pattern.partition("/")[0], "content_type": pattern}


def kind(_annotation: Any) -> PathKind:
    """What `Path` says: any file."""
    return PathKind()


def wire_value(value: PurePath) -> File:
    """The file at the path. Raises ValueError if there is none."""
    any_file = PathKind()
    return any_file.wire(any_file.check(value))
