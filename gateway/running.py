"""Several pieces of work at a time, of which some are to finish in order."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from mesh.errors import Cancelled, MeshError


class Turn:
    """The place of one piece of work behind those that were started before it."""

    __slots__ = ("_before", "_is_given_up", "_is_over")

    def __init__(
        self, before: "asyncio.Future[None] | None", is_over: "asyncio.Future[None]"
    ) -> None:
        self._before = before
        self._is_over = is_over
        self._is_given_up = False

    async def come(self) -> None:
        """Returns when all work before has ended or given up its turn."""
        before = self._before
        if before is not None:
            await asyncio.wait((before,))
            self._before = None

    def give_up(self) -> None:
        """Nobody waits for this work any more, nor it for others."""
        if self._is_given_up:
            return
        self._is_given_up = True
        before, self._before = self._before, None
        if before is None or before.done():
            self._end()
        else:
            before.add_done_callback(lambda _: self._end())

    def _end(self) -> None:
        if not self._is_over.done():
            self._is_over.set_result(None)


class Running:
    """At most `most` pieces of work at a time."""

    def __init__(self, most: int) -> None:
        self._room = asyncio.Semaphore(most)
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Running {len(self._tasks)}>"

    async def start(self, work: Callable[[Turn], Coroutine[Any, Any, None]]) -> None:
        """Starts a piece of work; waits while there is no room for it.

        Raises what made another piece of work fail.
        """
        await self._room.acquire()
        self._check()
        is_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turn = Turn(self._last, is_over)
        self._last = is_over
        task = asyncio.ensure_future(work(turn))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, turn))

    def _ended(self, task: "asyncio.Task[None]", turn: Turn) -> None:
        self._tasks.discard(task)
        self._room.release()
        turn.give_up()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Cancels what runs; `error` is why."""
        self._failure = self._failure or error
        for task in self._tasks:
            task.cancel()

    def cancel(self, failure: MeshError | None = None) -> None:
        """Nobody waits for the work any more; whoever waits for its end raises `failure`."""
        self.fail(failure or Cancelled("the work was given up"))

    async def finished(self) -> None:
        """Returns when all work has ended. Raises what made a piece of it fail."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Cancels what still runs, and waits for it."""
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
