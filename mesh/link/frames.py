"""What waits to be written on a link and what waits to be read from it. No input or output.

Pieces of different calls take turns, so that a large body does not stall a small one, and a call
whose reader is slow stops at its window without stopping the others. Writes are coalesced: all
that waits when the previous write ends goes out as one batch.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from mesh.link.batch import other_frame, piece_frame
from mesh.v1 import link_pb2

CHUNK = 256 * 1024
"""Most bytes of `data` in one frame."""
BATCH = 1024 * 1024
"""Bytes of `data` after which a batch takes no more."""
WINDOW = 1024 * 1024
"""Bytes that a call may have under way before its reader has taken any."""
OVERHEAD = 64
"""Bytes that a piece counts for beyond its data, so that empty messages are bounded as well."""


class Piece(NamedTuple):
    """A part of a message; `message_end` tells whether it completes the message."""

    data: bytes
    message_end: bool


class Outbox:
    """The frames that the next write takes.

    Small frames are put into the batch at once; the pieces of `Outgoing` queues join in turn when
    the batch is taken, behind them.
    """

    __slots__ = ("_batch", "_turns", "size")

    def __init__(self) -> None:
        self._batch = link_pb2.Frames()
        self._turns: deque[Outgoing] = deque()
        self.size = 0  # what the pieces in the batch count for

    def __repr__(self) -> str:
        return f"<Outbox {len(self._batch.frames)} frames, {len(self._turns)} calls waiting>"

    def __bool__(self) -> bool:
        return bool(self._turns or self._batch.frames)

    def frame(self, call: int) -> link_pb2.Frame:
        """Adds an empty frame for `call` to the batch, for the caller to fill."""
        frame = self._batch.frames.add()
        frame.call = call
        return frame

    def wait_turn(self, outgoing: "Outgoing") -> None:
        """Lets `outgoing` take part in the next batches until it is empty or out of credit."""
        self._turns.append(outgoing)

    def take(self) -> bytes | None:
        """The next batch, serialized; None if nothing waits."""
        turns = self._turns
        pieces: list[bytes | memoryview] = []
        # Before turns are taken, for a last piece may have on_end called, which adds frames.
        batch, self._batch = self._batch, link_pb2.Frames()
        while turns:
            # One turn at least: what joins without waiting may fill every batch.
            outgoing = turns.popleft()
            if outgoing.write_one(pieces):
                turns.append(outgoing)
            if self.size >= BATCH:
                break
        self.size = 0
        if not pieces:
            return batch.SerializeToString() if batch.frames else None
        return b"".join((batch.SerializeToString(), *pieces))


class Outgoing:
    """What one end of a call has to send: pieces in order, within the credit of the reader."""

    __slots__ = (
        "_call",
        "_outbox",
        "_queue",
        "_waits",
        "credit",
        "finish",
        "on_end",
        "on_room",
        "queued",
    )

    def __init__(self, call: int, outbox: Outbox, credit: int) -> None:
        self._call = call
        self._outbox = outbox
        self._queue: deque[tuple[memoryview, bool, bool]] = deque()
        self._waits = False  # whether this object stands in the outbox's turns
        self.credit = credit
        self.queued = 0  # bytes that wait for credit or for their turn
        # Adds to the frame of the last piece what goes with it.
        self.finish: Callable[[link_pb2.Frame], None] | None = None
        self.on_end: Callable[[], None] | None = None  # the last piece is in the batch
        self.on_room: Callable[[], None] | None = None  # no more than a window is queued

    def fits(self, size: int) -> bool:
        """Whether a piece of `size` bytes can go into the batch at once."""
        outbox = self._outbox
        return (
            not self._queue
            and size + OVERHEAD <= self.credit
            and size <= CHUNK
            and outbox.size + size <= BATCH
        )

    def put(
        self, frame: link_pb2.Frame | None, data: bytes, *, message_end: bool, end: bool
    ) -> None:
        """Sends `data` in `frame` (or a new one) if it fits, else queues it behind the rest."""
        size = len(data)
        if self.fits(size):
            if frame is None:
                frame = self._outbox.frame(self._call)
            self._fill(frame, data, message_end=message_end, end=end)
            return
        self._queue.append((memoryview(data), message_end, end))
        self.queued += size + OVERHEAD
        self._join()

    def _fill(self, frame: link_pb2.Frame, data: bytes, *, message_end: bool, end: bool) -> None:
        self._count(len(data), message_end=message_end)
        if data:
            frame.data = data
        if message_end:
            frame.message_end = True
        if end:
            frame.end = True
            if self.finish is not None:
                self.finish(frame)
            if (on_end := self.on_end) is not None:
                on_end()

    def _count(self, size: int, *, message_end: bool) -> None:
        if size or message_end:
            self.credit -= size + OVERHEAD
            self._outbox.size += size + OVERHEAD

    def _join(self) -> None:
        if not self._waits and self._is_writable():
            self._waits = True
            self._outbox.wait_turn(self)

    def _is_writable(self) -> bool:
        if not self._queue:
            return False
        data, message_end, _ = self._queue[0]
        if data:
            return self.credit > OVERHEAD
        return self.credit >= OVERHEAD or not message_end

    def write_one(self, pieces: list[bytes | memoryview]) -> bool:
        """Moves at most one chunk to `pieces` of a batch; tells whether more could follow."""
        if not self._is_writable():
            self._waits = False
            return False
        data, message_end, end = self._queue[0]
        size = min(len(data), CHUNK, max(0, self.credit - OVERHEAD))
        if size == len(data):
            self._queue.popleft()
            self.queued -= size + OVERHEAD
        else:
            self._queue[0] = (data[size:], message_end, end)
            self.queued -= size
            data, message_end, end = data[:size], False, False
        if end and self.finish is not None:  # which says more than a piece does
            frame = link_pb2.Frame(call=self._call)
            self._fill(frame, bytes(data), message_end=message_end, end=end)
            pieces.append(other_frame(frame))
        else:
            self._count(size, message_end=message_end)
            pieces += piece_frame(self._call, data, message_end=message_end, end=end)
            if end and (on_end := self.on_end) is not None:
                on_end()
        if self.on_room is not None and self.queued <= WINDOW:
            self.on_room()
        self._waits = self._is_writable()
        return self._waits

    def grant(self, credit: int) -> None:
        """Takes the reader's credit for more bytes."""
        self.credit += credit
        self._join()

    def drop(self) -> None:
        """Forgets what is queued: nobody will read it."""
        self._queue.clear()
        self.queued = 0
        self.on_end = None
        self.finish = None


