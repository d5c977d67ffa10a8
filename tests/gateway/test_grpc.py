"""gRPC: all kinds of calls of the generic service."""

import json

import numpy as np
import pytest

from gateway.grpc_frames import framed
from mesh.call import CallKind
from mesh.errors import Code
from mesh.io.arguments import encode_call, encode_item
from mesh.v1 import inference_pb2
from tests.gateway.asgi_client import call, call_raw, grpc_exchange, grpc_reply
from tests.gateway.rig import World, decoded, in_world, value, world
from tests.gateway.services import MAX_BYTES
from tests.link.rig import run, until

pytestmark = pytest.mark.usefixtures("server")


@in_world
async def test_a_unary_call_gives_a_value_a_status_and_the_version(made: World) -> None:
    matrix = np.arange(8, dtype=np.float32).reshape(2, 4)
    reply = await made.call("double", x=matrix)
    np.testing.assert_array_equal(value(reply), matrix * 2)
    assert dict(reply.metadata)["x-mesh-version"] == "main"
    assert reply.http.trailers == [("grpc-status", "0")]
    assert made.codes("double") == {"OK": 1}


@in_world
async def test_a_server_stream_gives_a_message_for_each_item(made: World) -> None:
    reply = await made.call("count", rpc="CallServerStream", n=4)
    assert [decoded(each) for each in reply.messages] == [0, 1, 2, 3]
    assert b"".join(reply.http.parts) == b"".join(map(framed, reply.messages))
    assert len(reply.http.parts) < len(reply.messages), "those that wait go together"
    reply = await made.call("letters", rpc="CallServerStream", word="ab")
    assert [decoded(each) for each in reply.messages] == ["a", "b"]
    reply = await made.call("count", rpc="CallServerStream", n=0)
    assert (reply.code, reply.messages) == (0, [])


@in_world
async def test_a_client_stream_gives_one_value(made: World) -> None:
    first = encode_call("total", {"start": 100})
    items = [encode_item(item) for item in range(5)]
    assert value(await call(made.gateway, "CallClientStream", first, *items)) == 110
    assert value(await call(made.gateway, "CallClientStream", first)) == 100
    # All messages in one part of the body, and each byte a part of its own.
    body = b"".join(map(framed, [first, *items]))
    assert value(await call_raw(made.gateway, "CallClientStream", body)) == 110
    parts = [bytes([byte]) for byte in body]
    assert value(await call_raw(made.gateway, "CallClientStream", *parts)) == 110


@in_world
async def test_the_first_message_of_a_stream_may_carry_an_item(made: World) -> None:
    first = inference_pb2.CallRequest.FromString(encode_call("total", {}))
    first.item.integer = 7
    item = encode_item(1)
    reply = await call(made.gateway, "CallClientStream", first.SerializeToString(), item)
    assert value(reply) == 8


@in_world
async def test_both_sides_of_a_bidirectional_call_stream_at_once(made: World) -> None:
    exchange = grpc_exchange(made.gateway, "CallBidiStream")
    await exchange.feed(framed(encode_call("running", {"start": 10})), more=True)
    for number in range(1, 4):
        await exchange.feed(framed(encode_item(number)), more=True)
        await exchange.begun(parts=number)  # the reply to this item is there before the next
    await exchange.feed()
    reply = grpc_reply(await exchange.done())
    assert [decoded(each) for each in reply.messages] == [11, 13, 16]


@in_world
async def test_a_message_may_be_far_larger_than_a_frame_both_ways(made: World) -> None:
    matrix = np.ones((200_000, 4), dtype=np.float32)
    reply = value(await made.call("double", x=matrix))
    assert reply.shape == matrix.shape
    assert reply[0, 0] == 2
    await made.still_serves()


@in_world
async def test_describe_names_the_methods_with_kind_and_text(made: World) -> None:
    reply = await call(made.gateway, "Describe", b"")
    (body,) = reply.messages
    said = inference_pb2.DescribeReply.FromString(body)
    assert (reply.code, said.service) == (0, "Demo")
    assert json.loads(said.schema_json)["name"] == "Demo"
    kinds = {each.name: CallKind(each.kind) for each in said.methods}
    assert kinds["double"] is CallKind.UNARY
    assert kinds["count"] is CallKind.SERVER_STREAM
    assert kinds["total"] is CallKind.CLIENT_STREAM
    assert kinds["running"] is CallKind.BIDI_STREAM
    assert {each.name: each.description for each in said.methods}["double"] == "Twice the matrix."


@in_world
async def test_describe_of_an_unknown_endpoint_is_not_found(made: World) -> None:
    reply = await call(made.gateway, "Describe", b"", headers=[("x-mesh-endpoint", "none")])
    assert reply.code == Code.NOT_FOUND


@in_world
async def test_metadata_goes_both_ways(made: World) -> None:
    reply = await made.call("teapot", headers=[("user-agent", "me"), ("x-request-id", "r-1")])
    said = value(reply)
    assert (said["agent"], said["id"]) == ("me", "r-1")
    metadata = reply.metadata
    assert ("x-brew", "earl grey") in metadata
    assert [each for name, each in metadata if name == "x-leaf"] == ["1", "2"]
    assert ("x-request-id", "r-1") in metadata


@in_world
async def test_a_service_may_take_larger_messages_than_the_gateway_by_itself(made: World) -> None:
    text = "a" * 100_000
    assert len(text) < MAX_BYTES
    assert value(await made.call("measure", text=text)) == len(text)


@in_world
async def test_a_stream_that_is_refused_tells_before_the_client_has_sent_all(made: World) -> None:
    exchange = grpc_exchange(made.gateway, "CallClientStream")
    await exchange.feed(framed(encode_call("nothing", {})), more=True)
    await exchange.begun()
    reply = grpc_reply(await exchange.done())
    assert reply.code == Code.UNIMPLEMENTED
    await made.still_serves()


@pytest.mark.parametrize("repeats", [True, False])
def test_a_method_may_reply_before_the_client_has_sent_all(repeats: bool) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = grpc_exchange(made.gateway, "CallClientStream", repeats=repeats)
            await exchange.feed(framed(encode_call("total", {})), more=True)
            await exchange.feed(framed(b"\x1a\x7f"), more=True)  # which fails the method
            reply = grpc_reply(await exchange.done())
            assert reply.code == Code.INVALID_ARGUMENT
            await until(lambda: len(made.gateway.clients) == 0)
            await made.still_serves()

    run(main())
