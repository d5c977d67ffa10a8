"""The log of a mesh in the background, kept within bounds while several processes write to it."""

import logging
import shutil
from pathlib import Path
from typing import BinaryIO

LIMIT = 32 * 2**20
"""Bytes of the log before it is emptied: about what each copy has."""
KEPT = 3
"""Copies that are kept: `mesh.log.1` is the newest."""
_log = logging.getLogger(__name__)


class Rotated:
    """A log that is copied and emptied when it is too long.

    It is not moved away: gateways, and Ray's own processes, have it open as this process has. All
    append, so that they go on at its new end. What they write between the end of the copy and the
    emptying is lost, and so is what a log that grew fast has before its last 2 * `limit` bytes.
    """

    def __init__(self, log: Path, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._log = log
        self._limit = limit
        self._kept = kept
        self._next = limit

    def look(self) -> None:
        """Copies and empties the log if it is too long; it says so if there was no room for a copy.

        Raises OSError if it cannot be emptied; that is tried again when there is more in it.
        """
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            return
        if size < self._next:
            return
        self._next = size + self._limit
        self._empty(size)
        self._next = self._limit

    def _empty(self, size: int) -> None:
        with self._log.open("r+b") as log:
            log.seek(max(0, size - 2 * self._limit))
            try:
                self._keep(log)
            except OSError as error:  # a log that grows would take what room there is
                log.truncate(0)
                _log.warning("the log was emptied, and no copy kept: %s", error)
            else:
                log.truncate(0)

    def _keep(self, log: BinaryIO) -> None:
        self._copy(self._kept).unlink(missing_ok=True)  # makes room
        fresh = self._copy(0)  # until it is whole
        try:
            with fresh.open("wb") as copy:
                fresh.chmod(self._log.stat().st_mode & 0o777)
                shutil.copyfileobj(log, copy)
        except OSError:
            if fresh.is_file():
                fresh.unlink()
            raise
        for number in reversed(range(self._kept)):
            if (older := self._copy(number)).exists():
                older.replace(self._copy(number + 1))

    def _copy(self, number: int) -> Path:
        return self._log.with_name(f"{self._log.name}.{number}")
