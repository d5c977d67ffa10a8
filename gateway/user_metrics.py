"""Metrics that services keep themselves, on the page of the gateway's own."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

from gateway.admin import Page
from gateway.forward import Request
from gateway.fronts import Fronted
from gateway.question import Questions
from mesh.edge import PAGE, SAMPLES
from mesh.errors import MeshError
from mesh.link.dispatch import Dispatcher
from mesh.observe.metrics import render
from mesh.observe.samples import Families, Family, load, merge
from mesh.traffic.snapshot import Replica, Service, Snapshot

PATIENCE = 3.0
"""Seconds in which replicas answer; who does not is left out."""
_MEDIA_TYPE = b"text/plain; version=1.0.0; charset=utf-8"
_BROKEN = Page(500, b"text/plain; charset=utf-8", b"Internal Server Error")
_TEXT = "text/plain"


class UserMetrics:
    """Asks the replicas behind an endpoint for what the user's code counts there."""

    def __init__(self, dispatcher: Dispatcher, questions: Questions) -> None:
        self._dispatcher = dispatcher
        self._questions = questions

    async def page(self, fronted: Fronted, request: Request, own: bytes) -> Page:
        """The gateway's `own` page with the metrics of all replicas, as the service wants it."""
        found = await self._samples(fronted, request)
        # There may be many: the loop goes on meanwhile.
        text = await asyncio.to_thread(_page, own, found)
        if not fronted.front.edge.edits_metrics:
            return Page(200, _MEDIA_TYPE, text)
        try:
            edited = await self._questions.ask(
                fronted.front.service,
                PAGE,
                request_id=request.request_id,
                patience=PATIENCE,
                media_type=_TEXT,
                body=text,
            )
        except MeshError:
            return _BROKEN
        return Page(200, _MEDIA_TYPE, edited)

    async def _samples(self, fronted: Fronted, request: Request) -> list[bytes]:
        """What each replica behind the endpoint answers; empty for one that can't be asked."""

        async def asked(service: Service, replica: Replica) -> bytes:
            only = replace(service, replicas=(replica,))
            try:
                return await self._questions.ask(
                    only, SAMPLES, request_id=request.request_id, patience=PATIENCE
                )
            except MeshError:
                return b""

        replicas = _replicas(self._dispatcher.snapshot, fronted.endpoint)
        return await asyncio.gather(*(asked(*each) for each in replicas))


def _replicas(snapshot: Snapshot, name: str) -> Iterator[tuple[Service, Replica]]:
    """Every replica with metrics, of every version behind the endpoint."""
    endpoint = snapshot.endpoints.get(name)
    for share in endpoint.deployments if endpoint is not None else ():
        deployment = snapshot.deployments.get(share.deployment)
        for version in deployment.versions if deployment is not None else ():
            for service in version.services.values():
                for replica in service.replicas if service.edge.metrics else ():
                    yield service, replica


def _page(own: bytes, answers: Iterable[bytes]) -> bytes:
    """The page `own` and behind it the families that it has not, of all answers."""
    families = merge(map(_loaded, answers))
    taken = set(_names(own))
    return own + render(Families(each for each in families if each.name not in taken))


def _loaded(answer: bytes) -> tuple[Family, ...]:
    try:
        return load(answer)
    except ValueError:
        return ()


def _names(text: bytes) -> Iterator[str]:
    """The families of a page, without what their samples add to that."""
    for line in text.decode().splitlines():
        if line.startswith("# TYPE "):
            yield line.split(" ")[2].removesuffix("_total")
