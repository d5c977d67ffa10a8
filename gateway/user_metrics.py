"""Metrics that services keep themselves, on the page of the gateway's own."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from gateway.admin import Page
from gateway.forward import Request
from gateway.fronts import Fronted
from mesh.call import JSON, CallHead
from mesh.clock import Clock
from mesh.edge import PAGE, SAMPLES
from mesh.errors import MeshError
from mesh.link.dispatch import Dispatcher
from mesh.observe.metrics import render
from mesh.observe.samples import Families, Family, load, merge
from mesh.traffic.snapshot import Replica, Service

PATIENCE = 3.0
"""Seconds in which replicas answer; who does not is left out."""
MAX_BYTES = 16 * 2**20
"""What one replica may answer."""
_MEDIA_TYPE = b"text/plain; version=1.0.0; charset=utf-8"
_BROKEN = Page(500, b"text/plain; charset=utf-8", b"Internal Server Error")
_TEXT = "text/plain"


class UserMetrics:
    """Asks the replicas behind an endpoint for what the user's code counts there."""

    def __init__(self, dispatcher: Dispatcher, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._clock = clock

    async def page(self, fronted: Fronted, request: Request, own: bytes) -> Page:
        """The gateway's `own` page with the metrics of all replicas, as the service wants it."""
        families = merge(await self._all(fronted, request))
        taken = set(_names(own))
        text = own + render(Families(each for each in families if each.name not in taken))
        if not fronted.front.edge.edits_metrics:
            return Page(200, _MEDIA_TYPE, text)
        service = replace(fronted.front.service, max_concurrency=0)
        try:
            edited = await self._asked(service, PAGE, _TEXT, text, request)
        except MeshError:
            return _BROKEN
        return Page(200, _MEDIA_TYPE, edited)

    async def _all(self, fronted: Fronted, request: Request) -> list[tuple[Family, ...]]:
        asking = (self._families(*each, request) for each in self._replicas(fronted))
        return await asyncio.gather(*asking)

    def _replicas(self, fronted: Fronted) -> Iterator[tuple[Service, Replica]]:
        """Every replica of every version behind the endpoint."""
        snapshot = self._dispatcher.snapshot
        endpoint = snapshot.endpoints.get(fronted.endpoint)
        for share in endpoint.deployments if endpoint is not None else ():
            deployment = snapshot.deployments.get(share.deployment)
            for version in deployment.versions if deployment is not None else ():
                for service in version.services.values():
                    for replica in service.replicas:
                        yield service, replica

    async def _families(
        self, service: Service, replica: Replica, request: Request
    ) -> tuple[Family, ...]:
        """Those of one replica; none if it can't be asked."""
        if not service.edge.metrics:
            return ()
        only = replace(service, replicas=(replica,), max_concurrency=0)
        try:
            return load(await self._asked(only, SAMPLES, JSON, b"", request))
        except (MeshError, ValueError):
            return ()

    async def _asked(
        self, service: Service, method: str, media_type: str, body: bytes, request: Request
    ) -> bytes:
        head = CallHead(
            method,
            media_type,
            deadline=self._clock() + PATIENCE,
            request_id=request.request_id,
        )
        call = await self._dispatcher.ask(lambda: service, head, body, idempotent=True)
        return await call.message(MAX_BYTES) or b""


def _names(text: bytes) -> Iterator[str]:
    """The families of a page, without what their samples add to that."""
    for line in text.decode().splitlines():
        if line.startswith("# TYPE "):
            yield line.split(" ")[2].removesuffix("_total")
