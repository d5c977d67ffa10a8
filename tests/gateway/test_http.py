"""HTTP: which method a request is for, and what its reply looks like."""

import json
from collections import Counter
from typing import Any

import pytest

from mesh.errors import Code
from mesh.traffic.snapshot import Deployment, Endpoint, Snapshot, SplitBy, WeightedDeployment
from tests.gateway.asgi_client import Exchange
from tests.gateway.rig import World, in_world, world
from tests.gateway.services import Demo
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version


@in_world
async def test_a_method_answers_json_with_a_length_and_the_version(made: World) -> None:
    reply = await made.post("/double", {"x": [[1, 2, 3, 4]]})
    assert (reply.status, reply.body) == (200, b"[[2.0,4.0,6.0,8.0]]")
    assert reply.header("content-type") == "application/json"
    assert reply.header("content-length") == str(len(reply.body))
    assert reply.header("x-mesh-version") == "main"
    assert made.codes("double") == {"200": 1}


@in_world
async def test_a_failed_call_tells_its_version_too(made: World) -> None:
    reply = await made.post("/count", {"n": "many"})
    assert (reply.status, reply.header("x-mesh-version")) == (400, "main")


@in_world
async def test_a_route_of_its_own_leads_to_the_method(made: World) -> None:
    assert (await made.post("/v2/sum", {"numbers": [1, 2, 3]})).body == b"6"
    assert (await made.post("/add", {"numbers": [1]})).status == 404


@in_world
async def test_a_small_body_in_many_parts_is_one_body(made: World) -> None:
    body = json.dumps({"name": "you", "times": 3}).encode()
    parts = [bytes([byte]) for byte in body]
    assert (await made.post("/greet", raw=parts)).body == b"hello you" * 3


@in_world
async def test_a_streamed_reply_is_one_part_for_each_item(made: World) -> None:
    reply = await made.post("/count", {"n": 5})
    assert reply.parts == [b"0", b"1", b"2", b"3", b"4"]
    assert reply.is_whole
    assert reply.header("content-type") == "text/event-stream; charset=utf-8"
    assert not reply.header("content-length")
    assert (await made.post("/letters", {"word": "abc"})).parts == [b"a", b"b", b"c"]


@in_world
async def test_a_stream_without_items_is_a_whole_reply(made: World) -> None:
    reply = await made.post("/count", {"n": 0})
    assert (reply.status, reply.parts, reply.is_whole) == (200, [], True)


@in_world
async def test_the_first_item_of_a_stream_comes_before_the_last_is_made(made: World) -> None:
    exchange = await Exchange(made.gateway, "POST", "/drip").feed()
    assert (await exchange.begun(parts=1)).parts == [b"1"]
    assert not exchange.reply.is_whole
    await exchange.leave()
    await exchange.done()


