"""Requests to a service that sleeps: they wait for its first replica, by every protocol."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.grpc_frames import framed
from mesh.io.arguments import encode_call, encode_item
from mesh.traffic.snapshot import Snapshot
from tests.gateway.asgi_client import Exchange, ask, grpc_exchange, grpc_reply
from tests.gateway.rig import World, decoded
from tests.gateway.services import Demo
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version

JSON = [("content-type", "application/json")]
LARGE = json.dumps({"text": "x" * 300_000}).encode()
KEY = ("demo", "main-1", "Demo")


def table(*replicas: str, number: int, cold_start: float = 60.0) -> Snapshot:
    made = version(Demo, {"Demo": replicas})
    found = replace(made.services["Demo"], cold_start=cold_start, max_request_bytes=1 << 20)
    return snapshot(replace(made, services={"Demo": found}), number=number)


@asynccontextmanager
async def sleeping(cold_start: float = 60.0) -> AsyncIterator[World]:
    made = World(Running(Demo(), "one"))
    await made.open(table(number=1, cold_start=cold_start))
    try:
        yield made
    finally:
        await made.links.close()


async def waits(made: World, calls: int = 1) -> None:
    await until(lambda: made.links.dispatcher.turns.waiting() == {KEY: calls})


async def wake(made: World) -> None:
    await made.links.follow(table("one", number=2))


def test_a_request_waits_for_the_first_replica() -> None:
    async def main() -> None:
        async with sleeping() as made:
            asking = asyncio.ensure_future(made.post("/greet", {"name": "you"}))
            await waits(made)
            await wake(made)
            assert (await asking).body == b"hello you"
            assert made.codes("greet") == {"200": 1}

    run(main())


def test_a_large_upload_waits_for_the_first_replica() -> None:
    async def main() -> None:
        async with sleeping() as made:
            asking = asyncio.ensure_future(ask(made.gateway, "POST", "/measure", LARGE, JSON))
            await waits(made)
            await wake(made)
            assert (await asking).body == b"300000"

    run(main())


@pytest.mark.parametrize("items", [0, 2])
def test_a_grpc_call_and_a_stream_wait_for_the_first_replica(items: int) -> None:
    async def main() -> None:
        async with sleeping() as made:
            method, rpc = ("total", "CallClientStream") if items else ("add", "Call")
            arguments = {} if items else {"numbers": [1, 2]}
            exchange = grpc_exchange(made.gateway, rpc)
            await exchange.feed(framed(encode_call(method, arguments)), more=True)
            for item in range(1, 1 + items):
                await exchange.feed(framed(encode_item(item)), more=True)
            await exchange.feed()
            await waits(made)
            await wake(made)
            (body,) = grpc_reply(await exchange.done()).messages
            assert decoded(body) == 3

    run(main())


def test_a_request_that_no_replica_comes_for_is_told_of_which_service() -> None:
    async def main() -> None:
        async with sleeping(cold_start=0.01) as made:
            reply = await made.post("/greet", {"name": "you"})
            assert reply.status == 503
            assert reply.header("retry-after") == "1"
            assert b"no replica of Demo came up within 0.01 s" in reply.body
            code = (await made.call("greet", name="you")).code
            assert code == 14

    run(main())


@pytest.mark.parametrize("repeats", [True, False], ids=["envoy", "uvicorn"])
def test_an_http_client_that_leaves_while_it_waits_is_forgotten(repeats: bool) -> None:
    async def main() -> None:
        async with sleeping() as made:
            exchange = Exchange(made.gateway, "POST", "/slow", repeats=repeats)
            await exchange.feed()
            await waits(made)
            await exchange.leave()
            await exchange.done()
            assert made.links.dispatcher.turns.waiting() == {}
            assert made.codes("slow") == {"499": 1}
            await made.settled()
            await wake(made)
            assert (await made.post("/greet", {"name": "you"})).body == b"hello you"
            assert made.demo.started == 0

    run(main())


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_client_that_leaves_while_its_upload_waits_is_forgotten(is_whole: bool) -> None:
    async def main() -> None:
        async with sleeping() as made:
            exchange = Exchange(made.gateway, "POST", "/measure", JSON)
            await exchange.feed(LARGE, more=True)
            await waits(made)
            await exchange.feed(b" ", more=not is_whole)
            await until(lambda: not exchange.unread)
            await exchange.leave()
            await exchange.done()
            assert made.links.dispatcher.turns.waiting() == {}
            assert made.codes("measure") == {"499": 1}
            await made.settled()

    run(main())


def test_what_comes_of_an_upload_while_it_waits_is_not_lost() -> None:
    async def main() -> None:
        async with sleeping() as made:
            exchange = Exchange(made.gateway, "POST", "/measure", JSON)
            for at in range(0, len(LARGE), 50_000):
                await exchange.feed(LARGE[at : at + 50_000], more=True)
            await waits(made)
            await until(lambda: not exchange.unread)
            await wake(made)
            await exchange.feed(b" ")
            assert (await exchange.done()).body == b"300000"

    run(main())


@pytest.mark.parametrize(
    ("rpc", "method", "is_whole"),
    [
        ("Call", "slow", True),
        ("CallClientStream", "total", False),
        ("CallClientStream", "total", True),
    ],
)
def test_a_grpc_client_that_leaves_while_it_waits_is_forgotten(
    rpc: str, method: str, is_whole: bool
) -> None:
    async def main() -> None:
        async with sleeping() as made:
            exchange = grpc_exchange(made.gateway, rpc)
            await exchange.feed(framed(encode_call(method, {})), more=not is_whole)
            await waits(made)
            await exchange.leave()
            assert (await exchange.done()).error is None
            assert made.links.dispatcher.turns.waiting() == {}
            assert made.codes(method) == {"CANCELLED": 1}
            await made.settled()

    run(main())


def test_asking_whether_a_service_that_sleeps_is_ready_wakes_it() -> None:
    async def main() -> None:
        async with sleeping() as made:
            reply = await made.get("/readyz")
            assert (reply.status, reply.body) == (
                503,
                b"Service is not ready: its first replica is being started\n",
            )
            assert made.links.dispatcher.turns.waiting() == {KEY: 1}
            await wake(made)
            assert (await made.get("/readyz")).status == 200

    run(main())


def test_the_pages_of_a_service_that_sleeps_are_there_and_do_not_wake_it() -> None:
    async def main() -> None:
        async with sleeping() as made:
            for path in "/schema.json", "/docs.json", "/metrics", "/livez":
                assert (await made.get(path)).status == 200
            assert made.links.dispatcher.turns.waiting() == {}
            made.links.dispatcher.follow(table(number=3, cold_start=0.0))
            assert (await made.get("/readyz")).status == 503
            assert made.links.dispatcher.turns.waiting() == {}

    run(main())


def test_a_request_that_waits_goes_to_another_version_once_its_own_is_gone() -> None:
    async def main() -> None:
        async with sleeping() as made:
            asking = asyncio.ensure_future(made.post("/greet", {"name": "you"}))
            await waits(made)
            await made.links.follow(
                snapshot(version(Demo, {"Demo": ("one",)}, name="next"), number=2)
            )
            reply = await asking
            assert reply.body == b"hello you"
            assert reply.header("x-mesh-version") == "next"

    run(main())
