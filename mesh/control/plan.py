"""A deployment's config and the description of its graphs → what should run.

The controller never imports user code: what it has to know of a graph is in the manifest.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from mesh.call import FetchLimits
from mesh.config import (
    DeploymentConfig,
    EndpointConfig,
    Fetch,
    Name,
    ServiceConfig,
    ServiceOverrides,
    Traffic,
    VersionConfig,
    parse,
)
from mesh.control.desired import (
    DesiredDeployment,
    DesiredEndpoint,
    DesiredService,
    DesiredVersion,
)
from mesh.definition.manifest import Manifest, ServiceManifest
from mesh.errors import ConfigError
from mesh.launch import Source
from mesh.traffic.snapshot import Method, SplitBy

MAIN = "main"
"""Name of the version that is the deployment itself."""


class SourceDocument(BaseModel):
    """Where the code of a version comes from: a target and the folders to look in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = ""
    path: tuple[str, ...] = ()


class VersionDocument(BaseModel):
    """What the controller has to know of one version's graph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: Manifest
    source: SourceDocument = SourceDocument()


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
    applied: Application, *, revision: int, code: Mapping[str, bytes] | None = None
) -> DesiredDeployment:
    """What should run for `applied`; `code` has the pickled entry class of versions without target.

    Raises:
        ConfigError: a version has no graph, or settings name a service that its graph has not.
    """
    config = applied.config
    configs: dict[str, VersionConfig] = {MAIN: config, **config.canary.versions}
    if configs.keys() != applied.versions.keys():
        missing = sorted(configs.keys() ^ applied.versions.keys())
        raise ConfigError(f"versions: config and graphs disagree about {', '.join(missing)}")
    weights = {name: canary.weight for name, canary in config.canary.versions.items()}
    weights[MAIN] = 100 - sum(weights.values())
    versions = tuple(
        _version(applied, name, version, weights[name], (code or {}).get(name, b""))
        for name, version in configs.items()
    )
    return DesiredDeployment(
        config.name,
        revision,
        versions,
        SplitBy(config.canary.route_type),
        config.canary.route_by,
    )


def _version(
    applied: Application, name: str, config: VersionConfig, weight: int, code: bytes
) -> DesiredVersion:
    document = applied.versions[name]
    manifest = document.manifest
    source = Source(document.source.target, document.source.path, code)
    where = "services" if name == MAIN else f"canary.versions.{name}.services"
    configs = _services(config, manifest, where)
    identity = _version_id(applied.config.name, source, manifest, configs)
    services = {
        service.name: _service(service, configs[service.name])
        for service in manifest.services.values()
    }
    return DesiredVersion(identity, name, weight, manifest.entry, services, source)


def plan_endpoints(applied: Application) -> dict[str, DesiredEndpoint]:
    """The endpoints that `applied` sets."""
    return {
        name: DesiredEndpoint(name, endpoint.deployments)
        for name, endpoint in applied.endpoints.items()
    }


def _services(version: VersionConfig, manifest: Manifest, where: str) -> dict[str, ServiceConfig]:
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
        )
        for name, service in manifest.services.items()
    }


def effective(
    config: ServiceConfig, version: VersionConfig, overrides: ServiceOverrides, where: str = ""
) -> ServiceConfig:
    """The decorator's `config` with what a deployment changes of it; the most particular holds.

    Raises ConfigError beginning with `where`.
    """
    replicas = next(
        number
        for number in (overrides.replicas, version.replicas, config.replicas)
        if number is not None
    )
    traffic = config.traffic.model_dump() | (overrides.traffic or {})
    fetch = config.fetch.model_dump() | (overrides.fetch or {})
    resources = config.resources
    if overrides.resources is not None:
        changed = overrides.resources.model_dump(exclude_unset=True)
        resources = resources.model_validate(resources.model_dump() | changed)
    return config.model_copy(
        update={
            "replicas": replicas,
            "traffic": parse(Traffic, traffic, what=f"{where}.traffic"),
            "resources": resources,
            "threads": overrides.threads or config.threads,
            "fetch": parse(Fetch, fetch, what=f"{where}.fetch"),
            "envs": config.envs | version.envs | overrides.envs,
        }
    )


def _version_id(
    deployment: str, source: Source, manifest: Manifest, services: Mapping[str, ServiceConfig]
) -> str:
    """The deployment's name and a hash of everything that makes one replica differ from another.

    Neither weights nor numbers of replicas are in it, so that a promotion restarts nothing.
    """
    described: dict[str, Any] = {
        "source": [source.target, source.path, hashlib.sha256(source.code).hexdigest()],
        "manifest": manifest.model_dump(mode="json", exclude={"services": {"__all__": {"config"}}}),
        "config": {
            name: config.model_dump(mode="json", exclude={"replicas"})
            for name, config in services.items()
        },
    }
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return f"{deployment}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _service(service: ServiceManifest, config: ServiceConfig) -> DesiredService:
    methods = {
        method.name: Method(method.name, method.route, method.kind, method.idempotent, method.rpc)
        for method in service.methods
    }
    return DesiredService(
        name=service.name,
        replicas=config.replicas,
        methods=methods,
        timeout=config.traffic.timeout,
        max_concurrency=config.traffic.max_concurrency or 0,
        max_request_bytes=config.traffic.max_request_bytes or 0,
        schema_json=service.schema_json.encode(),
        docs=zlib.compress(service.docs_json.encode()) if service.docs_json else b"",
        rpc_service=service.rpc_service,
        descriptors=zlib.compress(base64.b64decode(service.descriptors))
        if service.descriptors
        else b"",
        models=zlib.compress(service.models_json.encode()) if service.models_json else b"",
        edge=service.edge,
        cpu=config.resources.cpu,
        memory=config.resources.memory,
        gpu=config.resources.gpu,
        threads=config.threads,
        fetch=FetchLimits(**config.fetch.model_dump()),
        envs=config.envs,
    )
