"""The log of a mesh in the background, kept within bounds while several processes write to it."""

import shutil
from pathlib import Path

LIMIT = 32 * 2**20
"""Bytes of the log before it is emptied, and of each copy of what was in it."""
KEPT = 3
"""Copies that are kept: `mesh.log.1` is the newest."""


class Rotated:
    """A log that is copied and emptied when it is too long.

    It is not moved away: gateways, and Ray's own processes, have it open as this process has. All
    append, so that they go on at its new end.
    """

    def __init__(self, log: Path, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._log = log
        self._limit = limit
        self._kept = kept
        self._next = limit

    def look(self) -> None:
        """Copies and empties the log if it is too long.

        Raises OSError if that cannot be done; it is tried again when there is more in it.
        """
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            return
        if size < self._next:
            return
        self._next = size + self._limit
        self._empty()
        self._next = self._limit

    def _empty(self) -> None:
        fresh = self._copy(0)  # until it is whole
        try:
            with self._log.open("r+b") as log, fresh.open("wb") as copy:
                fresh.chmod(self._log.stat().st_mode & 0o777)
                shutil.copyfileobj(log, copy)
                copy.flush()
                log.truncate(0)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        for number in reversed(range(self._kept)):
            if (older := self._copy(number)).exists():
                older.replace(self._copy(number + 1))

    def _copy(self, number: int) -> Path:
        return self._log.with_name(f"{self._log.name}.{number}")
