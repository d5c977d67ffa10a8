"""Services that run on the real mesh of these tests."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import numpy as np

import mesh
from mesh import Context, DType, Shape

Matrix = Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]
LIMIT = 2 * 2**20
"""Largest request body of Shop, in bytes."""


@mesh.service
class Prices:
    """The dependency of Shop."""

    def __init__(self) -> None:
        self.cancelled = 0

    @mesh.api
    async def price(self, item: str) -> float:
        return float(len(item))

    @mesh.api
    def scale(self, x: Matrix, factor: float) -> np.ndarray:
        return x * factor

    @mesh.api
    async def missing(self, item: str) -> float:
        raise mesh.NotFound(f"no price of {item}")

    @mesh.api
    async def hang(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled += 1

    @mesh.api
    async def broken_off(self) -> int:
        return self.cancelled


@mesh.service(traffic={"timeout": 20, "max_request_bytes": LIMIT}, threads=4)
class Shop:
    """The entry of a graph of two services."""

    prices = mesh.depends(Prices)

    def __init__(self) -> None:
        self.hanging = 0
        self.cancelled = 0

    @mesh.api
    async def total(self, items: list[str]) -> float:
        each = [self.prices.to_async.price(item) for item in items]
        return float(sum(await asyncio.gather(*each)))

    @mesh.api
    def total_in_thread(self, items: list[str]) -> float:
        return float(sum(self.prices.to_sync.price(item) for item in items))

    @mesh.api
    async def triple(self, x: Matrix) -> np.ndarray:
        tripled: np.ndarray = await self.prices.to_async.scale(x, 3.0)
        return tripled

    @mesh.api
    async def no_price(self, item: str) -> float:
        return float(await self.prices.to_async.missing(item))

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number

    @mesh.api
    def letters(self, word: str) -> Iterator[str]:
        yield from word

    @mesh.api
    async def add(self, items: AsyncIterator[int], start: int = 0) -> int:
        async for item in items:
            start += item
        return start

    @mesh.api
    async def running(self, items: AsyncIterator[int], start: int = 0) -> AsyncIterator[int]:
        async for item in items:
            start += item
            yield start

    @mesh.api
    async def crumble(self, after: int) -> AsyncIterator[int]:
        for number in range(after):
            yield number
        raise ValueError("the secret text")

    @mesh.api
    async def measure(self, text: str) -> int:
        return len(text)

    @mesh.api
    async def slowly(self, items: AsyncIterator[bytes]) -> int:
        """Reads nothing until all that fits on the way is on the way."""
        await asyncio.sleep(0.5)
        size = 0
        async for item in items:
            size += len(item)
        return size

    @mesh.api
    async def wait(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @mesh.api
    async def hang(self) -> None:
        await self._hang()

    @mesh.api
    async def hang_below(self) -> None:
        self.hanging += 1
        await self.prices.to_async.hang()

    @mesh.api
    async def drip(self) -> AsyncIterator[int]:
        yield 1
        await self._hang()

    async def _hang(self) -> None:
        self.hanging += 1
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled += 1

    @mesh.api
    async def counters(self) -> dict[str, int]:
        below = await self.prices.to_async.broken_off()
        return {"hanging": self.hanging, "cancelled": self.cancelled, "below": below}


@mesh.service
class Noted:
    """Sends metadata back."""

    @mesh.api
    async def note(self, ctx: Context) -> str:
        (key,) = ctx.request.headers.getbytes("x-key-bin")
        ctx.response.headers["x-user"] = ctx.request.headers["x-user"]
        ctx.response.trailers["x-cost"] = "3"
        ctx.response.trailers["x-key-bin"] = key[::-1]
        return base64.b64encode(key).decode()


@mesh.service
class Who:
    """Says which process and version it is."""

    @mesh.api(idempotent=True)
    async def who(self, ctx: Context) -> dict[str, int | str]:
        return {
            "pid": os.getpid(),
            "nice": os.nice(0),
            "version": ctx.version,
            "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "none"),
        }

    @mesh.api
    async def hold(self, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return os.getpid()


@mesh.service(name="Who")
class NewWho(Who):
    """The next release of Who."""

    @mesh.api
    async def is_new(self) -> bool:
        return True


@mesh.service
class Failing:
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("the model is\nmissing [really]")

    @mesh.api
    async def nothing(self) -> None:
        """Never runs."""


@mesh.service(resources={"gpu": 64})
class Greedy:
    """Needs what no machine of a test has."""

    @mesh.api
    async def nothing(self) -> None:
        """Never runs."""


@mesh.service
class Eager:
    """Calls its dependency when it is made."""

    prices = mesh.depends(Prices)

    def __init__(self) -> None:
        self.price = self.prices.to_sync.price("four")

    @mesh.api
    async def stored(self) -> float:
        return float(self.price)
