"""Protected deployments: who gets in by each protocol, and what their services learn of it."""

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from gateway.authorization import Guard, digest_of
from gateway.grpc_frames import framed
from gateway.grpc_open_inference import SERVICE
from gateway.grpc_reflection import PATHS as REFLECTION
from mesh.errors import Code
from mesh.io.arguments import encode_call, encode_item
from mesh.traffic.snapshot import (
    Endpoint,
    Grant,
    LoadBalance,
    Mirror,
    Session,
    Snapshot,
    Upstream,
    WeightedDeployment,
)
from mesh.v1 import open_inference_pb2 as pb
from tests.gateway.asgi_client import Exchange, Headers, call, grpc_exchange, grpc_reply
from tests.gateway.guarded import ELSEWHERE, WRONG, digest, protected, shows
from tests.gateway.outside import grpc_server, http_server, leading, outside_world
from tests.gateway.rig import World, value, world
from tests.gateway.services import Demo
from tests.gateway.typed import service as typed_service, table as typed_table, typed
from tests.gateway.zoo import Zoo
from tests.link.rig import run
from tests.replica.rig import Running, snapshot, version

pytestmark = pytest.mark.usefixtures("server")

TABLE = protected(snapshot(version(Demo, {"Demo": ("one",)})))
OPEN = replace(TABLE, deployments=snapshot(version(Demo, {"Demo": ("one",)})).deployments)


def at_demo(test: Any, table: Snapshot = TABLE) -> None:
    async def main() -> None:
        async with world(Running(Demo(), "one"), table=table) as made:
            await test(made)

    run(main())


async def seen(made: World, path: str = "/teapot", headers: Headers = ()) -> set[str]:
    """The header fields that reached the service."""
    reply = await made.post(path, {}, headers=headers)
    assert reply.status == 418, reply.body
    return set(json.loads(reply.body)["seen"].split(","))


def test_without_a_token_that_is_good_http_is_told_so_in_one_line() -> None:
    async def test(made: World) -> None:
        for token in WRONG:
            for headers in (shows(token), shows(token)[:0]):
                reply = await made.post("/greet", {"name": "you"}, headers=headers)
                assert reply.status == 401
                assert reply.header("www-authenticate") == "Bearer"
                assert reply.header("content-type") == "application/json"
                assert list(json.loads(reply.body)) == ["error"]
                assert b"\n" not in reply.body
        basic = await made.post("/greet", {}, headers=[("authorization", "Basic YTpi")])
        assert basic.status == 401

    at_demo(test)


def test_a_token_for_other_deployments_is_forbidden_this_one() -> None:
    async def test(made: World) -> None:
        for token in ELSEWHERE:
            reply = await made.post("/greet", {"name": "you"}, headers=shows(token))
            assert reply.status == 403
            assert not reply.header("www-authenticate")
            assert "demo" in json.loads(reply.body)["error"]

    at_demo(test)


def test_a_grant_for_all_of_the_organization_or_for_the_deployment_lets_in() -> None:
    async def test(made: World) -> None:
        for token in ("all", "one", "brief"):
            reply = await made.post("/greet", {"name": "you"}, headers=shows(token))
            assert (reply.status, reply.body) == (200, b"hello you")
        lower = await made.post(
            "/greet", {"name": "you"}, headers=[("authorization", "bearer all")]
        )
        assert lower.status == 200

    at_demo(test)


def test_a_token_expires_while_the_gateway_runs() -> None:
    async def test(made: World) -> None:
        assert (await made.post("/greet", {"name": "a"}, headers=shows("brief"))).status == 200
        made.wall = 2000.0
        reply = await made.post("/greet", {"name": "a"}, headers=shows("brief"))
        assert (reply.status, json.loads(reply.body)) == (401, {"error": "the token has expired"})

    at_demo(test)


def test_a_token_is_revoked_and_another_made_while_the_gateway_runs() -> None:
    async def test(made: World) -> None:
        assert (await made.post("/greet", {"name": "a"}, headers=shows("one"))).status == 200
        assert (await made.post("/greet", {"name": "a"}, headers=shows("new"))).status == 401
        grants = {"new": Grant("", everything=True)}
        made.links.dispatcher.follow(protected(TABLE, grants=grants, number=2))
        assert (await made.post("/greet", {"name": "a"}, headers=shows("one"))).status == 401
        assert (await made.post("/greet", {"name": "a"}, headers=shows("new"))).status == 200

    at_demo(test)


