"""gRPC requests whose end does not come: their time passes, and they end."""

import struct

import pytest

from gateway.grpc_frames import framed
from mesh.errors import Code
from mesh.io.arguments import encode_call, encode_item
from tests.gateway.asgi_client import Exchange, grpc_exchange, grpc_reply
from tests.gateway.rig import World, in_world, value, world
from tests.link.rig import run, until

pytestmark = pytest.mark.usefixtures("server")

INFER = "/inference.GRPCInferenceService/"
REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
DEMO = "/demo.v1.DemoService/"
GREET = framed(encode_call("greet", {"name": "you"}))
SHORT = b"\0" + struct.pack(">I", 100) + b"\x0a\x03you"
"""The beginning of a message."""
LARGE = b"\0" + struct.pack(">I", 2**20) + bytes(2**19)
"""The beginning of one that is passed on as it comes."""
UNARY = [
    ("Call", b""),
    ("Call", b"\0\0"),
    ("Call", SHORT),
    ("Call", LARGE),
    ("Call", GREET),
    ("CallServerStream", framed(encode_call("count", {"n": 1}))),
    (f"{DEMO}Greet", b""),
    (f"{DEMO}Greet", SHORT),
    (f"{DEMO}Measure", LARGE),
    (f"{DEMO}Greet", framed(b"\x0a\x03you")),
    ("/grpc.health.v1.Health/Check", b"\0"),
    (f"{INFER}ModelInfer", b""),
    (f"{INFER}ModelInfer", SHORT),
    (f"{INFER}ServerLive", framed(b"")),
    # What names the method of a stream is waited for as a message is.
    ("CallClientStream", b""),
]
STREAMS = [
    ("CallClientStream", framed(encode_call("total", {}))),
    ("CallClientStream", framed(encode_call("total", {})) + SHORT),
    ("CallBidiStream", framed(encode_call("running", {}))),
    (f"{DEMO}Total", b""),
    (f"{DEMO}Total", SHORT),
    (f"{DEMO}Running", b""),
    (REFLECT, b""),
    (REFLECT, SHORT),
    (f"{INFER}ModelStreamInfer", b""),
    (f"{INFER}ModelStreamInfer", SHORT),
]


async def opened(made: World, path: str, body: bytes, *headers: tuple[str, str]) -> Exchange:
    exchange = grpc_exchange(made.gateway, path, headers)
    if body:
        await exchange.feed(body, more=True)
    return exchange


@pytest.mark.parametrize(("path", "body"), UNARY + STREAMS)
def test_a_deadline_ends_a_request_of_which_the_rest_does_not_come(path: str, body: bytes) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = await opened(made, path, body, ("grpc-timeout", "30m"))
            assert grpc_reply(await exchange.done()).code == Code.DEADLINE_EXCEEDED
            await made.still_serves()

    run(main())


@pytest.mark.parametrize(("path", "body"), UNARY)
def test_without_a_deadline_the_gateway_has_patience_with_silence_and_then_ends_it(
    path: str, body: bytes
) -> None:
    async def main() -> None:
        async with world(body_timeout=0.3) as made:
            reply = grpc_reply(await (await opened(made, path, body)).done())
            assert reply.code == Code.DEADLINE_EXCEEDED
            assert reply.message == "nothing more of the request came for 0.3 seconds"
            await made.still_serves()

    run(main())


@pytest.mark.parametrize(("path", "body"), STREAMS)
def test_streams_may_be_silent_for_longer_than_that(path: str, body: bytes) -> None:
    async def main() -> None:
        async with world(body_timeout=0.3) as made:
            stream = await opened(made, path, body)
            for _ in range(3):
                await (await opened(made, "Call", b"")).done()
            assert not stream.reply.is_whole
            await stream.leave()
            await stream.done()
            await made.still_serves()

    run(main())


def test_a_stream_goes_on_after_a_silence() -> None:
    async def main() -> None:
        async with world(body_timeout=0.3) as made:
            stream = await opened(made, "CallClientStream", framed(encode_call("total", {})))
            await (await opened(made, "Call", b"")).done()
            await stream.feed(framed(encode_item(5)))
            assert value(grpc_reply(await stream.done())) == 5

    run(main())


@in_world
async def test_a_typed_stream_is_a_call_before_its_first_message(made: World) -> None:
    stream = await opened(made, f"{DEMO}Total", b"")
    replica = made.links.replicas["one"]
    await until(lambda: replica.end.in_flight == 1)
    await stream.feed(framed(b"\x08\x05"))
    assert grpc_reply(await stream.done()).code == 0


@in_world
async def test_an_upload_ends_when_its_replica_does(made: World) -> None:
    exchange = await opened(made, f"{DEMO}Measure", LARGE)
    replica = made.links.replicas["one"]
    await until(lambda: replica.end.in_flight == 1)
    await replica.die()
    assert grpc_reply(await exchange.done()).code == Code.UNAVAILABLE


@in_world
async def test_a_client_that_leaves_a_stream_which_nobody_reads_is_missed(made: World) -> None:
    exchange = await opened(made, "CallClientStream", framed(encode_call("hoard", {})))
    # More than the windows on the way, less than the gateway reads ahead.
    item = framed(encode_item(b"x" * 100_000))
    for _ in range(12):
        await exchange.feed(item, more=True)
    await until(lambda: made.demo.started == 1 and not exchange.unread)
    await exchange.leave()
    await exchange.done()
    await until(lambda: made.demo.cancelled == 1)
    await made.still_serves()
