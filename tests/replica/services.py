"""Services whose replicas are under test."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import mesh
from mesh import Context

LIMIT = 2
"""Calls that a replica of Work takes at once."""
THREADS = 2


class Gate:
    """Lets threads of a test wait for each other."""

    def __init__(self) -> None:
        self.entered = 0
        self.most = 0
        self.now = 0
        self.opened = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.entered += 1
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.opened.wait(20)
        with self._lock:
            self.now -= 1


@mesh.service(traffic={"max_concurrency": 2})
class Narrow:
    """Counts how many of its calls run at once."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0

    @mesh.api
    async def step(self) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(3):
            await asyncio.sleep(0)
        self.running -= 1
        return 1


@mesh.service(traffic={"timeout": 20, "max_concurrency": LIMIT}, threads=THREADS)
class Work:
    """Sync and async methods and generators."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.hanging = 0
        self.events: list[str] = []

    @mesh.api
    async def double(self, x: int) -> int:
        return 2 * x

    @mesh.api
    def double_in_thread(self, x: int) -> list[int | str]:
        return [2 * x, threading.current_thread().name.rpartition("_")[0]]

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number

    @mesh.api
    def count_in_thread(self, n: int) -> Iterator[int]:
        try:
            yield from range(n)
        finally:
            self.events.append("closed")

    @mesh.api
    def block(self) -> int:
        self.gate()
        return 1

    @mesh.api
    async def hang(self) -> None:
        self.hanging += 1
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise

    @mesh.api
    async def drip(self, items: int) -> AsyncIterator[int]:
        try:
            for number in range(items):
                yield number
            self.hanging += 1
            await asyncio.get_running_loop().create_future()
        finally:
            self.events.append("closed")

    @mesh.api
    async def two_then_wait(self, seconds: float) -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(seconds)
        yield 2

    @mesh.api
    async def total(self, items: AsyncIterator[int], start: int = 0) -> int:
        async for item in items:
            start += item
        return start

    @mesh.api
    async def running(self, items: AsyncIterator[int]) -> AsyncIterator[int]:
        total = 0
        async for item in items:
            total += item
            yield total

    @mesh.api
    async def leave(self) -> None:
        sys.exit("the secret text")

    @mesh.api
    def leave_in_thread(self) -> None:
        sys.exit("the secret text")

    @mesh.api
    async def crash(self) -> int:
        raise ValueError("the secret text")

    @mesh.api
    def crash_in_thread(self) -> int:
        raise StopIteration("the secret text")

    @mesh.api
    async def wrong_type(self) -> int:
        return "text"  # type: ignore[return-value]  # what is tested

    @mesh.api
    async def told(self) -> int:
        raise mesh.MeshError("as told", code=mesh.Code.ABORTED, http_status=418)

    @mesh.api
    async def look(self, ctx: Context) -> dict[str, str | float | None]:
        ctx.response.status_code = 201
        ctx.response.headers["x-a"] = "1"
        ctx.response.headers["content-type"] = "application/x-mine"
        ctx.state["calls"] = ctx.state.get("calls", 0) + 1
        return {
            "method": ctx.request.method,
            "header": ctx.request.headers["X-Tenant"],
            "query": ctx.request.query_params["q"],
            "id": ctx.request.request_id,
            "deployment": ctx.deployment,
            "version": ctx.version,
            "left": ctx.time_left(),
            "calls": ctx.state["calls"],
        }

    @mesh.api
    async def stubborn(self) -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "anyway"
        return ""


@mesh.service(name="Work", traffic={"timeout": 0.3, "max_concurrency": LIMIT}, threads=THREADS)
class Brief(Work):
    """The same, with little time for each call."""


@mesh.service(traffic={"timeout": 20})
class Below:
    """A dependency."""

    def __init__(self) -> None:
        self.hanging = 0
        self.events: list[str] = []

    @mesh.api
    async def scope(self, ctx: Context) -> dict[str, str | float | None]:
        headers = ctx.request.headers
        return {
            "tenant": headers.get("x-tenant", ""),
            "id": ctx.request.request_id,
            "left": ctx.time_left(),
        }

    @mesh.api
    async def increase(self, x: int, by: int = 1) -> int:
        return x + by

    @mesh.api
    def increase_in_thread(self, x: int) -> int:
        return x + 1

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        try:
            for number in range(n):
                yield number
        finally:
            self.events.append("closed")

    @mesh.api
    async def total(self, items: AsyncIterator[int], start: int = 0) -> int:
        async for item in items:
            start += item
        return start

    @mesh.api
    async def running(self, items: AsyncIterator[int]) -> AsyncIterator[int]:
        total = 0
        async for item in items:
            total += item
            yield total

    @mesh.api
    async def told(self) -> int:
        raise mesh.FailedPrecondition("not yet", http_status=418)

    @mesh.api
    async def crash(self) -> int:
        raise ValueError("the secret text")

    @mesh.api
    async def hang(self) -> None:
        self.hanging += 1
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.events.append("ended")


@mesh.service(traffic={"timeout": 20}, threads=2)
class Above:
    """A service whose methods call their dependency in every way."""

    below = mesh.depends(Below)

    @mesh.api
    async def scope(self) -> dict[str, str | float | None]:
        found: dict[str, str | float | None] = await self.below.to_async.scope()
        return found

    @mesh.api
    def scope_in_thread(self) -> dict[str, str | float | None]:
        found: dict[str, str | float | None] = self.below.to_sync.scope()
        return found

    @mesh.api
    async def to_async(self, x: int) -> list[int]:
        below = self.below.to_async
        return [await below.increase(x), await below.increase_in_thread(x)]

    @mesh.api
    def to_sync(self, x: int) -> list[int]:
        below = self.below.to_sync
        return [below.increase(x, by=5), below.increase_in_thread(x)]

    @mesh.api
    async def direct(self, x: int) -> int:
        return int(await self.below.increase(x))

    @mesh.api
    def direct_in_thread(self, x: int) -> int:
        return int(self.below.increase_in_thread(x))

    @mesh.api
    async def blocks(self, x: int) -> int:
        return int(self.below.to_sync.increase(x))

    @mesh.api
    async def streams(self, n: int) -> AsyncIterator[int]:
        async for item in self.below.to_async.count(n):
            yield item

    @mesh.api
    def streams_in_thread(self, n: int) -> Iterator[int]:
        yield from self.below.to_sync.count(n)

    @mesh.api
    async def first(self, n: int) -> int:
        items = self.below.to_async.count(n)
        found = await anext(items)
        await items.aclose()
        return int(found)

    @mesh.api
    async def sends(self, n: int) -> list[int]:
        async def numbers() -> AsyncIterator[int]:
            for number in range(n):
                yield number

        below = self.below.to_async
        return [
            await below.total(numbers(), start=100),
            *[item async for item in below.running(numbers())],
        ]

    @mesh.api
    async def sends_and_leaves(self) -> int:
        async def numbers() -> AsyncIterator[int]:
            yield 1
            await asyncio.get_running_loop().create_future()

        items = self.below.to_async.running(numbers())
        found = await anext(items)
        await items.aclose()
        return int(found)

    @mesh.api
    async def sends_broken(self) -> int:
        async def numbers() -> AsyncIterator[int]:
            yield 1
            raise ValueError("the numbers ran out")

        return int(await self.below.to_async.total(numbers()))

    @mesh.api
    async def told(self) -> int:
        return int(await self.below.to_async.told())

    @mesh.api
    async def crash(self) -> int:
        return int(await self.below.to_async.crash())

    @mesh.api
    async def wrong_arguments(self) -> int:
        return int(await self.below.to_async.increase(y=1))

    @mesh.api
    async def hang(self) -> None:
        await self.below.to_async.hang()


@mesh.service
class Unmakeable:
    """Fails when it is made."""

    def __init__(self) -> None:
        raise OSError("no model")

    @mesh.api
    async def nothing(self) -> None:
        """Never runs."""