@pytest.mark.parametrize(
    ("verb", "path", "headers"),
    [
        ("POST", "/greet", []),
        ("POST", "/e/demo/greet", []),
        ("POST", "/greet", [("x-mesh-version", "main")]),
        ("POST", "/greet", [("x-mesh-endpoint", "demo")]),
        ("POST", "/greet", [("host", "demo.example.com")]),
        ("POST", "/count", []),
        ("POST", "/v2/sum", []),
        ("POST", "/no-such-method", []),
        ("GET", "/greet", []),
        ("PUT", "/greet", []),
        ("GET", "/schema.json", []),
        ("GET", "/docs.json", []),
        ("GET", "/e/demo/docs.json", []),
        ("HEAD", "/schema.json", []),
        ("GET", "/v2/models/Demo", []),
        ("GET", "/v2/models/Demo.double/ready", []),
        ("GET", "/v2/models/Demo.double/config", []),
        ("POST", "/v2/repository/index", []),
        ("POST", "/v2/models/Demo.double/infer", []),
        ("POST", "/v2/models/Demo.double/versions/main/infer", []),
        ("POST", "/v2/models/nothing/generate_stream", []),
    ],
)
def test_every_way_to_the_service_or_its_description_is_guarded(
    verb: str, path: str, headers: Headers
) -> None:
    async def test(made: World) -> None:
        statuses = []
        for shown in ([], shows("late"), shows("other"), shows("all")):
            exchange = Exchange(made.gateway, verb, path, [*headers, *shown])
            await exchange.feed(b'{"name": "you"}')
            statuses.append((await exchange.done()).status)
        assert statuses[:3] == [401, 401, 403]
        assert statuses[3] not in (401, 403)

    at_demo(test)


@pytest.mark.parametrize(
    "path",
    ["/", "/readyz", "/livez", "/healthz", "/e/demo/readyz", "/metrics", "/endpoints.json",
     "/static_content/page.js", "/v2", "/v2/health/ready", "/v2/health/live"],
)  # fmt: skip
def test_health_and_what_tells_nothing_of_the_service_need_no_token(path: str) -> None:
    async def test(made: World) -> None:
        assert (await made.get(path)).status == 200

    at_demo(test)


@pytest.mark.parametrize(("token", "wakes"), [("", False), ("other", False), ("one", True)])
def test_only_who_may_call_wakes_what_sleeps(token: str, wakes: bool) -> None:
    asleep = version(Demo, {})
    entry = replace(asleep.services["Demo"], cold_start=60.0)
    asleep = replace(asleep, services={"Demo": entry})
    made = World()

    async def main() -> None:
        made.links.dispatcher.follow(protected(snapshot(asleep)))
        assert (await made.get("/readyz", shows(token))).status == 503
        assert bool(made.links.dispatcher.turns.waiting()) is wakes
        if not wakes:  # nor does a call
            assert (await made.post("/greet", {}, headers=shows(token))).status in (401, 403)
            assert not made.links.dispatcher.turns.waiting()
        await made.links.close()

    run(main())


def test_the_credential_does_not_reach_the_service_and_all_else_does() -> None:
    more = [("x-own", "1"), ("cookie", "a=b"), ("x-yatai-api-token", "secret")]

    async def test(made: World) -> None:
        found = await seen(made, headers=[*shows("all"), *more])
        assert "authorization" not in found
        assert "x-yatai-api-token" not in found
        assert {"x-own", "cookie"} <= found

    at_demo(test)


def test_an_open_deployment_gets_the_callers_own_credential_but_no_token_of_the_cloud_api() -> None:
    async def test(made: World) -> None:
        headers = [*shows("anything"), ("x-yatai-api-token", "secret")]
        found = await seen(made, headers=headers)
        assert "authorization" in found
        assert "x-yatai-api-token" not in found

    at_demo(test, OPEN)


