"""All calls of one link at one of its ends. No input or output: batches go in, batches come out."""

from collections.abc import Callable, Iterable

from google.protobuf.message import DecodeError

from mesh.call import CallHead
from mesh.clock import Clock
from mesh.errors import Cancelled, Internal, MeshError, Unavailable
from mesh.link import error_wire, head_wire
from mesh.link.batch import Part, PieceFrame, frames
from mesh.link.call import CallEnd, CallerCall, ReplicaCall
from mesh.link.frames import WINDOW, Outbox
from mesh.v1 import link_pb2


class ProtocolError(Internal):
    """The other end broke the rules of the link; the link is of no more use."""


def _parse(batch: bytes) -> Iterable[Part]:
    try:
        return frames(batch)
    except DecodeError as error:
        raise ProtocolError("a batch on the link is not a mesh.v1.Frames message") from error


class CallerSession:
    """The caller's end of a link.

    `on_output` is called when `take` has something to give. `is_going_away` tells that the
    replica takes no new calls.
    """

    def __init__(self, clock: Clock, on_output: Callable[[], None]) -> None:
        self._clock = clock
        self._on_output = on_output
        self._outbox = Outbox()
        self._outbox.frame(0).hello.window = WINDOW
        self._last = 0
        self._last_taken = 0  # calls after this one have not left this process
        self._peer_window = WINDOW  # until its hello says otherwise
        self.calls: dict[int, CallerCall] = {}
        self.is_going_away = False
        self.on_going_away: Callable[[], None] | None = None
        self.on_idle: Callable[[], None] | None = None
        self.on_room: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<CallerSession {len(self.calls)} calls, {self._outbox!r}>"

    def is_busy(self) -> bool:
        """Whether several calls are open, so that their frames may share a batch."""
        return len(self.calls) > 1

    def open(
        self,
        head: CallHead,
        data: bytes = b"",
        *,
        message_end: bool = True,
        end: bool = True,
        waits: bool = False,
    ) -> CallerCall:
        """Starts a call with the first piece of its request; with `end` that is all of it.

        `waits` has the replica tell `on_room` when there is a place, if there is none.
        """
        self._last += 1
        call = CallerCall(
            self._last, self._outbox, self._peer_window, self._on_output, self._cancelled
        )
        frame = self._outbox.frame(call.id)
        try:
            head_wire.write_start(frame.start, head, self._clock())
        except BaseException:
            frame.Clear()  # what is left says nothing: the call never was
            raise
        if waits:
            frame.start.waits = True
        self.calls[call.id] = call
        if data or message_end or end:
            fits = call.outgoing.fits(len(data))
            call.outgoing.put(frame if fits else None, data, message_end=message_end, end=end)
        self._on_output()
        return call

    def take(self) -> bytes | None:
        """The next batch to write; None if there is nothing to write."""
        self._last_taken = self._last
        return self._outbox.take()

    def receive(self, batch: bytes) -> None:
        """Takes a batch that the replica wrote.

        Raises:
            ProtocolError: it is no batch, or breaks a rule.
        """
        calls = self.calls
        for frame in _parse(batch):
            call = calls.get(frame.call)
            if call is not None:
                self._take(call, frame)
            elif isinstance(frame, PieceFrame):
                pass  # as below
            elif frame.call == 0:
                self._take_own(frame)
            # Else the call was given up and the replica did not know yet.

    def _take(self, call: CallerCall, frame: Part) -> None:
        if isinstance(frame, PieceFrame):
            if not call.take_piece(frame.data, message_end=frame.message_end, end=frame.end):
                raise ProtocolError(f"call {call.id}: the replica sent more than its window")
            if frame.end:
                self._ended(call, None)
            return
        if frame.HasField("reply"):
            call.head = head_wire.read_reply_head(frame.reply)
        if frame.HasField("error"):
            call.refused = frame.refused
            failure = error_wire.from_proto(frame.error)
            if frame.trailers:
                failure.trailers = head_wire.read_metadata(frame.trailers)
            self._ended(call, failure)
            return
        if not call.take_frame(frame):
            raise ProtocolError(f"call {call.id}: the replica sent more than its window")
        if frame.end:
            if frame.trailers:
                call.trailers = head_wire.read_metadata(frame.trailers)
            self._ended(call, None)

    def _ended(self, call: CallerCall, failure: MeshError | None) -> None:
        del self.calls[call.id]
        call.finish(failure)
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self.on_room is not None:
            self.on_room()
        if not self.calls and self.on_idle is not None:
            self.on_idle()

    def _take_own(self, frame: link_pb2.Frame) -> None:
        if frame.HasField("hello"):
            self._peer_window = frame.hello.window
        if frame.going_away:
            self.is_going_away = True
            if self.on_going_away is not None:
                self.on_going_away()
        if frame.room and self.on_room is not None:
            self.on_room()

    def _cancelled(self, call: CallerCall) -> None:
        if self.calls.pop(call.id, None) is not None:
            self._outbox.frame(call.id).cancel = True
            self._on_output()
            self._tell_idle()

    def close(self) -> None:
        """Fails every call: the link is gone. Those that never left this process are refused."""
        self.is_going_away = True
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.refused = call.id > self._last_taken
            call.is_lost = not call.refused
            call.finish(Unavailable("the replica is gone"))


