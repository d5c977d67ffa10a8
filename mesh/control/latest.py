"""One value that changes, and readers that want the newest."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A value with any number of readers; a slow reader skips values, never the newest.

    For one event loop. Without a value yet, readers wait.
    """

    def __init__(self) -> None:
        self._values: list[T] = []
        self._changed = asyncio.Event()
        self.readers = 0

    @property
    def value(self) -> T | None:
        """The newest value; None before the first."""
        return self._values[0] if self._values else None

    def put(self, value: T) -> None:
        """Makes `value` the newest."""
        self._values = [value]
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch(self) -> AsyncIterator[T]:
        """The newest value at once, then each time there is a newer one the newest. Endless."""
        self.readers += 1
        try:
            seen: list[T] | None = None
            while True:
                changed = self._changed
                if self._values and self._values is not seen:
                    seen = self._values
                    yield seen[0]
                else:
                    await changed.wait()
        finally:
            self.readers -= 1

    def __repr__(self) -> str:
        return f"Latest({self.value!r}, readers={self.readers})"
