"""The two sessions of a link against each other, without any input or output."""

import pytest

from mesh.call import ReplyHead
from mesh.errors import Cancelled, Code, Internal, MeshError, Overloaded, TooLarge, Unavailable
from mesh.link.frames import BATCH, CHUNK, OVERHEAD, WINDOW
from mesh.link.session import CallerSession, ProtocolError, ReplicaSession
from mesh.v1 import link_pb2
from tests.link.rig import BLOCK, HEAD, Wire, at_once, frozen, pieces, unread

REPLY = ReplyHead("text/plain", 201, (("x", "1"),))


def data_of(frames: link_pb2.Frames | None, call: int) -> bytes:
    assert frames is not None
    return b"".join(frame.data for frame in frames.frames if frame.call == call)


# The life of a call


def test_a_small_call_is_one_frame_each_way() -> None:
    wire = Wire()
    wire.settle()
    call = wire.caller.open(HEAD, b"ping")
    up = wire.take_up()
    assert up is not None
    assert len(up.frames) == 1
    wire.settle()
    replica = wire.arrived[call.id]
    assert replica.head == HEAD
    assert at_once(replica.message()) == b"ping"
    assert at_once(replica.message()) is None
    replica.start_reply(REPLY, b"pong", message_end=True, end=True)
    down = wire.take_down()
    assert down is not None
    assert len(down.frames) == 1
    wire.settle()
    assert at_once(call.reply()) == REPLY
    assert at_once(call.message()) == b"pong"
    assert at_once(call.message()) is None


def test_a_call_that_was_answered_is_gone_at_both_ends() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(REPLY, b"pong", message_end=True, end=True)
    wire.settle()
    assert call.is_done
    assert replica.is_done
    assert not wire.caller.calls
    assert not wire.replica.calls


def test_a_call_that_was_cancelled_is_gone_at_both_ends_and_its_method_is_told_once() -> None:
    wire = Wire()
    call, replica = wire.open(BLOCK)
    told: list[None] = []
    replica.on_cancel = lambda: told.append(None)
    call.cancel()
    call.cancel()
    wire.settle()
    assert not wire.caller.calls
    assert not wire.replica.calls
    assert told == [None]
    for end in call, replica:
        with pytest.raises(Cancelled):
            at_once(end.message())


def test_what_a_cancelled_call_had_queued_is_not_sent() -> None:
    wire = Wire()
    wire.settle()
    call = wire.caller.open(HEAD, BLOCK)
    wire.take_up()
    call.cancel()
    frames = wire.take_up()
    assert frames is not None
    assert [(frame.cancel, frame.data) for frame in frames.frames] == [(True, b"")]
    assert wire.take_up() is None


def test_a_cancel_that_crosses_the_reply_is_ignored() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(REPLY, b"pong", message_end=True, end=True)
    call.cancel()
    wire.settle()
    assert call.head is None
    assert not wire.caller.calls
    assert not wire.replica.calls


def test_a_failure_reaches_the_caller_with_all_it_says() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.fail(Overloaded("full", retry_after=1.5), refused=True)
    wire.settle()
    with pytest.raises(MeshError, match="full") as caught:
        at_once(call.reply())
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert caught.value.retry_after == 1.5
    assert call.refused
    assert not call.is_lost
    assert not wire.caller.calls
    assert not wire.replica.calls


def test_a_failure_that_is_no_refusal_is_not_taken_for_one() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.fail(Unavailable("sorry"))
    wire.settle()
    assert not call.refused
    assert not call.is_lost


@pytest.mark.parametrize("message", ["half a pair: \ud800", "null: \0", "long: " + "x" * 1000])
def test_a_failure_reaches_the_caller_whatever_its_text(message: str) -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.fail(MeshError(message, retry_after=float("inf"), http_status=-1))
    wire.settle()
    with pytest.raises(MeshError, match=message.partition(":")[0]):
        at_once(call.reply())
    assert not wire.replica.calls


