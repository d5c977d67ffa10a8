"""Binary metadata and trailers, from clients to methods and back."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given, strategies as st

from gateway.grpc_metadata import read
from mesh.errors import Code, InvalidArgument
from tests.gateway.rig import World, in_world, value, world
from tests.link.rig import run

pytestmark = pytest.mark.usefixtures("server")

KEY = "x-key-bin"


def unpadded(data: bytes) -> str:
    return b64encode(data).rstrip(b"=").decode()


def bytes_of(fields: list[tuple[str, str]]) -> list[bytes]:
    return [b64decode(each + "==") for name, each in fields if name == KEY]


@in_world
async def test_binary_values_arrive_as_bytes_and_go_back_as_base64(made: World) -> None:
    sent = [b"\0\xff", b"a", b"ab", b"abc", b""]
    headers = [(KEY, unpadded(each)) for each in sent[:3]]
    headers.append((KEY, f"{b64encode(sent[3]).decode()}, {unpadded(sent[4])}"))
    reply = await made.call("binary", headers=headers)
    assert value(reply) == [list(each) for each in sent]
    assert bytes_of(reply.metadata) == bytes_of(reply.http.trailers) == sent
    assert not any("=" in each for name, each in reply.metadata if name == KEY)


@in_world
async def test_padding_may_be_there_or_not(made: World) -> None:
    for text in ("AA==", "AA"):
        assert value(await made.call("binary", headers=[(KEY, text)])) == [[0]]


@pytest.mark.parametrize("text", ["!", "a", "AA=A", "\x80"])
def test_a_binary_value_that_is_none_is_invalid_and_named(text: str) -> None:
    async def main() -> None:
        async with world() as made:
            reply = await made.call("binary", headers=[("x-bad-bin", text)])
            assert reply.code == Code.INVALID_ARGUMENT
            assert reply.message == "the metadata x-bad-bin is not base64"
            await made.still_serves()

    run(main())


@in_world
async def test_binary_values_of_a_reply_are_base64_over_http_too(made: World) -> None:
    reply = await made.post("/binary", {}, headers=[(KEY, "text")])
    assert (reply.body, bytes_of(reply.headers)) == (b"[[116,101,120,116]]", [b"text"])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.booleans())
def test_any_bytes_come_back(values: list[bytes], joined: bool) -> None:
    texts = [unpadded(each) for each in values]
    pairs = [",".join(texts)] if joined else texts
    metadata = tuple((KEY, text) for text in pairs)
    assert read((("a", "1"), *metadata)) == (("a", "1"), *((KEY, each) for each in values))


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_other_text_is_bytes_or_invalid(text: str) -> None:
    try:
        assert all(isinstance(each, bytes) for _, each in read(((KEY, text),)))
    except InvalidArgument as error:
        assert KEY in error.message


@in_world
async def test_trailers_of_a_method_go_with_the_status(made: World) -> None:
    for size in (1, 3 * 2**20):  # in one frame and in many
        reply = await made.call("costly", size=size)
        assert len(value(reply)) == size
        assert reply.http.trailers == [("x-cost", "3"), ("x-line", "é"), ("grpc-status", "0")]
        assert "x-cost" not in dict(reply.metadata)
    await made.still_serves()


@in_world
async def test_trailers_may_be_set_after_the_first_item_of_a_stream(made: World) -> None:
    for n in (0, 3):
        reply = await made.call("costly_items", rpc="CallServerStream", n=n)
        assert (reply.code, len(reply.messages)) == (0, n)
        assert reply.http.trailers == [("x-cost", str(n)), ("grpc-status", "0")]
    await made.still_serves()


@in_world
async def test_trailers_go_with_an_error_too_and_are_left_out_over_http(made: World) -> None:
    reply = await made.call("costly", fails=True)
    assert reply.code == Code.NOT_FOUND
    assert dict(reply.metadata)["x-cost"] == "3"
    over_http = await made.post("/costly", {})
    assert (over_http.body, over_http.trailers) == (b"a", [])
    assert "x-cost" not in dict(over_http.headers)


@in_world
async def test_trailers_that_a_method_set_before_it_failed_go_with_its_error(made: World) -> None:
    for after in (0, 2):
        reply = await made.call("costs", rpc="CallServerStream", after=after)
        assert (reply.code, len(reply.messages)) == (Code.NOT_FOUND, after)
        assert ("x-cost", "3") in [*reply.http.headers, *reply.http.trailers]
