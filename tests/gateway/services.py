"""Services behind the gateways under test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import numpy as np

import mesh
from mesh import Context, DType, Shape

Matrix = Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]
LIMIT = 4
"""Calls that a replica of Demo takes at once."""
MAX_BYTES = 8 * 2**20
"""Largest request body of Demo."""


@mesh.service(
    traffic={"timeout": 20, "max_concurrency": LIMIT, "max_request_bytes": MAX_BYTES}, threads=2
)
class Demo:
    """Everything a method can do, right and wrong."""

    def __init__(self) -> None:
        self.started = 0
        self.ended = 0
        self.cancelled = 0
        self.go_on = asyncio.Event()

    @mesh.api
    def double(self, x: Matrix) -> np.ndarray:
        """Twice the matrix."""
        return x * 2

    @mesh.api
    async def greet(self, name: str, times: int = 1) -> str:
        return f"hello {name}" * times

    @mesh.api(route="/v2/sum")
    async def add(self, numbers: list[int]) -> int:
        return sum(numbers)

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number

    @mesh.api
    def letters(self, word: str) -> Iterator[str]:
        yield from word

    @mesh.api
    async def total(self, items: AsyncIterator[int], start: int = 0) -> int:
        async for item in items:
            start += item
        return start

    @mesh.api
    async def running(self, items: AsyncIterator[int], start: int = 0) -> AsyncIterator[int]:
        async for item in items:
            start += item
            yield start

    @mesh.api
    async def measure(self, text: str) -> int:
        return len(text)

    @mesh.api
    async def blob(self, size: int) -> bytes:
        return bytes(range(256)) * (size // 256)

    @mesh.api
    async def hang(self) -> None:
        await self._hang()

    @mesh.api
    async def slow(self, text: str = "") -> str:
        self.started += 1
        await self.go_on.wait()
        return text

    @mesh.api
    async def drip(self) -> AsyncIterator[int]:
        yield 1
        await self._hang()

    @mesh.api
    async def chat(self, items: AsyncIterator[int]) -> AsyncIterator[int]:
        async for item in items:
            yield item
        await self._hang()

    @mesh.api
    async def swallow(self, items: AsyncIterator[int]) -> int:
        async for _ in items:
            pass
        await self._hang()
        return 0

    @mesh.api
    async def hoard(self, items: AsyncIterator[bytes]) -> int:
        await self._hang()
        return 0

    async def _hang(self) -> None:
        self.started += 1
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.ended += 1

    @mesh.api
    async def crash(self) -> int:
        raise ValueError("the secret text")

    @mesh.api
    async def crumble(self, after: int) -> AsyncIterator[int]:
        for number in range(after):
            yield number
        raise ValueError("the secret text")

    @mesh.api
    async def refuse(self) -> int:
        raise mesh.FailedPrecondition("not before nöon: 100% sure\n")

    @mesh.api
    async def costs(self, context: Context, after: int = -1) -> AsyncIterator[int]:
        context.response.trailers["x-cost"] = "3"
        for number in range(after):
            yield number
        raise mesh.NotFound("nothing there")

    @mesh.api
    async def wait_a_bit(self) -> int:
        raise mesh.Unavailable("later", retry_after=2.5)

    @mesh.api
    async def teapot(self, ctx: Context) -> dict[str, str]:
        ctx.response.status_code = 418
        for name in ("content-length", "transfer-encoding", "connection", "grpc-status"):
            ctx.response.headers[name] = "7"
        ctx.response.headers["x-brew"] = "earl grey"
        ctx.response.headers.append("x-leaf", "1")
        ctx.response.headers.append("x-leaf", "2")
        return {
            "agent": ctx.request.headers.get("user-agent", ""),
            "query": ctx.request.query_params.get("q", ""),
            "id": ctx.request.request_id,
            "version": ctx.version,
            "seen": ",".join(sorted(ctx.request.headers)),
        }

    @mesh.api
    async def binary(self, ctx: Context) -> list[list[int]]:
        """What came under x-key-bin; goes back under the same name."""
        values = ctx.request.headers.getbytes("x-key-bin")
        for value in values:
            ctx.response.headers.append("x-key-bin", value)
            ctx.response.trailers.append("x-key-bin", value)
        return [list(value) for value in values]

    @mesh.api
    async def costly(self, ctx: Context, fails: bool = False, size: int = 1) -> str:
        ctx.response.trailers["x-cost"] = "3"
        ctx.response.trailers["grpc-status"] = "7"
        ctx.response.trailers["x-line"] = "é"
        if fails:
            raise mesh.NotFound("no")
        return "a" * size

    @mesh.api
    async def costly_items(self, n: int, ctx: Context) -> AsyncIterator[int]:
        for number in range(n):
            yield number
        ctx.response.trailers["x-cost"] = str(n)


@mesh.service(traffic={"timeout": 0.3})
class Hasty:
    """Has no time."""

    @mesh.api
    async def hang(self) -> None:
        await asyncio.get_running_loop().create_future()

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number
