"""Releases of one shop: graphs of two services that take each other's place."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import mesh

if "SHOP_CANNOT_BE_IMPORTED" in os.environ:
    raise ImportError("there is no shop here")


@mesh.service
class Stock:
    """What the shop asks for each sale."""

    release = "one"

    @mesh.api
    async def take(self) -> str:
        return self.release


@mesh.service(name="Shop")
class Shop:
    """The entry; each call goes through both services."""

    release = "one"
    stock = mesh.depends(Stock)

    @mesh.api
    async def buy(self) -> dict[str, str | int]:
        taken = await self.stock.to_async.take()
        return {"shop": self.release, "stock": taken, "pid": os.getpid()}

    @mesh.api
    async def watch(self, n: int) -> AsyncIterator[str]:
        for _ in range(n):
            yield await self.stock.to_async.take()
            await asyncio.sleep(0.02)


@mesh.service(name="Stock")
class NewStock(Stock):
    """The stock of the next release."""

    release = "two"


@mesh.service(name="Shop")
class NewShop(Shop):
    """The next release."""

    release = "two"
    stock = mesh.depends(NewStock)


@mesh.service(name="Stock")
class LastStock(Stock):
    """The stock of the release after that."""

    release = "three"


@mesh.service(name="Shop")
class LastShop(Shop):
    """The release after that."""

    release = "three"
    stock = mesh.depends(LastStock)


@mesh.service(name="Shop")
class BrokenShop(NewShop):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("the till is missing")


@mesh.service(name="Shop")
class EndlessShop(NewShop):
    """Is never ready."""

    def __init__(self) -> None:
        threading.Event().wait()


@mesh.service
class Ledger:
    """Writes down each call before it does anything: in a file of the folder `LEDGER`."""

    @mesh.api
    async def sell(self, number: int) -> int:
        """May not run twice."""
        note("sold", number)
        await asyncio.sleep(0.02)
        return os.getpid()

    @mesh.api(idempotent=True)
    async def ask(self, number: int) -> int:
        """May."""
        note("asked", number)
        await asyncio.sleep(0.02)
        return os.getpid()


def note(what: str, number: int) -> None:
    """Appends a line at once, whatever becomes of this process."""
    file = os.open(Path(os.environ["LEDGER"], what), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, b"%d\n" % number)
    finally:
        os.close(file)


@mesh.service
class Cell:
    """A small service without dependencies; says which process it is."""

    @mesh.api
    async def who(self) -> int:
        return os.getpid()


@mesh.service(name="Cell")
class NextCell(Cell):
    """The next release of it."""
