"""Typed rpcs: which endpoint and version takes a call of /package.Service/Method."""

import pytest
from hypothesis import given, strategies as st

from gateway.grpc_frames import framed
from gateway.grpc_typed import TypedRpcs, unknown_rpc
from mesh.call import TYPED, CallKind
from mesh.errors import Code
from mesh.traffic.snapshot import Deployment, Snapshot, SplitBy
from tests.gateway.asgi_client import Headers, call, grpc_exchange, grpc_reply
from tests.gateway.typed import KINDS, Typed, said, service, table, typed, version
from tests.link.rig import run, until

pytestmark = pytest.mark.usefixtures("server")

ASK = "/shop.v1.ShopService/Ask"
SHOP = service("Shop", "shop-1", rpc_service="shop.v1.ShopService")
OTHER = service("Other", "other-1", rpc_service="other.v1.OtherService")
PLAIN = service("Plain", "plain-1")
TABLE = table({"plain": PLAIN, "shop": SHOP, "twin": service("Shop", "twin-1",
    rpc_service="shop.v1.ShopService"), "other": OTHER})  # fmt: skip


def test_each_kind_of_call_reaches_its_method_with_its_messages() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            asked = said(await made.ask(ASK, b"one"))
            assert asked["replica"] == "shop-1"
            assert (asked["method"], asked["media_type"], asked["sizes"]) == ("ask", TYPED, [3])
            total = await made.ask("/shop.v1.ShopService/Total", b"a", b"bc", b"")
            assert said(total)["sizes"] == [1, 2, 0]
            count = await made.ask("/shop.v1.ShopService/Count", b"abc")
            assert (count.code, count.messages) == (0, [b"abc"])
            talk = await made.ask("/shop.v1.ShopService/Talk", b"a", b"b")
            assert (talk.code, talk.messages) == (0, [b"a", b"b"])
            assert dict(talk.metadata)["x-mesh-version"] == "main"

    run(main())


def test_a_stream_of_no_messages_is_a_call_and_a_unary_call_of_none_is_not() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            exchange = grpc_exchange(made.gateway, "/shop.v1.ShopService/Total")
            await exchange.feed()
            assert said(grpc_reply(await exchange.done()))["sizes"] == []
            exchange = grpc_exchange(made.gateway, ASK)
            await exchange.feed()
            reply = grpc_reply(await exchange.done())
            assert reply.code == Code.INVALID_ARGUMENT
            assert reply.message == "the request has no message"

    run(main())


def test_a_unary_call_of_two_messages_is_invalid() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            reply = await made.ask(ASK, b"a", b"b")
            assert reply.code == Code.INVALID_ARGUMENT
            assert made.replicas["shop-1"].received == []

    run(main())


@pytest.mark.parametrize(
    ("path", "headers", "replica"),
    [
        (ASK, [], "shop-1"),
        ("/e/twin" + ASK, [], "twin-1"),
        (ASK, [("x-mesh-endpoint", "twin")], "twin-1"),
        (ASK, [("mesh-endpoint", "twin")], "twin-1"),
        (ASK, [("mesh-endpoint", "shop"), ("x-mesh-endpoint", "twin")], "twin-1"),
        (ASK, [("host", "twin.example.com:3000")], "twin-1"),
        (ASK, [("host", "elsewhere.example.com")], "shop-1"),
        ("/other.v1.OtherService/Ask", [], "other-1"),
    ],
)
def test_an_endpoint_is_named_or_found_by_the_service_of_the_rpc(
    path: str, headers: Headers, replica: str
) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            assert said(await made.ask(path, headers=headers))["replica"] == replica

    run(main())


def test_the_default_endpoint_goes_before_others_that_serve_the_rpc() -> None:
    snapshot = Snapshot(
        number=2,
        endpoints=TABLE.endpoints,
        deployments=TABLE.deployments,
        default_endpoint="twin",
    )
    for found, endpoint in ((snapshot, "twin"), (TABLE, "shop")):
        rpc = TypedRpcs().find(found, ASK)
        assert rpc is not None
        assert rpc.endpoint == endpoint


CANARY = Deployment(
    "shop",
    (
        version(SHOP, weight=90),
        version(
            service("Shop", "next-1", rpc_service="shop.v1.ShopService",
                rpcs={**KINDS, "New": CallKind.UNARY}),
            "next",
            weight=10,
        ),
    ),
    SplitBy.HEADER,
    "x-user",
)  # fmt: skip


@pytest.mark.parametrize("name", ["x-mesh-version", "mesh-version"])
def test_metadata_asks_for_a_version(name: str) -> None:
    async def main() -> None:
        async with typed(table({"shop": CANARY})) as made:
            reply = await made.ask(ASK, headers=[(name, "next")])
            assert said(reply)["replica"] == "next-1"
            assert dict(reply.metadata)["x-mesh-version"] == "next"
            assert name not in said(reply)["metadata"]
            reply = await made.ask(ASK, headers=[(name, "none")])
            assert reply.code == Code.NOT_FOUND

    run(main())


