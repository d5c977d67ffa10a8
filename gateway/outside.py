"""Upstreams: which of an endpoint's takes a request, and how it went with each."""

from collections.abc import Container
from typing import NamedTuple

from gateway.admin import FILES, PATHS
from gateway.forward import Request, preference_of
from gateway.sessions import entered
from mesh.clock import Clock
from mesh.errors import Code, MeshError, NotFound, Unavailable
from mesh.link.dispatch import Dispatcher
from mesh.traffic.ejection import WELL, Health
from mesh.traffic.route import endpoint_of
from mesh.traffic.snapshot import EMPTY, Endpoint, Snapshot, Upstream


class UnreachableError(Exception):
    """No connection to an upstream could be opened; it has seen nothing of the request."""


class Entered(NamedTuple):
    """A request to an endpoint; `path` is what is left when the endpoint's name is taken off."""

    request: Request
    endpoint: Endpoint
    path: str

    @property
    def may_leave(self) -> bool:
        """Whether an upstream may take it: not if it is for a page of the gateway's own."""
        return bool(self.endpoint.upstreams) and not (
            self.path in PATHS or self.path.startswith(FILES)
        )


class Outside:
    """Chooses upstreams by the newest snapshot; costs next to nothing where there are none."""

    def __init__(self, dispatcher: Dispatcher, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._snapshot: Snapshot = EMPTY
        self._special: frozenset[str] = frozenset()
        self._urls: frozenset[str] = frozenset()
        self._health: dict[str, Health] = {}

    def __repr__(self) -> str:
        return f"<Outside {len(self._health)} failing>"

    def enter(self, request: Request) -> Entered | None:
        """An HTTP request as one to its endpoint, if that has sessions or upstreams; else None."""
        snapshot = self._followed()
        if not self._special:
            return None
        try:
            name, path = endpoint_of(
                snapshot,
                authority=request.text(b"host"),
                header=request.text(b"x-mesh-endpoint"),
                path=request.path,
            )
        except NotFound:
            return None
        if name not in self._special:
            return None
        endpoint = snapshot.endpoints[name]
        return Entered(entered(request, endpoint), endpoint, path)

    @property
    def urls(self) -> frozenset[str]:
        """The addresses of all upstreams; the same object until a snapshot changes them."""
        self._followed()
        return self._urls

    def _followed(self) -> Snapshot:
        """The newest snapshot, of which what is needed is worked out."""
        snapshot = self._dispatcher.snapshot
        if snapshot is self._snapshot:
            return snapshot
        self._snapshot = snapshot
        self._special = frozenset(
            name
            for name, endpoint in snapshot.endpoints.items()
            if endpoint.upstreams or endpoint.session is not None
        )
        urls = frozenset(
            each.url for name in self._special for each in snapshot.endpoints[name].upstreams
        )
        if urls != self._urls:
            self._urls = urls
            self._health = {url: known for url, known in self._health.items() if url in urls}
        return snapshot

    def choose(
        self,
        endpoint: Endpoint,
        request: Request,
        *,
        grpc: bool,
        tried: Container[str] = (),
        alone: bool = False,
    ) -> Upstream | None:
        """The upstream that takes the request; None if a deployment does.

        With `grpc` it is one of those that take gRPC, else of those that take HTTP, and none of
        those whose addresses were `tried`. `alone`: no deployment can take the request.

        Raises:
            MeshError: the endpoint has neither deployments nor such an upstream (502), or none
                that can be reached (503).
        """
        if request.text(b"x-mesh-version") and endpoint.shares.members:
            return None
        preference = preference_of(request, endpoint)
        now = self._clock()

        def fits(upstream: Upstream) -> bool:
            return upstream.is_grpc == grpc and upstream.url not in tried

        def able(upstream: Upstream) -> bool:
            return fits(upstream) and not self._health.get(upstream.url, WELL).is_out(now)

        found = self._dispatcher.choices.outside(
            endpoint, preference=preference, able=able, alone=alone
        )
        if found is not None or (endpoint.shares.members and not alone):
            return found
        # Better one that failed a moment ago than none.
        found = self._dispatcher.choices.outside(
            endpoint, preference=preference, able=fits, alone=True
        )
        if found is None:
            raise _nowhere(endpoint, grpc=grpc)
        return found

    def failed(self, upstream: Upstream) -> None:
        """No connection to it could be opened."""
        health = self._health.get(upstream.url, WELL)
        self._health[upstream.url] = health.failed(self._clock())

    def reached(self, upstream: Upstream) -> None:
        """A connection to it is open."""
        self._health.pop(upstream.url, None)


def _nowhere(endpoint: Endpoint, *, grpc: bool) -> MeshError:
    asked, other = ("gRPC", "HTTP") if grpc else ("HTTP", "gRPC")
    if any(upstream.is_grpc == grpc and upstream.weight for upstream in endpoint.upstreams):
        return Unavailable(f"no upstream of endpoint {endpoint.name!r} can be reached")
    text = f"endpoint {endpoint.name!r} leads to servers that speak {other}, not {asked}"
    return MeshError(text, code=Code.UNAVAILABLE, http_status=502)
