"""From a request to a call: which endpoint, which version, which method, with which head."""

import random
import re
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl

from gateway.asgi import Scope
from gateway.authorization import Guard, without_credential
from mesh.call import NO_TRACE, CallHead, Metadata, Trace
from mesh.errors import NotFound, TooLarge, Unavailable
from mesh.link.dispatch import Dispatcher
from mesh.traffic.rules import first_rule
from mesh.traffic.snapshot import Deployment, Endpoint, Method, Service, SplitBy, Version
from mesh.traffic.way import NO_PREFERENCE, Preference

MAX_FIELDS = 100
"""Fields for the service that a request may have; the size of all is the server's business."""
_OWN = frozenset(
    {
        # Hop by hop, RFC 9110 section 7.6.1.
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        # Describe the body or the route, and travel in the head as such.
        b"accept",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"grpc-accept-encoding",
        b"grpc-encoding",
        b"grpc-timeout",
        b"host",
        b"mesh-endpoint",
        b"mesh-version",
        b"traceparent",
        b"tracestate",
        b"x-mesh-endpoint",
        b"x-mesh-version",
        b"x-request-id",
        # Credentials of the control plane are none of a service's business.
        b"x-yatai-api-token",
    }
)


_FRAMING = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Header fields of a reply that are the gateway's business, or the server's."""
_CONSOLE = b"mesh_session="
"""The cookie of who is logged in at the control plane. Browsers show it at every port of a host."""
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")


def _without_console(cookies: bytes) -> bytes:
    """A field of cookies without that of the control plane."""
    pairs = (pair.strip() for pair in cookies.split(b";"))
    return b"; ".join(pair for pair in pairs if pair and not pair.startswith(_CONSOLE))


def reply_fields(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """Metadata of a reply as header fields, binary values in base64 without padding.

    Without those that would change its framing, and those whose names are none.
    """
    return [
        (
            name.encode(),
            b64encode(value).rstrip(b"=") if isinstance(value, bytes) else field_value(value),
        )
        for name, value in metadata
        if name not in _FRAMING and not name.startswith("grpc-") and _NAME.fullmatch(name)
    ]


def field_value(value: str) -> bytes:
    """The value of a header field, with spaces for what would end it (RFC 9110 section 5.5)."""
    return value.encode("latin-1", "replace").translate(_BREAKS)


class Request(NamedTuple):
    """What the gateway reads of a request's head."""

    path: str
    query: str
    fields: dict[bytes, bytes]
    """Header fields by lower-case name; of repeated fields the last.

    `mesh-endpoint` and `mesh-version` are here under their names with `x-` as well.
    """
    metadata: Metadata
    """The fields that go on to the service."""
    trace: Trace
    request_id: str
    is_head: bool = False
    """Whether the client wants the head of the reply only."""
    session: str = ""
    """The key that keeps it together with others of its client; empty for none."""
    set_cookie: bytes = b""
    """The cookie that the client is to have with the reply; empty for none."""

    @classmethod
    def of(cls, scope: Scope) -> "Request":
        """Reads an ASGI http scope."""
        fields: dict[bytes, bytes] = {}
        metadata: list[tuple[str, str | bytes]] = []
        for name, value in scope["headers"]:
            if name == b"cookie" and _CONSOLE in value:
                value = _without_console(value)  # noqa: PLW2901  # the field as services see it
            fields[name] = value
            if name not in _OWN and (value or name != b"cookie"):
                metadata.append((name.decode("latin-1"), value.decode("latin-1")))
        if b"mesh-endpoint" in fields:
            fields.setdefault(b"x-mesh-endpoint", fields[b"mesh-endpoint"])
        if b"mesh-version" in fields:
            fields.setdefault(b"x-mesh-version", fields[b"mesh-version"])
        trace = NO_TRACE
        if b"traceparent" in fields:
            trace = Trace(
                fields[b"traceparent"].decode("latin-1"),
                fields.get(b"tracestate", b"").decode("latin-1"),
            )
        given = fields.get(b"x-request-id")
        # An identifier for logs, not a secret.
        request_id = given.decode("latin-1") if given else f"{random.getrandbits(64):016x}"
        query = scope["query_string"]
        return cls(
            scope["path"],
            query.decode("latin-1") if query else "",
            fields,
            tuple(metadata),
            trace,
            request_id,
            scope["method"] == "HEAD",
        )

    def check_fields(self) -> None:
        """Raises TooLarge with the status 431 if there are too many fields."""
        if len(self.metadata) > MAX_FIELDS:
            text = f"the request has more than {MAX_FIELDS} header fields"
            raise TooLarge(text, http_status=431)

    @property
    def shown(self) -> bytes:
        """The `authorization` field; empty if it is not there."""
        return self.fields.get(b"authorization", b"")

    def text(self, name: bytes) -> str:
        """The field's value; empty if it is not there."""
        value = self.fields.get(name)
        return value.decode("latin-1") if value else ""


