"""A link whose transport fails or hangs at any step ends clean: no call, no task stays behind."""

import asyncio
from typing import Literal

import pytest

from mesh.call import CallHead
from mesh.clock import monotonic
from mesh.errors import MeshError, Unavailable
from mesh.link.call import CallerCall
from mesh.link.ends import CallerLink, ReplicaEnd
from mesh.link.transport import Transport, memory_pair
from tests.link.rig import BLOCK, run, until
from tests.link.service import Methods

Step = Literal["read", "write"]
Fault = Literal["ends", "hangs", "crashes"]

any_side = pytest.mark.parametrize("side", ["caller", "replica"])
any_step = pytest.mark.parametrize("step", ["read", "write"])
any_time = pytest.mark.parametrize("at", [1, 2, 3, 5, 8])


class Crash(Exception):
    """A fault that no part of the mesh foresees."""


class Faulty:
    """A transport that goes wrong in its `at`-th `step`."""

    def __init__(self, inner: Transport, step: Step, at: int, fault: Fault) -> None:
        self._inner = inner
        self._left = {step: at}
        self._fault = fault
        self.reached = asyncio.Event()
        self.is_closed = False

    async def write(self, batch: bytes) -> None:
        if await self._goes_wrong("write"):
            raise Unavailable("the link broke")
        await self._inner.write(batch)

    async def read(self) -> bytes | None:
        if await self._goes_wrong("read"):
            return None
        return await self._inner.read()

    async def _goes_wrong(self, step: Step) -> bool:
        left = self._left[step] = self._left.get(step, 0) - 1
        if left != 0:
            return False
        self.reached.set()
        if self._fault == "crashes":
            raise Crash
        if self._fault == "hangs":
            await asyncio.get_running_loop().create_future()
        return True

    async def close(self) -> None:
        self.is_closed = True
        await self._inner.close()


class Rig:
    """A link with a fault on one side, and calls of all kinds on it."""

    def __init__(self, side: str, step: Step, at: int, fault: Fault) -> None:
        near, far = memory_pair()
        self.methods = Methods()
        self.end = ReplicaEnd(monotonic, self.methods.take)
        self.faulty = Faulty(near if side == "caller" else far, step, at, fault)
        ends: tuple[Transport, Transport] = (near, far)
        ends = (self.faulty, far) if side == "caller" else (near, self.faulty)
        self.server = asyncio.ensure_future(self.end.serve(ends[1]))
        self.link = CallerLink(ends[0], monotonic)
        self.calls: list[CallerCall] = []

    async def use(self) -> None:
        """Calls until the link is of no use."""
        await asyncio.gather(self._one("hang", b""), self._pour(), self._one("echo", BLOCK))

    async def _one(self, method: str, body: bytes) -> None:
        try:
            while True:
                call = self.link.open(CallHead(method), body)
                self.calls.append(call)
                await call.reply()
                await call.message()
        except MeshError:
            pass

    async def _pour(self) -> None:
        try:
            call = self.link.open(CallHead("pour"))
            self.calls.append(call)
            while await call.piece() is not None:
                pass
        except MeshError:
            pass

    async def check_nothing_left(self) -> None:
        await until(lambda: not self.methods.tasks)
        assert self.link.closed.done()
        assert self.server.done()
        assert self.link.in_flight == self.end.in_flight == 0
        assert all(call.is_done for call in self.calls)
        assert all(call.outgoing.queued == 0 for call in self.calls)
        assert self.faulty.is_closed


@any_side
@any_step
@any_time
def test_a_link_that_breaks_at_any_step_fails_its_calls(side: str, step: Step, at: int) -> None:
    async def main() -> None:
        rig = Rig(side, step, at, "ends")
        await rig.use()
        await asyncio.wait([rig.link.closed, rig.server])
        await rig.check_nothing_left()
        for call in rig.calls:
            assert not (call.refused and call.is_lost)

    run(main())


@any_side
@any_step
@any_time
def test_a_link_that_hangs_at_any_step_can_be_closed(side: str, step: Step, at: int) -> None:
    async def main() -> None:
        rig = Rig(side, step, at, "hangs")
        using = asyncio.ensure_future(rig.use())
        await rig.faulty.reached.wait()
        await rig.link.close()
        await using
        if side == "replica":
            rig.server.cancel()
        await asyncio.wait([rig.server])
        await rig.check_nothing_left()

    run(main())


@any_side
@any_step
@any_time
def test_calls_on_a_link_that_hangs_can_be_cancelled(side: str, step: Step, at: int) -> None:
    async def main() -> None:
        rig = Rig(side, step, at, "hangs")
        using = asyncio.ensure_future(rig.use())
        await rig.faulty.reached.wait()
        await until(lambda: len(rig.calls) >= 3)
        using.cancel()
        for call in rig.calls:
            call.cancel()
        await asyncio.wait([using])
        assert rig.link.in_flight == 0
        await rig.link.close()
        rig.server.cancel()
        await asyncio.wait([rig.server])
        await rig.check_nothing_left()

    run(main())


@any_side
@any_step
@any_time
def test_a_fault_that_nobody_foresaw_fails_the_calls_and_is_not_hidden(
    side: str, step: Step, at: int
) -> None:
    async def main() -> None:
        rig = Rig(side, step, at, "crashes")
        await rig.use()
        outcomes = await asyncio.gather(rig.link.closed, rig.server, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Crash) == 1
        await rig.check_nothing_left()

    run(main())


@any_side
@any_time
def test_a_link_can_be_cancelled_between_any_two_steps(side: str, at: int) -> None:
    async def main() -> None:
        rig = Rig(side, "write", 0, "hangs")
        using = asyncio.ensure_future(rig.use())
        for _ in range(at):
            await asyncio.sleep(0)
        if side == "caller":
            await rig.link.close()
        else:
            rig.server.cancel()
        await using
        await asyncio.wait([rig.server, rig.link.closed])
        await until(lambda: not rig.methods.tasks)
        assert rig.link.in_flight == rig.end.in_flight == 0
        assert all(call.is_done for call in rig.calls)

    run(main())


def test_what_waits_behind_a_write_that_fails_is_refused_and_what_was_in_it_is_lost() -> None:
    async def main() -> None:
        near, _ = memory_pair()
        faulty = Faulty(near, "write", 1, "hangs")
        link = CallerLink(faulty, monotonic)
        taken = link.open(CallHead("echo"), b"ping")
        await faulty.reached.wait()
        waiting = link.open(CallHead("echo"), b"ping")
        await link.close()
        assert (taken.refused, taken.is_lost) == (False, True)
        assert (waiting.refused, waiting.is_lost) == (True, False)

    run(main())


def test_a_drain_does_not_wait_for_answers_on_a_link_that_broke() -> None:
    async def main() -> None:
        near, far = memory_pair()
        methods = Methods()
        end = ReplicaEnd(monotonic, methods.take)
        faulty = Faulty(far, "write", 3, "hangs")  # after the hello and the news of the drain
        server = asyncio.ensure_future(end.serve(faulty))
        link = CallerLink(near, monotonic)
        call = link.open(CallHead("wait"), b"ping")
        await until(lambda: methods.started)
        drain = asyncio.ensure_future(end.drain(20.0))
        await until(lambda: not link.is_usable)
        methods.go_on.set()
        await faulty.reached.wait()
        await link.close()
        assert await drain
        assert call.is_lost
        await server

    run(main())
