"""Windows bound what is unread, batches bound what is written, and calls take turns."""

from mesh.link.frames import BATCH, CHUNK, OVERHEAD, WINDOW
from mesh.link.session import CallerSession
from mesh.v1 import link_pb2
from tests.link.rig import BLOCK, HEAD, Wire, frozen, pieces, unread


def data_of(frames: link_pb2.Frames | None, call: int) -> bytes:
    assert frames is not None
    return b"".join(frame.data for frame in frames.frames if frame.call == call)


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
