"""Folders that a node makes once and many replicas use, by the digest of what is in them.

Of each there is a file in `locks`: whoever makes or removes the folder locks it alone, whoever uses
it locks it together with others. It holds the size of the folder once that is whole, and its time
is when the folder was last asked for.
"""

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mesh.errors import InvalidArgument

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{16,64}")


class Lease:
    """The use of a folder: it stays as long as this is open, or the process lives."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Lease {self.path}>"

    def close(self) -> None:
        """Gives it back. May be called twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Item:
    """One folder that is whole, and the file about it."""

    path: Path
    lock: Path
    size: int
    used_at: float


class NodeCache:
    """The folders of a node in `folder`, together about `limit` bytes at most.

    What has not been used for longest is removed first, never what is in use: then there may be
    more. `kind` is a folder in it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        self._locks = folder / "locks"

    def __repr__(self) -> str:
        return f"<NodeCache {self.folder}>"

    def lease(self, kind: str, name: str, make: Callable[[Path], None]) -> Lease:
        """The folder `name`, which `make` is to make at the path it is given if it is not there.

        Whoever asks meanwhile, in whatever process, waits for that. Nothing is left of a folder
        that could not be made, but what `make` raises.
        """
        path, lock = self._paths(kind, name)
        self._locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                fcntl.flock(handle, fcntl.LOCK_SH)
                if _size(handle):
                    os.utime(handle)
                    return Lease(path, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not _size(handle):
                    self._make(path, handle, make)
                    self.tidy()
        except BaseException:
            os.close(handle)
            raise

    def has(self, kind: str, name: str) -> bool:
        """Whether the folder is there as a whole."""
        _, lock = self._paths(kind, name)
        try:
            return bool(lock.read_bytes())
        except FileNotFoundError:
            return False

    def _paths(self, kind: str, name: str) -> tuple[Path, Path]:
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f"not a digest: {name[:100]!r}")
        return self.folder / kind / name, self._locks / f"{kind}-{name}"

    def _make(self, path: Path, handle: int, make: Callable[[Path], None]) -> None:
        remove(path)  # what somebody left who died at it
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            make(path)
        except BaseException:
            remove(path)
            raise
        os.pwrite(handle, str(_measured(path)).encode(), 0)

    def tidy(self) -> None:
        """Removes folders that nobody uses until the others are within the limit."""
        items = sorted(self._items(), key=lambda item: item.used_at)
        total = sum(item.size for item in items)
        for item in items:
            if total <= self._limit:
                return
            if _removed(item):
                _log.info("%s is removed from the cache of this node", item.path)
                total -= item.size

    def _items(self) -> Iterator[_Item]:
        for lock in self._locks.iterdir():
            kind, _, name = lock.name.partition("-")
            text = lock.read_bytes()
            if text:
                yield _Item(self.folder / kind / name, lock, int(text), lock.stat().st_mtime)


def remove(path: Path) -> None:
    """Removes a folder with all in it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


def _removed(item: _Item) -> bool:
    """Removes a folder; False if somebody uses it."""
    handle = os.open(item.lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)  # first: what is half removed is not whole
        remove(item.path)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _size(handle: int) -> int:
    return int(os.pread(handle, 32, 0) or 0)


def _measured(path: Path) -> int:
    """Bytes on the disk that a folder takes: at least one."""
    total = 1
    for folder, _, files in os.walk(path):
        for name in files:
            total += os.lstat(Path(folder, name)).st_blocks * 512
    return total
