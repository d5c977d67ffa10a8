"""One end of one call on a link: what has been said and heard so far.

The methods without `await` are the state machine and need no event loop; those with it only wait
for the state to change.
"""

import asyncio
from collections.abc import Callable

from mesh.call import CallHead, Metadata, ReplyHead
from mesh.errors import Cancelled, Internal, MeshError, TooLarge
from mesh.link import error_wire
from mesh.link.frames import WINDOW, Incoming, Outbox, Outgoing, Piece
from mesh.link.head_wire import write_metadata, write_reply_head
from mesh.v1 import link_pb2

Waiter = asyncio.Future[None]


class CallEnd:
    """What both ends of a call share: pieces going out, pieces coming in, and waiting for either.

    One task may read and one may write at a time.
    """

    __slots__ = (
        "_on_output",
        "_reader",
        "_writer",
        "failure",
        "id",
        "incoming",
        "is_done",
        "outgoing",
    )

    def __init__(
        self, call: int, outbox: Outbox, credit: int, on_output: Callable[[], None]
    ) -> None:
        self.id = call
        self.outgoing = Outgoing(call, outbox, credit)
        self.incoming = Incoming(call, outbox, WINDOW)
        self.failure: MeshError | None = None
        self.is_done = False  # nothing more will be sent or received
        self._on_output = on_output
        self._reader: Waiter | None = None
        self._writer: Waiter | None = None

    def __repr__(self) -> str:
        state = "done" if self.is_done else "open"
        return f"<{type(self).__name__} {self.id} {state}>"

    def finish(self, failure: MeshError | None) -> None:
        """Ends the call at this end; what was received before stays readable."""
        self.is_done = True
        self.failure = self.failure or failure
        self.outgoing.drop()
        self.incoming.ended = True
        self._wake_reader()
        self._wake_writer()

    def take_frame(self, frame: link_pb2.Frame) -> bool:
        """Takes the parts of a frame that both sides send; False if it broke the window."""
        if frame.credit:
            self.outgoing.grant(frame.credit)
            self._on_output()
        return self.take_piece(frame.data, message_end=frame.message_end, end=frame.end)

    def take_piece(self, data: bytes, *, message_end: bool, end: bool) -> bool:
        """Takes a piece of what the other side sends; False if it broke the window."""
        within = True
        if data or message_end:
            within = self.incoming.put(data, message_end=message_end)
        if end:
            self.incoming.ended = True
        self._wake_reader()
        return within

    def _wake_reader(self) -> None:
        if (waiter := self._reader) is not None and not waiter.done():
            waiter.set_result(None)

    def _wake_writer(self) -> None:
        if (waiter := self._writer) is not None and not waiter.done():
            waiter.set_result(None)

    async def _readable(self) -> None:
        # Stays there when done: a reader that was cancelled must not take away the next one's.
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    async def send(self, data: bytes, *, message_end: bool = True, end: bool = False) -> None:
        """Sends one message, or a piece of it; waits while more than a window is queued.

        Does nothing if the call is over: the reading side tells why.
        """
        if self.is_done:
            return
        outgoing = self.outgoing
        outgoing.put(None, data, message_end=message_end, end=end)
        self._on_output()
        while outgoing.queued > WINDOW and not self.is_done:
            self._writer = asyncio.get_running_loop().create_future()
            outgoing.on_room = self._wake_writer
            try:
                await self._writer
            finally:
                outgoing.on_room = None

    async def piece(self) -> Piece | None:
        """The next piece of what the other end sends; None at its end.

        Raises:
            MeshError: why the call failed.
        """
        while True:
            # What came before a failure is still worth reading: the items of a stream.
            if self.incoming:
                piece = self.incoming.pop()
                if not self.is_done:
                    self._on_output()  # reading may have given credit
                return piece
            if self.failure is not None:
                raise again(self.failure)
            if self.incoming.ended:
                return None
            await self._readable()

    async def message(self, limit: int = 0) -> bytes | None:
        """The next whole message of the other end; None at its end.

        Raises:
            TooLarge: the message has more than `limit` bytes (0: no limit).
            MeshError: why the call failed, as of `piece`.
        """
        piece = await self.piece()
        if piece is None or (piece.message_end and not limit):
            return piece and piece.data
        parts = [piece.data]
        size = len(piece.data)
        while not piece.message_end:
            _check_size(size, limit)
            piece = await self.piece()
            if piece is None:
                raise Internal("the other end broke a message off")
            parts.append(piece.data)
            size += len(piece.data)
        _check_size(size, limit)
        return b"".join(parts) if len(parts) > 1 else parts[0]


def again(failure: MeshError) -> MeshError:
    """The same error for another raise.

    The traceback of an error that was raised leads to the frames that hold the call: if the call
    held that error, only a garbage collection could free both, and in overload most calls fail.
    """
    error = type(failure).__new__(type(failure), *failure.args)
    error.__dict__.update(failure.__dict__)
    error.__cause__ = failure.__cause__
    return error


def _check_size(size: int, limit: int) -> None:
    if limit and size > limit:
        raise TooLarge(f"the message has more than {limit} bytes")


