"""The two sessions of a link against each other, without any input or output."""

import pytest

from mesh.call import ReplyHead
from mesh.errors import Cancelled, Code, Internal, MeshError, Overloaded, TooLarge, Unavailable
from mesh.link.frames import CHUNK
from tests.link.rig import BLOCK, HEAD, Wire, at_once

REPLY = ReplyHead("text/plain", 201, (("x", "1"),))


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


def test_trailers_that_can_t_be_written_fail_their_own_call_at_once() -> None:
    wire = Wire()
    call, replica = wire.open(b"ping")
    with pytest.raises(UnicodeEncodeError):
        replica.trail((("x-cost", "\ud800"),))
    replica.fail(Internal("broken"))
    wire.settle()
    with pytest.raises(MeshError, match="broken"):
        at_once(call.reply())
    again, other = wire.open(b"ping")
    other.trail((("x-cost", "3"),))
    other.start_reply(REPLY, b"pong", message_end=True, end=True)
    wire.settle()
    assert (at_once(again.message()), again.trailers) == (b"pong", (("x-cost", "3"),))


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


def test_a_small_piece_does_not_overtake_a_large_one_of_its_own_call() -> None:
    wire = Wire()
    wire.settle()
    call = wire.caller.open(HEAD, BLOCK[: CHUNK + 1], message_end=False, end=False)
    call.outgoing.put(None, b"tail", message_end=True, end=True)
    wire.settle()
    assert at_once(wire.arrived[call.id].message()) == BLOCK[: CHUNK + 1] + b"tail"


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
