"""Messages of a stream, out of bytes in any pieces."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from gateway.errors import last_frame
from mesh.client.frames import FrameReader
from mesh.errors import Code, Internal, InvalidArgument, MeshError, NotFound, Violation


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 400)))
def test_messages_are_the_same_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    body = b"".join(len(each).to_bytes(4, "big") + each for each in messages)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    reader = FrameReader()
    found = []
    for start, end in pairwise(places):
        found += reader.feed(body[start:end])
    reader.end()
    assert found == messages


def test_a_reply_that_ends_within_a_message_is_broken() -> None:
    reader = FrameReader()
    assert list(reader.feed(b"\x00\x00\x00\x02a")) == []
    with pytest.raises(Internal, match="middle of a message"):
        reader.end()


def test_a_length_beyond_reason_is_refused_at_once() -> None:
    with pytest.raises(Internal, match="not a stream"):
        list(FrameReader().feed(b"\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("stop here", violations=(Violation(("x",), "kind", "why"),)),
        NotFound("Not Found"),
        MeshError("on strike", code=Code.ABORTED, http_status=418),
    ],
)
def test_the_error_that_ends_a_stream_is_raised_after_its_messages(error: MeshError) -> None:
    items = FrameReader().feed(b"\x00\x00\x00\x01a" + last_frame(error))
    assert next(items) == b"a"
    with pytest.raises(MeshError, match=error.message) as caught:
        next(items)
    assert caught.value.status == error.status
    assert [each.path for each in caught.value.violations] == [
        each.path for each in error.violations
    ]
