"""Health over gRPC: of everything, of services by their names, and as it changes."""

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from hypothesis import given, strategies as st

from gateway.grpc_frames import framed
from gateway.grpc_health import CHECK, WATCH, is_serving
from mesh.errors import Code
from mesh.traffic.snapshot import EMPTY, Deployment, Service, Snapshot
from tests.gateway.asgi_client import Exchange, Headers, grpc_exchange, grpc_reply
from tests.gateway.typed import Typed, service, table, typed, version
from tests.link.rig import run, until

pytestmark = pytest.mark.usefixtures("server")

SERVING, NOT_SERVING, SERVICE_UNKNOWN = (
    HealthCheckResponse.SERVING,
    HealthCheckResponse.NOT_SERVING,
    HealthCheckResponse.SERVICE_UNKNOWN,
)
SHOP = service("Shop", "shop-1", rpc_service="shop.v1.ShopService")
CLOSED = Service("Closed", SHOP.methods, (), rpc_service="closed.v1.ClosedService")
TABLE = table({"store": SHOP, "down": CLOSED})


def request(name: str) -> bytes:
    return framed(HealthCheckRequest(service=name).SerializeToString())


async def check(made: Typed, name: str, headers: Headers = ()) -> tuple[int, int]:
    """The code of the reply, and the status in it."""
    exchange = grpc_exchange(made.gateway, CHECK, headers)
    await exchange.feed(request(name))
    reply = grpc_reply(await exchange.done())
    said = [HealthCheckResponse.FromString(each).status for each in reply.messages]
    return reply.code, said[0] if said else -1


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("", SERVING),
        ("shop.v1.ShopService", SERVING),
        ("Shop", SERVING),
        ("store", SERVING),
        ("mesh.v1.Inference", SERVING),
        ("closed.v1.ClosedService", NOT_SERVING),
        ("Closed", NOT_SERVING),
        ("down", NOT_SERVING),
    ],
)
def test_a_service_is_known_by_each_of_its_names(name: str, status: int) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            assert await check(made, name) == (0, status)

    run(main())


@pytest.mark.parametrize("name", ["none", "shop.v1", "shop.v1.ShopService/Ask", "SHOP"])
def test_a_service_that_is_not_known_is_not_found(name: str) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            assert await check(made, name) == (Code.NOT_FOUND, -1)

    run(main())


def test_metadata_names_the_endpoint_that_is_meant() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            assert await check(made, "", [("mesh-endpoint", "down")]) == (0, NOT_SERVING)
            assert await check(made, "", [("mesh-endpoint", "store")]) == (0, SERVING)
            code, _ = await check(made, "Shop", [("mesh-endpoint", "down")])
            assert code == Code.NOT_FOUND

    run(main())


def test_a_version_that_gets_no_traffic_does_not_count() -> None:
    down = version(Service("Shop", rpc_service="shop.v1.ShopService"))
    canary = version(SHOP, "next", weight=0)
    snapshot = table({"store": Deployment("store", (down, canary))})
    assert is_serving(snapshot, "", "Shop", lambda each: bool(_replicas(each))) is False


def _replicas(each: object) -> object:
    return each.services["Shop"].replicas  # type: ignore[attr-defined]  # a Version


def test_a_gateway_that_knows_nothing_is_not_serving() -> None:
    assert is_serving(EMPTY, "", "", lambda _: True) is False
    assert is_serving(EMPTY, "", "Shop", lambda _: True) is None


@given(st.text(max_size=30))
def test_any_name_has_an_answer(name: str) -> None:
    known = {"", "Shop", "shop.v1.ShopService", "store", "down", "Closed"}
    known |= {"closed.v1.ClosedService", "mesh.v1.Inference", "inference.GRPCInferenceService"}
    answer = is_serving(TABLE, "", name, lambda _: True)
    assert (answer is None) == (name not in known)


@pytest.mark.parametrize("body", [b"", b"\0\0", framed(b"\xff"), framed(b"") * 2])
@pytest.mark.parametrize("path", [CHECK, WATCH])
def test_what_is_no_request_is_invalid(path: str, body: bytes) -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            exchange = grpc_exchange(made.gateway, path)
            await exchange.feed(body)
            assert grpc_reply(await exchange.done()).code == Code.INVALID_ARGUMENT
            assert await check(made, "") == (0, SERVING)

    run(main())


async def statuses(exchange: Exchange, number: int) -> list[int]:
    reply = await exchange.begun(parts=number)
    return [HealthCheckResponse.FromString(part[5:]).status for part in reply.parts]


def test_a_watch_tells_each_change_once_and_nothing_else() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            exchange = grpc_exchange(made.gateway, WATCH)
            await exchange.feed(request("new.v1.NewService"))
            assert await statuses(exchange, 1) == [SERVICE_UNKNOWN]
            renamed = service("Shop", "shop-1", rpc_service="new.v1.NewService")
            await made.follow(table({"store": SHOP}, number=2))  # which is no change for this one
            await made.follow(table({"store": renamed}, number=3))
            assert await statuses(exchange, 2) == [SERVICE_UNKNOWN, SERVING]
            without = Service("Shop", rpc_service="new.v1.NewService")
            made.dispatcher.follow(table({"store": without}, number=4))
            assert await statuses(exchange, 3) == [SERVICE_UNKNOWN, SERVING, NOT_SERVING]
            made.dispatcher.follow(Snapshot(number=5))
            assert (await statuses(exchange, 4))[-1] == SERVICE_UNKNOWN
            await left(made, exchange)

    run(main())


async def left(made: Typed, exchange: Exchange) -> None:
    await exchange.leave()
    await exchange.done()
    await until(lambda: len(made.gateway.clients) == 0)
    assert not made.pool._waiters


def test_a_replica_that_dies_and_comes_back_is_seen() -> None:
    async def main() -> None:
        async with typed(table({"store": SHOP})) as made:
            exchange = grpc_exchange(made.gateway, WATCH)
            await exchange.feed(request("Shop"))
            assert await statuses(exchange, 1) == [SERVING]
            made.break_links()
            assert await statuses(exchange, 2) == [SERVING, NOT_SERVING]
            assert await statuses(exchange, 3) == [SERVING, NOT_SERVING, SERVING]
            await left(made, exchange)

    run(main())


def test_a_gateway_that_leaves_serves_nothing_and_ends_watches() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            exchange = grpc_exchange(made.gateway, WATCH)
            await exchange.feed(request("Shop"))
            assert await statuses(exchange, 1) == [SERVING]
            made.gateway.leave()
            assert await check(made, "") == (0, NOT_SERVING)
            assert await check(made, "Shop") == (0, NOT_SERVING)
            assert (await check(made, "unknown"))[0] == Code.NOT_FOUND
            reply = grpc_reply(await exchange.done())
            assert reply.code == Code.UNAVAILABLE
            found = [HealthCheckResponse.FromString(each).status for each in reply.messages]
            assert found == [SERVING, NOT_SERVING]

    run(main())


def test_a_watch_ends_with_the_clients_deadline() -> None:
    async def main() -> None:
        async with typed(TABLE) as made:
            exchange = grpc_exchange(made.gateway, WATCH, [("grpc-timeout", "100m")])
            await exchange.feed(request("Shop"))
            reply = grpc_reply(await exchange.done())
            assert reply.code == Code.DEADLINE_EXCEEDED
            assert len(reply.messages) == 1
            assert not made.pool._waiters

    run(main())
