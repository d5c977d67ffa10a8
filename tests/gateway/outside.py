"""Servers outside the mesh, real ones: HTTP on uvicorn, gRPC on grpc.aio."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mesh.traffic.snapshot import Endpoint, LoadBalance, Snapshot, Upstream, WeightedDeployment
from tests.gateway.rig import World
from tests.gateway.services import Demo
from tests.link.rig import until
from tests.replica.rig import Running, snapshot, version


class HttpServer:
    """What was asked of it, and its address."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.gone = 0
        self.go_on = asyncio.Event()
        verbs = ["GET", "POST", "PUT", "DELETE", "HEAD"]
        self.app = Starlette(
            routes=[
                Route("/v1/echo/{rest:path}", self._echo, methods=verbs),
                Route("/v1/drip", self._drip, methods=verbs),
                Route("/v1/hang", self._hang, methods=verbs),
                Route("/v1/crumble", self._crumble, methods=verbs),
                Route("/v1/teapot", self._teapot, methods=verbs),
            ]
        )

    async def _echo(self, request: Request) -> Response:
        self.asked += 1
        body = await request.body()
        return JSONResponse(
            {
                "verb": request.method,
                "path": request.url.path,
                "raw": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "fields": sorted(request.headers.items()),
                "size": len(body),
                "body": body[:100].decode("latin-1"),
            }
        )

    async def _drip(self, request: Request) -> Response:
        self.asked += 1

        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await self.go_on.wait()
            yield b"two"

        return StreamingResponse(parts(), media_type="text/event-stream")

    async def _hang(self, request: Request) -> Response:
        self.asked += 1
        await request.body()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.gone += 1
        return PlainTextResponse("nobody reads this")

    async def _crumble(self, request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await self.go_on.wait()
            raise OSError("the secret text")

        return StreamingResponse(parts())

    async def _teapot(self, request: Request) -> Response:
        fields = {"x-brew": "earl grey", "connection": "x-private", "x-private": "1"}
        return PlainTextResponse("short and stout", 418, fields)


@asynccontextmanager
async def http_server() -> AsyncIterator[HttpServer]:
    """A server for as long as the block runs."""
    made = HttpServer()
    config = uvicorn.Config(made.app, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # of old versions
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield made
        finally:
            made.go_on.set()
            server.force_exit = True
            await server.shutdown(sockets=[listener])


class GrpcServer(grpc.GenericRpcHandler):
    """Takes any method; what it does is in the last part of its path."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.gone = 0
        self.metadata: list[tuple[str, str | bytes]] = []
        self.left: float | None = None

    def service(self, details: Any) -> Any:
        self.asked += 1
        self.metadata = [(each.key, each.value) for each in details.invocation_metadata]
        name = details.method.rpartition("/")[2]
        return {
            "Unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "ServerStream": grpc.unary_stream_rpc_method_handler(self._many),
            "ClientStream": grpc.stream_unary_rpc_method_handler(self._gather),
            "Bidi": grpc.stream_stream_rpc_method_handler(self._bidi),
            "Fail": grpc.unary_unary_rpc_method_handler(self._fail),
            "Crumble": grpc.unary_stream_rpc_method_handler(self._crumble),
            "Hang": grpc.unary_unary_rpc_method_handler(self._hang),
        }.get(name)

    async def _unary(self, message: bytes, context: Any) -> bytes:
        self.left = context.time_remaining()
        await context.send_initial_metadata((("x-first", "1"), ("x-first-bin", b"\0\1")))
        context.set_trailing_metadata((("x-last", "2"), ("x-last-bin", b"\2\3")))
        return message[::-1]

    async def _many(self, message: bytes, context: Any) -> AsyncIterator[bytes]:
        for byte in message:
            yield bytes([byte])

    async def _gather(self, messages: AsyncIterator[bytes], context: Any) -> bytes:
        return b"".join([message async for message in messages])

    async def _bidi(self, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for message in messages:
            yield message.upper()

    async def _fail(self, message: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-why", "because"), ("grpc-status-details-bin", b"\1")))
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not before nöon: 100% sure")
        return b""

    async def _crumble(self, message: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"one"
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")

    async def _hang(self, message: bytes, context: Any) -> bytes:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.gone += 1
        return b""


@asynccontextmanager
async def grpc_server() -> AsyncIterator[GrpcServer]:
    """A server for as long as the block runs."""
    made = GrpcServer()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((made,))
    port = server.add_insecure_port("127.0.0.1:0")
    made.url = f"grpc://127.0.0.1:{port}"
    await server.start()
    try:
        yield made
    finally:
        await server.stop(None)


@asynccontextmanager
async def closed_address() -> AsyncIterator[str]:
    """host:port at which nobody listens, and nobody else can begin to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def leading(
    *upstreams: Upstream, weight: int | None = None, balance: LoadBalance = LoadBalance.WEIGHTED
) -> Snapshot:
    """An endpoint `out` with these upstreams, and the deployment `demo` if it has a weight."""
    table = snapshot(version(Demo, {"Demo": ("one",)}))
    own = () if weight is None else (WeightedDeployment("demo", weight),)
    out = Endpoint("out", own, balance, upstreams=upstreams)
    return Snapshot(
        1, 1, {**table.endpoints, "out": out}, table.deployments, table.default_endpoint
    )


@asynccontextmanager
async def outside_world(table: Snapshot) -> AsyncIterator[World]:
    """A gateway with one replica of Demo and this routing table, idle again at the end.

    Connections that servers keep have tasks of their own, and so do their servers.
    """
    made = World(Running(Demo(), "one"))
    await made.open(table)
    try:
        yield made
        await until(
            lambda: (
                len(made.gateway.clients) == 0
                and not any(series.in_flight for series in made.metrics._series.values())
            )
        )
    finally:
        await made.gateway.close()
        await made.links.close()
