"""A service whose streams wait for their client."""

import asyncio
from collections.abc import AsyncIterator

import mesh


@mesh.service(threads=2)
class Talk:
    """Streams both ways."""

    @mesh.api
    async def total(self, numbers: AsyncIterator[int]) -> int:
        """The sum of what comes."""
        return sum([number async for number in numbers])

    @mesh.api
    async def double(self, numbers: AsyncIterator[int], times: int = 2) -> AsyncIterator[int]:
        async for number in numbers:
            yield number * times

    @mesh.api
    async def size(self, chunks: AsyncIterator[bytes]) -> int:
        return sum([len(chunk) async for chunk in chunks])

    @mesh.api
    async def forever(self, word: str) -> AsyncIterator[str]:
        """The word, and then nothing more."""
        yield word
        await asyncio.Event().wait()

    @mesh.api
    async def waits(self) -> int:
        """Never answers."""
        await asyncio.Event().wait()
        return 0
