"""Health pages of services that answer for their health themselves."""

from gateway.admin import LIVE, PLAIN, READY, Page
from gateway.forward import Request
from gateway.fronts import Fronted
from gateway.question import Questions
from mesh.edge import ALIVE, READY as ASKS_READY, Dialect
from mesh.errors import MeshError

PATIENCE = 5.0
"""Seconds in which a service says how it is."""
_NOT_READY = Page(503, PLAIN, b"Service is not ready because .__is_ready__() returns False.")
_DEAD = Page(503, PLAIN, b"Service is dead because .__is_alive__() returns False.")
_INCOMPLETE = Page(503, PLAIN, b"Runners are not ready.")
_BROKEN = Page(500, PLAIN, b"Internal Server Error")


class Probes:
    """Answers for a service's health by what one of its replicas says."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def page(self, fronted: Fronted, request: Request) -> Page | None:
        """What there is to say beyond that replicas are reached; None if that is all."""
        edge = fronted.front.edge
        path = fronted.inside
        if path in LIVE and edge.asks_alive:
            return await self._asked(fronted, request, ALIVE, _DEAD)
        if path != READY:
            return None
        if edge.asks_ready:
            page = await self._asked(fronted, request, ASKS_READY, _NOT_READY)
            if page is not None:
                return page
        if edge.dialect is Dialect.BENTOML and not self._is_complete(fronted):
            return _INCOMPLETE
        return None

    async def _asked(
        self, fronted: Fronted, request: Request, method: str, otherwise: Page
    ) -> Page | None:
        """None if the service says yes or has no replica to ask, which the usual page tells."""
        service = fronted.front.service
        if not service.replicas:
            return None
        try:
            said = await self._questions.ask(
                service, method, request_id=request.request_id, patience=PATIENCE
            )
        except MeshError:
            return _BROKEN
        return None if said == b"true" else otherwise

    def _is_complete(self, fronted: Fronted) -> bool:
        """Whether every service of the graph has a replica."""
        return all(each.replicas for each in fronted.front.version.services.values())
