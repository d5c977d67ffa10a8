"""Calls to an endpoint that leads to gRPC servers outside the mesh."""

import gzip
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from gateway.grpc_frames import framed
from mesh.io.arguments import encode_call
from mesh.traffic.snapshot import Upstream
from tests.gateway.asgi_client import GrpcReply, Headers, call, grpc_exchange, grpc_reply
from tests.gateway.outside import (
    GrpcServer,
    closed_address,
    grpc_server,
    leading,
    outside_world,
)
from tests.gateway.rig import World, value
from tests.link.rig import run, until

pytestmark = pytest.mark.usefixtures("server")

Test = Callable[[World, GrpcServer], Coroutine[Any, Any, None]]
OUT = ("x-mesh-endpoint", "out")


def with_upstream(**upstream: Any) -> Callable[[Test], Callable[[], None]]:
    """Runs a test with an endpoint `out` that leads to one server."""

    def decorate(test: Test) -> Callable[[], None]:
        async def main() -> None:
            async with grpc_server() as server:
                table = leading(Upstream("up", server.url, **upstream))
                async with outside_world(table) as made:
                    await test(made, server)

        def wrapped() -> None:
            run(main())

        wrapped.__name__ = test.__name__
        return wrapped

    return decorate


async def ask(made: World, rpc: str, *messages: bytes, headers: Headers = ()) -> GrpcReply:
    return await call(made.gateway, f"/any.v1.Thing/{rpc}", *messages, headers=[OUT, *headers])


@pytest.mark.parametrize(
    ("rpc", "sent", "received"),
    [
        ("Unary", [b"abc"], [b"cba"]),
        ("Unary", [b""], [b""]),
        ("ServerStream", [b"abc"], [b"a", b"b", b"c"]),
        ("ServerStream", [b""], []),
        ("ClientStream", [b"ab", b"c"], [b"abc"]),
        ("ClientStream", [], [b""]),
        ("Bidi", [b"ab", b"c"], [b"AB", b"C"]),
    ],
)
def test_calls_of_all_kinds_go_there_as_their_bytes(
    rpc: str, sent: list[bytes], received: list[bytes]
) -> None:
    @with_upstream()
    async def test(made: World, server: GrpcServer) -> None:
        reply = await ask(made, rpc, *sent)
        assert (reply.code, reply.messages) == (0, received)
        assert made.codes("") == {"OK": 1}

    test()


@with_upstream()
async def test_messages_of_a_conversation_go_both_ways_as_they_come(
    made: World, server: GrpcServer
) -> None:
    exchange = grpc_exchange(made.gateway, "/any.v1.Thing/Bidi", [OUT])
    await exchange.feed(framed(b"a"), more=True)
    assert (await exchange.begun(1)).body == framed(b"A")
    await exchange.feed(framed(b"b"), more=True)
    assert (await exchange.begun(2)).body == framed(b"A") + framed(b"B")
    await exchange.feed()
    assert grpc_reply(await exchange.done()).code == 0


@with_upstream()
async def test_metadata_goes_both_ways_and_what_is_the_meshs_stays_here(
    made: World, server: GrpcServer
) -> None:
    headers = [
        ("x-own", "1"),
        ("x-own-bin", "AAE="),
        ("authorization", "Bearer mine"),
        ("x-yatai-api-token", "secret"),
    ]
    reply = await ask(made, "Unary", b"a", headers=headers)
    sent = dict(server.metadata)
    assert (sent["x-own"], sent["x-own-bin"]) == ("1", b"\0\1")
    assert sent["authorization"] == "Bearer mine"
    assert not {"x-yatai-api-token", "x-mesh-endpoint"} & set(sent)
    fields, trailers = dict(reply.http.headers), dict(reply.http.trailers)
    assert (fields["x-first"], fields["x-first-bin"]) == ("1", "AAE")
    assert (trailers["x-last"], trailers["x-last-bin"]) == ("2", "AgM")


@with_upstream(api_key="the key")
async def test_a_key_takes_the_place_of_what_the_client_says_to_be(
    made: World, server: GrpcServer
) -> None:
    await ask(made, "Unary", b"a", headers=[("authorization", "Bearer mine")])
    said = [value for name, value in server.metadata if name == "authorization"]
    assert said == ["Bearer the key"]


@with_upstream()
async def test_the_deadline_goes_along(made: World, server: GrpcServer) -> None:
    await ask(made, "Unary", b"a", headers=[("grpc-timeout", "60S")])
    assert server.left is not None
    assert 0 < server.left <= 60
    await ask(made, "Unary", b"a")
    assert server.left is None
    reply = await ask(made, "Hang", b"a", headers=[("grpc-timeout", "50m")])
    assert reply.code == 4
    await until(lambda: server.gone == 1)


@with_upstream()
async def test_status_message_and_trailers_of_a_failed_call_come_back(
    made: World, server: GrpcServer
) -> None:
    reply = await ask(made, "Fail", b"a")
    assert (reply.code, reply.message) == (9, "not before nöon: 100% sure")
    fields = dict(reply.http.headers)
    assert (fields["x-why"], fields["grpc-status-details-bin"]) == ("because", "AQ")
    reply = await ask(made, "Crumble", b"a")
    assert (reply.code, reply.message, reply.messages) == (15, "gone", [b"one"])
    reply = await ask(made, "Nothing", b"a")
    assert reply.code == 12
    assert made.codes("") == {"FAILED_PRECONDITION": 1, "DATA_LOSS": 1, "UNIMPLEMENTED": 1}


