"""What the tests of links share: two sessions on a wire of lists, loops that must end clean."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mesh.call import CallHead
from mesh.link.call import CallEnd, CallerCall, ReplicaCall
from mesh.link.frames import OVERHEAD, Piece
from mesh.link.session import CallerSession, ReplicaSession
from mesh.v1 import link_pb2

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""
HEAD = CallHead("echo", request_id="r-1")
BLOCK = b"".join(number.to_bytes(4) for number in range(1 << 20))
"""4 MiB in which no two places look alike."""


def frozen() -> float:
    """A clock that stands still."""
    return 1000.0


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main`; fails if it hangs or leaves a task behind."""

    async def guarded() -> T:
        async with asyncio.timeout(PATIENCE):
            result = await main
        own = asyncio.current_task()
        assert own is not None
        left = asyncio.all_tasks() - {own}
        if left:  # those that are just ending
            _, left = await asyncio.wait(left, timeout=PATIENCE)
        assert not left, f"tasks are left: {left}"
        return result

    return asyncio.run(guarded())


async def until(condition: Any) -> None:
    """Lets the other tasks run until `condition()` holds; the test's patience bounds the wait."""
    # What is waited for says nothing when it changes, or the test would wait for that.
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def at_once(step: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        step.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        step.close()
    raise AssertionError("this would wait")


def unread(end: CallEnd) -> int:
    """What the pieces that `end` has received and not read count for."""
    return sum(len(piece.data) + OVERHEAD for piece in end.incoming._pieces)


class Wire:
    """A caller's and a replica's session, and the batches that are on their way between them."""

    def __init__(self) -> None:
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.arrived: dict[int, ReplicaCall] = {}
        self.on_call: Callable[[ReplicaCall], None] = lambda _: None
        self.caller = CallerSession(frozen, lambda: None)
        self.replica = ReplicaSession(frozen, lambda: None, self._arrive)

    def _arrive(self, call: ReplicaCall) -> None:
        self.arrived[call.id] = call
        self.on_call(call)

    def take_up(self) -> link_pb2.Frames | None:
        """Takes one batch of the caller; returns what is in it."""
        return self._sent(self.caller.take(), self.up)

    def take_down(self) -> link_pb2.Frames | None:
        """Takes one batch of the replica; returns what is in it."""
        return self._sent(self.replica.take(), self.down)

    def _sent(self, batch: bytes | None, way: deque[bytes]) -> link_pb2.Frames | None:
        if batch is None:
            return None
        way.append(batch)
        return link_pb2.Frames.FromString(batch)

    def deliver(self) -> bool:
        """Delivers the oldest batch of each way; tells whether there was any."""
        moved = bool(self.up or self.down)
        if self.up:
            self.replica.receive(self.up.popleft())
        if self.down:
            self.caller.receive(self.down.popleft())
        return moved

    def settle(self) -> None:
        """Moves batches until none is left."""
        moved = True
        while moved:
            moved = self.take_up() is not None
            moved = self.take_down() is not None or moved
            moved = self.deliver() or moved

    def open(self, data: bytes = b"", **how: bool) -> tuple[CallerCall, ReplicaCall]:
        """Both ends of a new call that has just arrived."""
        call = self.caller.open(HEAD, data, **how)
        self.settle()
        return call, self.arrived[call.id]


def pieces(end: CallEnd) -> list[Piece]:
    """Reads all that is there."""
    found = []
    while end.incoming:
        piece = at_once(end.piece())
        assert piece is not None
        found.append(piece)
    return found
