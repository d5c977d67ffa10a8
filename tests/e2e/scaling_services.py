"""Services whose number of replicas follows their load."""

import asyncio
import os
import time

import mesh


@mesh.service
class Elastic:
    """Holds calls, uses its core, and remembers in which order calls came."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        time.sleep(float(os.environ.get("START_SECONDS", "0")))

    @mesh.api
    async def hold(self, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return os.getpid()

    @mesh.api
    async def take(self, number: int, seconds: float) -> int:
        self.seen.append(number)
        await asyncio.sleep(seconds)
        return os.getpid()

    @mesh.api
    async def order(self) -> list[int]:
        return self.seen

    @mesh.api
    def spin(self, seconds: float) -> int:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        return os.getpid()


@mesh.service
class Below:
    """The dependency of Above."""

    @mesh.api
    async def twice(self, x: int) -> int:
        return 2 * x


@mesh.service
class Above:
    """The entry of a graph that sleeps as a whole."""

    below = mesh.depends(Below)

    @mesh.api
    async def double(self, x: int) -> int:
        return int(await self.below.to_async.twice(x))

    @mesh.api
    async def alone(self) -> int:
        return os.getpid()