@with_upstream()
async def test_a_client_that_leaves_takes_its_call_back(made: World, server: GrpcServer) -> None:
    exchange = await grpc_exchange(made.gateway, "/any.v1.Thing/Hang", [OUT]).feed(framed(b"a"))
    await until(lambda: server.asked)
    await exchange.leave()
    await exchange.done()
    await until(lambda: server.gone == 1)
    assert made.codes("") == {"CANCELLED": 1}


@with_upstream()
async def test_a_request_that_is_cut_off_is_wrong(made: World, server: GrpcServer) -> None:
    exchange = await grpc_exchange(made.gateway, "/any.v1.Thing/Bidi", [OUT]).feed(b"\0\0")
    assert grpc_reply(await exchange.done()).code == 3


@with_upstream()
async def test_calls_by_name_go_there_too(made: World, server: GrpcServer) -> None:
    # The server knows no mesh.v1.Inference, and says so itself.
    reply = await call(made.gateway, "Call", encode_call("greet", {"name": "you"}), headers=[OUT])
    assert reply.code == 12
    assert server.asked == 1


def test_of_deployments_and_servers_outside_only_those_take_a_call_that_know_its_path() -> None:
    async def main() -> None:
        async with grpc_server() as server:
            table = leading(Upstream("up", server.url, 1), weight=1_000_000)
            async with outside_world(table) as made:
                assert (await ask(made, "Unary", b"abc")).messages == [b"cba"]
                reply = await made.call("greet", name="you", headers=[OUT])
                assert value(reply) == "hello you"
                reply = await call(made.gateway, "/any.v1.Thing/Unary", b"abc")
                assert reply.code == 12  # the default endpoint has no server outside

    run(main())


def test_a_server_that_cannot_be_reached_leaves_the_call_to_another() -> None:
    async def main() -> None:
        async with grpc_server() as server, closed_address() as closed:
            down = Upstream("down", f"grpc://{closed}", 1_000_000)
            async with outside_world(leading(down, Upstream("up", server.url))) as made:
                for _ in range(5):
                    assert (await ask(made, "Unary", b"abc")).messages == [b"cba"]
                assert made.codes("") == {"OK": 5, "unreachable": 3}
            async with outside_world(leading(down, weight=1)) as made:
                reply = await made.call("greet", name="you", headers=[OUT])
                assert value(reply) == "hello you"
            async with outside_world(leading(down)) as made:
                reply = await ask(made, "Unary", b"abc")
                assert reply.code == 14
                assert "no upstream of endpoint 'out' can be reached" in reply.message

    run(main())


def test_calls_do_not_go_to_http_servers() -> None:
    async def main() -> None:
        http = Upstream("up", "http://127.0.0.1:1", 1_000_000)
        async with outside_world(leading(http)) as made:
            reply = await made.call("greet", name="you", headers=[OUT])
            assert reply.code == 14
            assert "servers that speak HTTP, not gRPC" in reply.message
        async with outside_world(leading(http, weight=1)) as made:
            assert value(await made.call("greet", name="you", headers=[OUT])) == "hello you"

    run(main())


@with_upstream()
async def test_compressed_messages_are_read_here(made: World, server: GrpcServer) -> None:
    headers = [OUT, ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip")]
    exchange = grpc_exchange(made.gateway, "/any.v1.Thing/Unary", headers)
    await exchange.feed(framed(gzip.compress(b"abc"), compressed=True))
    reply = await exchange.done()
    assert dict(reply.trailers)["grpc-status"] == "0"
    body = reply.body[5:]
    assert (gzip.decompress(body) if reply.body[0] else body) == b"cba"


@with_upstream()
async def test_an_upstream_that_is_one_no_more_is_let_go_and_calls_go_on_there(
    made: World, server: GrpcServer
) -> None:
    exchange = grpc_exchange(made.gateway, "/any.v1.Thing/Bidi", [OUT])
    await exchange.feed(framed(b"a"), more=True)
    await exchange.begun(1)
    async with grpc_server() as other:
        made.links.dispatcher.follow(replace(leading(Upstream("new", other.url)), number=2))
        assert (await ask(made, "Unary", b"abc")).messages == [b"cba"]
        assert (server.asked, other.asked) == (1, 1)
        assert repr(made.gateway._grpc_upstreams) == "<GrpcUpstreams 1 channels>"
        await exchange.feed(framed(b"b"))
        assert grpc_reply(await exchange.done()).messages == [b"A", b"B"]


@with_upstream()
async def test_health_says_that_an_endpoint_outside_serves(made: World, server: GrpcServer) -> None:
    reply = await call(made.gateway, "/grpc.health.v1.Health/Check", b"", headers=[OUT])
    assert (reply.code, reply.messages) == (0, [b"\x08\x01"])
    assert server.asked == 0