def test_equal_values_of_the_split_key_in_metadata_stay_with_one_version() -> None:
    async def main() -> None:
        async with typed(table({"shop": CANARY})) as made:
            seen: dict[str, set[str]] = {}
            for number in range(60):
                user = f"user-{number % 20}"
                reply = await made.ask(ASK, headers=[("x-user", user)])
                seen.setdefault(user, set()).add(said(reply)["replica"])
            assert all(len(replicas) == 1 for replicas in seen.values())
            assert {each for replicas in seen.values() for each in replicas} == {
                "shop-1",
                "next-1",
            }

    run(main())


def test_a_version_that_lacks_the_rpc_says_what_it_has() -> None:
    async def main() -> None:
        async with typed(table({"shop": CANARY})) as made:
            path = "/shop.v1.ShopService/New"
            assert said(await made.ask(path, headers=[("mesh-version", "next")]))["method"] == "new"
            reply = await made.ask(path, headers=[("mesh-version", "main")])
            assert reply.code == Code.UNIMPLEMENTED
            assert path in reply.message
            assert "Ask, Count, Total, Talk" in reply.message

    run(main())


def test_an_endpoint_that_is_named_and_has_not_the_rpc_is_unimplemented() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            for endpoint, told in (("other", "other.v1.OtherService"), ("plain", "Plain")):
                reply = await made.ask(ASK, headers=[("x-mesh-endpoint", endpoint)])
                assert reply.code == Code.UNIMPLEMENTED
                assert told in reply.message
            reply = await made.ask(ASK, headers=[("x-mesh-endpoint", "none")])
            assert reply.code == Code.NOT_FOUND

    run(main())


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/shop.v1.ShopService/Nope", "shop.v1.ShopService has Ask, Count, Total, Talk"),
        ("/nope.v1.Nope/Ask", "other.v1.OtherService, shop.v1.ShopService, mesh.v1.Inference"),
        ("/mesh.v1.Link/Open", "mesh.v1.Inference"),
        ("/grpc.reflection.v1.ServerReflection/Nope", "mesh.v1.Inference"),
        ("/", "mesh.v1.Inference"),
        ("//", "mesh.v1.Inference"),
    ],
)
def test_a_path_that_leads_nowhere_is_unimplemented_and_names_what_there_is(
    path: str, told: str
) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            reply = await made.ask(path)
            assert reply.code == Code.UNIMPLEMENTED
            assert told in reply.message
            said(await made.ask(ASK))

    run(main())


@given(st.text(max_size=60))
def test_any_path_that_is_unknown_has_a_bounded_answer(path: str) -> None:
    many = {f"d{n}": service("S", f"r{n}", rpc_service=f"p{n}.v1.S") for n in range(40)}
    error = unknown_rpc(table(many), path)
    assert error.code is Code.UNIMPLEMENTED
    assert len(error.message) < 1000
    assert "31 more" in error.message


def test_a_new_snapshot_brings_new_rpcs_and_takes_old_ones_away() -> None:
    async def main() -> None:
        async with typed(table({"shop": SHOP})) as made:
            said(await made.ask(ASK))
            renamed = service("Shop", "shop-1", rpc_service="shop.v2.ShopService")
            await made.follow(table({"shop": renamed}, number=2))
            assert (await made.ask(ASK)).code == Code.UNIMPLEMENTED
            said(await made.ask("/shop.v2.ShopService/Ask"))

    run(main())


def test_the_limit_of_a_message_is_that_of_the_version_that_takes_it() -> None:
    async def main() -> None:
        small = service("Shop", "shop-1", rpc_service="shop.v1.ShopService", max_request_bytes=10)
        async with typed(table({"shop": small})) as made:
            assert (await made.ask(ASK, b"x" * 11)).code == Code.RESOURCE_EXHAUSTED
            said(await made.ask(ASK, b"x" * 10))

    run(main())


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            await left_in_the_middle(made)
            said(await made.ask(ASK))

    run(main())


async def left_in_the_middle(made: Typed) -> None:
    exchange = grpc_exchange(made.gateway, "/shop.v1.ShopService/Talk")
    await exchange.feed(framed(b"a"), more=True)
    await until(lambda: made.replicas["shop-1"].end.in_flight)
    await exchange.leave()
    await exchange.done()
    await until(lambda: not made.replicas["shop-1"].end.in_flight)
    assert len(made.gateway.clients) == 0


def test_typed_and_generic_calls_have_one_metric() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            await made.ask(ASK)
            reply = await call(made.gateway, "/mesh.v1.Inference/Call", b"\x0a\x03ask",
                headers=[("mesh-endpoint", "shop")])  # fmt: skip
            assert reply.code == 0
            (series,) = made.metrics._series.values()
            assert series.codes == {"OK": 2}

    run(main())
