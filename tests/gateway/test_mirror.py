"""Copies of requests for another deployment, of which the client notices nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import mesh
from gateway.mirror import LARGE, MOST_RUNNING, STREAM
from gateway.mirror_metrics import MirrorKey
from mesh import Context
from mesh.io.arguments import encode_call, encode_item
from mesh.traffic.snapshot import Deployment, Endpoint, Mirror, Snapshot, WeightedDeployment
from tests.gateway.asgi_client import Exchange, call
from tests.gateway.rig import World, value, world
from tests.gateway.services import MAX_BYTES, Demo
from tests.link.rig import run, until
from tests.replica.rig import Running, version


@mesh.service(traffic={"max_request_bytes": MAX_BYTES})
class Shadow:
    """Has some of the methods of Demo, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.hanging = 0
        self.go_on = asyncio.Event()

    @mesh.api
    async def greet(self, name: str, ctx: Context, times: int = 1) -> str:
        self.seen.append(f"{name} {ctx.request.headers.get('x-mesh-mirrored', '')}")
        return "another reply"

    @mesh.api
    async def measure(self, text: str) -> int:
        self.seen.append(str(len(text)))
        return 0

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        self.seen.append(str(n))
        for number in range(n):
            yield number

    @mesh.api
    async def refuse(self) -> int:
        raise mesh.Unavailable("the mirror is broken")

    @mesh.api(route="/v2/sum")
    async def add(self, numbers: list[int]) -> int:
        self.hanging += 1
        await self.go_on.wait()
        return 0


@asynccontextmanager
async def mirrored(percent: float = 100.0) -> AsyncIterator[tuple[World, Shadow]]:
    """Demo, and Shadow as its mirror."""
    shadow = Shadow()
    own = (WeightedDeployment("demo", 1),)
    table = Snapshot(
        1,
        1,
        {"demo": Endpoint("demo", own, mirror=Mirror("shadow", percent))},
        {
            "demo": Deployment("demo", (version(Demo, {"Demo": ("one",)}),)),
            "shadow": Deployment("shadow", (version(Shadow, {"Shadow": ("two",)}, name="v2"),)),
        },
        "demo",
    )
    async with world(Running(Demo(), "one"), Running(shadow, "two"), table=table) as made:
        yield made, shadow


def results(made: World) -> dict[str, int]:
    """How many copies had each result."""
    found: dict[str, int] = {}
    for key, count in made.gateway.mirrored.counts.items():
        assert (key.endpoint, key.deployment) == ("demo", "shadow")
        found[key.result] = found.get(key.result, 0) + count
    return found


def test_the_mirror_gets_what_the_service_gets_and_the_client_hears_the_service() -> None:
    async def main() -> None:
        async with mirrored() as (made, shadow):
            reply = await made.post("/greet", {"name": "you"})
            assert (reply.status, reply.body) == (200, b"hello you")
            assert reply.header("x-mesh-version") == "main"
            assert value(await made.call("greet", name="me")) == "hello me"
            await made.settled()
            assert shadow.seen == ["you 1", "me 1"]
            assert made.gateway.mirrored.counts == {MirrorKey("demo", "shadow", "v2", "OK"): 2}
            metrics = (await made.get("/metrics")).body.decode()
            line = 'mesh_mirrored_requests_total{deployment="shadow",endpoint="demo",result="OK"'
            assert line in metrics

    run(main())


def test_a_streamed_reply_of_the_mirror_is_read_to_its_end() -> None:
    async def main() -> None:
        async with mirrored() as (made, shadow):
            assert (await made.post("/count", {"n": 3})).parts == [b"0", b"1", b"2"]
            await made.settled()
            assert (shadow.seen, results(made)) == (["3"], {"OK": 1})

    run(main())


def test_what_goes_wrong_at_the_mirror_is_counted_and_told_to_nobody() -> None:
    async def main() -> None:
        async with mirrored() as (made, _):
            reply = await made.post("/refuse")
            assert reply.status == 422
            assert (await made.post("/letters", {"word": "ab"})).body == b"ab"
            assert (await made.post("/nowhere")).status == 404
            await made.settled()
            assert results(made) == {"UNAVAILABLE": 1, "NOT_FOUND": 1}
            await next(each for each in made.links.replicas.values() if each.name == "two").die()
            await until(lambda: made.links.pool.link("two") is None)
            assert (await made.post("/greet", {"name": "you"})).body == b"hello you"
            await made.settled()
            assert results(made) == {"UNAVAILABLE": 2, "NOT_FOUND": 1}

    run(main())


def test_a_slow_mirror_holds_nobody_up_and_only_so_many_copies_run() -> None:
    async def main() -> None:
        async with mirrored() as (made, shadow):
            for _ in range(MOST_RUNNING):
                assert (await made.post("/v2/sum", {"numbers": [1, 2]})).body == b"3"
            await until(lambda: shadow.hanging == MOST_RUNNING)
            assert (await made.post("/v2/sum", {"numbers": [1, 2]})).body == b"3"
            assert results(made) == {"busy": 1}
            shadow.go_on.set()
            await made.settled()
            assert results(made) == {"busy": 1, "OK": MOST_RUNNING}

    run(main())


def test_what_is_large_or_streamed_is_not_copied() -> None:
    async def main() -> None:
        async with mirrored() as (made, shadow):
            text = "a" * (2 * 2**20)
            assert (await made.post("/measure", {"text": text})).body == str(len(text)).encode()
            assert value(await made.call("measure", text=text)) == len(text)
            assert results(made) == {LARGE: 2}
            first, item = encode_call("total", {"start": 1}), encode_item(2)
            assert value(await call(made.gateway, "CallClientStream", first, item)) == 3
            await made.settled()
            assert results(made) == {LARGE: 2, STREAM: 1}
            assert shadow.seen == []

    run(main())


def test_only_the_share_that_is_wanted_is_copied() -> None:
    async def main() -> None:
        for percent, least, most in ((0.0, 0, 0), (50.0, 1, 59)):
            async with mirrored(percent) as (made, shadow):
                for _ in range(60):
                    assert (await made.post("/greet", {"name": "you"})).body == b"hello you"
                await made.settled()
                assert least <= len(shadow.seen) <= most

    run(main())


def test_a_client_that_leaves_does_not_end_the_copy() -> None:
    async def main() -> None:
        async with mirrored() as (made, shadow):
            exchange = await Exchange(made.gateway, "POST", "/v2/sum").feed(b'{"numbers": [1]}')
            await until(lambda: shadow.hanging == 1)
            await exchange.leave()
            await exchange.done()
            shadow.go_on.set()
            await made.settled()
            assert results(made) == {"OK": 1}

    run(main())
