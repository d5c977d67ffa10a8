"""Work that runs side by side and takes turns."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from gateway.running import Running, Turn
from tests.link.rig import run, until


class Work:
    """Pieces of work that end when they are told to, and what they did."""

    def __init__(self) -> None:
        self.running = Running(3)
        self.gates: dict[int, asyncio.Event] = {}
        self.done: list[int] = []
        self.cancelled: list[int] = []

    async def start(self, number: int, *, in_turn: bool = True) -> None:
        self.gates[number] = asyncio.Event()
        await self.running.start(partial(self._work, number, in_turn))

    async def _work(self, number: int, in_turn: bool, turn: Turn) -> None:
        if not in_turn:
            turn.give_up()
        try:
            await self.gates[number].wait()
            await turn.come()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if number < 0:
            raise OSError(number)
        self.done.append(number)

    async def opened(self, *numbers: int) -> None:
        for number in numbers:
            self.gates[number].set()
        for _ in range(10):  # in which whatever can run does
            await asyncio.sleep(0)


def working(test: Callable[[Work], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def wrapped() -> None:
        async def main() -> None:
            work = Work()
            await test(work)
            await work.running.close()
            assert repr(work.running) == "<Running 0>"
            assert len(asyncio.all_tasks()) == 1

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


@working
async def test_turns_are_in_the_order_of_the_start(work: Work) -> None:
    for number in (1, 2, 3):
        await work.start(number)
    await work.opened(3, 2)
    assert work.done == []
    await work.opened(1)
    assert work.done == [1, 2, 3]
    await work.running.finished()


@working
async def test_work_without_a_turn_neither_waits_nor_breaks_the_order(work: Work) -> None:
    await work.start(1)
    await work.start(2, in_turn=False)
    await work.start(3)
    await work.opened(2, 3)
    assert work.done == [2], "the third is still behind the first"
    await work.opened(1)
    assert work.done == [2, 1, 3]


@working
async def test_more_work_waits_for_room(work: Work) -> None:
    for number in (1, 2, 3):
        await work.start(number)
    fourth = asyncio.ensure_future(work.start(4))
    await work.opened()
    assert not fourth.done()
    await work.opened(1)
    assert fourth.done()


@working
async def test_a_failure_ends_all_and_is_told(work: Work) -> None:
    await work.start(-1)
    await work.start(2)
    await work.opened(-1)
    await until(lambda: work.cancelled == [2])
    with pytest.raises(OSError, match="-1"):
        await work.start(3)
    with pytest.raises(OSError, match="-1"):
        await work.running.finished()


@working
async def test_closing_cancels_what_runs(work: Work) -> None:
    await work.start(1)
    await work.start(2, in_turn=False)
    await work.opened()
    await work.running.close()
    assert sorted(work.cancelled) == [1, 2]
