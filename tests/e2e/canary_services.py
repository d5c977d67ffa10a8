"""Services for canaries and endpoints: releases good and bad, and some that say who they are."""

import asyncio
import os
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
        await asyncio.sleep(2)


@mesh.service(name="Work", traffic={"concurrency": 2, "max_concurrency": 16})
class Work:
    """Holds calls until it is told to let them go; counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self.go_on = asyncio.Event()

    @mesh.api
    async def hold(self) -> None:
        self.calls += 1
        await self.go_on.wait()

    @mesh.api
    async def let_go(self) -> None:
        self.go_on.set()

    @mesh.api
    async def hold_on(self) -> None:
        self.go_on.clear()

    @mesh.api
    async def quick(self, text: str = "") -> str:
        self.calls += 1
        return text

    @mesh.api
    async def who(self, ctx: Context) -> str:
        """Which deployment and version this is."""
        return f"{os.environ['WHO']}/{ctx.version}"

    @mesh.api
    async def seen(self) -> int:
        return self.calls


@mesh.service(name="Work")
class Shadow(Work):
    """Keeps what it got; fails, or takes for ever, as it is asked."""

    @mesh.api
    async def quick(self, text: str = "") -> str:
        self.calls += 1
        if text == "fail":
            raise ValueError("the shadow fails")
        if text == "slow":
            await self.go_on.wait()
        return f"shadow {text}"