def test_items_that_came_before_a_failure_are_read_before_it() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(ReplyHead(stream=True), b"one", message_end=True)
    replica.outgoing.put(None, b"two", message_end=True, end=False)
    replica.fail(Internal("broken"))
    wire.settle()
    assert at_once(call.reply()).stream
    assert [at_once(call.message()), at_once(call.message())] == [b"one", b"two"]
    with pytest.raises(MeshError, match="broken"):
        at_once(call.message())


def test_a_failure_in_the_middle_of_a_large_reply_takes_the_place_of_the_rest() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(REPLY, BLOCK, message_end=True, end=True)
    wire.settle()
    replica.fail(Internal("broken"))
    wire.settle()
    with pytest.raises(MeshError, match="broken"):
        at_once(call.message())
    assert not wire.caller.calls
    assert not wire.replica.calls


def test_a_second_answer_changes_nothing() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(REPLY, b"pong", message_end=True, end=True)
    replica.fail(Internal("too late"))
    replica.start_reply(ReplyHead("late"), b"late", message_end=True, end=True)
    replica.end_reply()
    wire.settle()
    assert at_once(call.reply()) == REPLY
    assert at_once(call.message()) == b"pong"


def test_an_end_without_a_reply_is_a_fault_of_the_replica() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.end_reply()
    wire.settle()
    with pytest.raises(Internal, match="without a reply"):
        at_once(call.reply())


def test_an_end_in_the_middle_of_a_message_is_no_message() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(REPLY, b"half", message_end=False, end=True)
    wire.settle()
    with pytest.raises(Internal, match="broke a message off"):
        at_once(call.message())


def test_an_empty_message_is_a_message() -> None:
    wire = Wire()
    call, replica = wire.open()
    assert at_once(replica.message()) == b""
    assert at_once(replica.message()) is None
    replica.start_reply(REPLY, message_end=True)
    replica.end_reply()
    wire.settle()
    assert at_once(call.message()) == b""
    assert at_once(call.message()) is None


def test_a_message_over_the_limit_is_refused_before_all_of_it_is_there() -> None:
    wire = Wire()
    _, replica = wire.open(BLOCK)
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        at_once(replica.message(10))
    _, replica = wire.open(b"ten bytes!")
    assert at_once(replica.message(10)) == b"ten bytes!"
    _, replica = wire.open(b"more than that")
    with pytest.raises(TooLarge):
        at_once(replica.message(10))


def test_a_head_that_cannot_be_written_leaves_no_call_behind() -> None:
    wire = Wire()
    with pytest.raises(ValueError, match="surrogate"):
        wire.caller.open(HEAD._replace(metadata=(("x", "\ud800"),)), b"ping")
    assert not wire.caller.calls
    call, replica = wire.open(b"ping")
    assert list(wire.arrived) == [call.id]
    with pytest.raises(ValueError, match="surrogate"):
        replica.start_reply(ReplyHead(metadata=(("x", "\ud800"),)), b"pong", message_end=True)
    replica.fail(Internal("no such header"))
    wire.settle()
    with pytest.raises(MeshError, match="no such header"):
        at_once(call.reply())


# The end of a link


def test_when_a_link_breaks_only_calls_that_never_left_are_refused() -> None:
    wire = Wire()
    sent = wire.caller.open(HEAD, b"ping")
    wire.take_up()
    unsent = wire.caller.open(HEAD, b"ping")
    wire.caller.close()
    assert (sent.refused, sent.is_lost) == (False, True)
    assert (unsent.refused, unsent.is_lost) == (True, False)
    for call in sent, unsent:
        with pytest.raises(Unavailable):
            at_once(call.reply())
    assert not wire.caller.calls
    assert wire.caller.is_going_away


def test_when_a_link_breaks_what_came_before_is_read_and_then_the_break_is_told() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    replica.start_reply(ReplyHead(stream=True), b"one", message_end=True)
    wire.settle()
    wire.caller.close()
    assert at_once(call.message()) == b"one"
    with pytest.raises(Unavailable):
        at_once(call.message())


def test_when_a_link_breaks_every_method_that_runs_is_told() -> None:
    wire = Wire()
    told = []
    for number in range(3):
        _, replica = wire.open(b"ping")
        replica.on_cancel = lambda number=number: told.append(number)
    wire.replica.close()
    assert told == [0, 1, 2]
    assert not wire.replica.calls