class Target(NamedTuple):
    """Where a call goes; the replica is chosen when it is sent."""

    deployment: str
    version: Version
    service: Service
    method: Method


PickMethod = Callable[[Version], tuple[Service, Method]]
"""Finds the method that a request means in the version that it goes to."""


class Aim:
    """Chooses the target of one request, and another if its version is gone before it is sent."""

    __slots__ = (
        "_dispatcher",
        "_guard",
        "_request",
        "_snapshot",
        "endpoint",
        "metadata",
        "pick",
        "target",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        guard: Guard,
        request: Request,
        endpoint: str,
        pick: PickMethod,
    ) -> None:
        """Raises what `choose` raises."""
        self._dispatcher = dispatcher
        self._guard = guard
        self._request = request
        self.pick = pick
        self.endpoint = endpoint
        self.metadata = request.metadata
        """What of the request's fields goes on to the target."""
        self.target = self._choose()

    def _choose(self) -> Target:
        """The target by the newest snapshot.

        Raises:
            NotFound: there is no such endpoint, version or method.
            Unavailable: nobody is ready.
            Unauthenticated, PermissionDenied: the request may not go there.
        """
        request, dispatcher = self._request, self._dispatcher
        self._snapshot = dispatcher.snapshot
        endpoint = self._snapshot.endpoints.get(self.endpoint)
        if endpoint is None:
            raise NotFound(f"there is no endpoint {self.endpoint!r}")
        named = request.text(b"x-mesh-version")
        deployment, version = dispatcher.choices.choose(
            endpoint,
            named=named,
            key=lambda found: split_key(request, found),
            preference=NO_PREFERENCE if endpoint.is_plain else preference_of(request, endpoint),
        )
        found = self._snapshot.deployments[deployment]
        if found.protected:
            self._guard.admit(request.shown, self._snapshot, found)
            self.metadata = without_credential(request.metadata)
        elif len(endpoint.reachable) > 1 and request.shown:
            self.metadata = self._guard.forwarded(
                request.shown, self._snapshot, endpoint, request.metadata
            )
        service, method = self.pick(version)
        return Target(deployment, version, service, method)

    def version_field(self) -> tuple[bytes, bytes]:
        """The header field that tells which version answered."""
        return b"x-mesh-version", self.target.version.name.encode()

    def find(self) -> Service:
        """The target's service in the newest snapshot.

        Chooses again if its version is gone, or takes no calls any more; raises what `choose`
        raises then. A target that is to get a first replica is left only for one that has some.
        """
        target = self.target
        if self._snapshot is self._dispatcher.snapshot:
            return target.service
        service = self._found(target)
        if service is None or not service.replicas:
            told = self.metadata
            other = self._choose()
            if told != self.metadata:  # the call has it in its head already
                raise Unavailable("who may call has changed while the request waited")
            if service is not None and service.cold_start and not other.service.replicas:
                return service
            self.target = other
            service = other.service
        return service

    def _found(self, target: Target) -> Service | None:
        try:
            version = self._dispatcher.version(target.deployment, target.version.id)
        except Unavailable:
            return None
        return version.services.get(target.service.name)


def preference_of(request: Request, endpoint: Endpoint) -> Preference:
    """What the endpoint goes by besides weights: the rule that the request meets, its session."""

    def field(name: str) -> str | None:
        value = request.fields.get(name.encode("latin-1", "replace"))
        return None if value is None else value.decode("latin-1")

    rule = first_rule(endpoint.rules, field) if endpoint.rules else None
    return Preference(rule, request.session or None)


def split_key(request: Request, deployment: Deployment) -> str | None:
    """The request's value of the header or query parameter that the deployment splits by."""
    name = deployment.split_key
    if deployment.split_by is SplitBy.HEADER:
        return request.text(name.lower().encode()) or None
    for key, value in parse_qsl(request.query, keep_blank_values=True):
        if key == name:
            return value
    return None


def call_head(
    request: Request,
    method: Method,
    *,
    media_type: str,
    accept: str,
    deadline: float | None,
    trace: Trace,
    metadata: Metadata,
) -> CallHead:
    """The head of the call that a request becomes, with the fields that go on."""
    return CallHead(
        method.name,
        media_type,
        accept,
        deadline,
        metadata,
        request.request_id,
        trace,
        request.query,
    )
