"""A deployment's config and the description of its graphs → what should run.

The controller never imports user code: what it has to know of a graph is in the manifest.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from mesh.call import FetchLimits
from mesh.config import (
    MAIN,
    DeploymentConfig,
    EndpointConfig,
    Fetch,
    Name,
    Resources,
    Scaling,
    ServiceConfig,
    ServiceOverrides,
    Traffic,
    VersionConfig,
    mirrored,
    parse,
)
from mesh.config.instance_types import resources_of
from mesh.config.names import TypeName
from mesh.config.stages import build_envs, running
from mesh.control.desired import DesiredDeployment, DesiredService, DesiredVersion, Strategy
from mesh.control.records import RevisionRecord, VersionRecord
from mesh.control.scale_rule import rule_of
from mesh.definition.manifest import Manifest, ServiceManifest
from mesh.errors import ConfigError
from mesh.launch import Source
from mesh.traffic.snapshot import Method, SplitBy


class SourceDocument(BaseModel):
    """Where the code of a version comes from: a target and the folders to look in.

    `fingerprint` says what is in the files, so that an edit of them is another release. `release`,
    `requirements` and `models` are those of a packaged release (see `launch.Source`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = ""
    path: tuple[str, ...] = ()
    fingerprint: str = ""
    release: str = ""
    requirements: tuple[str, ...] = ()
    models: dict[str, str] = {}


class VersionDocument(BaseModel):
    """What the controller has to know of one version's graph.

    `instance_types` are those that go before the default ones. `warnings` are sentences about what
    will run but may not be meant.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: Manifest
    source: SourceDocument = SourceDocument()
    instance_types: dict[TypeName, Resources] = {}
    warnings: tuple[str, ...] = ()


class Application(BaseModel):
    """A deployment to apply: its config, the graph of each version, endpoints to set.

    `versions` has an entry for `main` and one for each canary of `config`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: DeploymentConfig
    versions: dict[str, VersionDocument]
    endpoints: dict[Name, EndpointConfig] = {}


def application(document: bytes) -> Application:
    """Reads an application from JSON. Raises ConfigError naming what is wrong."""
    try:
        value = json.loads(document)
    except ValueError as error:
        raise ConfigError(f"deployment: not JSON: {error}") from None
    return parse(Application, value, what="deployment")


def plan(
    applied: Application,
    *,
    revision: int,
    generation: int = 0,
    code: Mapping[str, bytes] | None = None,
) -> DesiredDeployment:
    """What should run for `applied`; `code` has the pickled entry class of versions without target.

    `generation` counts restarts: another one makes other version ids, so other replicas.

    Raises:
        ConfigError: a version has no graph, or settings name a service that its graph has not.
    """
    configs = _configs(applied)
    parts = {
        name: _parts(applied, name, each, (code or {}).get(name, b""))
        for name, each in configs.items()
    }
    ids = {name: _version_id(applied.config.name, generation, each) for name, each in parts.items()}
    return _deployment(applied.config, revision, parts, ids)


def versions_of(
    config: DeploymentConfig, documents: Mapping[str, VersionDocument]
) -> dict[str, VersionConfig]:
    """The settings of `main` and of the canaries, by name; these have what they mirror of main.

    `documents` are the graphs of the versions.
    """
    canaries = {
        name: mirrored(config, canary, documents[name].manifest.services)
        for name, canary in config.canary.versions.items()
    }
    return {MAIN: config, **canaries}


def _configs(applied: Application) -> dict[str, VersionConfig]:
    """As `versions_of`. Raises ConfigError if a version has no graph, or a graph no version."""
    names = {MAIN, *applied.config.canary.versions}
    if names != applied.versions.keys():
        missing = sorted(names ^ applied.versions.keys())
        raise ConfigError(f"versions: config and graphs disagree about {', '.join(missing)}")
    return versions_of(applied.config, applied.versions)


def weights_of(config: DeploymentConfig) -> dict[str, int]:
    """The percentage of each version, by name; `main` has what the canaries leave."""
    weights = {name: canary.weight for name, canary in config.canary.versions.items()}
    return {MAIN: 100 - sum(weights.values()), **weights}


class Parts(NamedTuple):
    """Everything that one version is made of."""

    config: VersionConfig
    strategy: str
    document: VersionDocument
    services: Mapping[str, ServiceConfig]
    overrides: Mapping[str, ServiceOverrides]
    source: Source
    build_envs: Mapping[str, str]


def _parts(applied: Application, name: str, config: VersionConfig, code: bytes) -> Parts:
    where = "services" if name == MAIN else f"canary.versions.{name}.services"
    return _parts_of(
        config, applied.config.deployment_strategy, applied.versions[name], code, where
    )


def _parts_of(
    said: VersionConfig, strategy: str, document: VersionDocument, code: bytes, where: str
) -> Parts:
    config = running(said)
    return Parts(
        config,
        strategy,
        document,
        _services(config, document, where),
        config.services,
        Source(
            document.source.target,
            document.source.path,
            code,
            document.source.release,
            document.source.requirements,
            document.source.models,
        ),
        build_envs(said),
    )


def recorded(applied: Application, planned: DesiredDeployment) -> tuple[VersionRecord, ...]:
    """What has to be kept of the versions of `planned`, which is the plan of `applied`."""
    configs = _configs(applied)
    return tuple(
        VersionRecord(
            applied.config.name,
            version.id,
            {
                "config": VersionConfig.model_validate(
                    {key: getattr(configs[version.name], key) for key in VersionConfig.model_fields}
                ).model_dump(mode="json"),
                "strategy": applied.config.deployment_strategy,
                "version": applied.versions[version.name].model_dump(mode="json"),
            },
            version.source.code,
        )
        for version in planned.versions
    )


def planned_again(
    revision: RevisionRecord, records: Mapping[str, VersionRecord]
) -> DesiredDeployment:
    """What should run for a revision that was kept, with the ids that it had.

    `records` are its versions by id. Raises ConfigError if they are not what this release of the
    mesh understands.
    """
    config = parse(DeploymentConfig, revision.config, what=f"deployment {revision.deployment}")
    kept = {name: records[revision.versions[name]] for name in (MAIN, *config.canary.versions)}
    documents = {
        name: parse(VersionDocument, record.document["version"], what=f"version {record.id}")
        for name, record in kept.items()
    }
    parts = {
        name: _parts_of(
            each, config.deployment_strategy, documents[name], kept[name].code, f"version {name}"
        )
        for name, each in versions_of(config, documents).items()
    }
    return _deployment(config, revision.number, parts, revision.versions)


def planned_alone(record: VersionRecord, name: str) -> DesiredVersion:
    """A version that was kept, under the name `name` and without weight.

    Raises ConfigError as `planned_again` does.
    """
    what = f"version {record.id}"
    config = parse(VersionConfig, record.document["config"], what=what)
    document = parse(VersionDocument, record.document["version"], what=what)
    parts = _parts_of(config, record.document["strategy"], document, record.code, what)
    return _version(parts, record.id, name, 0)


def kept_application(
    revision: RevisionRecord, records: Mapping[str, VersionRecord]
) -> tuple[Application, dict[str, bytes]]:
    """The application, and its code by version, that a revision which was kept came from."""
    versions = {name: records[identity] for name, identity in revision.versions.items()}
    document = {
        "config": revision.config,
        "versions": {name: record.document["version"] for name, record in versions.items()},
    }
    what = f"revision {revision.number} of deployment {revision.deployment}"
    code = {name: record.code for name, record in versions.items() if record.code}
    return parse(Application, document, what=what), code


def _deployment(
    config: DeploymentConfig, revision: int, parts: Mapping[str, Parts], ids: Mapping[str, str]
) -> DesiredDeployment:
    weights = weights_of(config)
    return DesiredDeployment(
        config.name,
        revision,
        tuple(_version(each, ids[name], name, weights[name]) for name, each in parts.items()),
        SplitBy(config.canary.route_type),
        config.canary.route_by,
        config.canary.without_replicas == "spill",
        progress_deadline=config.progress_deadline,
        protected=config.access_authorization,
    )


def _version(parts: Parts, identity: str, name: str, weight: int) -> DesiredVersion:
    manifest = parts.document.manifest
    services = {
        service.name: _service(service, parts.services[service.name], parts)
        for service in manifest.services.values()
    }
    placement = parts.config.placement or ""
    return DesiredVersion(
        identity,
        name,
        weight,
        manifest.entry,
        services,
        parts.source,
        placement,
        parts.config.secrets,
        parts.build_envs,
    )


def _services(
    version: VersionConfig, document: VersionDocument, where: str
) -> dict[str, ServiceConfig]:
    manifest = document.manifest
    unknown = sorted(version.services.keys() - manifest.services.keys())
    if unknown:
        known = ", ".join(sorted(manifest.services))
        raise ConfigError(f"{where}: there is no service {', '.join(unknown)}; there is {known}")
    return {
        name: effective(
            service.config,
            version,
            version.services.get(name, ServiceOverrides()),
            f"{where}.{name}",
            document.instance_types,
        )
        for name, service in manifest.services.items()
    }


def effective(
    config: ServiceConfig,
    version: VersionConfig,
    overrides: ServiceOverrides,
    where: str = "",
    instance_types: Mapping[str, Resources] = MappingProxyType({}),
) -> ServiceConfig:
    """The decorator's `config` with what a deployment changes of it; the most particular holds.

    `instance_types` go before the default ones. Raises ConfigError beginning with `where`.
    """
    changes = overrides.traffic or overrides.config_overrides.traffic or {}
    traffic = config.traffic.model_dump() | changes
    fetch = config.fetch.model_dump() | (overrides.fetch or {})
    scaling = _scaling(config, version, overrides)
    return config.model_copy(
        update={
            "scaling": scaling,
            "replicas": max(scaling.min_replicas, 1),
            "traffic": parse(Traffic, traffic, what=f"{where}.traffic"),
            "resources": _resources(config, overrides, where, instance_types),
            "threads": overrides.threads or config.threads,
            "fetch": parse(Fetch, fetch, what=f"{where}.fetch"),
            "envs": config.envs | version.envs | overrides.envs,
        }
    )


def _scaling(config: ServiceConfig, version: VersionConfig, overrides: ServiceOverrides) -> Scaling:
    for said in (overrides, version, config):
        if said.scaling is not None:
            return said.scaling
        if said.replicas is not None:
            return Scaling(min_replicas=said.replicas, max_replicas=max(said.replicas, 1))
    raise AssertionError("a service's own config has a number")


def _resources(
    config: ServiceConfig,
    overrides: ServiceOverrides,
    where: str,
    instance_types: Mapping[str, Resources],
) -> Resources:
    if overrides.instance_type is not None:
        try:
            return resources_of(overrides.instance_type, instance_types)
        except ConfigError as error:
            raise ConfigError(f"{where}.instance_type: {error.message}") from None
    if overrides.resources is None:
        return config.resources
    changed = config.resources.model_dump() | overrides.resources
    return parse(Resources, changed, what=f"{where}.resources")


def _version_id(deployment: str, generation: int, parts: Parts) -> str:
    """The deployment's name and a hash of everything that makes one replica differ from another.

    Neither weights nor numbers of replicas are in it, so that a promotion restarts nothing.
    """
    source = parts.source
    manifest = parts.document.manifest
    code = hashlib.sha256(source.code).hexdigest()
    described: dict[str, Any] = {
        "source": [source.target, source.path, code, parts.document.source.fingerprint],
        "manifest": manifest.model_dump(mode="json", exclude={"services": {"__all__": {"config"}}}),
        "config": {
            name: config.model_dump(
                mode="json",
                exclude={"replicas": True, "scaling": True, "traffic": _OF_CALLERS},
            )
            | {"limit": _limit(config)}
            for name, config in parts.services.items()
        },
        "placement": parts.config.placement,
        "generation": generation,
    }
    if source.release:
        described["release"] = [source.release, source.requirements, dict(source.models)]
    if parts.config.secrets:
        described["secrets"] = parts.config.secrets
    if parts.build_envs:
        described["build"] = dict(parts.build_envs)
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return f"{deployment}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


_OF_CALLERS = {"concurrency", "external_queue", "queue_limit", "max_concurrency"}
"""Settings of traffic that replicas are not told, or only what follows from them."""


def _limit(config: ServiceConfig) -> int:
    """Calls that a replica takes at once; 0 means no limit."""
    traffic = config.traffic
    return (traffic.concurrency if traffic.external_queue else traffic.max_concurrency) or 0


COLD_START = 60.0
"""Seconds that a call waits for a first replica where nobody says, and one will come."""


def _cold_start(given: float | None, scaling: Scaling, strategy: Strategy) -> float:
    if given is not None:
        return given
    waits = scaling.min_replicas == 0 or strategy is Strategy.RECREATE
    return COLD_START if waits else 0.0


def _service(service: ServiceManifest, config: ServiceConfig, parts: Parts) -> DesiredService:
    methods = {
        method.name: Method(method.name, method.route, method.kind, method.idempotent, method.rpc)
        for method in service.methods
    }
    overrides = parts.overrides.get(service.name, ServiceOverrides())
    strategy = Strategy(overrides.deployment_strategy or parts.strategy)
    scaling = config.scaling or Scaling()
    resources = config.resources
    return DesiredService(
        name=service.name,
        min_replicas=scaling.min_replicas,
        max_replicas=scaling.max_replicas,
        rule=None if scaling.is_fixed else rule_of(scaling, config.traffic),
        strategy=strategy,
        methods=methods,
        timeout=config.traffic.timeout,
        max_concurrency=_limit(config),
        concurrency=config.traffic.concurrency or 0,
        queue_limit=config.traffic.queue_limit if config.traffic.external_queue else 0,
        cold_start=_cold_start(overrides.cold_start_timeout, scaling, strategy),
        max_request_bytes=config.traffic.max_request_bytes or 0,
        schema_json=service.schema_json.encode(),
        docs=zlib.compress(service.docs_json.encode()) if service.docs_json else b"",
        rpc_service=service.rpc_service,
        descriptors=zlib.compress(base64.b64decode(service.descriptors))
        if service.descriptors
        else b"",
        models=zlib.compress(service.models_json.encode()) if service.models_json else b"",
        edge=service.edge,
        cpu=resources.cpu,
        memory=resources.memory,
        gpu=resources.gpu,
        gpu_type=resources.gpu_type,
        custom=resources.custom,
        threads=config.threads,
        instance_type=overrides.instance_type or "",
        fetch=FetchLimits(**config.fetch.model_dump()),
        envs=config.envs,
    )
