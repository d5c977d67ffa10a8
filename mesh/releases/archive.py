"""Archives of releases and models: tar files that strangers send. Blocks; takes little memory.

They are checked before anything in them is used, and checked again when they are unpacked.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, BinaryIO, cast

from mesh.errors import InvalidArgument
from mesh.releases.names import Names, Shape, settled_link, settled_path, shown

DOCUMENT = 4 * 2**20
"""Bytes of `bento.yaml` or `model.yaml`."""
_PIECE = 2**20
_HEADER = 64 * 2**10
"""Bytes of a header, with its long names and attributes."""
_ATTRIBUTES = 64
"""Attributes that hold for all entries that follow."""
_BLOCK = 512
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK": "zip",
}
_SHAPES = {
    tarfile.DIRTYPE: Shape.FOLDER,
    tarfile.REGTYPE: Shape.FILE,
    tarfile.AREGTYPE: Shape.FILE,
    tarfile.SYMTYPE: Shape.SYMBOLIC_LINK,
    tarfile.LNKTYPE: Shape.HARD_LINK,
}


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """`size` in bytes of the archive; `entries` counts files, folders and links in it."""

    size: int = 64 * 2**30
    entries: int = 200_000


@dataclass(frozen=True, slots=True)
class Member:
    """One entry, checked: its `path` in the folder, and the `target` of a link as to be made."""

    path: str
    shape: Shape
    size: int = 0
    is_executable: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive holds: how many entries, bytes of files in all, one file's own bytes."""

    entries: int
    size: int
    document: bytes


def check(archive: Path, document: str, limits: ArchiveLimits | None = None) -> Contents:
    """Looks at all entries of an archive, and reads the file `document` in it.

    Raises InvalidArgument, saying what is wrong: it is no uncompressed tar file or not whole, it
    holds what is no file, folder or link, or a path or link out of its folder, or the same path
    twice, or too much, or no such document.
    """
    entries, size, found = 0, 0, None
    with _opened(archive, limits or ArchiveLimits()) as members:
        for member, content in members:
            entries += 1
            size += member.size
            if member.path == document and member.shape is Shape.FILE:
                if member.size > DOCUMENT:
                    raise InvalidArgument(f"{document} is larger than {DOCUMENT // 2**20} MiB")
                found = content.read()
    if found is None:
        raise InvalidArgument(f"the archive has no {document} at its top")
    return Contents(entries, size, found)


def unpack(archive: Path, folder: Path, limits: ArchiveLimits | None = None) -> None:
    """Unpacks an archive as `folder`: all of it, or nothing. A folder that is there already stays.

    Files get the rights 0644, or 0755 where their owner may run them; owners and times in the
    archive do not count. Raises InvalidArgument as `check` does, and OSError if there is no room.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(prefix=f".{folder.name[:40]}-", dir=folder.parent))
    try:
        made.chmod(0o755)
        with _opened(archive, limits or ArchiveLimits()) as members:
            for member, content in members:
                _make(made, member, content)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else somebody was faster, with the same
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make(top: Path, member: Member, content: BinaryIO) -> None:
    path = top / member.path
    folder = path if member.shape is Shape.FOLDER else path.parent
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    match member.shape:
        case Shape.FILE:
            mode = 0o755 if member.is_executable else 0o644
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            with os.fdopen(handle, "wb") as file:
                shutil.copyfileobj(content, file, _PIECE)
        case Shape.SYMBOLIC_LINK:
            path.symlink_to(member.target)
        case Shape.HARD_LINK:
            path.hardlink_to(top / member.target)


@contextmanager
def _opened(archive: Path, limits: ArchiveLimits) -> Iterator[Iterator[tuple[Member, BinaryIO]]]:
    """The entries of an archive one after the other, each with what is in it."""
    size = archive.stat().st_size
    if size > limits.size:
        raise InvalidArgument(f"the archive is larger than {limits.size} bytes")
    with archive.open("rb") as file:
        _require_plain(file.read(_BLOCK))
        file.seek(0)
        try:
            reading = cast("IO[bytes]", _Sparing(file))
            with tarfile.open(fileobj=reading, mode="r:", errorlevel=2) as tar:
                yield _members(tar, file, limits)
        except (tarfile.TarError, RecursionError, ValueError, OverflowError) as error:
            raise InvalidArgument(f"the archive is no whole tar file: {_reason(error)}") from None


def _require_plain(head: bytes) -> None:
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise InvalidArgument(f"the archive is compressed ({name}): a plain tar is wanted")


def _reason(error: BaseException) -> str:
    return shown(str(error)).strip("'\"") or "it is damaged"


class _Sparing:
    """A file of which no piece is read that is larger than a header may be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER:
            raise tarfile.ReadError("a header in it is too large")
        return self._file.read(size)


class _Content:
    """What is in one entry, from where it lies in the archive."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._at = start
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        self._file.seek(self._at)
        piece = self._file.read(wanted)
        if len(piece) < wanted:
            raise tarfile.ReadError("it ends too early")
        self._at += wanted
        self._left -= wanted
        return piece


def _members(
    tar: tarfile.TarFile, file: BinaryIO, limits: ArchiveLimits
) -> Iterator[tuple[Member, BinaryIO]]:
    names = Names(limits.entries)
    seen: list[tarfile.TarInfo] = vars(tar)["members"]
    count, size = 0, 0
    while (info := tar.next()) is not None:
        seen.clear()  # else all of them are kept
        count += 1
        member = _member(info, names)
        size += member.size
        if count > limits.entries:
            raise InvalidArgument(f"the archive holds more than {limits.entries} entries")
        if len(tar.pax_headers) > _ATTRIBUTES:
            raise tarfile.ReadError("it has too many attributes")
        if size > limits.size:
            raise InvalidArgument(f"the archive holds more than {limits.size} bytes")
        yield member, cast("BinaryIO", _Content(file, info.offset_data, member.size))
    # What comes next has to be the mark of the end: tarfile ends at anything that is no header.
    file.seek(tar.offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise tarfile.ReadError("it ends too early, or is damaged")


def _member(info: tarfile.TarInfo, names: Names) -> Member:
    path = settled_path(info.name)
    shape = _SHAPES.get(info.type)
    if shape is None or info.issparse() or info.size < 0:
        raise InvalidArgument(f"{shown(info.name)} in the archive is no file, folder or link")
    if not path:
        if shape is not Shape.FOLDER:
            raise InvalidArgument("the archive holds something in place of its folder")
        return Member("", shape)
    target = ""
    if shape is Shape.SYMBOLIC_LINK:
        target = settled_link(path, info.linkname)
    elif shape is Shape.HARD_LINK:
        target = settled_path(info.linkname)
    names.add(path, shape, target)
    size = info.size if shape is Shape.FILE else 0
    return Member(path, shape, size, bool(info.mode & 0o100), target)