def two(*, balance: LoadBalance = LoadBalance.WEIGHTED, **endpoint: Any) -> Snapshot:
    """An endpoint `both` over `demo`, protected, and `open`; each has one of its own."""
    table = snapshot(version(Demo, {"Demo": ("one",)}))
    other = replace(version(Demo, {"Demo": ("two",)}, name="other"))
    deployments = {
        **table.deployments,
        "open": replace(table.deployments["demo"], name="open", versions=(other,)),
    }
    shares = (WeightedDeployment("demo", 1), WeightedDeployment("open", 1))
    endpoints = {
        **table.endpoints,
        "open": Endpoint("open", shares[1:]),
        "both": Endpoint("both", shares, balance, **endpoint),
    }
    return protected(replace(table, endpoints=endpoints, deployments=deployments), "demo")


def at_two(test: Any, table: Snapshot) -> None:
    async def main() -> None:
        async with world(Running(Demo(), "one"), Running(Demo(), "two"), table=table) as made:
            await test(made)

    run(main())


def test_of_several_deployments_the_one_that_gets_the_request_decides() -> None:
    async def test(made: World) -> None:
        def at(version: str) -> Headers:
            return [("x-mesh-version", version)]

        for _ in range(20):
            reply = await made.post("/e/both/greet", {"name": "a"})
            went = reply.header("x-mesh-version")
            assert (reply.status, went) in ((200, "other"), (401, ""))
        refused = await made.post("/e/both/greet", {"name": "a"}, headers=at("main"))
        assert refused.status == 401
        allowed = await made.post("/e/both/greet", {"name": "a"}, headers=at("other"))
        assert allowed.status == 200
        # What opens the one is not shown to the other; what is no token of ours is.
        found = await seen(made, "/e/both/teapot", [*at("other"), *shows("one")])
        assert "authorization" not in found
        found = await seen(made, "/e/both/teapot", [*at("other"), *shows("their own")])
        assert "authorization" in found

    at_two(test, two())


def test_a_session_keeps_nobody_from_being_asked_again() -> None:
    async def test(made: World) -> None:
        for number in range(20):
            key = [("x-user", str(number))]
            without = await made.post("/e/both/greet", {"name": "a"}, headers=key)
            with_it = await made.post("/e/both/greet", {"name": "a"}, headers=[*key, *shows("one")])
            assert with_it.status == 200
            assert without.status == (200 if with_it.header("x-mesh-version") == "other" else 401)

    at_two(test, two(session=Session(header="x-user")))


def test_a_request_that_is_refused_is_not_mirrored_and_a_copy_has_no_credential() -> None:
    table = two()
    mirrored = replace(table.endpoints["demo"], mirror=Mirror("open", 100.0))
    table = replace(table, endpoints={**table.endpoints, "demo": mirrored})

    async def test(made: World) -> None:
        await made.post("/e/demo/greet", {"name": "a"})
        await made.settled()
        assert not made.gateway.mirrored.counts
        await made.post("/e/demo/greet", {"name": "a"}, headers=shows("all"))
        await made.settled()
        assert sum(made.gateway.mirrored.counts.values()) == 1

    at_two(test, table)


def test_descriptions_of_an_endpoint_are_of_what_the_caller_may_see() -> None:
    async def test(made: World) -> None:
        assert (await made.get("/e/both/schema.json")).status == 200  # that of the open one
        assert (await made.get("/e/both/schema.json", [("x-mesh-version", "main")])).status == 401

    at_two(test, two())


@pytest.mark.parametrize("rpc", ["Call", "CallServerStream", "CallClientStream", "CallBidiStream"])
def test_calls_over_grpc_are_guarded(rpc: str) -> None:
    rpcs = {
        "Call": ("greet", {"name": "a"}),
        "CallServerStream": ("count", {"n": 2}),
        "CallClientStream": ("total", {}),
        "CallBidiStream": ("running", {}),
    }
    method, arguments = rpcs[rpc]

    async def test(made: World) -> None:
        async def code(headers: Headers) -> int:
            message = encode_call(method, arguments)
            return (await call(made.gateway, rpc, message, headers=headers)).code

        assert await code([]) == Code.UNAUTHENTICATED
        for token in WRONG:
            assert await code(shows(token)) == Code.UNAUTHENTICATED
        for token in ELSEWHERE:
            assert await code(shows(token)) == Code.PERMISSION_DENIED
        assert await code(shows("one")) == 0

    at_demo(test)


