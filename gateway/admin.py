"""Health, descriptions, metrics and the docs page: what the gateway itself answers to GET."""

from collections.abc import Callable, Container
from typing import NamedTuple
from urllib.parse import quote

from gateway import docs
from gateway.authorization import Guard
from gateway.endpoints import endpoints
from gateway.forward import Request
from mesh.errors import MeshError, NotFound
from mesh.link.dispatch import Dispatcher
from mesh.traffic.route import endpoint_of
from mesh.traffic.snapshot import Service, Version

PLAIN = b"text/plain; charset=utf-8"
LIVE = frozenset({"/livez", "/healthz"})
READY = "/readyz"
SCHEMA = "/schema.json"
METRICS = "/metrics"
INDEX = "/"
DOCS = "/docs.json"
FILES = "/static_content/"
ENDPOINTS = "/endpoints.json"
"""Of the whole mesh, and so not below an endpoint's own path."""
PATHS = LIVE | {READY, SCHEMA, METRICS, INDEX, DOCS}
"""Paths that no method can have, nor ENDPOINTS; and none can begin with FILES."""


class Page(NamedTuple):
    """A whole reply; `headers` are those besides the media type and the length."""

    status: int
    media_type: bytes
    body: bytes
    headers: docs.Headers = ()


OK = Page(200, PLAIN, b"\n")


class Admin:
    """Answers by the newest snapshot. `render_metrics` gives media type and body."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        guard: Guard,
        render_metrics: Callable[[], tuple[bytes, bytes]],
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._render_metrics = render_metrics

    def page(self, request: Request) -> Page | None:
        """The page that the request's path names, at the root or under `/e/<endpoint>`; or None.

        Raises NotFound if the path names an endpoint that does not exist, Unauthenticated and
        PermissionDenied if what is described is protected.
        """
        path = request.path
        if path in LIVE:
            return OK
        if path == METRICS:
            return Page(200, *self._render_metrics())
        if path == ENDPOINTS:
            return Page(200, b"application/json", endpoints(self._dispatcher.snapshot))
        if path == READY:
            return self._ready(request)
        if path == SCHEMA:
            return Page(200, b"application/json", self.entry(request).schema_json)
        if path == DOCS:
            return _fresh(request, self._document(request))
        if path == INDEX:
            name, _ = self._endpoint(request)
            if not self._dispatcher.snapshot.endpoints[name].deployments:
                raise _outside(name)
            return _fresh(request, docs.index())
        if path.startswith(FILES):
            return _fresh(request, docs.file(path.removeprefix(FILES)))
        if path.startswith("/e/"):
            endpoint, rest = self._endpoint(request)
            if rest == INDEX and not path.endswith("/"):
                return _with_slash(path)
            if rest in PATHS or rest.startswith(FILES):
                return self.page(_at(request, endpoint, rest))
        return None

    def _endpoint(self, request: Request) -> tuple[str, str]:
        return endpoint_of(
            self._dispatcher.snapshot,
            authority=request.text(b"host"),
            header=request.text(b"x-mesh-endpoint"),
            path=request.path,
        )

    def _ready(self, request: Request) -> Page:
        try:
            if self._leads_outside(request):
                return OK
            deployment, version = self._version(request)
            entry = version.services[version.entry]
        except MeshError as error:
            return Page(503, PLAIN, f"Service is not ready: {error.message}\n".encode())
        if not entry.replicas:
            if self._may_call(request, deployment):
                self._dispatcher.turns.wish(entry)
            return Page(503, PLAIN, b"Service is not ready: its first replica is being started\n")
        return OK

    def _may_call(self, request: Request, deployment: str) -> bool:
        snapshot = self._dispatcher.snapshot
        return deployment not in self._guard.hidden(request.shown, snapshot)

    def _leads_outside(self, request: Request) -> bool:
        """Whether a server outside the mesh takes requests like this one."""
        name, _ = self._endpoint(request)
        endpoint = self._dispatcher.snapshot.endpoints[name]
        named = request.text(b"x-mesh-version") and endpoint.deployments
        return not named and any(upstream.weight for upstream in endpoint.upstreams)

    def _document(self, request: Request) -> docs.Content | None:
        version = self._described(request)
        compressed = version.services[version.entry].docs
        return docs.document(compressed, version.id) if compressed else None

    def entry(self, request: Request) -> Service:
        """The entry service of the version that describes the endpoint. Raises MeshError."""
        version = self._described(request)
        return version.services[version.entry]

    def _described(self, request: Request) -> Version:
        """The version that describes the endpoint, for who may call it. Raises MeshError."""
        snapshot = self._dispatcher.snapshot
        hidden = self._guard.hidden(request.shown, snapshot)
        deployment, version = self._version(request, hidden)
        self._guard.admit(request.shown, snapshot, snapshot.deployments[deployment])
        return version

    def _version(self, request: Request, hidden: Container[str] = ()) -> tuple[str, Version]:
        """The version that the request names, else the first one that takes requests.

        With its deployment, which is none of the `hidden` ones as long as there are others. Not by
        weight: what is said of a service must not change from one look to the next.
        """
        snapshot = self._dispatcher.snapshot
        name, _ = self._endpoint(request)
        endpoint = snapshot.endpoints[name]
        if not endpoint.deployments:
            raise _outside(name)
        named = request.text(b"x-mesh-version") or request.text(b"mesh-version")
        for share in endpoint.deployments if not named else ():
            if share.deployment in hidden:
                continue
            deployment = snapshot.deployments.get(share.deployment)
            for version in deployment.versions if deployment is not None and share.weight else ():
                if version.weight and version.services[version.entry].replicas:
                    return share.deployment, version
        found, version = self._dispatcher.choices.choose(endpoint, named=named, key=lambda _: None)
        entry = version.services[version.entry]
        if not (entry.replicas or entry.cold_start):
            raise NotFound(f"version {version.name!r} has no replica")
        return found, version


def _outside(endpoint: str) -> NotFound:
    return NotFound(f"endpoint {endpoint!r} leads to servers outside the mesh")


def _fresh(request: Request, content: docs.Content | None) -> Page:
    """The content, unless the client has it. Raises NotFound if there is none."""
    if content is None:
        raise NotFound("Not Found")
    if content.is_known(request.text(b"if-none-match")):
        return Page(304, content.media_type, b"", content.headers)
    return Page(200, content.media_type, content.body, content.headers)


def _with_slash(path: str) -> Page:
    """Sends the browser where addresses relative to the page lead to the same endpoint."""
    location = f"{quote(path.rpartition('/')[2])}/"
    return Page(308, PLAIN, b"", ((b"location", location.encode()),))


def _at(request: Request, endpoint: str, path: str) -> Request:
    fields = {**request.fields, b"x-mesh-endpoint": endpoint.encode()}
    return request._replace(path=path, fields=fields)
