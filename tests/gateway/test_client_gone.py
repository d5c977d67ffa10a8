"""Clients that go away: their calls end, and nothing of them is left."""

import pytest

from gateway.grpc_frames import framed
from mesh.io.arguments import encode_call, encode_item
from tests.gateway.asgi_client import Exchange, grpc_exchange
from tests.gateway.rig import World, in_world, world
from tests.link.rig import run, until

SERVERS = pytest.mark.parametrize("repeats", [True, False], ids=["envoy", "uvicorn"])
JSON = [("content-type", "application/json")]
LARGE = b" " * (300 * 1024)


def never_wrote(exchange: Exchange) -> bool:
    return not exchange.reply.status and exchange.reply.error is None


@SERVERS
def test_an_http_client_that_leaves_a_call_cancels_the_method(repeats: bool) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = Exchange(made.gateway, "POST", "/hang", repeats=repeats)
            await exchange.feed()
            await until(lambda: made.demo.started == 1)
            await exchange.leave()
            await exchange.done()
            assert never_wrote(exchange)
            await made.settled()
            assert made.demo.cancelled == 1
            assert made.codes("hang") == {"499": 1}
            await made.still_serves()

    run(main())


@SERVERS
def test_a_client_that_leaves_a_streamed_reply_cancels_the_method(repeats: bool) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = Exchange(made.gateway, "POST", "/drip", repeats=repeats)
            await exchange.feed()
            await exchange.begun(parts=1)
            await until(lambda: made.demo.started == 1)
            await exchange.leave()
            assert (await exchange.done()).error is None
            await made.settled()
            assert made.demo.cancelled == 1
            assert made.codes("drip") == {"499": 1}
            await made.still_serves()

    run(main())


@in_world
async def test_a_client_that_leaves_while_it_is_written_to_ends_the_stream(made: World) -> None:
    exchange = Exchange(made.gateway, "POST", "/count")
    await exchange.feed(b'{"n": 1000000}')
    await exchange.begun(parts=3)
    await exchange.leave()
    assert (await exchange.done()).error is None
    await made.settled()
    assert made.codes("count") == {"499": 1}
    await made.still_serves()


@in_world
async def test_a_client_that_leaves_a_large_download_ends_it(made: World) -> None:
    exchange = Exchange(made.gateway, "POST", "/blob")
    await exchange.feed(b'{"size": 8388608}')
    await exchange.begun(parts=1)
    await exchange.leave()
    assert (await exchange.done()).error is None
    assert made.codes("blob") == {"499": 1}
    await made.still_serves()


@pytest.mark.parametrize("part", [b'{"text": "', LARGE], ids=["small", "large"])
def test_a_client_that_leaves_during_its_upload_ends_the_call(part: bytes) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = Exchange(made.gateway, "POST", "/measure", JSON)
            await exchange.feed(part, more=True)
            await until(lambda: exchange.receives > 1)
            await exchange.leave()
            await exchange.done()
            assert never_wrote(exchange)
            assert made.codes("measure") == {"499": 1}
            await made.still_serves()

    run(main())


@SERVERS
def test_a_client_that_leaves_after_a_large_upload_cancels_the_method(repeats: bool) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = Exchange(made.gateway, "POST", "/slow", JSON, repeats=repeats)
            await exchange.feed(b'{"text": "', more=True)
            await exchange.feed(LARGE, more=True)
            await exchange.feed(b'"}')
            await until(lambda: made.demo.started == 1)
            await exchange.leave()
            await exchange.done()
            assert never_wrote(exchange)
            assert made.codes("slow") == {"499": 1}
            await made.still_serves()

    run(main())


@SERVERS
@pytest.mark.parametrize(
    ("rpc", "method", "items"),
    [
        ("Call", "hang", 0),
        ("CallServerStream", "drip", 0),
        ("CallClientStream", "swallow", 2),
        ("CallBidiStream", "chat", 2),
    ],
)
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "midway"])
def test_a_grpc_client_that_leaves_cancels_the_method(
    rpc: str, method: str, items: int, is_whole: bool, repeats: bool
) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = grpc_exchange(made.gateway, rpc, repeats=repeats)
            await exchange.feed(framed(encode_call(method, {})), more=True)
            for item in range(items):
                await exchange.feed(framed(encode_item(item)), more=True)
            if is_whole:
                await exchange.feed()
                await until(lambda: made.demo.started == 1)
            else:
                await until(lambda: exchange.receives > 1 + items)
            await exchange.leave()
            assert (await exchange.done()).error is None
            await made.settled()
            assert made.demo.cancelled == made.demo.started
            assert made.codes(method) == {"CANCELLED": 1}
            await made.still_serves()

    run(main())


@SERVERS
def test_waiting_for_a_slow_method_asks_the_server_only_now_and_then(repeats: bool) -> None:
    async def main() -> None:
        async with world() as made:
            exchange = Exchange(made.gateway, "POST", "/slow", repeats=repeats)
            await exchange.feed()
            asked = 1 + 3 * repeats
            await until(lambda: exchange.receives > asked or exchange.receives == 2 > asked)
            assert not exchange.reply.status
            made.demo.go_on.set()
            assert (await exchange.done()).status == 200
            # Two looks per doubling at most: a busy loop would have asked thousands of times.
            assert exchange.receives < 20
            await made.still_serves()

    run(main())