class CallerCall(CallEnd):
    """The caller's end: sends the request, reads the reply."""

    __slots__ = ("_on_cancel", "head", "is_lost", "refused", "trailers")

    def __init__(
        self,
        call: int,
        outbox: Outbox,
        credit: int,
        on_output: Callable[[], None],
        on_cancel: Callable[["CallerCall"], None],
    ) -> None:
        super().__init__(call, outbox, credit, on_output)
        self.head: ReplyHead | None = None
        self.refused = False  # the method never ran: another replica may be asked
        self.trailers: Metadata = ()  # known when the reply has ended
        self.is_lost = False  # the link broke while the replica held the call
        self._on_cancel = on_cancel

    async def reply(self) -> ReplyHead:
        """Waits for the head of the reply.

        Raises:
            MeshError: why the call failed.
        """
        while True:
            # A reply that has begun is read up to its failure, which `piece` raises in its place.
            if self.head is not None:
                return self.head
            if self.failure is not None:
                raise again(self.failure)
            if self.incoming.ended:
                raise Internal("the replica ended the call without a reply")
            await self._readable()

    def cancel(self, failure: MeshError | None = None) -> None:
        """Gives the call up and tells the replica; what waits for it raises `failure`."""
        if not self.is_done:
            self._on_cancel(self)
            self.incoming.drop()
            self.finish(failure or Cancelled("the call was given up"))


class ReplicaCall(CallEnd):
    """The replica's end: reads the request, sends the reply.

    `on_cancel` is called once if the call ends before the reply does: given up by the caller, or
    the link broke. `tell_room` is there if the caller waits for a place when there is none: it
    tells the link that there is one, and is the same for all calls of that.
    """

    __slots__ = ("_is_stream", "_outbox", "head", "on_cancel", "tell_room")

    def __init__(
        self,
        call: int,
        outbox: Outbox,
        credit: int,
        on_output: Callable[[], None],
        head: CallHead,
    ) -> None:
        super().__init__(call, outbox, credit, on_output)
        self._outbox = outbox
        self.head = head
        self.on_cancel: Callable[[], None] | None = None
        self.tell_room: Callable[[], None] | None = None
        self._is_stream = False  # of the reply

    def start_reply(
        self, head: ReplyHead, data: bytes = b"", *, message_end: bool = False, end: bool = False
    ) -> None:
        """Sends the head of the reply with its first piece; with `end` that is all of it."""
        if self.is_done:
            return
        self._is_stream = head.stream
        frame = self._outbox.frame(self.id)
        try:
            write_reply_head(frame.reply, head)
        except BaseException:
            frame.Clear()  # what is left says nothing: the call can still fail in order
            raise
        if data or message_end or end:
            fits = self.outgoing.fits(len(data))
            self.outgoing.put(frame if fits else None, data, message_end=message_end, end=end)
        self._on_output()

    def trail(self, metadata: Metadata) -> None:
        """Sends this metadata with the end of the reply, which is still to come.

        Raises UnicodeEncodeError for what is no text.
        """
        # Written now: what can't be must fail this call, and not the link when it writes.
        written = link_pb2.Frame()
        write_metadata(written.trailers, metadata)
        self.outgoing.finish = lambda frame: frame.MergeFrom(written)

    def end_reply(self) -> None:
        """Ends a streamed reply well."""
        if not self.is_done:
            self.outgoing.put(None, b"", message_end=False, end=True)
            self._on_output()

    def fail(
        self,
        error: MeshError,
        *,
        refused: bool = False,
        at_once: bool = False,
        last_item: bytes = b"",
        trailers: Metadata = (),
    ) -> None:
        """Ends the call with `error`; `refused` when the method never ran.

        The items of a stream that wait for their turn arrive before the error, unless `at_once`,
        and so does `last_item`; the rest of a single message that failed would be of no use.
        `trailers` go with the error.
        """
        if self.is_done:
            return
        if last_item and self._is_stream:
            self.outgoing.put(None, last_item, message_end=True, end=False)
        described = link_pb2.Frame(error=error_wire.to_proto(error))
        write_metadata(described.trailers, trailers)
        if self.outgoing.queued and self._is_stream and not at_once:
            self.outgoing.finish = lambda frame: frame.MergeFrom(described)
            self.outgoing.put(None, b"", message_end=False, end=True)
            return
        frame = self._outbox.frame(self.id)
        frame.MergeFrom(described)
        if refused:
            frame.refused = True
        on_end = self.outgoing.on_end
        self.outgoing.drop()
        if on_end is not None:
            on_end()
        self._on_output()

    def give_up(self, failure: MeshError) -> None:
        """The caller is gone: nothing that is sent from now on arrives."""
        if not self.is_done:
            on_cancel = self.on_cancel
            self.incoming.drop()
            self.finish(failure)
            if on_cancel is not None:
                on_cancel()

    def finish(self, failure: MeshError | None) -> None:
        """Ends the call; lets go of the callback, which holds the call's task."""
        super().finish(failure)
        self.on_cancel = None
