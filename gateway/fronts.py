"""Services whose HTTP differs from the mesh's own: which requests are for one, and what differs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.admin import FILES, PATHS
from gateway.affected import Affected
from gateway.asgi import Event, Receive, Scope, Send
from gateway.forward import Request, field_value
from mesh.compat.bentoml.error_body import is_own
from mesh.edge import PLAIN, Cors, Dialect, Edge
from mesh.errors import MeshError, NotFound
from mesh.link.dispatch import Dispatcher
from mesh.traffic.route import endpoint_of
from mesh.traffic.snapshot import Service, Snapshot, Version

if TYPE_CHECKING:
    from starlette.middleware.cors import CORSMiddleware

Fields = list[tuple[bytes, bytes]]
Serve = Callable[[Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Front:
    """What stands at an endpoint: the first version of its first deployment that has one."""

    version: Version

    @property
    def service(self) -> Service:
        """The service that requests enter."""
        return self.version.services[self.version.entry]

    @property
    def edge(self) -> Edge:
        """How the service meets its clients."""
        return self.service.edge

    def knows(self, path: str) -> bool:
        """Whether the path, under which the endpoint is not named, leads anywhere."""
        return path in self.service.routes or self.inside(path) in PATHS

    def inside(self, path: str) -> str:
        """The path without the service's prefix, if that leads to a page; else the path itself."""
        prefix = self.edge.prefix
        if prefix and path.startswith(f"{prefix}/"):
            bare = path[len(prefix) :]
            if bare.rstrip("/") in PATHS or bare in PATHS or bare.startswith(FILES):
                return bare
        return path


@dataclass(frozen=True, slots=True)
class Fronted:
    """A request to a front; `path` is what is left when the endpoint's name is taken off."""

    front: Front
    endpoint: str
    path: str

    @property
    def at(self) -> tuple[str, str]:
        """The endpoint and the path that is left, as `endpoint_of` gives them."""
        return self.endpoint, self.path

    def page_request(self, request: Request) -> Request:
        """The request as the pages know it: without the prefix of the service."""
        inside = self.inside
        if inside == self.path:
            return request
        fields = {**request.fields, b"x-mesh-endpoint": self.endpoint.encode()}
        return request._replace(path=inside, fields=fields)

    @property
    def inside(self) -> str:
        """The path without the endpoint's name and, for a page, without the service's prefix."""
        return self.front.inside(self.path)

    def elsewhere(self, path: str) -> str | None:
        """What a request to `path`, of which `self.path` is left, is for; None if for just that.

        Pages have no slash at their ends, but for the index, which is the prefix with one.
        """
        prefix = self.front.edge.prefix
        if prefix and self.path == prefix and not self.front.knows(self.path):
            return f"{path}/"
        inside = self.inside
        if len(inside) > 1 and inside.endswith("/") and inside.rstrip("/") in PATHS:
            return path.rstrip("/")
        return None


class Fronts:
    """The fronts of the newest snapshot; costs next to nothing where there is none."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._affected = Affected()
        self._by_endpoint: dict[str, Front] = {}

    def of(self, request: Request) -> Fronted | None:
        """What the request meets if it is for a front; None otherwise."""
        snapshot = self._dispatcher.snapshot
        if snapshot is not self._affected.snapshot:
            self._follow(snapshot)
        if not self._by_endpoint:
            return None
        try:
            endpoint, path = endpoint_of(
                snapshot,
                authority=request.text(b"host"),
                header=request.text(b"x-mesh-endpoint"),
                path=request.path,
            )
        except NotFound:
            return None
        front = self._by_endpoint.get(endpoint)
        return None if front is None else Fronted(front, endpoint, path)

    def _follow(self, snapshot: Snapshot) -> None:
        for name in self._affected.by(snapshot):
            front = _front(snapshot, name)
            if front is None:
                self._by_endpoint.pop(name, None)
            else:
                self._by_endpoint[name] = front


def _front(snapshot: Snapshot, name: str) -> Front | None:
    """What stands at the endpoint of this name, if it differs from the mesh's own way."""
    endpoint = snapshot.endpoints.get(name)
    if endpoint is None:
        return None
    names = [share.deployment for share in endpoint.deployments]
    version = next((each for name in names for each in _enterable(snapshot, name)), None)
    if version is None or version.services[version.entry].edge == PLAIN:
        return None
    return Front(version)


def _enterable(snapshot: Snapshot, deployment: str) -> list[Version]:
    known = snapshot.deployments.get(deployment)
    versions = known.versions if known is not None else ()
    return [each for each in versions if each.entry in each.services]


def reply_headers(service: Service, request: Request) -> Fields:
    """Header fields that each reply of a method of the service has."""
    edge = service.edge
    if edge.dialect is not Dialect.BENTOML:
        return []
    fields = [
        (b"server", field_value(f"BentoML Service/{service.name}")),
        (b"x-bentoml-request-id", request.request_id.encode("latin-1")),
    ]
    if edge.trace_header:
        # Without a trace of the caller's, the request is one by itself.
        trace = request.trace.trace_id or f"{request.request_id:0>32}"[-32:]
        fields.append((b"x-bentoml-trace-id", trace.encode("latin-1")))
    return fields


def failure_headers(service: Service, request: Request, error: MeshError) -> Fields:
    """Header fields that the reply of a failed call has."""
    if service.edge.dialect is Dialect.BENTOML and is_own(error):
        return []
    return reply_headers(service, request)


async def serve_cross_origin(
    cors: Cors, scope: Scope, receive: Receive, send: Send, serve: Serve
) -> None:
    """Answers preflights, and has `serve` answer what else comes with what `cors` adds."""
    await _middleware(cors)({**scope, _SERVE: serve}, receive, _without_bare(send))


_SERVE = "mesh.serve"
"""Key of an ASGI scope whose value serves the request behind the middleware."""


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    await scope[_SERVE](receive, send)


@lru_cache(maxsize=64)
def _middleware(cors: Cors) -> "CORSMiddleware":
    # Only gateways of services with such settings pay for Starlette.
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415

    return CORSMiddleware(
        _serve,
        allow_origins=cors.origins,
        allow_origin_regex=cors.origin_regex or None,
        allow_methods=cors.methods,
        allow_headers=cors.headers,
        allow_credentials=cors.credentials,
        expose_headers=cors.expose,
        max_age=cors.max_age,
    )


BARE = "mesh.bare"
"""Key of an ASGI event whose reply says nothing about origins."""


def _without_bare(send: Send) -> Send:
    """Takes what the middleware added from replies that are not the service's."""

    async def send_bare(event: Event) -> None:
        if event.pop(BARE, False):
            event["headers"] = [
                field
                for field in event["headers"]
                if field[0] != b"vary" and not field[0].startswith(b"access-control-")
            ]
        await send(event)

    return send_bare
