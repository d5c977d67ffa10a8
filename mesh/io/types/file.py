"""A file on its way: its content, or where that is."""

from dataclasses import dataclass
from pathlib import Path

OCTETS = "application/octet-stream"
"""Media type of content of which nothing else is known."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it crosses the mesh.

    The content is `data`, or it is at `path` on this machine, or it is yet to be fetched from
    `uri`. `media_type` and `filename` (a base name, without folders) are empty where the sender
    gave none.
    """

    data: bytes = b""
    media_type: str = ""
    filename: str = ""
    path: Path | None = None
    uri: str = ""