class Incoming:
    """What one end of a call has received and not yet read."""

    __slots__ = ("_allowed", "_call", "_outbox", "_pieces", "_read", "_window", "ended")

    def __init__(self, call: int, outbox: Outbox, window: int) -> None:
        self._call = call
        self._outbox = outbox
        self._window = window
        self._allowed = window  # what the sender may still send
        self._read = 0  # what was read since the last credit
        self._pieces: deque[Piece] = deque()
        self.ended = False

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def has_message(self) -> bool:
        """Whether the next piece is a whole message."""
        return bool(self._pieces) and self._pieces[0].message_end

    def put(self, data: bytes, *, message_end: bool) -> bool:
        """Takes a received piece; False if it is more than the sender was allowed."""
        self._allowed -= len(data) + OVERHEAD
        self._pieces.append(Piece(data, message_end))
        return self._allowed >= 0

    def pop(self) -> Piece:
        """The oldest unread piece. Gives the sender credit again, half a window at a time."""
        piece = self._pieces.popleft()
        self._read += len(piece.data) + OVERHEAD
        if self._read * 2 >= self._window and not self.ended:
            self._outbox.frame(self._call).credit = self._read
            self._allowed += self._read
            self._read = 0
        return piece

    def drop(self) -> None:
        """Forgets what was not read."""
        self._pieces.clear()
        self.ended = True
