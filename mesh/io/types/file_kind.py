"""`mesh.File` as a parameter and a result: content with its media type and name."""

from dataclasses import dataclass
from typing import Any

from mesh.io.types.content_type import ContentType
from mesh.io.types.file import File
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.path import PathKind
from mesh.io.types.source import incoming


@dataclass(frozen=True, slots=True)
class FileKind(Kind):
    """A file as it crosses the mesh; one on disk stays there."""

    content_type: ContentType | None = None

    def marked(self, marker: object) -> "FileKind":
        """This kind with a `ContentType`; raises TypeError for other markers."""
        if not isinstance(marker, ContentType):
            raise TypeError(f"{marker!r} says nothing about a file")
        return FileKind(marker)

    def load(self, value: Any, intake: Intake | None) -> File:
        """The file, from one, a data URL or an http(s) URL; raises as `incoming` does."""
        return incoming(value, intake, self.content_type)

    def check(self, value: Any) -> File:
        """The file; raises ValueError for anything else, or if its content is gone."""
        if not isinstance(value, File):
            raise ValueError(f"must be a File, not {type(value).__name__}")  # noqa: TRY004  # pydantic's
        if value.path is not None and not value.path.is_file():
            raise ValueError(f"there is no file {str(value.path)!r}")
        return value

    def wire(self, value: File) -> File:
        """The file itself."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """As of a path."""
        return PathKind(self.content_type).json_schema()


def kind(_annotation: Any) -> FileKind:
    """What `mesh.File` says: any file."""
    return FileKind()


def wire_value(value: File) -> File:
    """Files are themselves."""
    return value