class ReplicaSession:
    """The replica's end of a link. `on_call` gets every new call and must not block."""

    def __init__(
        self,
        clock: Clock,
        on_output: Callable[[], None],
        on_call: Callable[[ReplicaCall], None],
    ) -> None:
        self._clock = clock
        self._on_output = on_output
        self._on_call = on_call
        self._outbox = Outbox()
        self._outbox.frame(0).hello.window = WINDOW
        self._peer_window = WINDOW
        self._tell_room = self._room  # one object, by which the link is known, too
        self.calls: dict[int, ReplicaCall] = {}
        self.on_idle: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<ReplicaSession {len(self.calls)} calls, {self._outbox!r}>"

    def is_busy(self) -> bool:
        """Whether several calls are open, so that their frames may share a batch."""
        return len(self.calls) > 1

    def take(self) -> bytes | None:
        """The next batch to write; None if there is nothing to write."""
        return self._outbox.take()

    def receive(self, batch: bytes) -> None:
        """Takes a batch that the caller wrote.

        Raises:
            ProtocolError: it is no batch, or breaks a rule.
        """
        calls = self.calls
        for frame in _parse(batch):
            if isinstance(frame, PieceFrame):
                self._take_piece(frame)
            elif frame.HasField("start"):
                self._start(frame)
            elif (call := calls.get(frame.call)) is not None:
                self._take(call, frame)
            elif frame.HasField("hello"):
                self._peer_window = frame.hello.window
            # Else the call is over and the caller did not know yet.

    def _start(self, frame: link_pb2.Frame) -> None:
        head = head_wire.read_start(frame.start, self._clock())
        number = frame.call
        if number in self.calls or not number:
            raise ProtocolError(f"call {number} was started twice")
        call = ReplicaCall(number, self._outbox, self._peer_window, self._on_output, head)
        if frame.start.waits:
            call.tell_room = self._tell_room
        self.calls[number] = call
        call.outgoing.on_end = lambda: self._ended(call)
        self._take(call, frame)
        self._on_call(call)

    def _take_piece(self, frame: PieceFrame) -> None:
        call = self.calls.get(frame.call)
        if call is not None and not call.take_piece(
            frame.data, message_end=frame.message_end, end=frame.end
        ):
            raise ProtocolError(f"call {call.id}: the caller sent more than its window")

    def _take(self, call: ReplicaCall, frame: link_pb2.Frame) -> None:
        if frame.cancel:
            del self.calls[call.id]
            call.give_up(Cancelled("the caller gave the call up"))
            self._tell_idle()
        elif not call.take_frame(frame):
            raise ProtocolError(f"call {call.id}: the caller sent more than its window")

    def _ended(self, call: CallEnd) -> None:
        del self.calls[call.id]
        call.finish(None)
        self._tell_idle()

    def _tell_idle(self) -> None:
        if not self.calls and self.on_idle is not None:
            self.on_idle()

    def _room(self) -> None:
        self._outbox.frame(0).room = True
        self._on_output()

    def go_away(self) -> None:
        """Tells the caller to start no more calls here."""
        self._outbox.frame(0).going_away = True
        self._on_output()

    def close(self) -> None:
        """Gives up every call: the link is gone."""
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.give_up(Cancelled("the link to the caller is gone"))
        self._tell_idle()