def test_descriptions_over_grpc_are_guarded_and_health_is_not() -> None:
    describe = "/mesh.v1.Inference/Describe"

    async def test(made: World) -> None:
        assert (await call(made.gateway, describe, b"")).code == Code.UNAUTHENTICATED
        assert (await call(made.gateway, describe, b"", headers=shows("all"))).code == 0
        assert (await call(made.gateway, "/grpc.health.v1.Health/Check", b"")).code == 0

    at_demo(test)


def test_metadata_of_a_call_is_without_the_credential() -> None:
    async def test(made: World) -> None:
        headers = [*shows("all"), ("x-yatai-api-token", "secret"), ("x-own", "1")]
        reply = value(await made.call("teapot", headers=headers))
        assert "authorization" not in reply["seen"]
        assert "yatai" not in reply["seen"]
        assert "x-own" in reply["seen"]

    at_demo(test)


FILES = {"descriptors": zlib.compress(FileDescriptorSet().SerializeToString())}
SHOP = typed_service("Shop", "shop-1", rpc_service="shop.v1.ShopService", **FILES)
OTHER = typed_service("Other", "other-1", rpc_service="other.v1.OtherService", **FILES)
TYPED = protected(typed_table({"demo": SHOP, "open": OTHER}), "demo")


def test_typed_rpcs_are_guarded_and_not_told_to_others() -> None:
    async def main() -> None:
        async with typed(TYPED) as made:
            ask = "/shop.v1.ShopService/Ask"
            assert (await made.ask(ask, b"")).code == Code.UNAUTHENTICATED
            refused = await made.ask(ask, b"", headers=shows("other"))
            assert refused.code == Code.PERMISSION_DENIED
            assert (await made.ask(ask, b"", headers=shows("one"))).code == 0
            assert (await made.ask("/other.v1.OtherService/Ask", b"")).code == 0
            unknown = "/shop.v1.ShopService/Guess"
            assert "Total" not in (await made.ask(unknown, b"")).message
            assert "ShopService with" not in (await made.ask(unknown, b"")).message
            assert "Total" in (await made.ask(unknown, b"", headers=shows("one"))).message

    run(main())


@pytest.mark.parametrize("path", REFLECTION)
def test_reflection_shows_nobody_what_they_may_not_call(path: str) -> None:
    ask = ServerReflectionRequest(list_services="").SerializeToString()

    async def main() -> None:
        async with typed(TYPED) as made:

            async def listed(headers: Headers) -> set[str]:
                reply = await made.ask(path, ask, headers=headers)
                assert reply.code == 0, reply.message
                (message,) = reply.messages
                found = ServerReflectionResponse.FromString(message).list_services_response
                return {each.name for each in found.service}

            assert "shop.v1.ShopService" not in await listed([])
            assert "other.v1.OtherService" in await listed([])
            assert "shop.v1.ShopService" in await listed(shows("one"))
            assert "shop.v1.ShopService" not in await listed(shows("other"))
            named = [("x-mesh-endpoint", "demo")]
            assert (await made.ask(path, ask, headers=named)).code == Code.UNAUTHENTICATED
            assert "shop.v1.ShopService" in await listed([*named, *shows("one")])

    run(main())


ZOO = protected(snapshot(version(Zoo, {"Zoo": ("one",)})))
INFER = pb.ModelInferRequest(model_name="Zoo.double")
QUESTIONS = {
    "ModelReady": pb.ModelReadyRequest(name="Zoo.double"),
    "ModelMetadata": pb.ModelMetadataRequest(name="Zoo.double"),
    "ModelConfig": pb.ModelConfigRequest(name="Zoo.double"),
    "RepositoryIndex": pb.RepositoryIndexRequest(),
    "ModelInfer": INFER,
    "ModelStreamInfer": INFER,
}


@pytest.mark.parametrize("rpc", QUESTIONS)
def test_open_inference_over_grpc_is_guarded(rpc: str) -> None:
    message = QUESTIONS[rpc].SerializeToString()

    async def main() -> None:
        async with world(Running(Zoo(), "one"), table=ZOO) as made:

            async def code(headers: Headers) -> int:
                return (await call(made.gateway, SERVICE + rpc, message, headers=headers)).code

            assert await code([]) == Code.UNAUTHENTICATED
            assert await code(shows("late")) == Code.UNAUTHENTICATED
            assert await code(shows("other")) == Code.PERMISSION_DENIED
            assert await code(shows("one")) in (0, Code.INVALID_ARGUMENT)

    run(main())


