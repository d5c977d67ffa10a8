"""A gateway in memory in front of real handlers, at which nothing may be left of a request."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from gateway.main import BODY_TIMEOUT, Gateway
from mesh.clock import monotonic
from mesh.io.arguments import encode_call
from mesh.io.value import from_value
from mesh.observe.metrics import CONTENT_TYPE, RequestMetrics, render
from mesh.observe.tracing import OFF, Tracing
from mesh.traffic.snapshot import Snapshot
from mesh.v1 import inference_pb2
from tests.gateway.asgi_client import GrpcReply, Headers, Reply, ask, call
from tests.gateway.services import Demo
from tests.link.rig import run, until
from tests.replica.rig import Links, Running, snapshot, version

GATEWAY_LIMIT = 1000
"""Bytes of a request to a service that sets no limit of its own."""


class World:
    """A gateway, the replicas behind it, and what of them must be idle when a test ends."""

    def __init__(
        self, *replicas: Running, tracing: Tracing = OFF, body_timeout: float = BODY_TIMEOUT
    ) -> None:
        self.links = Links(*replicas)
        self.metrics = RequestMetrics()
        self.gateway = Gateway(
            self.links.dispatcher,
            clock=monotonic,
            tracing=tracing,
            metrics=self.metrics,
            render_metrics=lambda: (
                CONTENT_TYPE.encode(),
                render(self.metrics, self.gateway.mirrored),
            ),
            max_request_bytes=GATEWAY_LIMIT,
            body_timeout=body_timeout,
            wall=lambda: self.wall,
        )
        self.wall = 1000.0
        """What the gateway takes for the seconds since the Unix epoch."""
        self._baseline: set[asyncio.Task[Any]] = set()

    @property
    def demo(self) -> Demo:
        """The instance of the first replica."""
        demo: Demo = next(iter(self.links.replicas.values())).instance
        return demo

    async def open(self, table: Snapshot) -> None:
        await self.links.follow(table)
        for _ in range(20):  # in which the links' own tasks begin
            await asyncio.sleep(0)
        self._baseline = asyncio.all_tasks()

    async def post(
        self, target: str, body: Any = None, *, raw: bytes | list[bytes] | None = None,
        headers: Headers = (),
    ) -> Reply:  # fmt: skip
        """The reply to a POST with JSON, or with `raw` bytes in one part or several."""
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        return await ask(self.gateway, "POST", target, raw, headers)

    async def get(self, target: str, headers: Headers = (), verb: str = "GET") -> Reply:
        return await ask(self.gateway, verb, target, b"", headers)

    async def call(self, method: str, *, rpc: str = "Call", headers: Headers = (), **arguments: Any
    ) -> GrpcReply:  # fmt: skip
        return await call(self.gateway, rpc, encode_call(method, arguments), headers=headers)

    async def settled(self) -> None:
        """Waits until nothing is left of the requests so far; the test's patience is the limit."""
        await until(self._is_idle)

    def _is_idle(self) -> bool:
        return (
            len(self.gateway.clients) == 0
            and not any(self.links.pool.loads.values())
            and all(replica.is_idle() for replica in self.links.replicas.values())
            and not any(series.in_flight for series in self.metrics._series.values())
            and asyncio.all_tasks() <= self._baseline
        )

    def codes(self, method: str) -> dict[str, int]:
        """How many requests of the method ended with each code; '' are those to no method."""
        found: dict[str, int] = {}
        for key, series in self.metrics._series.items():
            if key.method == method:
                for code, number in series.codes.items():
                    found[code] = found.get(code, 0) + number
        return found

    async def still_serves(self) -> None:
        """Fails if the gateway or the replica is not as good as new."""
        await self.settled()
        assert (await self.post("/greet", {"name": "you"})).body == b"hello you"
        assert value(await self.call("greet", name="you")) == "hello you"
        await self.settled()


@asynccontextmanager
async def world(
    *replicas: Running, table: Snapshot | None = None, body_timeout: float = BODY_TIMEOUT
) -> AsyncIterator[World]:
    """One replica of Demo, or those that are given with their routing table."""
    if not replicas:
        replicas = (Running(Demo(), "one"),)
        table = snapshot(version(Demo, {"Demo": ("one",)}))
    assert table is not None
    made = World(*replicas, body_timeout=body_timeout)
    await made.open(table)
    try:
        yield made
        await made.settled()
    finally:
        await made.gateway.close()
        await made.links.close()


def in_world(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs an async test in a world of its own, in which nothing may be left at the end."""

    def wrapped() -> None:
        async def main() -> None:
            async with world() as made:
                await test(made)

        run(main())

    wrapped.__name__ = test.__name__
    wrapped.__doc__ = test.__doc__
    return wrapped


def value(reply: GrpcReply) -> Any:
    """The value of a reply with one message."""
    assert reply.code == 0, (reply.code, reply.message)
    (body,) = reply.messages
    return decoded(body)


def decoded(body: bytes) -> Any:
    return from_value(inference_pb2.CallReply.FromString(body).value)
