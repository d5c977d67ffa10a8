"""Files of codespaces as the cloud API has them."""

import base64
import binascii
from typing import Annotated

from pydantic import BeforeValidator

from mesh.errors import InvalidArgument
from mesh.faces.cloud.wire.base import Sent, Wire
from mesh.releases.codespace import Codespace

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class FileSent(Sent):
    """A file; its content is in base64."""

    path: str
    b64_encoded_content: Text = ""


class FilesSent(Sent):
    """Files that are new, or take the place of others."""

    files: tuple[FileSent, ...]


class PathsSent(Sent):
    """Files that are to be removed."""

    paths: tuple[str, ...]


class FileView(Wire):
    """A file that is there."""

    path: str
    size: int
    md5: str


class FilesView(Wire):
    """All files of a codespace."""

    files: tuple[FileView, ...]


def contents_of(sent: FilesSent) -> dict[str, bytes]:
    """The files that a client sends, by path. Raises InvalidArgument for what is no base64."""
    found = {}
    for file in sent.files:
        try:
            found[file.path] = base64.b64decode(file.b64_encoded_content, validate=True)
        except (binascii.Error, ValueError):
            where = f"the content of {file.path[:200]!a}"
            raise InvalidArgument(f"files: {where} is not in base64") from None
    return found


def files_view(space: Codespace | None) -> FilesView:
    """All files of a codespace, in the order of their paths."""
    files = sorted(space.files.items()) if space is not None else ()
    return FilesView(
        files=tuple(FileView(path=path, size=each.size, md5=each.md5) for path, each in files)
    )
