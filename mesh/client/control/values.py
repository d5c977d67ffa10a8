"""What the control API tells: one class for each thing, the same at both of its ends.

In JSON these are objects with the fields as keys; times are RFC 3339 in UTC. Fields may be added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service of a version: replicas that should run, those that are ready, what is missing."""

    name: str
    desired: int
    ready: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version of a deployment, `main` or a canary.

    `id` names its release with its settings for all time; `weight` is its percentage of the
    deployment's requests. `replacing` are the releases that it takes the place of and that have
    calls still.
    """

    name: str
    id: str
    weight: int
    services: tuple[ServiceView, ...]
    replacing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment as it is now.

    `status` is `deploying`, `running`, `unhealthy`, `failed`, `scaled-to-zero`, `terminating` or
    `terminated`, and `reason` one line on why it is not further. `intent` is what is wanted of it:
    `run`, `terminate`, `delete`. `config` is what its `revision` says, all defaults filled in.
    """

    name: str
    uid: str
    created_at: datetime
    updated_at: datetime
    revision: int
    intent: str
    status: str
    reason: str
    labels: Mapping[str, str]
    config: Mapping[str, Any]
    versions: tuple[VersionView, ...]

    @property
    def ready(self) -> int:
        """Replicas of all services that are ready."""
        return sum(service.ready for version in self.versions for service in version.services)

    @property
    def desired(self) -> int:
        """Replicas of all services that should run."""
        return sum(service.desired for version in self.versions for service in version.services)


@dataclass(frozen=True, slots=True)
class BuildView:
    """A deployment whose releases are made ready to run, or could not be.

    `stage` is `building`, `failed`, `terminated`, or `done` once the deployment is what `config`
    says; `reason` is one line on what is in the way.
    """

    name: str
    stage: str
    reason: str
    updated_at: datetime
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeploymentPage:
    """Deployments by name from place `start` of the `total` that were asked for."""

    items: tuple[DeploymentView, ...]
    total: int
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One change of a deployment: what it was set to, and by what.

    `number` counts from 1; `versions` has the id of each version by name; `generation` counts
    restarts. `current` says that it is the one that is wanted now.
    """

    deployment: str
    number: int
    uid: str
    created_at: datetime
    cause: str
    generation: int
    current: bool
    versions: Mapping[str, str]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """One replica of one service. `node` is where it runs, empty where that is not known."""

    id: str
    deployment: str
    version_id: str
    service: str
    phase: str
    address: str
    reason: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened: a `change` that somebody made, a new `status`, or a `warning`.

    `by` is the user who made the change; empty where nobody is known, as for what the mesh did.
    """

    at: datetime
    kind: str
    deployment: str
    endpoint: str
    revision: int
    status: str
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint. `config` is without keys; `keyed` are the places of upstreams that have one.

    `warnings` say what it names that is not there: deployments that were deleted, versions.
    """

    name: str
    uid: str
    created_at: datetime
    updated_at: datetime
    intent: str
    config: Mapping[str, Any]
    keyed: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionTraffic:
    """What a version had to do of late.

    `rate` is in requests per second, `error_rate` in errors per request; `p50`, `p90` and `p99` are
    quantiles of the latency in seconds, None without requests.
    """

    name: str
    weight: int
    requests: int = 0
    rate: float = 0.0
    errors: int = 0
    error_rate: float = 0.0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class ProgressionView:
    """How far a canary is that gets its weight by itself.

    `state` is `running`, `done` or `aborted`; `step` is a place in `steps`, which are per cent, and
    began at `since`. `reason` is one line on what it waits for, or why it ended.
    """

    version: str
    state: str
    step: int
    steps: tuple[int, ...]
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class CanaryView:
    """How a deployment divides its requests, what came of it, and what goes on by itself.

    `route_type` is `random`, `header` or `query`.
    """

    deployment: str
    route_type: str
    route_by: str
    versions: tuple[VersionTraffic, ...]
    progression: ProgressionView | None = None


@dataclass(frozen=True, slots=True)
class MeshView:
    """A mesh in numbers: deployments by status, replicas by phase, endpoints.

    `ready` says that its controller has read its store and adopted what ran before. `snapshot`
    counts the routing tables that it published since then; `watchers` are gateways, and replicas
    that call others, that follow them. `nodes` have replicas.
    """

    ready: bool
    deployments: Mapping[str, int]
    replicas: Mapping[str, int]
    endpoints: int
    snapshot: int = 0
    watchers: int = 0
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a replica wrote, without its end."""

    replica: str
    line: str


@dataclass(frozen=True, slots=True)
class RenewedKeyView:
    """What a new secret key is for: `secrets` is how many are encrypted with it."""

    secrets: int