def test_a_replica_that_goes_away_is_known_to_the_caller_and_running_calls_go_on() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    wire.replica.go_away()
    wire.settle()
    assert wire.caller.is_going_away
    replica.start_reply(REPLY, b"pong", message_end=True, end=True)
    wire.settle()
    assert at_once(call.message()) == b"pong"


def test_a_session_tells_when_its_last_call_ends_however_it_ends() -> None:
    wire = Wire()
    idle: list[str] = []
    wire.caller.on_idle = lambda: idle.append("caller")
    wire.replica.on_idle = lambda: idle.append("replica")
    one, replica_one = wire.open(b"ping")
    two, _ = wire.open(b"ping")
    replica_one.start_reply(REPLY, b"pong", message_end=True, end=True)
    wire.settle()
    assert idle == []
    two.cancel()
    wire.settle()
    assert idle == ["caller", "replica"]
    _, three = wire.open(b"ping")
    three.fail(Internal("no"))
    wire.settle()
    assert idle == ["caller", "replica", "replica", "caller"]
    assert one.is_done


# Limits


def test_no_more_than_a_window_is_under_way_until_the_reader_reads() -> None:
    wire = Wire()
    call, replica = wire.open(BLOCK)
    assert WINDOW - 2 * OVERHEAD <= unread(replica) <= WINDOW
    assert call.outgoing.queued > len(BLOCK) - WINDOW
    body = b""
    while not replica.incoming.ended or replica.incoming:
        got = pieces(replica)
        body += b"".join(piece.data for piece in got)
        wire.settle()
        assert unread(replica) <= WINDOW
    assert body == BLOCK


