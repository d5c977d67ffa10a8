"""Requests to an endpoint that leads to HTTP servers outside the mesh."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from gateway.asgi import BrokenReplyError
from mesh.traffic.snapshot import LoadBalance, Session, Upstream
from tests.gateway.asgi_client import Exchange, Reply
from tests.gateway.outside import (
    HttpServer,
    closed_address,
    http_server,
    leading,
    outside_world,
)
from tests.gateway.rig import GATEWAY_LIMIT, World
from tests.link.rig import run, until

pytestmark = pytest.mark.usefixtures("server")

Test = Callable[[World, HttpServer], Coroutine[Any, Any, None]]


def with_upstream(**upstream: Any) -> Callable[[Test], Callable[[], None]]:
    """Runs a test with an endpoint `out` that leads to one server."""

    def decorate(test: Test) -> Callable[[], None]:
        async def main() -> None:
            async with http_server() as server:
                table = leading(Upstream("up", server.url, **upstream))
                async with outside_world(table) as made:
                    await test(made, server)

        def wrapped() -> None:
            run(main())

        wrapped.__name__ = test.__name__
        return wrapped

    return decorate


def echoed(reply: Reply) -> tuple[dict[str, Any], dict[str, str]]:
    """What the server says of the request, and its header fields."""
    assert reply.status == 200, reply.body
    told = json.loads(reply.body)
    return told, dict(told["fields"])


@with_upstream()
async def test_verb_path_query_and_body_go_there(made: World, server: HttpServer) -> None:
    told, fields = echoed(await made.post("/e/out/echo/a%20b?x=1&y", raw=b"hello"))
    assert (told["verb"], told["query"], told["body"]) == ("POST", "x=1&y", "hello")
    assert told["raw"] == "/v1/echo/a%2520b"  # a server would have decoded the path
    assert fields["host"] == server.url.split("/")[2]
    told, _ = echoed(await made.get("/echo/", [("x-mesh-endpoint", "out")], verb="DELETE"))
    assert (told["verb"], told["path"], told["size"]) == ("DELETE", "/v1/echo/", 0)
    head = await made.get("/e/out/echo/x", verb="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert made.codes("") == {"200": 3}


@with_upstream()
async def test_fields_between_two_machines_and_those_of_the_mesh_stay_here(
    made: World, server: HttpServer
) -> None:
    headers = [
        ("authorization", "Bearer mine"),
        ("connection", "keep-alive, x-private"),
        ("x-private", "1"),
        ("te", "trailers"),
        ("x-yatai-api-token", "secret"),
        ("x-mesh-endpoint", "out"),
        ("accept", "text/plain"),
        ("content-type", "text/x-own"),
        ("x-request-id", "r1"),
        ("x-own", "1"),
    ]
    reply = await made.post("/echo/x", raw=b"hi", headers=headers)
    _, fields = echoed(reply)
    assert fields["authorization"] == "Bearer mine"
    assert (fields["accept"], fields["content-type"]) == ("text/plain", "text/x-own")
    assert (fields["x-own"], fields["x-request-id"]) == ("1", "r1")
    assert not {"x-private", "te", "x-yatai-api-token", "x-mesh-endpoint"} & set(fields)
    assert reply.header("x-request-id") == "r1"


@with_upstream(api_key="the key")
async def test_a_key_takes_the_place_of_what_the_client_says_to_be(
    made: World, server: HttpServer
) -> None:
    headers = [("authorization", "Bearer mine")]
    told, _ = echoed(await made.post("/e/out/echo/x", raw=b"", headers=headers))
    assert [value for name, value in told["fields"] if name == "authorization"] == [
        "Bearer the key"
    ]


@with_upstream()
async def test_a_body_of_several_parts_is_passed_on_and_too_large_a_one_refused(
    made: World, server: HttpServer
) -> None:
    told, _ = echoed(await made.post("/e/out/echo/x", raw=[b"a" * 300, b"b" * 300]))
    assert told["size"] == 600
    size = str(GATEWAY_LIMIT // 2)
    told, fields = echoed(
        await made.post(
            "/e/out/echo/x", raw=b"a" * (GATEWAY_LIMIT // 2), headers=[("content-length", size)]
        )
    )
    assert fields["content-length"] == size
    reply = await made.post("/e/out/echo/x", raw=[b"a" * GATEWAY_LIMIT, b"b"])
    assert reply.status == 413


@with_upstream()
async def test_status_and_fields_of_the_reply_come_back(made: World, server: HttpServer) -> None:
    reply = await made.post("/e/out/teapot")
    assert (reply.status, reply.body) == (418, b"short and stout")
    assert reply.header("x-brew") == "earl grey"
    assert not reply.header("x-private")
    assert not reply.header("connection")


@with_upstream()
async def test_a_streamed_reply_comes_as_it_is_made(made: World, server: HttpServer) -> None:
    exchange = await Exchange(made.gateway, "POST", "/e/out/drip").feed(b"{}")
    begun = await exchange.begun(1)
    assert (begun.body, begun.is_whole) == (b"one", False)
    server.go_on.set()
    reply = await exchange.done()
    assert (reply.body, reply.is_whole) == (b"onetwo", True)


@with_upstream()
async def test_a_reply_that_breaks_midway_is_broken_off(made: World, server: HttpServer) -> None:
    exchange = await Exchange(made.gateway, "GET", "/e/out/crumble").feed()
    await exchange.begun(1)
    server.go_on.set()
    reply = await exchange.done()
    assert isinstance(reply.error, BrokenReplyError)
    assert not reply.is_whole


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_client_that_leaves_takes_its_request_back(verb: str) -> None:
    @with_upstream()
    async def test(made: World, server: HttpServer) -> None:
        exchange = await Exchange(made.gateway, verb, "/e/out/hang").feed(b"")
        await until(lambda: server.asked)
        await exchange.leave()
        await exchange.done()
        await until(lambda: server.gone == 1)
        assert made.codes("") == {"499": 1}

    test()


def test_a_server_that_cannot_be_reached_leaves_the_request_to_another() -> None:
    async def main() -> None:
        async with http_server() as server, closed_address() as closed:
            down = Upstream("down", f"http://{closed}", 1_000_000)
            table = leading(down, Upstream("up", server.url))
            async with outside_world(table) as made:
                for _ in range(5):
                    told, _ = echoed(await made.post("/e/out/echo/x", raw=[b"he", b"llo"]))
                    assert told["body"] == "hello"
                # After some failures in a row it is not asked any more.
                assert made.codes("") == {"200": 5, "unreachable": 3}

    run(main())


def test_a_deployment_takes_what_no_server_outside_can() -> None:
    async def main() -> None:
        async with closed_address() as closed:
            down = Upstream("down", f"http://{closed}", 1_000_000)
            async with outside_world(leading(down, weight=1)) as made:
                reply = await made.post("/e/out/greet", {"name": "you"})
                assert (reply.status, reply.body) == (200, b"hello you")

    run(main())


def test_if_no_server_can_be_reached_that_is_said() -> None:
    async def main() -> None:
        async with (
            closed_address() as closed,
            outside_world(leading(Upstream("down", f"http://{closed}"))) as made,
        ):
            for _ in range(5):
                reply = await made.post("/e/out/x")
                assert reply.status == 503
                assert b"no upstream of endpoint 'out' can be reached" in reply.body

    run(main())


def test_a_server_that_breaks_off_is_a_bad_gateway() -> None:
    async def hang_up(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            async with outside_world(leading(Upstream("up", f"http://{host}:{port}"))) as made:
                reply = await made.get("/e/out/x")
                assert reply.status == 502
                assert b"upstream 'up' broke off" in reply.body

    run(main())


def test_http_requests_do_not_go_to_grpc_servers() -> None:
    async def main() -> None:
        grpc = Upstream("up", "grpc://127.0.0.1:1", 1_000_000)
        async with outside_world(leading(grpc)) as made:
            reply = await made.post("/e/out/x")
            assert reply.status == 502
            assert b"endpoint 'out' leads to servers that speak gRPC, not HTTP" in reply.body
        async with outside_world(leading(grpc, weight=1)) as made:
            reply = await made.post("/e/out/greet", {"name": "you"})
            assert reply.body == b"hello you"

    run(main())


def test_requests_overflow_to_a_server_outside_when_the_deployment_is_full() -> None:
    async def main() -> None:
        async with http_server() as server:
            table = leading(Upstream("up", server.url), weight=1, balance=LoadBalance.OVERFLOW)
            async with outside_world(table) as made:
                running = [
                    await Exchange(made.gateway, "POST", "/e/out/slow").feed(b"{}")
                    for _ in range(4)  # as many as a replica of Demo takes
                ]
                await until(lambda: made.demo.started == 4)
                told, _ = echoed(await made.post("/e/out/echo/x", raw=b"hi"))
                assert told["body"] == "hi"
                made.demo.go_on.set()
                assert {(await each.done()).status for each in running} == {200}
                assert (await made.post("/e/out/greet", {"name": "you"})).body == b"hello you"

    run(main())


@with_upstream()
async def test_pages_of_the_gateway_are_its_own(made: World, server: HttpServer) -> None:
    assert (await made.get("/e/out/readyz")).status == 200
    assert (await made.get("/e/out/livez")).status == 200
    for page in ("schema.json", "docs.json", ""):
        assert (await made.get(f"/e/out/{page}")).status == 404
    assert server.asked == 0


def test_an_endpoint_whose_servers_have_no_weight_is_not_ready() -> None:
    async def main() -> None:
        async with outside_world(leading(Upstream("up", "http://127.0.0.1:1", 0))) as made:
            assert (await made.get("/e/out/readyz")).status == 503
            assert (await made.post("/e/out/x")).status == 502

    run(main())


def test_a_session_stays_at_a_server_outside_or_at_the_deployment() -> None:
    async def main() -> None:
        async with http_server() as server:
            table = leading(Upstream("up", server.url), weight=1)
            out = replace(table.endpoints["out"], session=Session(cookie="sid"))
            table = replace(table, endpoints={**table.endpoints, "out": out})
            async with outside_world(table) as made:
                for number in range(20):
                    fields = [("cookie", f"sid={number}; own=1")]
                    replies = [
                        await made.post("/e/out/echo/x", raw=b"", headers=fields) for _ in range(4)
                    ]
                    # The deployment has no such path.
                    assert len({reply.status for reply in replies}) == 1
                    if replies[0].status == 200:
                        assert echoed(replies[0])[1]["cookie"] == "own=1"
                assert server.asked not in (0, 80)
                first = await made.post("/e/out/echo/x", raw=b"")
                assert first.header("set-cookie").startswith("sid=")

    run(main())
