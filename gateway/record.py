"""What is counted and traced of each request."""

from gateway.forward import Aim, Request
from gateway.outcomes import OutcomeCounts
from mesh.call import Trace
from mesh.clock import Clock
from mesh.errors import MeshError, Unavailable
from mesh.observe.metrics import RequestKey, RequestMetrics
from mesh.observe.span import Span
from mesh.observe.tracing import Tracing
from mesh.traffic.snapshot import Upstream

UNREACHABLE = "unreachable"
"""The code of a request whose upstream could not be reached, and which went elsewhere."""


class Record:
    """One request: counted from the moment its target is known, else at its end.

    One without a target is counted only if it `is_call`: pages are not.
    """

    __slots__ = (
        "_aim",
        "_clock",
        "_key",
        "_metrics",
        "_outcomes",
        "_protocol",
        "_since",
        "_span",
        "_tracing",
        "is_call",
    )

    def __init__(
        self,
        protocol: str,
        metrics: RequestMetrics,
        outcomes: OutcomeCounts,
        tracing: Tracing,
        clock: Clock,
    ) -> None:
        self._protocol = protocol
        self._metrics = metrics
        self._outcomes = outcomes
        self._tracing = tracing
        self._clock = clock
        self._since = clock()
        self._key: RequestKey | None = None
        self._aim: Aim | None = None
        self._span: Span | None = None
        self.is_call = False

    def begin(self, request: Request, aim: Aim) -> Trace:
        """The request's target is known. Returns the trace to pass on."""
        self._aim = aim
        deployment, version, service, method = aim.target
        key = RequestKey(
            aim.endpoint, deployment, version.name, service.name, method.name, self._protocol
        )
        return self._begun(request, key, f"{service.name}/{method.name}")

    def leave(self, request: Request, endpoint: str, upstream: Upstream) -> Trace:
        """The request goes to a server outside the mesh. Returns the trace to pass on."""
        # No deployment has a name with a slash.
        name = f"upstream/{upstream.name}"
        return self._begun(request, RequestKey(endpoint, name, protocol=self._protocol), name)

    def turn_back(self) -> None:
        """That server cannot be reached: what happens next is told anew."""
        if self._key is not None:
            self._metrics.end(self._key, UNREACHABLE, self._clock() - self._since)
        if self._span is not None:
            self._span.fail(Unavailable("the upstream cannot be reached"))
            self._span.end()
        self._key = self._span = None

    def _begun(self, request: Request, key: RequestKey, name: str) -> Trace:
        self._key = key
        self._metrics.begin(key)
        if not self._tracing.enabled:
            return request.trace
        span = self._span = self._tracing.start(
            name,
            "server",
            request.trace,
            {
                "mesh.endpoint": key.endpoint,
                "mesh.deployment": key.deployment,
                "mesh.version": key.version,
                "mesh.protocol": self._protocol,
                "mesh.request_id": request.request_id,
            },
        )
        return span.trace

    def end(self, code: str, error: MeshError | None) -> None:
        """The reply is written, or nobody waits for it. `code` is an HTTP status or a gRPC code."""
        key = self._key
        if key is None:
            if not self.is_call:
                return
            key = RequestKey("", "", "", "", "", self._protocol)
            self._metrics.begin(key)
        seconds = self._clock() - self._since
        self._metrics.end(key, code, seconds)
        if self._aim is not None:
            # Where it went in the end, which may not be where it was to go when it came.
            target = self._aim.target
            self._outcomes.count(target.deployment, target.version.id, code, seconds)
        if self._span is not None:
            if error is not None:
                self._span.fail(error)
            self._span.end()
