"""Archives by the digest of their content, in a folder or in a store that is reached by URL.

What comes is written to a file of the folder `incoming` first, a few MiB in memory at most; only
what is whole gets its name.
"""

import asyncio
import errno
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from mesh.errors import InvalidArgument, NotFound, TooLarge, Unavailable
from mesh.releases.contract import Blobs

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
GATHERED = 2**19
"""Bytes that are gathered before a thread is given them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A content that is kept. `changed_at` is in seconds since the Unix epoch."""

    digest: str
    size: int
    changed_at: float


class Vault(Blobs, Protocol):
    """Blobs, for the registry: files that have come whole become contents of their own."""

    @property
    def incoming(self) -> Path:
        """The folder of this machine for what is on its way."""
        ...

    async def keep(self, arrived: "Arrived") -> None:
        """Takes a file over as a content. It is gone from where it was then. Raises Unavailable."""
        ...

    async def all(self) -> tuple[Kept, ...]:
        """What there is."""
        ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that has come whole: where it is, its digest and size."""

    path: Path
    digest: str
    size: int


def hex_of(digest: str) -> str:
    """The hexadecimal digits of a digest. Raises InvalidArgument for what is none."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidArgument(f"not a digest: {digest[:100]!r}")
    return digest.partition(":")[2]


@contextmanager
def needing_room() -> Iterator[None]:
    """Raises Unavailable where the block finds that the disk has no room left."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Unavailable("there is no room left for what is uploaded") from error


class Receipt:
    """Writes content to a new file, hashing as it goes. Blocks; removes the file unless `arrived`.

    Raises TooLarge beyond `limit` bytes, and Unavailable if there is no room for it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        with needing_room():
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = mkstemp(prefix=".arriving-", dir=folder)
        self._file: BinaryIO = os.fdopen(handle, "wb", buffering=0)
        self._path = Path(name)
        self._hash = hashlib.sha256()
        self._limit = limit
        self._size = 0
        self._is_whole = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, data: bytes | memoryview) -> None:
        """Adds to the content."""
        self._size += len(data)
        if self._size > self._limit:
            raise TooLarge(f"it is larger than {self._limit} bytes")
        self._hash.update(data)
        left = memoryview(data)
        with needing_room():
            while left:
                left = left[self._file.write(left) or 0 :]

    def arrived(self) -> Arrived:
        """The whole file, which is on the disk for good."""
        with needing_room():
            os.fsync(self._file.fileno())
            self._file.close()
        self._is_whole = True
        return Arrived(self._path, f"sha256:{self._hash.hexdigest()}", self._size)

    def close(self) -> None:
        """Removes the file, unless it has arrived."""
        self._file.close()
        if not self._is_whole:
            self._path.unlink(missing_ok=True)


async def receive(chunks: AsyncIterator[bytes], folder: Path, limit: int) -> Arrived:
    """Writes what comes to a file of `folder`. Nothing is left if it raises.

    Raises TooLarge beyond `limit` bytes, Unavailable if there is no room, and what `chunks` raises.
    """
    receipt = await asyncio.to_thread(Receipt, folder, limit)
    try:
        async for piece in _gathered(chunks):
            await asyncio.to_thread(receipt.write, piece)
        return await asyncio.to_thread(receipt.arrived)
    finally:
        receipt.close()


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Fewer and larger chunks, so that changing threads costs little."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= GATHERED:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


class DiskBlobs:
    """See contract.Blobs and Vault. `folder` is made when something is put.

    `folder/sha256/ab/cdef...` holds the content with the digest `sha256:abcdef...`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"<DiskBlobs {self._folder}>"

    @property
    def incoming(self) -> Path:
        """As of Vault."""
        return self._folder / "incoming"

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """As of Blobs."""
        arrived = await receive(chunks, self.incoming, limit)
        await self.keep(arrived)
        return arrived.digest, arrived.size

    async def keep(self, arrived: Arrived) -> None:
        """As of Vault."""
        await asyncio.to_thread(self._keep, arrived)

    def _keep(self, arrived: Arrived) -> None:
        path = self._path(arrived.digest)
        with needing_room():
            path.parent.mkdir(parents=True, exist_ok=True)
            arrived.path.chmod(0o600)
            arrived.path.replace(path)
            os.utime(path)
            for folder in (path.parent, path.parent.parent):
                _settle(folder)

    async def size(self, digest: str) -> int | None:
        """As of Blobs."""
        path = self._path(digest)
        return await asyncio.to_thread(_size, path)

    async def read(self, digest: str, offset: int, limit: int) -> bytes:
        """As of Blobs."""
        path = self._path(digest)
        return await asyncio.to_thread(_read, path, digest, offset, limit)

    async def delete(self, digest: str) -> None:
        """As of Blobs."""
        path = self._path(digest)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def all(self) -> tuple[Kept, ...]:
        """As of Vault."""
        return await asyncio.to_thread(lambda: tuple(self._all()))

    def _all(self) -> Iterator[Kept]:
        for path in sorted((self._folder / "sha256").glob("??/*")):
            digest = f"sha256:{path.parent.name}{path.name}"
            with suppress(FileNotFoundError):
                found = path.stat()
                if _DIGEST.fullmatch(digest):
                    yield Kept(digest, found.st_size, found.st_mtime)

    def _path(self, digest: str) -> Path:
        digits = hex_of(digest)
        return self._folder / "sha256" / digits[:2] / digits[2:]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _read(path: Path, digest: str, offset: int, limit: int) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(limit)
    except FileNotFoundError:
        raise NotFound(f"there is no content {digest}") from None


def _settle(folder: Path) -> None:
    """Has the names in a folder written to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path, before: float, clock: Callable[[], float] = time.time) -> None:
    """Removes files that nobody has sent anything of for more than `before` seconds."""
    for path in folder.glob(".arriving-*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < clock() - before:
                path.unlink()
