"""The framing of gRPC, whatever the bytes and however they are cut."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from gateway.grpc_frames import (
    LONGEST_NAME,
    MessageReader,
    framed,
    peek_method,
    timeout_seconds,
)
from mesh.errors import InvalidArgument, MeshError, TooLarge
from mesh.v1 import inference_pb2

LIMIT = 1000
messages = st.lists(st.binary(max_size=300), max_size=6)


def read(reader: MessageReader, *parts: bytes) -> list[bytes]:
    found = []
    for part in parts:
        reader.put(part)
        while (message := reader.take()) is not None:
            found.append(message)
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@given(messages, st.lists(st.integers(min_value=0), max_size=12))
def test_messages_are_the_same_however_their_bytes_are_cut(
    sent: list[bytes], places: list[int]
) -> None:
    reader = MessageReader(LIMIT)
    assert read(reader, *cut(b"".join(map(framed, sent)), places)) == sent
    assert reader.is_between


@given(messages, st.integers(min_value=1, max_value=305))
def test_a_message_that_is_not_complete_is_noticed(sent: list[bytes], missing: int) -> None:
    reader = MessageReader(LIMIT)
    last = framed(b"x" * 300)[:-missing]
    assert read(reader, b"".join(map(framed, sent)), last) == sent
    assert reader.is_between == (not last)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_garbage_raises_nothing_but_mesh_errors(parts: list[bytes]) -> None:
    reader = MessageReader(LIMIT)
    with suppress(MeshError):
        for message in read(reader, *parts):
            assert len(message) <= LIMIT


@given(st.binary(max_size=200))
def test_garbage_in_a_message_raises_nothing_but_mesh_errors(message: bytes) -> None:
    try:
        assert peek_method(message)
    except MeshError as error:
        assert error.message


@given(st.text(min_size=1, max_size=200), st.dictionaries(st.text(max_size=5), st.integers(0, 9)))
def test_the_method_is_read_as_protobuf_reads_it(name: str, numbers: dict[str, int]) -> None:
    request = inference_pb2.CallRequest(method=name)
    for key, number in numbers.items():
        request.arguments[key].integer = number
    whole = request.SerializeToString()
    assert peek_method(whole) == name
    # Fields may come in any order.
    arguments = inference_pb2.CallRequest(arguments=request.arguments).SerializeToString()
    method = inference_pb2.CallRequest(method=name).SerializeToString()
    assert peek_method(arguments + method) == name


@pytest.mark.parametrize("skipped", [b"\x20\xff\x01", b"\x25abcd", b"\x21abcdefgh"])
def test_unknown_fields_before_the_method_are_passed_over(skipped: bytes) -> None:
    assert peek_method(skipped + b"\x0a\x02go") == "go"


@pytest.mark.parametrize("message", [b"", b"\x0a\x00", b"\x23", b"\x80" * 11, b"\x0a\x05abc"])
def test_a_message_that_names_no_method_is_invalid(message: bytes) -> None:
    with pytest.raises(InvalidArgument):
        peek_method(message)


def test_a_method_is_looked_for_among_the_first_fields_only() -> None:
    assert peek_method(b"\x22\0" * 999 + b"\x0a\x02go") == "go"
    with pytest.raises(InvalidArgument, match="names no method"):
        peek_method(b"\x22\0" * 1000 + b"\x0a\x02go")


def test_no_method_has_a_name_of_any_length() -> None:
    longest = "m" * LONGEST_NAME
    assert peek_method(inference_pb2.CallRequest(method=longest).SerializeToString()) == longest
    for name in (longest + "m", "m" * 2**20):
        with pytest.raises(InvalidArgument, match="name of more than 256 bytes"):
            peek_method(inference_pb2.CallRequest(method=name).SerializeToString())


def test_a_size_over_the_limit_is_told_before_the_message_comes() -> None:
    with pytest.raises(TooLarge):
        read(MessageReader(LIMIT), b"\0" + (LIMIT + 1).to_bytes(4))
    with pytest.raises(TooLarge):
        read(MessageReader(LIMIT), b"\0\0", b"\0" + (LIMIT + 1).to_bytes(2))
    assert read(MessageReader(LIMIT), framed(bytes(LIMIT))) == [bytes(LIMIT)]


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=20))), st.lists(st.integers(0)))
def test_each_message_says_whether_it_is_compressed(
    sent: list[tuple[bool, bytes]], places: list[int]
) -> None:
    reader = MessageReader(LIMIT)
    found = []
    whole = b"".join(framed(message, compressed=flag) for flag, message in sent)
    for part in cut(whole, places):
        reader.put(part)
        while (message := reader.take()) is not None:
            found.append((reader.compressed, message))
    assert found == sent


def test_messages_that_are_put_before_any_is_taken_keep_their_flags() -> None:
    reader = MessageReader(LIMIT)
    reader.put(framed(b"a", compressed=True))
    reader.put(framed(b"b"))
    assert [(reader.take(), reader.compressed) for _ in range(2)] == [(b"a", True), (b"b", False)]


def test_what_is_no_grpc_is_invalid() -> None:
    with pytest.raises(InvalidArgument):
        read(MessageReader(LIMIT), b"\x02\0\0\0\0")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1H", 3600.0), ("2M", 120.0), ("10S", 10.0), ("100m", 0.1), ("5u", 5e-6), ("99999999n",
        0.099999999), ("0S", 0.0),
    ],
)  # fmt: skip
def test_each_unit_of_a_timeout_is_understood(text: str, seconds: float) -> None:
    assert timeout_seconds(text) == pytest.approx(seconds)


@given(st.text(max_size=12))
def test_any_other_timeout_is_invalid_argument(text: str) -> None:
    with suppress(InvalidArgument):
        assert timeout_seconds(text) >= 0
