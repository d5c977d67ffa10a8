"""Parts of archives on their way: files of this machine, until all of them are there. Blocks."""

import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mesh.errors import FailedPrecondition, InvalidArgument
from mesh.releases.blobs import Arrived, Receipt, needing_room

MOST = 10_000
_PIECE = 2**20
_UPLOAD = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Part:
    """One part, and the tag by which its client knows it: the SHA-256 of its content."""

    number: int
    etag: str
    size: int
    path: Path


class Parts:
    """The parts of one upload, in a folder of its own that is made when the first comes."""

    def __init__(self, incoming: Path, upload_id: str) -> None:
        if not _UPLOAD.fullmatch(upload_id):
            raise InvalidArgument("the id of an upload is 32 hexadecimal digits")
        self.folder = incoming / f"parts-{upload_id}"

    def __repr__(self) -> str:
        return f"<Parts {self.folder.name}>"

    def all(self) -> dict[int, Part]:
        """The parts that are there, by number."""
        found = {}
        for path in self.folder.glob("[0-9]*-*") if self.folder.is_dir() else ():
            number, _, etag = path.name.partition("-")
            with suppress(FileNotFoundError):
                found[int(number)] = Part(int(number), etag, path.stat().st_size, path)
        return found

    def keep(self, number: int, arrived: Arrived) -> Part:
        """Takes a part over, in place of what has its number. Raises Unavailable without room."""
        etag = arrived.digest.partition(":")[2]
        path = self.folder / f"{number}-{etag}"
        with needing_room():
            self.folder.mkdir(parents=True, exist_ok=True)
            arrived.path.replace(path)
        for other in self.folder.glob(f"{number}-*"):
            if other != path:
                other.unlink(missing_ok=True)
        return Part(number, etag, arrived.size, path)

    def joined(self, wanted: Sequence[tuple[int, str]], limit: int) -> Arrived:
        """One file of the parts whose numbers and tags the client has listed.

        Others are of an earlier try. Raises FailedPrecondition or InvalidArgument if these are not
        what is there.
        """
        chosen = _chosen(self.all(), wanted)
        with Receipt(self.folder.parent, limit) as receipt:
            for part in chosen:
                try:
                    with part.path.open("rb", buffering=0) as file:
                        while piece := file.read(_PIECE):
                            receipt.write(piece)
                except FileNotFoundError:
                    raise FailedPrecondition(
                        f"part {part.number} was uploaded again meanwhile"
                    ) from None
            return receipt.arrived()

    def remove(self) -> None:
        """Removes them all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def checked_number(number: int) -> int:
    """The number of a part. Raises InvalidArgument for what is none."""
    if not 1 <= number <= MOST:
        raise InvalidArgument(f"part_number: from 1 to {MOST}, not {number}")
    return number


def _chosen(there: dict[int, Part], wanted: Sequence[tuple[int, str]]) -> list[Part]:
    numbers = [number for number, _ in wanted]
    if not wanted or numbers != list(range(1, len(wanted) + 1)):
        raise InvalidArgument("parts: all from the first to the last, in their order")
    chosen = []
    for number, etag in wanted:
        part = there.get(number)
        if part is None or part.etag != etag.strip('"'):
            raise FailedPrecondition(
                f"parts: {number} was not uploaded, or is another than the one with this etag"
            )
        chosen.append(part)
    return chosen


def sweep_parts(incoming: Path, before: float, clock: Callable[[], float] = time.time) -> None:
    """Removes the parts of uploads to which nothing was added for `before` seconds."""
    for folder in incoming.glob("parts-*"):
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < clock() - before:
                shutil.rmtree(folder, ignore_errors=True)
