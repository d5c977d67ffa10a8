"""What should run: deployments, their versions, and endpoints over them. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.call import FetchLimits
from mesh.edge import PLAIN, Edge
from mesh.launch import Launch, Source
from mesh.traffic.snapshot import Method, SplitBy


@dataclass(frozen=True, slots=True)
class DesiredService:
    """One service of a version: how many replicas, how each is started, what callers see of it.

    `timeout` is in seconds per call (None: no limit), `max_concurrency` in calls per replica (0:
    no limit), `max_request_bytes` in bytes (0: the gateway's own limit), `cpu` in cores, `memory`
    in bytes, `gpu` in devices. `schema_json` is the document of GET /schema.json, `docs` that of
    GET /docs.json compressed by zlib, because snapshots are sent often and it is rarely read; so
    are `descriptors`, the FileDescriptorSet of the typed gRPC service `rpc_service`, and `models`,
    the models of the Open Inference Protocol in JSON.
    """

    name: str
    replicas: int
    methods: Mapping[str, Method] = field(default_factory=dict)
    timeout: float | None = None
    max_concurrency: int = 0
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
    threads: int = 1
    fetch: FetchLimits = field(default_factory=FetchLimits)
    envs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredVersion:
    """A graph of services under a name (`main`, or a canary's).

    `id` names the release with its config for all time; two versions with one id share their
    replicas. `weight` is the share of the deployment's requests.
    """

    id: str
    name: str
    weight: int
    entry: str
    services: Mapping[str, DesiredService]
    source: Source


@dataclass(frozen=True, slots=True)
class DesiredDeployment:
    """A deployment; `revision` counts its changes, from 1."""

    name: str
    revision: int
    versions: tuple[DesiredVersion, ...]
    split_by: SplitBy = SplitBy.RANDOM
    split_key: str = ""


@dataclass(frozen=True, slots=True)
class DesiredEndpoint:
    """A public name over deployments, with the weight of each."""

    name: str
    deployments: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that should run.

    `retired` holds the deployments that are deleted and may still have replicas. Replicas of a
    deployment that is neither here nor retired are somebody else's and are left alone: a
    controller that has lost its store must not stop what works.
    """

    deployments: Mapping[str, DesiredDeployment] = field(default_factory=dict)
    endpoints: Mapping[str, DesiredEndpoint] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()


VersionKey = tuple[str, str]
"""Name of a deployment, name of a version."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the last snapshot held.

    `versions` has the release that stands under each name: the desired one, or its predecessor
    while the desired one is not ready yet. `leaving` has the graphs that nobody is sent to any
    more, by deployment and id, while calls in them may still go on. `replicas` are the ids of all
    replicas in it.
    """

    versions: Mapping[VersionKey, DesiredVersion] = field(default_factory=dict)
    replicas: frozenset[str] = frozenset()
    leaving: Mapping[VersionKey, DesiredVersion] = field(default_factory=dict)


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
        threads=service.threads,
        fetch=service.fetch,
        timeout=service.timeout,
        max_concurrency=service.max_concurrency,
        envs=service.envs,
    )
