"""Services whose streams wait for their client, and with unions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel

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


class Part(BaseModel):
    name: str
    note: str | None = None
    size: int | list[int] = 1


@mesh.service
class Unions:
    """Parameters that take one type or another."""

    @mesh.api
    def number_or_text(self, v: int | str) -> str:
        return f"{type(v).__name__} {v}"

    @mesh.api
    def optional(self, v: int | str | None = None) -> str:
        return f"{type(v).__name__} {v}"

    @mesh.api
    def numbers(self, v: int | list[int]) -> str:
        return repr(v)

    @mesh.api
    def one_or_many(self, v: str | list[str]) -> int:
        return len(v)

    @mesh.api
    def file_or_text(self, v: Path | str) -> str:
        return type(v).__name__

    @mesh.api
    def part_or_number(self, v: int | Part) -> str:
        return type(v).__name__

    @mesh.api
    def word_or_array(self, v: Literal["all"] | np.ndarray) -> str:
        return type(v).__name__
