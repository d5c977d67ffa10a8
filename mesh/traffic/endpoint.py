"""An endpoint of the routing table: where its requests may go, and the rules that decide.

Part of `mesh.traffic.snapshot`; the fields mean what `protos/mesh/v1/routing.proto` says.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from mesh.traffic.shares import Shares


class LoadBalance(StrEnum):
    """How requests are divided among the deployments of an endpoint."""

    WEIGHTED = "weighted"
    """By chance, in proportion to the weights."""
    OVERFLOW = "overflow"
    """In their order: each up to what it can take before the next gets any."""
    CAPACITY = "capacity"
    """By chance, in proportion to the places that are free."""


@dataclass(frozen=True, slots=True)
class WeightedDeployment:
    """A share of an endpoint's traffic; weight 0 means never."""

    deployment: str
    weight: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server outside the mesh; weight 0 means never.

    `name` tells it apart from the others of its endpoint, for people and metrics. `url` is
    `http(s)://host[:port][/path]` or `grpc(s)://host[:port]`. `api_key` goes with each request;
    it is shown nowhere.
    """

    name: str
    url: str
    weight: int = 1
    api_key: str = field(default="", repr=False)
    model: str = ""

    @property
    def is_grpc(self) -> bool:
        """Whether it takes gRPC; else it takes HTTP."""
        return self.url.startswith("grpc")


Way = str | Upstream
"""Where a request of an endpoint may go: a deployment by its name, or an upstream."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """`percent` of the requests go to `deployment` too; its replies are dropped."""

    deployment: str
    percent: float = 100.0


class MatchKind(StrEnum):
    """What a header field must be."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"
    """The whole value matches."""
    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A condition on the header field `name` (gRPC: metadata), which is in lower case.

    `value` is empty for PRESENT and ABSENT. Raises re.error for a regex that is none.
    """

    name: str
    kind: MatchKind
    value: str = ""
    pattern: "re.Pattern[str] | None" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Compiled once per snapshot, so that a request costs no more than the match.
        pattern = re.compile(self.value) if self.kind is MatchKind.REGEX else None
        object.__setattr__(self, "pattern", pattern)


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests that meet all of `headers` go to `deployment`, and to `version` of it if given."""

    headers: tuple[HeaderMatch, ...]
    deployment: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """What keeps requests of one client together: the value of a header field or of a cookie.

    One of the two is empty. `ttl` is how many seconds the cookie lives; 0 until the browser ends.
    """

    header: str = ""
    cookie: str = ""
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A stable public name over deployments and upstreams.

    The order of deployments is their rank for OVERFLOW; `scale_out_delay` is how many seconds
    those above one without replicas must have been full before it gets a request.
    """

    name: str
    deployments: tuple[WeightedDeployment, ...]
    load_balance: LoadBalance = LoadBalance.WEIGHTED
    scale_out_delay: float = 0.0
    upstreams: tuple[Upstream, ...] = ()
    mirror: Mirror | None = None
    rules: tuple[Rule, ...] = ()
    session: Session | None = None
    is_terminated: bool = False
    """Whether somebody stopped it; then it leads nowhere."""
    shares: Shares[str] = field(init=False, repr=False, compare=False)
    """The deployments that have a weight."""
    ways: Shares[Way] = field(init=False, repr=False, compare=False)
    """Those, and the upstreams that have a weight."""
    reachable: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Every deployment that takes requests: by its weight, a rule, or only for being asked for."""
    is_plain: bool = field(init=False, repr=False, compare=False)
    """Whether nothing but weights decides which of its deployments takes a request."""

    def __post_init__(self) -> None:
        weights = [(share.deployment, share.weight) for share in self.deployments]
        outside = [(upstream, upstream.weight) for upstream in self.upstreams]
        object.__setattr__(self, "shares", Shares.of(weights))
        object.__setattr__(self, "ways", Shares.of([*weights, *outside]))
        named = [share.deployment for share in self.deployments]
        reachable = dict.fromkeys([*named, *(rule.deployment for rule in self.rules)])
        object.__setattr__(self, "reachable", tuple(reachable))
        decides = self.upstreams or self.rules or self.session is not None
        is_weighted = self.load_balance is LoadBalance.WEIGHTED
        object.__setattr__(self, "is_plain", is_weighted and not decides)