@in_world
async def test_five_megabytes_go_up_and_down_in_pieces(made: World) -> None:
    size = 5 * 2**20
    part = b"a" * 64 * 1024
    parts = [b'{"text": "', *[part] * (size // len(part)), b'"}']
    assert (await made.post("/measure", raw=parts)).body == str(size).encode()
    reply = await made.post("/blob", {"size": size})
    assert reply.body == bytes(range(256)) * (size // 256)
    assert len(reply.parts) > 10
    await made.still_serves()


@in_world
async def test_a_request_id_is_echoed_and_made_up_where_there_is_none(made: World) -> None:
    given = await made.post("/teapot", headers=[("x-request-id", "abc-1")])
    assert given.header("x-request-id") == "abc-1"
    assert json.loads(given.body)["id"] == "abc-1"
    made_up = await made.post("/teapot")
    assert len(made_up.header("x-request-id")) == 16
    assert json.loads(made_up.body)["id"] == made_up.header("x-request-id")
    assert (await made.post("/nothing")).header("x-request-id")


@in_world
async def test_a_method_sees_the_request_and_sets_status_and_headers(made: World) -> None:
    reply = await made.post("/teapot?q=1&q=two", headers=[("user-agent", "me")])
    assert reply.status == 418
    assert reply.header("x-brew") == "earl grey"
    assert [value for name, value in reply.headers if name == "x-leaf"] == ["1", "2"]
    # What would break the framing of the reply is left out.
    names = [name for name, _ in reply.headers]
    assert names.count("content-length") == 1
    assert not {"transfer-encoding", "connection", "grpc-status"} & set(names)
    said = json.loads(reply.body)
    assert (said["agent"], said["query"], said["version"]) == ("me", "two", "main")
    assert made.codes("teapot") == {"418": 1}


@in_world
async def test_hop_by_hop_fields_and_credentials_of_the_control_plane_stay_here(
    made: World,
) -> None:
    private = ["connection", "te", "x-yatai-api-token", "traceparent", "content-length", "host"]
    reply = await made.post("/teapot", headers=[(name, "x") for name in [*private, "x-mine"]])
    assert json.loads(reply.body)["seen"] == "x-mine"


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_a_method_takes_nothing_but_post(verb: str) -> None:
    async def main() -> None:
        async with world() as made:
            reply = await made.get("/greet", verb=verb)
            body = b"" if verb == "HEAD" else b"Method Not Allowed"
            assert (reply.status, reply.body) == (405, body)
            assert reply.header("allow") == "POST"
            await made.still_serves()

    run(main())


@in_world
async def test_a_slash_too_much_is_a_redirect_that_keeps_verb_and_query(made: World) -> None:
    reply = await made.post("/greet/?a=b", {"name": "x"})
    assert (reply.status, reply.header("location")) == (307, "/greet?a=b")
    reply = await made.post("/e/demo/greet/", {"name": "x"})
    assert (reply.status, reply.header("location")) == (307, "/e/demo/greet")
    assert (await made.post("/nothing/")).status == 404


@in_world
async def test_a_redirect_quotes_what_the_path_had_quoted(made: World) -> None:
    reply = await made.post(
        "/e/x\r\nset-cookie: a=é/greet/", {"name": "x"}, headers=[("x-mesh-endpoint", "demo")]
    )
    assert reply.status == 307
    assert reply.header("location") == "/e/x%0D%0Aset-cookie:%20a=%C3%A9/greet"


@in_world
async def test_health_is_told_to_get_and_head(made: World) -> None:
    for path in ("/livez", "/healthz", "/readyz", "/e/demo/readyz"):
        reply = await made.get(path)
        assert (reply.status, reply.body) == (200, b"\n"), path
        head = await made.get(path, verb="HEAD")
        assert (head.status, head.body) == (200, b"")
    other = await made.get("/livez", verb="DELETE")
    assert (other.status, other.header("allow")) == (405, "GET, HEAD")


def test_a_gateway_without_routes_is_live_but_not_ready() -> None:
    async def main() -> None:
        async with world(Running(Demo(), "one"), table=Snapshot()) as made:
            assert (await made.get("/livez")).status == 200
            reply = await made.get("/readyz")
            assert reply.status == 503
            assert reply.body.startswith(b"Service is not ready: ")
            assert (await made.post("/greet", {"name": "x"})).status == 404
            assert (await made.get("/schema.json")).status == 404

    run(main())


@in_world
async def test_a_service_without_a_replica_is_not_ready(made: World) -> None:
    made.links.dispatcher.follow(snapshot(version(Demo, {}), number=2))
    assert (await made.get("/readyz")).status == 503
    assert (await made.get("/livez")).status == 200
    assert (await made.get("/e/other/readyz")).status == 404


@in_world
async def test_the_schema_describes_the_entry_service(made: World) -> None:
    reply = await made.get("/schema.json")
    assert reply.header("content-type") == "application/json"
    document = json.loads(reply.body)
    assert document["name"] == "Demo"
    assert "/v2/sum" in {route["route"] for route in document["routes"]}
    assert (await made.get("/e/demo/schema.json")).body == reply.body


@in_world
async def test_metrics_count_requests_by_target_and_code(made: World) -> None:
    await made.post("/greet", {"name": "a"})
    await made.post("/greet", {})
    await made.post("/../../etc/passwd")
    text = (await made.get("/metrics")).body.decode()
    labels = 'deployment="demo",endpoint="demo",method="greet",protocol="http",service="Demo"'
    lines = {line for line in text.splitlines() if line.startswith("mesh_requests_total")}
    assert f'mesh_requests_total{{code="200",{labels},version="main"}} 1.0' in lines
    assert f'mesh_requests_total{{code="400",{labels},version="main"}} 1.0' in lines
    assert "passwd" not in text
    assert "mesh_request_duration_seconds_bucket" in text
    assert not [
        line
        for line in text.splitlines()
        if line.startswith("mesh_requests_in_flight{") and not line.endswith(" 0.0")
    ]


def two_endpoints() -> tuple[tuple[Running, ...], Snapshot]:
    """`demo` and `other`, each a deployment with the replica `one` or `two`."""
    replicas = (Running(Demo(), "one"), Running(Demo(), "two", version="second"))
    one = version(Demo, {"Demo": ("one",)})
    two = version(Demo, {"Demo": ("two",)}, name="second")
    table = Snapshot(
        endpoints={
            name: Endpoint(name, (WeightedDeployment(name, 1),)) for name in ("demo", "other")
        },
        deployments={"demo": Deployment("demo", (one,)), "other": Deployment("other", (two,))},
        default_endpoint="demo",
    )
    return replicas, table


@pytest.mark.parametrize(
    ("path", "headers", "found"),
    [
        ("/teapot", [], "main"),
        ("/teapot", [("host", "other.example.org:3000")], "second"),
        ("/teapot", [("host", "unknown.example.org")], "main"),
        ("/teapot", [("x-mesh-endpoint", "other")], "second"),
        ("/e/other/teapot", [], "second"),
        ("/e/other/teapot", [("x-mesh-endpoint", "demo")], "main"),
        ("/e/other/teapot", [("host", "demo.example.org")], "second"),
    ],
)
def test_header_then_prefix_then_authority_name_the_endpoint(
    path: str, headers: list[tuple[str, str]], found: str
) -> None:
    async def main() -> None:
        replicas, table = two_endpoints()
        async with world(*replicas, table=table) as made:
            reply = await made.post(path, headers=headers)
            assert json.loads(reply.body)["version"] == found
            assert reply.header("x-mesh-version") == found
            if path.startswith("/e/"):
                return
            answer = await made.call("teapot", headers=headers)
            assert dict(answer.metadata)["x-mesh-version"] == found

    run(main())


@in_world
async def test_an_endpoint_that_does_not_exist_is_404(made: World) -> None:
    headers = [("x-mesh-endpoint", "nowhere")]
    for reply in (
        await made.post("/greet", {"name": "a"}, headers=headers),
        await made.post("/e/nowhere/greet", {"name": "a"}),
        await made.get("/e/nowhere/readyz"),
    ):
        assert reply.status == 404
        assert json.loads(reply.body)["error"] == "there is no endpoint 'nowhere'"
    assert (await made.call("greet", headers=headers)).code == Code.NOT_FOUND


def canary(**split: Any) -> tuple[tuple[Running, ...], Snapshot]:
    """`main` with 80 % on replica `one`, `next` with 20 % on replica `two`."""
    replicas = (Running(Demo(), "one"), Running(Demo(), "two", version="next"))
    table = snapshot(
        version(Demo, {"Demo": ("one",)}, weight=80),
        version(Demo, {"Demo": ("two",)}, name="next", weight=20),
        **split,
    )
    return replicas, table


def test_a_canary_takes_its_share() -> None:
    async def main() -> None:
        replicas, table = canary()
        async with world(*replicas, table=table) as made:
            seen = Counter(
                [(await made.post("/greet", {"name": "a"})).header("x-mesh-version")
                 for _ in range(400)]
            )  # fmt: skip
            # 99.9 % bounds of a binomial distribution with 400 draws of 0.2: 80 ± 3.29 * 8.
            assert 53 <= seen["next"] <= 107
            assert seen["main"] == 400 - seen["next"]

    run(main())


@pytest.mark.parametrize(
    ("split", "target", "header"),
    [
        (SplitBy.HEADER, "/greet", "X-User"),
        (SplitBy.QUERY, "/greet?x-user={}", ""),
    ],
)
def test_a_sticky_canary_keeps_a_user_at_one_version(
    split: SplitBy, target: str, header: str
) -> None:
    async def main() -> None:
        replicas, table = canary(split_by=split, split_key=header or "x-user")
        async with world(*replicas, table=table) as made:
            versions = set()
            for user in range(40):
                headers = [("x-user", str(user))] if header else []
                path = target.format(user)
                found = {
                    (await made.post(path, {"name": "a"}, headers=headers)).header("x-mesh-version")
                    for _ in range(5)
                }
                assert len(found) == 1
                versions |= found
                if header:
                    answer = await made.call("greet", name="a", headers=headers)
                    assert dict(answer.metadata)["x-mesh-version"] in found
            assert versions == {"main", "next"}

    run(main())


def test_a_request_may_name_its_version() -> None:
    async def main() -> None:
        replicas, table = canary()
        async with world(*replicas, table=table) as made:
            for name, found in (("next", "next"), ("main", "main"), ("next-1", "next")):
                headers = [("x-mesh-version", name)]
                reply = await made.post("/teapot", headers=headers)
                assert json.loads(reply.body)["version"] == found
            headers = [("x-mesh-version", "none")]
            assert (await made.post("/teapot", headers=headers)).status == 404
            assert (await made.call("teapot", headers=headers)).code == Code.NOT_FOUND

    run(main())


def test_a_call_that_one_replica_refuses_goes_to_another() -> None:
    async def main() -> None:
        replicas = (Running(Demo(), "one"), Running(Demo(), "two"))
        table = snapshot(version(Demo, {"Demo": ("one", "two")}))
        async with world(*replicas, table=table) as made:
            replicas[0].end._is_going_away = True  # what its callers have not heard of yet
            replies = [await made.post("/greet", {"name": "a"}) for _ in range(20)]
            assert {reply.status for reply in replies} == {200}
            answers = [await made.call("greet", name="a") for _ in range(20)]
            assert {answer.code for answer in answers} == {0}

    run(main())


def test_a_replica_that_dies_fails_the_calls_it_held_and_no_others() -> None:
    async def main() -> None:
        replicas = (Running(Demo(), "one"), Running(Demo(), "two"))
        table = snapshot(version(Demo, {"Demo": ("one", "two")}))
        async with world(*replicas, table=table) as made:
            held = [await Exchange(made.gateway, "POST", "/hang").feed() for _ in range(4)]
            await until(lambda: sum(each.instance.started for each in replicas) == 4)
            lost = replicas[0].instance.started
            await replicas[0].die()
            await until(lambda: sum(bool(each.reply.status) for each in held) == lost)
            for each in held:
                if each.reply.status:
                    assert each.reply.status == 503
                else:
                    await each.leave()
            assert (await made.post("/greet", {"name": "a"})).status == 200
            await made.settled()

    run(main())