def test_empty_messages_count_against_the_window_too() -> None:
    wire = Wire()
    call, replica = wire.open(end=False)
    for _ in range(2 * WINDOW // OVERHEAD):
        call.outgoing.put(None, b"", message_end=True, end=False)
    wire.settle()
    assert unread(replica) <= WINDOW
    assert call.outgoing.queued >= WINDOW - OVERHEAD
    count = 0
    while got := pieces(replica):
        count += len(got)
        wire.settle()
    assert count == 2 * WINDOW // OVERHEAD + 1


def test_a_batch_is_bounded_and_so_is_each_of_its_frames() -> None:
    wire = Wire()
    for _ in range(20):
        wire.caller.open(HEAD, BLOCK[:WINDOW])
    largest = 0
    while (frames := wire.take_up()) is not None:
        assert all(len(frame.data) <= CHUNK for frame in frames.frames)
        largest = max(largest, sum(len(frame.data) for frame in frames.frames))
    assert CHUNK < largest < BATCH + CHUNK


def test_a_large_body_delays_a_small_call_by_one_batch_at_most() -> None:
    wire = Wire()
    wire.settle()
    for _ in range(5):
        wire.caller.open(HEAD, BLOCK)
    wire.take_up()
    small = wire.caller.open(HEAD, b"small")
    assert data_of(wire.take_up(), small.id) == b"small"


def test_large_bodies_take_turns() -> None:
    wire = Wire()
    wire.settle()
    calls = [wire.caller.open(HEAD, BLOCK) for _ in range(3)]
    first, second = wire.take_up(), wire.take_up()
    for call in calls:
        assert data_of(first, call.id) or data_of(second, call.id)


def call_overhead(size: int) -> int:
    """What the pieces of a body of `size` bytes count for beyond their data."""
    return -(-size // CHUNK) * OVERHEAD


def test_a_large_body_moves_on_however_many_small_calls_fill_the_batches() -> None:
    wire = Wire()
    wire.settle()
    large = wire.caller.open(HEAD, BLOCK[:WINDOW])
    moved = 0
    for _ in range(8):
        for _ in range(BATCH // CHUNK):  # without a turn of their own, and yet a full batch
            wire.caller.open(HEAD, BLOCK[: CHUNK - OVERHEAD])
        moved += len(data_of(wire.take_up(), large.id))
    assert moved + call_overhead(moved) == WINDOW


def test_a_slow_reader_stalls_only_itself() -> None:
    wire = Wire()
    _, slow = wire.open(BLOCK)
    _, fast = wire.open(BLOCK)
    body = b""
    while not fast.incoming.ended or fast.incoming:
        body += b"".join(piece.data for piece in pieces(fast))
        wire.settle()
    assert body == BLOCK
    assert unread(slow) <= WINDOW


def test_the_window_that_the_other_end_says_hello_with_is_kept() -> None:
    caller = CallerSession(frozen, lambda: None)
    caller.take()
    hello = link_pb2.Frames(frames=[link_pb2.Frame(hello=link_pb2.Hello(window=1000))])
    caller.receive(hello.SerializeToString())
    call = caller.open(HEAD, BLOCK)
    frames = link_pb2.Frames.FromString(caller.take() or b"")
    assert sum(len(frame.data) + OVERHEAD for frame in frames.frames if frame.data) == 1000
    assert caller.take() is None
    grant = link_pb2.Frames(frames=[link_pb2.Frame(call=call.id, credit=500)])
    caller.receive(grant.SerializeToString())
    frames = link_pb2.Frames.FromString(caller.take() or b"")
    assert [len(frame.data) + OVERHEAD for frame in frames.frames] == [500]


# Peers that break the rules


def batch(*frames: link_pb2.Frame) -> bytes:
    return link_pb2.Frames(frames=frames).SerializeToString()


def replica_session() -> ReplicaSession:
    return ReplicaSession(frozen, lambda: None, lambda _: None)


START = link_pb2.Start(method="echo")


def test_garbage_is_a_protocol_error_at_both_ends() -> None:
    for session in CallerSession(frozen, lambda: None), replica_session():
        with pytest.raises(ProtocolError, match=r"not a mesh\.v1\.Frames"):
            session.receive(b"\xff\xff\xff")


def test_a_call_that_is_started_twice_is_a_protocol_error() -> None:
    session = replica_session()
    session.receive(batch(link_pb2.Frame(call=1, start=START)))
    with pytest.raises(ProtocolError, match="started twice"):
        session.receive(batch(link_pb2.Frame(call=1, start=START)))


def test_call_0_cannot_be_started() -> None:
    with pytest.raises(ProtocolError):
        replica_session().receive(batch(link_pb2.Frame(start=START)))


def test_more_than_the_window_is_a_protocol_error_at_both_ends() -> None:
    too_much = [link_pb2.Frame(call=1, data=BLOCK[:CHUNK]) for _ in range(5)]
    session = replica_session()
    session.receive(batch(link_pb2.Frame(call=1, start=START)))
    with pytest.raises(ProtocolError, match="more than its window"):
        session.receive(batch(*too_much))
    caller = CallerSession(frozen, lambda: None)
    caller.open(HEAD)
    with pytest.raises(ProtocolError, match="more than its window"):
        caller.receive(batch(*too_much))


def test_frames_of_calls_that_are_not_known_are_ignored() -> None:
    strays = [
        link_pb2.Frame(call=7, data=b"x", message_end=True),
        link_pb2.Frame(call=7, credit=5),
        link_pb2.Frame(call=7, cancel=True),
        link_pb2.Frame(call=7, end=True),
        link_pb2.Frame(call=7, reply=link_pb2.Reply()),
        link_pb2.Frame(),
    ]
    caller, replica = CallerSession(frozen, lambda: None), replica_session()
    for session in caller, replica:
        session.receive(batch(*strays))
        assert not session.calls
    with pytest.raises(KeyError):
        caller.calls[7]


def test_a_header_value_that_is_no_text_spares_the_other_calls_of_the_link() -> None:
    arrived = []
    session = ReplicaSession(frozen, lambda: None, arrived.append)
    field = link_pb2.Metadata(name="x", value=b"\xff\xfe")
    raw = link_pb2.Metadata(name="x-bin", value=b"\xff\xfe")
    session.receive(
        batch(link_pb2.Frame(call=1, start=link_pb2.Start(method="echo", metadata=[field, raw])))
    )
    assert arrived[0].head.metadata == (("x", "\ufffd\ufffd"), ("x-bin", b"\xff\xfe"))
