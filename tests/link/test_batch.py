"""Batches that are written and read by hand are those of the protobuf library."""

from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given, settings, strategies as st

from mesh.link import batch as batches
from mesh.link.batch import PieceFrame, frames, other_frame, piece_frame
from mesh.link.nearby import NearbyTransport
from mesh.v1 import link_pb2

calls = st.integers(1, 2**63)
pieces = st.builds(PieceFrame, calls, st.binary(max_size=300), st.booleans(), st.booleans())
others = st.builds(
    link_pb2.Frame,
    call=calls,
    start=st.builds(link_pb2.Start, method=st.text(max_size=5)),
    data=st.binary(max_size=50),
    cancel=st.booleans(),
    credit=st.integers(0, 2**63),
)


def _large(parts: list[Any]) -> bytes:
    """The parts as one batch that is large enough to be read by hand."""
    filler = PieceFrame(9, bytes(batches.LARGE), False, False)
    out: list[bytes] = []
    for part in [filler, *parts]:
        if isinstance(part, PieceFrame):
            call, data, message_end, end = part
            out += map(bytes, piece_frame(call, data, message_end=message_end, end=end))
        else:
            out.append(other_frame(part))
    return b"".join(out)


def _facts(frame: Any) -> tuple[Any, ...]:
    return frame.call, frame.data, frame.message_end, frame.end


@given(st.lists(pieces | others, max_size=8))
def test_what_is_written_is_what_either_reads(parts: list[Any]) -> None:
    batch = _large(parts)
    by_hand = list(frames(batch))[1:]
    by_library = list(link_pb2.Frames.FromString(batch).frames)[1:]
    assert len(by_hand) == len(by_library) == len(parts)
    for mine, theirs, meant in zip(by_hand, by_library, parts, strict=True):
        assert _facts(mine) == _facts(theirs) == _facts(meant)
        if not isinstance(mine, PieceFrame):
            assert mine == theirs


@given(st.lists(pieces, max_size=3), st.data())
@settings(max_examples=300)
def test_a_damaged_batch_is_no_batch_or_another_one(parts: list[Any], data: st.DataObject) -> None:
    whole = _large(parts)
    tail = bytearray(whole[-(len(whole) - batches.LARGE) :])
    for _ in range(data.draw(st.integers(0, 3))):
        tail[data.draw(st.integers(0, len(tail) - 1))] = data.draw(st.integers(0, 255))
    damaged = whole[: batches.LARGE] + bytes(tail[: data.draw(st.integers(0, len(tail)))])
    try:
        found = list(frames(damaged))
    except DecodeError:
        return
    assert all(isinstance(each.data, bytes) for each in found)


def test_a_field_that_nobody_knows_is_passed_over() -> None:
    batch = _large([PieceFrame(3, b"x", True, True)]) + b"\x7a\x01z"
    assert [each.call for each in frames(batch)] == [9, 3]


@given(st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=6), st.data())
def test_batches_come_whole_however_the_socket_cuts_them(
    sent: list[bytes], data: st.DataObject
) -> None:
    transport = NearbyTransport()
    stream = b"".join(len(each).to_bytes(4, "little") + each for each in sent)
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        transport.data_received(stream[at : at + size])
        at += size
    assert list(transport._batches) == sent
    assert transport._unread == sum(map(len, sent))
