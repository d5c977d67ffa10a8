"""Replicas in memory with real handlers, and the routing table that leads to them."""

import asyncio
import base64
import zlib
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any

from mesh.clock import Clock, monotonic
from mesh.config import Traffic
from mesh.definition.graph import resolve
from mesh.definition.manifest import ServiceManifest, describe
from mesh.definition.spec import service_spec
from mesh.errors import Unavailable
from mesh.launch import Launch, Source
from mesh.link.dispatch import Dispatcher
from mesh.link.ends import ReplicaEnd
from mesh.link.pool import Pool
from mesh.link.transport import Transport, memory_pair
from mesh.observe.tracing import OFF, Tracing
from mesh.replica.handler import Handler
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
from tests.link.rig import until

NOTHING: Mapping[str, Any] = MappingProxyType({})


def launch_of(cls: type, replica_id: str, *, version: str = "main", controller: str = "") -> Launch:
    """What the controller would launch for the service `cls`."""
    spec = service_spec(cls)
    traffic: Traffic = spec.config.traffic
    return Launch(
        replica_id=replica_id,
        deployment="demo",
        version_id=f"{version}-1",
        version=version,
        service=spec.name,
        source=Source(f"{cls.__module__}:{cls.__qualname__}"),
        threads=spec.config.threads,
        timeout=traffic.timeout,
        max_concurrency=traffic.max_concurrency or 0,
        controller=controller,
    )


class Running:
    """One replica: the user's instance, its handler, its end of all links."""

    def __init__(
        self,
        instance: object,
        name: str,
        *,
        version: str = "main",
        clock: Clock = monotonic,
        tracing: Tracing = OFF,
    ) -> None:
        cls = type(instance)
        self.instance: Any = instance
        self.name = name
        self.handler = Handler(
            service_spec(cls), instance, launch_of(cls, name, version=version), clock, tracing
        )
        self.end = ReplicaEnd(clock, self.handler.take)
        self._links: dict[asyncio.Task[None], Transport] = {}
        self.is_up = True

    def serve(self, transport: Transport) -> None:
        link = asyncio.ensure_future(self.end.serve(transport))
        self._links[link] = transport
        link.add_done_callback(self._links.pop)

    async def die(self) -> None:
        """Breaks all links and takes no more."""
        self.is_up = False
        for transport in list(self._links.values()):
            await transport.close()

    def check_idle(self) -> None:
        """Fails if a call has left something behind."""
        assert self.end.in_flight == 0
        assert self.handler.running == 0
        assert self.handler.admission.taken == 0

    def is_idle(self) -> bool:
        return not (self.end.in_flight or self.handler.running or self.handler.admission.taken)

    async def close(self) -> None:
        await self.die()
        await until(lambda: not self._links)
        await self.handler.close()


class Links:
    """A dispatcher whose pool connects to replicas in memory by their names."""

    def __init__(self, *replicas: Running, seed: int = 1) -> None:
        self.replicas = {replica.name: replica for replica in replicas}
        self.pool = Pool(self._connect, monotonic, Random(seed))
        self.dispatcher = Dispatcher(self.pool, monotonic, Random(seed))

    async def _connect(self, address: str) -> Transport:
        replica = self.replicas.get(address)
        if replica is None or not replica.is_up:
            raise Unavailable(f"cannot reach the replica at {address}")
        near, far = memory_pair()
        replica.serve(far)
        return near

    async def follow(self, snapshot: Snapshot) -> None:
        """Routes by `snapshot`; returns when there is a link to every replica of it that is up."""
        self.dispatcher.follow(snapshot)
        wanted = [
            replica.id
            for deployment in snapshot.deployments.values()
            for each in deployment.versions
            for service in each.services.values()
            for replica in service.replicas
            if self.replicas[replica.id].is_up
        ]
        await until(lambda: all(self.pool.link(name) for name in wanted))

    async def close(self) -> None:
        await self.pool.close()
        for replica in self.replicas.values():
            await replica.close()


def version(
    entry: type, replicas: Mapping[str, tuple[str, ...]], *, name: str = "main", weight: int = 100
) -> Version:
    """The graph of `entry` with the names of each service's replicas, which are addresses too."""
    manifest = describe(resolve(entry))
    services = {
        each: _service(found, replicas.get(each, ())) for each, found in manifest.services.items()
    }
    return Version(f"{name}-1", name, manifest.entry, services, weight)


def _service(found: ServiceManifest, replicas: tuple[str, ...]) -> Service:
    traffic = found.config.traffic
    return Service(
        name=found.name,
        methods={
            each.name: Method(each.name, each.route, each.kind, each.idempotent, each.rpc)
            for each in found.methods
        },
        replicas=tuple(Replica(replica, replica) for replica in replicas),
        timeout=traffic.timeout,
        max_concurrency=traffic.max_concurrency or 0,
        max_request_bytes=traffic.max_request_bytes or 0,
        schema_json=found.schema_json.encode(),
        docs=zlib.compress(found.docs_json.encode()),
        rpc_service=found.rpc_service,
        descriptors=zlib.compress(base64.b64decode(found.descriptors)),
        models=zlib.compress(found.models_json.encode()) if found.models_json else b"",
        edge=found.edge,
    )


def snapshot(*versions: Version, number: int = 1, **split: Any) -> Snapshot:
    """One deployment, `demo`, behind an endpoint of its own name, the default."""
    return Snapshot(
        number=number,
        endpoints={"demo": Endpoint("demo", (WeightedDeployment("demo", 1),))},
        deployments={"demo": Deployment("demo", versions, **split)},
        default_endpoint="demo",
    )
