"""Releases of one service, good and bad, for canaries."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import mesh
from mesh import Context


@mesh.service(name="Answer", traffic={"max_concurrency": 64})
class Answer:
    """Answers with the version that it is."""

    def __init__(self) -> None:
        self.rng = Random(7)

    @mesh.api
    async def which(self, ctx: Context) -> str:
        await self.work()
        return ctx.version

    @mesh.api
    async def items(self, n: int, ctx: Context) -> AsyncIterator[str]:
        await self.work()
        for _ in range(n):
            yield ctx.version

    async def work(self) -> None:
        """What each call does first."""


@mesh.service(name="Answer", traffic={"max_concurrency": 64})
class Good(Answer):
    """As good as the release before."""


@mesh.service(name="Answer", traffic={"max_concurrency": 64})
class Failing(Answer):
    """Fails a tenth of its calls."""

    async def work(self) -> None:
        if self.rng.random() < 0.1:
            raise ValueError("one in ten")


@mesh.service(name="Answer", traffic={"max_concurrency": 64})
class Slow(Answer):
    """Takes much longer."""

    async def work(self) -> None:
        await asyncio.sleep(0.3)
