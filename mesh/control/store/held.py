"""A database while one controller has it: one thread that calls it, and who may write."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, select

from mesh.control.store.database import Database
from mesh.control.store.schema import OWNER
from mesh.control.store.settled import TakenOver
from mesh.errors import FailedPrecondition

_T = TypeVar("_T")


class Held:
    """Makes blocking calls in one thread of its own, so that they stay in order.

    `epoch` is the number of times that the store was opened, this one included: who opened it last
    may write.
    """

    def __init__(self, database: Database, epoch: int) -> None:
        self.database = database
        self.epoch = epoch
        self._thread = ThreadPoolExecutor(1, "store")
        self._closed = False

    def __repr__(self) -> str:
        return f"Held({self.database.label}, {self.epoch})"

    async def call(self, work: Callable[[], _T]) -> _T:
        """What `work` returns. Raises FailedPrecondition after `close`."""
        if self._closed:
            raise FailedPrecondition(f"the store {self.database.label} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` returns of a transaction that sees the database as of one moment."""

        def read() -> _T:
            with self.database.reading() as connection:
                return work(connection)

        return await self.call(read)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` returns of a transaction to write in (see `owned`)."""

        def write() -> _T:
            with self.owned() as connection:
                return work(connection)

        return await self.call(write)

    @contextmanager
    def owned(self) -> Iterator[Connection]:
        """A transaction to write in; who opens the store next waits for its end.

        Raises TakenOver if another controller has opened it since.
        """
        with self.database.writing() as connection:
            epoch = connection.execute(select(OWNER.c.epoch).with_for_update()).scalar_one()
            if epoch != self.epoch:
                raise TakenOver(self.database.label)
            yield connection

    async def close(self) -> None:
        """Waits for calls that go on and gives the connection back."""
        if self._closed:
            return
        self._closed = True
        done = asyncio.get_running_loop().run_in_executor(self._thread, self.database.close)
        self._thread.shutdown(wait=False)  # lets what was asked before end
        await done
