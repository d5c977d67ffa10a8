"""The body of one reply as it is sent: bytes, and files that are read while they go out."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mesh.call import Metadata
from mesh.errors import Internal

PIECE = 256 * 1024
"""Bytes of a file that are in memory at a time."""

Part = bytes | Path
"""A part of a body: its bytes, or the file that has them."""


@dataclass(frozen=True, slots=True)
class ReplyBody:
    """What is sent for one result: `parts` one after the other, `size` bytes in all.

    `metadata` are header fields that say more about it, `status` an HTTP status (0: what the
    reply's own is). A result that makes its bytes as they are sent has `chunks` in place of
    parts, and no size; who sends it closes them. `after` is done when the reply was sent.
    """

    media_type: str
    parts: tuple[Part, ...] = ()
    size: int | None = None
    metadata: Metadata = ()
    status: int = 0
    chunks: AsyncGenerator[bytes] | None = None
    after: Callable[[], Awaitable[None]] | None = None

    @property
    def data(self) -> bytes | None:
        """The whole of it, if it is in memory and one part; else None."""
        if self.chunks is not None or len(self.parts) > 1:
            return None
        part = self.parts[0] if self.parts else b""
        return part if isinstance(part, bytes) else None

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the parts, at most PIECE of a file at a time. Blocks on the disk.

        Raises Internal for a file that is gone, or is not as long as it was.
        """
        left = self.size
        for part in self.parts:
            for piece in (part,) if isinstance(part, bytes) else _read(part):
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        raise Internal(f"{_name(part)} grew while it was sent")
                if piece:
                    yield piece
        if left:
            raise Internal("a file of the reply shrank while it was sent")


def body_of(
    media_type: str, *parts: Part, metadata: Metadata = (), size: int | None = None
) -> ReplyBody:
    """A body of these parts; asks the disk for the sizes of files. Raises OSError."""
    if size is None:
        size = sum(len(part) if isinstance(part, bytes) else part.stat().st_size for part in parts)
    return ReplyBody(media_type, parts, size, metadata)


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
    except OSError as error:
        raise Internal(f"{path.name} cannot be read: {error.strerror}") from error


def _name(part: Part) -> str:
    return "a part" if isinstance(part, bytes) else part.name
