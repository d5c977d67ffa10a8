"""A gateway in front of replicas that say what they were asked, behind typed gRPC services."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from gateway.main import Gateway
from mesh.call import CallKind, Metadata, ReplyHead
from mesh.clock import monotonic
from mesh.errors import MeshError
from mesh.link.call import ReplicaCall
from mesh.link.dispatch import Dispatcher
from mesh.link.ends import ReplicaEnd
from mesh.link.pool import Pool
from mesh.link.transport import Transport, memory_pair
from mesh.observe.metrics import CONTENT_TYPE, RequestMetrics, render
from mesh.observe.tracing import OFF
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    Method,
    Replica,
    Service,
    Snapshot,
    Version,
    WeightedDeployment,
)
from tests.gateway.asgi_client import GrpcReply, Headers, call
from tests.link.rig import at_once, until

LIMIT = 1 << 20
"""Bytes of a message at most."""
KINDS = {
    "Ask": CallKind.UNARY,
    "Count": CallKind.SERVER_STREAM,
    "Total": CallKind.CLIENT_STREAM,
    "Talk": CallKind.BIDI_STREAM,
}


def service(
    name: str, replica: str, *, rpc_service: str = "", rpcs: Mapping[str, CallKind] = KINDS,
    **fields: Any,
) -> Service:  # fmt: skip
    """A service of one replica whose rpcs are called as its methods, with a capital."""
    methods = {
        rpc.lower(): Method(rpc.lower(), f"/{rpc.lower()}", kind, rpc=rpc)
        for rpc, kind in rpcs.items()
    }
    return Service(name, methods, (Replica(replica, replica),), rpc_service=rpc_service, **fields)


def version(entry: Service, name: str = "main", weight: int = 100) -> Version:
    return Version(f"{name}-of-{entry.name}", name, entry.name, {entry.name: entry}, weight)


def table(
    deployments: Mapping[str, Deployment | Service], *, default: str = "", number: int = 1
) -> Snapshot:
    """Each deployment behind an endpoint of its own name; a service is one with a version."""
    made = {
        name: Deployment(name, (version(each),)) if isinstance(each, Service) else each
        for name, each in deployments.items()
    }
    return Snapshot(
        number=number,
        endpoints={name: Endpoint(name, (WeightedDeployment(name, 1),)) for name in made},
        deployments=made,
        default_endpoint=default or next(iter(made)),
    )


class Echo:
    """A replica that answers each call with what it was asked, as JSON.

    Streams have one message for each that came. `metadata` goes with each reply; `error` is what
    all calls fail with.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.metadata: Metadata = ()
        self.error: MeshError | None = None
        self.received: list[bytes] = []
        self.end = ReplicaEnd(monotonic, self._take)
        self._tasks: set[asyncio.Task[None]] = set()

    def _take(self, call: ReplicaCall) -> None:
        task = asyncio.ensure_future(self._answer(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: ReplicaCall) -> None:
        head = call.head
        messages = []
        try:
            while (message := await call.message()) is not None:
                messages.append(message)
        except MeshError:
            return
        self.received += messages
        if self.error is not None:
            call.fail(self.error)
            return
        said = {
            "replica": self.name,
            "method": head.method,
            "media_type": head.media_type,
            "sizes": [len(message) for message in messages],
            "metadata": {name: str(value) for name, value in head.metadata},
        }
        streams = head.method in ("count", "talk")
        call.start_reply(ReplyHead(head.media_type, metadata=self.metadata, stream=streams))
        for message in messages if streams else [json.dumps(said).encode()]:
            await call.send(message, end=not streams)
        if streams:
            call.end_reply()


class Typed:
    """A gateway, its dispatcher and the replicas by name."""

    def __init__(self, snapshot: Snapshot) -> None:
        names = {
            replica.id
            for deployment in snapshot.deployments.values()
            for each in deployment.versions
            for service in each.services.values()
            for replica in service.replicas
        }
        self.replicas = {name: Echo(name) for name in sorted(names)}
        self._links: dict[asyncio.Task[None], Transport] = {}
        self.pool = Pool(self._connect, monotonic, Random(1))
        self.dispatcher = Dispatcher(self.pool, monotonic, Random(1))
        self.metrics = RequestMetrics()
        self.gateway = Gateway(
            self.dispatcher,
            clock=monotonic,
            tracing=OFF,
            metrics=self.metrics,
            render_metrics=lambda: (CONTENT_TYPE.encode(), render(self.metrics)),
            max_request_bytes=LIMIT,
        )

    async def _connect(self, address: str) -> Transport:
        near, far = memory_pair()
        link = asyncio.ensure_future(self.replicas[address].end.serve(far))
        self._links[link] = far
        link.add_done_callback(self._links.pop)
        return near

    def break_links(self) -> None:
        """Breaks all links; the pool opens new ones."""
        for transport in self._links.values():
            at_once(transport.close())

    async def follow(self, snapshot: Snapshot) -> None:
        """Routes by the snapshot; returns when there are links to all its replicas."""
        self.dispatcher.follow(snapshot)
        await until(lambda: all(self.pool.link(name) for name in self.replicas))

    async def ask(self, path: str, *messages: bytes, headers: Headers = ()) -> GrpcReply:
        return await call(self.gateway, path, *(messages or (b"",)), headers=headers)

    async def close(self) -> None:
        await self.pool.close()
        await until(lambda: not self._links)


@asynccontextmanager
async def typed(snapshot: Snapshot) -> AsyncIterator[Typed]:
    made = Typed(snapshot)
    await made.follow(snapshot)
    try:
        yield made
    finally:
        await made.close()


def said(reply: GrpcReply) -> dict[str, Any]:
    """What the replica of a call with one reply says."""
    assert reply.code == 0, (reply.code, reply.message)
    (message,) = reply.messages
    document: dict[str, Any] = json.loads(message)
    return document
