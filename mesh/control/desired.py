"""What should run: deployments, their versions, their services. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mesh.call import FetchLimits
from mesh.control.autoscale import ScaleRule
from mesh.control.records import Intent
from mesh.edge import PLAIN, Edge
from mesh.launch import NO_SECRETS, Launch, Secrets, Source
from mesh.traffic.snapshot import Method, SplitBy


class Strategy(StrEnum):
    """How new replicas take the place of old ones; `rollout` has the numbers."""

    ROLLING = "RollingUpdate"
    RECREATE = "Recreate"
    RAMPED = "RampedSlowRollout"
    BEST_EFFORT = "BestEffortControlledRollout"


@dataclass(frozen=True, slots=True)
class DesiredService:
    """One service of a version: how many replicas, how each is started, what callers see of it.

    `rule` is what the number of replicas follows; None: it is `min_replicas`.
    `timeout` is in seconds per call (None: no limit), `max_concurrency` in calls per replica (0:
    no limit), `concurrency` in calls per replica that scaling aims at (0: none), `queue_limit` in
    calls that a caller keeps back (0: none), `cold_start` in seconds that a call waits for a first
    replica, `max_request_bytes` in bytes (0: the gateway's own limit), `cpu` in cores, `memory`
    in bytes, `gpu` in devices. `schema_json` is the document of GET /schema.json, `docs` that of
    GET /docs.json compressed by zlib, because snapshots are sent often and it is rarely read; so
    are `descriptors`, the FileDescriptorSet of the typed gRPC service `rpc_service`, and `models`,
    the models of the Open Inference Protocol in JSON. `instance_type` is the name of the resources,
    if they have one.
    """

    name: str
    min_replicas: int
    max_replicas: int
    rule: ScaleRule | None = None
    strategy: Strategy = Strategy.ROLLING
    methods: Mapping[str, Method] = field(default_factory=dict)
    timeout: float | None = None
    max_concurrency: int = 0
    concurrency: int = 0
    queue_limit: int = 0
    cold_start: float = 0.0
    max_request_bytes: int = 0
    schema_json: bytes = b""
    docs: bytes = b""
    rpc_service: str = ""
    descriptors: bytes = b""
    models: bytes = b""
    edge: Edge = PLAIN
    cpu: float = 0.0
    memory: int = 0
    gpu: float = 0.0
    gpu_type: str = ""
    custom: Mapping[str, float] = field(default_factory=dict)
    threads: int = 1
    instance_type: str = ""
    fetch: FetchLimits = field(default_factory=FetchLimits)
    envs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredVersion:
    """A graph of services under a name (`main`, or a canary's).

    `id` names the release with its config for all time; two versions with one id share their
    replicas. `weight` is the share of the deployment's requests. `placement` is how replicas lie
    on nodes (empty: anyhow); `secrets` names what its replicas get beside their settings, and
    `build_envs` are variables for the installation of its release's requirements.
    """

    id: str
    name: str
    weight: int
    entry: str
    services: Mapping[str, DesiredService]
    source: Source
    placement: str = ""
    secrets: tuple[str, ...] = ()
    build_envs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredDeployment:
    """A deployment; `revision` counts its changes, from 1.

    With `intent` other than RUN nothing of it shall run. `since` is when it began to be wanted so,
    in seconds since the Unix epoch; a rollout that has no ready replica `progress_deadline` seconds
    later counts as failed. If it is `protected`, gateways let in only who may call it, which they
    know by its `uid` and its `organization`.
    """

    name: str
    revision: int
    versions: tuple[DesiredVersion, ...]
    split_by: SplitBy = SplitBy.RANDOM
    split_key: str = ""
    spills: bool = True
    intent: Intent = Intent.RUN
    since: float = 0.0
    progress_deadline: float = 600.0
    protected: bool = False
    uid: str = ""
    organization: str = ""

    @property
    def wanted(self) -> tuple[DesiredVersion, ...]:
        """The versions that shall run."""
        return self.versions if self.intent is Intent.RUN else ()


Standing = Mapping[str, tuple[DesiredVersion, ...]]
"""The releases that serve under each version name, oldest first.

The desired one is among them once it was ready as a whole; its predecessors are as long as they
have calls.
"""
Scale = Mapping[tuple[str, str], int]
"""How many replicas a service shall have now, by the name of its version and its own.

A release whose place is being taken has its number before that, by its version id.
"""


def launch_of(deployment: str, version: DesiredVersion, service: DesiredService) -> Launch:
    """What starts a replica of `service`, without id and controller: its starter knows those."""
    return Launch(
        replica_id="",
        deployment=deployment,
        version_id=version.id,
        version=version.name,
        service=service.name,
        source=version.source,
        cpu=service.cpu,
        memory=service.memory,
        gpu=service.gpu,
        gpu_type=service.gpu_type,
        custom=service.custom,
        placement=version.placement,
        threads=service.threads,
        fetch=service.fetch,
        timeout=service.timeout,
        max_concurrency=service.max_concurrency,
        envs=service.envs,
        secret_names=version.secrets,
        build=Secrets(version.build_envs) if version.build_envs else NO_SECRETS,
    )
