"""gzip and deflate, in requests and replies, and what is sent in their name."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from gateway.grpc_compression import PIECE, WORTH, codec_of, takes
from gateway.grpc_frames import MessageReader, framed
from mesh.errors import Code, InvalidArgument, MeshError, TooLarge, Unimplemented
from mesh.io.arguments import encode_call
from tests.gateway.asgi_client import GrpcReply, call_raw
from tests.gateway.rig import value, world
from tests.gateway.test_grpc_typed import ASK, TABLE
from tests.gateway.typed import LIMIT, said, typed
from tests.link.rig import run

pytestmark = pytest.mark.usefixtures("server")

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
BOTH = pytest.mark.parametrize("encoding", COMPRESS)


def packed(message: bytes, encoding: str) -> bytes:
    return framed(COMPRESS[encoding](message), compressed=True)


def said_to_be(encoding: str, accepts: str = "identity,deflate,gzip") -> list[tuple[str, str]]:
    return [("grpc-encoding", encoding), ("grpc-accept-encoding", accepts)]


def unpacked(reply: GrpcReply) -> list[tuple[bool, bytes]]:
    """Of each message whether it came compressed, and what it says."""
    reader = MessageReader(1 << 30)
    reader.put(reply.http.body)
    found = []
    while (message := reader.take()) is not None:
        bits = {"gzip": 31, "deflate": 15}.get(dict(reply.metadata).get("grpc-encoding", ""), 0)
        plain = zlib.decompress(message, wbits=bits) if reader.compressed else message
        found.append((reader.compressed, plain))
    return found


@BOTH
def test_a_compressed_message_arrives_as_what_it_stands_for(encoding: str) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            body = packed(b"one" * 1000, encoding)
            reply = await call_raw(made.gateway, ASK, body, headers=said_to_be(encoding))
            assert said(reply)["sizes"] == [3000]
            assert made.replicas["shop-1"].received == [b"one" * 1000]

    run(main())


@BOTH
def test_messages_of_a_stream_may_each_be_compressed_or_not(encoding: str) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            sent = [b"a" * 5000, b"small", b"", b"b" * (3 * PIECE)]
            parts = [packed(sent[0], encoding), framed(sent[1]), packed(sent[2], encoding)]
            reply = await call_raw(made.gateway, "/shop.v1.ShopService/Talk", *parts,
                packed(sent[3], encoding), headers=said_to_be(encoding))  # fmt: skip
            assert reply.code == 0
            assert [message for _, message in unpacked(reply)] == sent
            assert [flag for flag, _ in unpacked(reply)] == [True, False, False, True]

    run(main())


@BOTH
def test_a_large_reply_is_compressed_if_the_request_is_said_to_be(encoding: str) -> None:
    async def main() -> None:
        async with world() as made:
            request = packed(encode_call("greet", {"name": "you", "times": 1000}), encoding)
            reply = await call_raw(made.gateway, "Call", request, headers=said_to_be(encoding))
            assert dict(reply.metadata)["grpc-encoding"] == encoding
            ((flag, message),) = unpacked(reply)
            assert flag
            assert len(message) > 8 * len(reply.http.body)
            await made.still_serves()

    run(main())


@pytest.mark.parametrize(
    ("headers", "times"),
    [
        ([], 1000),
        ([("grpc-accept-encoding", "gzip")], 1000),
        (said_to_be("identity"), 1000),
        (said_to_be("gzip", "identity,deflate"), 1000),
        (said_to_be("gzip"), 1),
    ],
)
def test_other_replies_are_not_compressed(headers: list[tuple[str, str]], times: int) -> None:
    async def main() -> None:
        async with world() as made:
            reply = await made.call("greet", name="you", times=times, headers=headers)
            assert value(reply) == "hello you" * times
            assert [flag for flag, _ in unpacked(reply)] == [False]

    run(main())


def test_an_encoding_that_is_not_known_is_unimplemented_and_tells_those_that_are() -> None:
    async def main() -> None:
        async with world() as made:
            for name in ("br", "snappy", "", "gzip, gzip"):
                reply = await made.call("greet", name="you", headers=said_to_be(name))
                assert reply.code == Code.UNIMPLEMENTED
                assert dict(reply.metadata)["grpc-accept-encoding"] == "gzip,deflate,identity"
            reply = await made.call("greet", name="you")
            assert "grpc-accept-encoding" not in dict(reply.metadata)

    run(main())


@pytest.mark.parametrize("headers", [[], said_to_be("identity")])
def test_a_compressed_message_of_no_encoding_is_internal(headers: list[tuple[str, str]]) -> None:
    async def main() -> None:
        async with world() as made:
            body = packed(encode_call("greet", {"name": "you"}), "gzip")
            reply = await call_raw(made.gateway, "Call", body, headers=headers)
            assert reply.code == Code.INTERNAL
            assert "grpc-encoding" in reply.message
            await made.still_serves()

    run(main())


@BOTH
def test_what_is_not_in_its_encoding_is_invalid(encoding: str) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            whole = COMPRESS[encoding](bytes(1000))
            for wrong in (b"no", whole[:-1], whole[:5], whole + b"x", whole + whole, b"\0" * 99):
                body = framed(wrong, compressed=True)
                reply = await call_raw(made.gateway, ASK, body, headers=said_to_be(encoding))
                assert reply.code == Code.INVALID_ARGUMENT, wrong
                assert encoding in reply.message
            assert made.replicas["shop-1"].received == []

    run(main())


@BOTH
@pytest.mark.parametrize("rpc", ["Ask", "Total"])
def test_a_message_that_grows_over_the_limit_is_resource_exhausted(encoding: str, rpc: str) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            path = f"/shop.v1.ShopService/{rpc}"
            most = packed(bytes(LIMIT), encoding)
            reply = await call_raw(made.gateway, path, most, headers=said_to_be(encoding))
            assert said(reply)["sizes"] == [LIMIT]
            over = packed(bytes(LIMIT + 1), encoding)
            reply = await call_raw(made.gateway, path, over, headers=said_to_be(encoding))
            assert reply.code == Code.RESOURCE_EXHAUSTED
            assert reply.message == f"the message has more than {LIMIT} bytes"

    run(main())


@BOTH
def test_a_bomb_is_not_blown_up(encoding: str) -> None:
    codec = codec_of(encoding.encode())
    assert codec is not None
    bomb = COMPRESS[encoding](bytes(200 * 2**20))

    async def main() -> None:
        with pytest.raises(TooLarge):
            await codec.decoded(bomb, LIMIT)

    tracemalloc.start()
    try:
        asyncio.run(main())
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()


@BOTH
def test_a_large_message_lets_others_run_in_between(encoding: str) -> None:
    codec = codec_of(encoding.encode())
    assert codec is not None
    turns = 0

    async def main() -> None:
        nonlocal turns
        text = b"".join(number.to_bytes(4) for number in range(2**18))
        task = asyncio.ensure_future(codec.framed(text))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        data = (await task)[5:]
        assert await codec.decoded(data, len(text)) == text

    asyncio.run(main())
    assert turns >= 2**20 // PIECE


@given(st.binary(max_size=4 * WORTH), st.sampled_from([b"gzip", b"deflate"]), st.integers(1, 50))
def test_any_message_comes_back(message: bytes, encoding: bytes, repeats: int) -> None:
    codec = codec_of(encoding)
    assert codec is not None
    whole = message * repeats

    async def main() -> None:
        reader = MessageReader(1 << 30)
        reader.put(await codec.framed(whole))
        data = reader.take()
        assert data is not None
        if reader.compressed:
            data = await codec.decoded(data, len(whole))
        assert data == whole
        assert reader.is_between

    asyncio.run(main())


@given(st.binary(max_size=300), st.sampled_from([b"gzip", b"deflate"]), st.booleans())
def test_garbage_raises_nothing_but_mesh_errors(
    data: bytes, encoding: bytes, begins_well: bool
) -> None:
    codec = codec_of(encoding)
    assert codec is not None
    if begins_well:
        data = COMPRESS[encoding.decode()](b"text" * 50)[:40] + data
    try:
        assert len(asyncio.run(codec.decoded(data, 1000))) <= 1000
    except MeshError as error:
        assert isinstance(error, (InvalidArgument, TooLarge))


def test_what_a_client_takes_is_read_as_it_is_written() -> None:
    codec = codec_of(b"gzip")
    assert codec is not None
    assert takes(b"identity, gzip", codec)
    assert takes(b"gzip", codec)
    assert not takes(b"", codec)
    assert not takes(b"xgzip,deflate", codec)
    with pytest.raises(Unimplemented):
        codec_of(b"zstd")