@pytest.mark.parametrize("rpc", ["ServerLive", "ServerReady", "ServerMetadata"])
def test_health_of_open_inference_over_grpc_needs_no_token(rpc: str) -> None:
    async def main() -> None:
        async with world(Running(Zoo(), "one"), table=ZOO) as made:
            assert (await call(made.gateway, SERVICE + rpc, b"")).code == 0

    run(main())


def test_a_stream_that_runs_goes_on_when_its_token_expires_and_the_next_does_not_begin() -> None:
    async def test(made: World) -> None:
        def chat() -> Exchange:
            return grpc_exchange(made.gateway, "CallBidiStream", shows("brief"))

        running = chat()
        await running.feed(framed(encode_call("running", {"start": 1})), more=True)
        await running.feed(framed(encode_item(2)), more=True)
        await running.begun(1)
        made.wall = 3000.0
        await running.feed()
        assert grpc_reply(await running.done()).code == 0
        late = chat()
        await late.feed(framed(encode_call("running", {})))
        assert grpc_reply(await late.done()).code == Code.UNAUTHENTICATED

    at_demo(test)


def test_an_upstream_beside_protected_deployments_is_for_who_may_call_one() -> None:
    async def main() -> None:
        async with http_server() as server:
            table = protected(leading(Upstream("up", server.url, 1), weight=0))
            async with outside_world(table) as made:
                path = "/e/out/echo/x"
                assert (await made.post(path, raw=b"")).status == 401
                assert (await made.post(path, raw=b"", headers=shows("other"))).status == 403
                assert not server.asked
                reply = await made.post(
                    path,
                    raw=b"",
                    headers=[*shows("one"), ("x-own", "1"), ("x-yatai-api-token", "s")],
                )
                fields = dict(json.loads(reply.body)["fields"])
                assert fields["x-own"] == "1"
                assert not {"authorization", "x-yatai-api-token"} & fields.keys()

    run(main())


def test_a_grpc_upstream_beside_protected_deployments_is_guarded_too() -> None:
    async def main() -> None:
        async with grpc_server() as server:
            table = protected(leading(Upstream("up", server.url, 1), weight=0))
            async with outside_world(table) as made:
                headers = [("x-mesh-endpoint", "out")]
                path = "/any.Service/Method"
                refused = await call(made.gateway, path, b"", headers=headers)
                assert refused.code == Code.UNAUTHENTICATED
                allowed = await call(made.gateway, path, b"", headers=[*headers, *shows("all")])
                assert allowed.code != Code.UNAUTHENTICATED

    run(main())


def test_uses_of_tokens_are_reported_once_each_with_the_last_time() -> None:
    async def test(made: World) -> None:
        await made.post("/greet", {"name": "a"}, headers=shows("one"))
        await made.post("/greet", {"name": "a"}, headers=shows("nobody's"))
        await made.post("/greet", {"name": "a"}, headers=shows("other"))
        made.wall = 1500.0
        await made.post("/greet", {"name": "a"}, headers=shows("one"))
        assert made.gateway.guard.take_uses() == {digest("one"): 1500.0}
        assert made.gateway.guard.take_uses() == {}

    at_demo(test)


@pytest.mark.parametrize(
    ("shown", "token"),
    [
        (b"Bearer a", "a"),
        (b"bearer  a ", "a"),
        (b"Bearer " + b"a" * 5000, "a" * 5000),
        (b"Bearer a b", "a b"),
    ],
)
def test_a_token_is_known_by_its_digest(shown: bytes, token: str) -> None:
    assert digest_of(shown) == digest(token)


@pytest.mark.parametrize("shown", [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"a"])
def test_what_is_no_bearer_token_is_none(shown: bytes) -> None:
    assert digest_of(shown) is None


def test_what_is_hidden_follows_expiry_and_snapshots() -> None:
    now = [1000.0]
    guard = Guard(lambda: now[0])
    shown = b"Bearer brief"
    assert guard.hidden(shown, TABLE) == frozenset()
    assert guard.hidden(b"", TABLE) == {"demo"}
    now[0] = 2000.0
    assert guard.hidden(shown, TABLE) == {"demo"}
    assert guard.hidden(b"", OPEN) == frozenset()
    assert guard.hidden(b"Bearer one", replace(TABLE, number=3, grants={})) == {"demo"}
    assert "1 deployments" in repr(guard)
