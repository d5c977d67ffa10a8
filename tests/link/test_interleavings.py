"""Any order of steps at both ends of a link keeps the promises of a call."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mesh.call import ReplyHead
from mesh.errors import MeshError, Overloaded
from mesh.link.call import CallEnd, CallerCall, ReplicaCall
from mesh.link.frames import BATCH, CHUNK, OVERHEAD, WINDOW
from mesh.v1 import link_pb2
from tests.link.rig import BLOCK, HEAD, Wire, at_once, unread

LIMITS = [CHUNK, CHUNK - OVERHEAD, BATCH, WINDOW, WINDOW - OVERHEAD, 2 * WINDOW]
small = st.sampled_from([0, 1, 26, 1000])
medium = st.sampled_from([100_000, 300_000, 500_000])
sizes = small | medium | st.sampled_from([*LIMITS, *(limit + 1 for limit in LIMITS)])
rarely = st.sampled_from([False, False, False, False, True])
CALLS = 3
some_call = st.integers(0, CALLS - 1)


@dataclass
class Way:
    """What was sent on one way of a call, and what was read at its other end."""

    sent: list[bytes] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    sent_part: bytes = b""
    read_part: bytes = b""
    offset: int = 0
    ended: bool = False

    def next_data(self, size: int) -> bytes:
        """Bytes that are not those before, so that a lost or doubled piece shows."""
        self.offset = (self.offset + 7919 * 4) % WINDOW
        return BLOCK[self.offset : self.offset + size]

    def send(self, data: bytes, *, message_end: bool, end: bool) -> None:
        self.sent_part += data
        if message_end:
            self.sent.append(self.sent_part)
            self.sent_part = b""
        self.ended = end

    def take(self, data: bytes, *, message_end: bool) -> None:
        self.read_part += data
        if message_end:
            self.read.append(self.read_part)
            self.read_part = b""

    def check_order(self) -> None:
        """What was read is what was sent first, with the same boundaries."""
        count = len(self.read)
        following = self.sent[count] if count < len(self.sent) else self.sent_part
        # One word to assert on: pytest would take minutes to compare megabytes that differ.
        is_prefix = self.read == self.sent[:count] and following.startswith(self.read_part)
        assert is_prefix

    def check_whole(self) -> None:
        is_whole = self.read == self.sent and self.read_part == self.sent_part
        assert is_whole


@dataclass
class Dialog:
    """A call as the test drives it."""

    caller: CallerCall
    replica: ReplicaCall | None = None
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    cancelled: bool = False
    failed: bool = False
    replied: bool = False
    told: int = 0  # times that the replica was told of the cancellation

    def tell(self) -> None:
        self.told += 1


class Link(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire()
        self.wire.on_call = self.meet
        self.dialogs: list[Dialog] = []

    def dialog(self, number: int) -> Dialog | None:
        return self.dialogs[number] if number < len(self.dialogs) else None

    def meet(self, call: ReplicaCall) -> None:
        """Gives a dialog its replica's end, which has just arrived."""
        (dialog,) = (dialog for dialog in self.dialogs if dialog.caller.id == call.id)
        dialog.replica = call
        call.on_cancel = dialog.tell

    # Steps

    @precondition(lambda self: len(self.dialogs) < CALLS)
    @rule(size=sizes, message_end=st.booleans(), end=rarely)
    def open(self, size: int, message_end: bool, end: bool) -> None:
        up = Way()
        data = up.next_data(size)
        up.send(data, message_end=message_end, end=end)
        call = self.wire.caller.open(HEAD, data, message_end=message_end, end=end)
        self.dialogs.append(Dialog(call, up=up))

    @rule(number=some_call, size=sizes, message_end=st.booleans(), end=rarely)
    def send_up(self, number: int, size: int, message_end: bool, end: bool) -> None:
        dialog = self.dialog(number)
        if dialog is None or dialog.up.ended or dialog.caller.is_done:
            return
        data = dialog.up.next_data(size)
        dialog.up.send(data, message_end=message_end, end=end)
        dialog.caller.outgoing.put(None, data, message_end=message_end, end=end)

    @rule(number=some_call, size=sizes, message_end=st.booleans(), end=rarely)
    def send_down(self, number: int, size: int, message_end: bool, end: bool) -> None:
        dialog = self.dialog(number)
        if dialog is None or dialog.down.ended:
            return
        call = dialog.replica
        if call is None or call.is_done:
            return
        data = dialog.down.next_data(size)
        dialog.down.send(data, message_end=message_end, end=end)
        if dialog.replied:
            call.outgoing.put(None, data, message_end=message_end, end=end)
        else:
            dialog.replied = True
            call.start_reply(ReplyHead(), data, message_end=message_end, end=end)

    @rule(number=some_call, refused=st.booleans())
    def fail(self, number: int, refused: bool) -> None:
        dialog = self.dialog(number)
        if dialog is not None and dialog.replica is not None and not dialog.replica.is_done:
            dialog.failed = True
            dialog.replica.fail(Overloaded("full"), refused=refused)

    @rule(number=some_call)
    def cancel(self, number: int) -> None:
        dialog = self.dialog(number)
        if dialog is not None and not dialog.caller.is_done:
            dialog.cancelled = True
            dialog.caller.cancel()

    @rule(number=some_call)
    def read_up(self, number: int) -> None:
        dialog = self.dialog(number)
        if dialog is not None and dialog.replica is not None:
            self.read(dialog.replica, dialog.up)

    @rule(number=some_call)
    def read_down(self, number: int) -> None:
        dialog = self.dialog(number)
        if dialog is not None:
            self.read(dialog.caller, dialog.down)

    def read(self, end: CallEnd, way: Way) -> bool:
        if not end.incoming:
            return False
        piece = at_once(end.piece())
        assert piece is not None
        way.take(piece.data, message_end=piece.message_end)
        way.check_order()
        return True

    @rule()
    def take_up(self) -> None:
        self.check_batch(self.wire.take_up())

    @rule()
    def take_down(self) -> None:
        self.check_batch(self.wire.take_down())

    @rule()
    def deliver(self) -> None:
        self.wire.deliver()

    def check_batch(self, frames: link_pb2.Frames | None) -> None:
        if frames is not None:
            data = [len(frame.data) for frame in frames.frames]
            assert max(data) <= CHUNK
            assert sum(data) <= BATCH + CHUNK

    # What always holds

    @invariant()
    def no_more_than_a_window_is_unread(self) -> None:
        for dialog in self.dialogs:
            assert unread(dialog.caller) <= WINDOW
            assert dialog.replica is None or unread(dialog.replica) <= WINDOW

    @invariant()
    def no_sender_exceeds_its_credit(self) -> None:
        for dialog in self.dialogs:
            assert dialog.caller.outgoing.credit >= 0
            assert dialog.caller.outgoing.queued >= 0
            if dialog.replica is not None:
                assert dialog.replica.outgoing.credit >= 0
                assert dialog.replica.outgoing.queued >= 0

    def teardown(self) -> None:
        """When all that was sent is read, every call is where its steps have led it."""
        self.flow()
        for dialog in self.dialogs:
            self.check_outcome(dialog)
            self.end(dialog)
        self.flow()
        assert not self.wire.caller.calls
        assert not self.wire.replica.calls
        assert self.wire.caller.take() is None
        assert self.wire.replica.take() is None

    def flow(self) -> None:
        """Moves and reads until nothing moves."""
        steps: list[Callable[[], bool]] = [lambda: self.wire.take_up() is not None]
        steps += [lambda: self.wire.take_down() is not None, self.wire.deliver, self.read_all]
        while sum(step() for step in steps):
            pass

    def read_all(self) -> bool:
        read = False
        for dialog in self.dialogs:
            while dialog.replica is not None and self.read(dialog.replica, dialog.up):
                read = True
            while self.read(dialog.caller, dialog.down):
                read = True
        return read

    def check_outcome(self, dialog: Dialog) -> None:
        caller, replica = dialog.caller, dialog.replica
        assert replica is not None
        assert caller.is_done == (dialog.cancelled or dialog.failed or dialog.down.ended)
        assert replica.is_done == caller.is_done
        for end, other in (caller, replica), (replica, caller):
            assert end.outgoing.queued == 0
            if not end.is_done and not other.incoming.ended:
                assert end.outgoing.credit == other.incoming._allowed
        if dialog.cancelled:
            # A reply that was over before the cancellation came is not told of it.
            assert dialog.told == 1 or (dialog.told == 0 and (dialog.failed or dialog.down.ended))
            return
        assert dialog.told == 0
        if dialog.failed:
            assert isinstance(caller.failure, MeshError)
            assert caller.failure.message == "full"
            return
        dialog.down.check_whole()
        if not dialog.down.ended:
            dialog.up.check_whole()

    def end(self, dialog: Dialog) -> None:
        assert dialog.replica is not None
        dialog.replica.end_reply()


Link.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestAnyOrderOfSteps = Link.TestCase
