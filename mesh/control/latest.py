"""One value that changes, and readers that want the newest."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = 16
"""Values that are kept, the newest among them."""


class Latest(Generic[T]):
    """A value with any number of readers; a slow reader skips values, never the newest.

    For one event loop. Without a value yet, readers wait.
    """

    def __init__(self) -> None:
        self._kept: deque[T] = deque(maxlen=KEPT)
        self._readers: set[_Reader[T]] = set()

    @property
    def value(self) -> T | None:
        """The newest value; None before the first."""
        return self._kept[-1] if self._kept else None

    @property
    def kept(self) -> Sequence[T]:
        """The newest value and some before it, the newest last."""
        return self._kept

    @property
    def readers(self) -> int:
        """How many read now."""
        return len(self._readers)

    def put(self, value: T) -> None:
        """Makes `value` the newest."""
        self._kept.append(value)
        for reader in self._readers:
            reader.look(value)

    async def watch(self, part: Callable[[T], object] | None = None) -> AsyncGenerator[T]:
        """The newest value at once, then each time there is a newer one the newest. Endless.

        With `part` only those count of which it gives another object than of the one before: so
        that readers of a small part sleep on while all else changes.
        """
        reader = _Reader(part)
        self._readers.add(reader)
        try:
            if self._kept:
                reader.news.set()
            while True:
                await reader.news.wait()
                yield reader.read(self._kept[-1])
        finally:
            self._readers.discard(reader)

    def __repr__(self) -> str:
        return f"Latest({self.value!r}, readers={self.readers})"


class _Reader(Generic[T]):
    """One that reads; `news` is set while there is something that it has not read."""

    def __init__(self, part: Callable[[T], object] | None) -> None:
        self._part = part
        self._seen: object = self  # which no part is, while None may be one
        self.news = asyncio.Event()

    def look(self, value: T) -> None:
        if self._part is None or self._part(value) is not self._seen:
            self.news.set()

    def read(self, value: T) -> T:
        self.news.clear()
        if self._part is not None:
            self._seen = self._part(value)
        return value
