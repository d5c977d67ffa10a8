"""The routing table: an immutable value that the controller publishes and every caller follows.

The fields mean what `protos/mesh/v1/routing.proto` says. A new snapshot replaces the old one by
one assignment; nothing in here is ever changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from mesh.call import CallKind
from mesh.edge import PLAIN, Edge
from mesh.traffic.endpoint import (
    Endpoint,
    HeaderMatch,
    LoadBalance,
    MatchKind,
    Mirror,
    Rule,
    Session,
    Upstream,
    WeightedDeployment,
)
from mesh.traffic.grants import Grant
from mesh.traffic.shares import Shares

__all__ = (
    "EMPTY",
    "Deployment",
    "Endpoint",
    "Grant",
    "HeaderMatch",
    "LoadBalance",
    "MatchKind",
    "Method",
    "Mirror",
    "Replica",
    "Rule",
    "Service",
    "Session",
    "Snapshot",
    "SplitBy",
    "Upstream",
    "Version",
    "WeightedDeployment",
)


class SplitBy(StrEnum):
    """How requests are divided among the versions of a deployment."""

    RANDOM = "random"
    """Each request anew, by chance."""
    HEADER = "header"
    """By the hash of a header (gRPC: metadata) field."""
    QUERY = "query"
    """By the hash of a query parameter."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One running instance that takes calls. `address` is `host:port` of its link."""

    id: str
    address: str


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service.

    `route` is its HTTP path, from `/`; `rpc` its name in the service's typed gRPC service.
    """

    name: str
    route: str
    kind: CallKind
    idempotent: bool = False
    rpc: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a version, with the replicas that take its calls.

    `timeout` is in seconds (None: no limit), `max_concurrency` in calls per replica (0: no
    limit), `max_request_bytes` in bytes (0: the gateway's own limit). `concurrency` is the number
    of calls at which a replica is full for `overflow` and `capacity` (0: nobody says). With a
    `queue_limit` above 0 a caller keeps up to so many calls back while each replica has
    `max_concurrency`. `cold_start` is how many seconds a call waits for a first replica; 0 means
    that none is coming. `docs` is the document of
    GET /docs.json compressed by zlib; empty for services that are no entry. `rpc_service` is the
    full name of its typed gRPC service, `descriptors` the FileDescriptorSet of that compressed by
    zlib; both empty where there is none. `rpcs` are the methods by the paths of their rpcs.
    `models` are the models of the Open Inference Protocol in JSON, compressed by zlib; empty for
    services that are no entry.
    """

    name: str
    methods: Mapping[str, Method] = field(default_factory=dict)
    replicas: tuple[Replica, ...] = ()
    timeout: float | None = None
    max_concurrency: int = 0
    max_request_bytes: int = 0
    concurrency: int = 0
    queue_limit: int = 0
    cold_start: float = 0.0
    schema_json: bytes = b""
    docs: bytes = b""
    models: bytes = b""
    edge: Edge = PLAIN
    rpc_service: str = ""
    descriptors: bytes = b""
    routes: Mapping[str, Method] = field(init=False, repr=False, compare=False)
    rpcs: Mapping[str, Method] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Derived once per snapshot, so that routing a request is one look-up.
        routes = {method.route: method for method in self.methods.values()}
        object.__setattr__(self, "routes", MappingProxyType(routes))
        rpcs = {
            f"/{self.rpc_service}/{each.rpc}": each
            for each in self.methods.values()
            if self.rpc_service and each.rpc
        }
        object.__setattr__(self, "rpcs", MappingProxyType(rpcs))


@dataclass(frozen=True, slots=True)
class Version:
    """A whole graph of services that runs one release: `main` or a canary.

    `id` names the release with its config for all time; `name` is what users call it now. After
    a promotion a canary's id stands under the name `main`, and its replicas run on. While one
    release takes another's place there are several versions with one name; `weight` belongs to
    the name, and `share` divides it among them.
    """

    id: str
    name: str
    entry: str
    services: Mapping[str, Service]
    weight: int = 0
    share: int = 1


@dataclass(frozen=True, slots=True)
class Deployment:
    """Versions and the rule that divides requests among them.

    `split_key` is the header field or query parameter; empty for `SplitBy.RANDOM`. With `spills`
    requests for a version without a ready replica go to the others, else they fail. If it is
    `protected`, requests from outside need a token with a grant for it, which knows it by its `uid`
    and its `organization`.
    """

    name: str
    versions: tuple[Version, ...]
    split_by: SplitBy = SplitBy.RANDOM
    split_key: str = ""
    spills: bool = True
    protected: bool = False
    uid: str = ""
    organization: str = ""
    shares: Shares[Version] = field(init=False, repr=False, compare=False)
    names: Mapping[str, tuple[Version, ...]] = field(init=False, repr=False, compare=False)
    """The versions by their names."""

    def __post_init__(self) -> None:
        names: dict[str, tuple[Version, ...]] = {}
        for version in self.versions:
            names[version.name] = (*names.get(version.name, ()), version)
        object.__setattr__(self, "names", MappingProxyType(names))
        totals = {name: sum(each.share for each in found) for name, found in names.items()}
        shares = Shares.of(
            (version, version.weight * version.share / (totals[version.name] or 1))
            for version in self.versions
        )
        object.__setattr__(self, "shares", shares)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole table. Of two snapshots the one with the greater `(epoch, number)` is newer.

    `grants` are by the SHA-256 of their tokens.
    """

    epoch: int = 0
    number: int = 0
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    default_endpoint: str = ""
    grants: Mapping[bytes, Grant] = field(default_factory=dict, repr=False)

    def is_newer_than(self, other: "Snapshot") -> bool:
        """Whether this snapshot replaces `other`."""
        return (self.epoch, self.number) > (other.epoch, other.number)


EMPTY = Snapshot()
"""What a caller knows before its first snapshot: no endpoints."""
