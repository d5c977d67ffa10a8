"""What is sent to the controller: a deployment's config with the description of its graphs."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from mesh.cluster.code import pickled_class
from mesh.config import MAIN, DeploymentConfig, EndpointConfig
from mesh.config.service import Resources
from mesh.control.promises import broken
from mesh.definition.foreign import adapted
from mesh.definition.graph import Graph, resolve
from mesh.definition.loader import load
from mesh.definition.manifest import describe
from mesh.errors import ConfigError
from mesh.serving.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Release:
    """The code of one version: its entry class, and how replicas find it.

    Either a `target` with the folders to look in, or `code` as cloudpickle writes it. `entry` may
    be a service of another system that the mesh can run.
    """

    entry: type
    target: str = ""
    path: tuple[str, ...] = ()
    code: bytes = b""

    @classmethod
    def of_target(cls, target: str, path: Sequence[str]) -> "Release":
        """The release that `pkg.mod:Service` names. Raises ConfigError."""
        return cls(load(target, path), target, tuple(path))

    @classmethod
    def of_class(cls, entry: type) -> "Release":
        """The release of a class at hand: by name if others can import it, else by value.

        Raises ConfigError for a service of another system that can't be run.
        """
        entry = cast("type", adapted(entry))
        if _is_importable(entry):
            return cls(entry, f"{entry.__module__}:{entry.__qualname__}", _folders())
        return cls(entry, "", _folders(), pickled_class(entry, resolve(entry).services.values()))


def _is_importable(entry: type) -> bool:
    module = sys.modules.get(entry.__module__)
    found = vars(module).get(entry.__qualname__)
    if entry.__module__ == "__main__" or adapted(found) is not entry:
        return False
    try:
        spec = importlib.util.find_spec(entry.__module__)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin == getattr(module, "__file__", None)


def _folders() -> tuple[str, ...]:
    """Where this process looks for modules, apart from its own installation."""
    folders = (str(Path(folder or ".").resolve()) for folder in sys.path)
    return tuple(folder for folder in folders if not folder.startswith(sys.prefix))


@dataclass(frozen=True, slots=True)
class Application:
    """A deployment to apply: plain values in JSON, and the code of versions without target.

    `hooks` are what its services want done once before the first replica starts; `has_end` says
    that they have something to do in each replica before it ends. `warnings` are sentences about
    what will run but may not be meant.
    """

    document: Mapping[str, Any]
    code: Mapping[str, bytes] = field(default_factory=dict)
    hooks: tuple[Callable[[], object], ...] = ()
    has_end: bool = False
    warnings: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Does that. Raises ConfigError saying what failed."""
        for hook in self.hooks:
            try:
                hook()
            except Exception as error:
                text = " ".join(str(error).split())
                raise ConfigError(
                    f"a deployment hook failed: {type(error).__name__}: {text}"
                ) from error


def application(
    config: DeploymentConfig,
    releases: Mapping[str, Release],
    endpoints: Mapping[str, EndpointConfig] | None = None,
    instance_types: Mapping[str, Resources] = MappingProxyType({}),
) -> Application:
    """Puts together what the controller needs; `releases` by version, `main` and the canaries.

    `instance_types` go before the default ones.

    Raises DefinitionError if a class is no service.
    """
    graphs = {name: resolve(release.entry) for name, release in releases.items()}
    manners = [service.manner for graph in graphs.values() for service in graph.services.values()]
    hooks = [hook for manner in manners for hook in manner.hooks.deployment]
    has_end = any(manner.hooks.shutdown for manner in manners)
    versions = {
        name: {
            "manifest": describe(graphs[name]).model_dump(mode="json"),
            "source": _source(release, graphs[name]),
            "instance_types": {
                kind: resources.model_dump(mode="json")
                for kind, resources in instance_types.items()
            },
        }
        for name, release in releases.items()
    }
    document = {
        "config": config.model_dump(mode="json"),
        "versions": versions,
        "endpoints": {name: _with_keys(end) for name, end in (endpoints or {}).items()},
    }
    code = {name: release.code for name, release in releases.items() if release.code}
    return Application(document, code, tuple(hooks), has_end, tuple(_warnings(graphs)))


def _source(release: Release, graph: Graph) -> dict[str, Any]:
    if release.code:
        return {"target": "", "path": release.path}
    classes = [service.cls for service in graph.services.values()]
    found = fingerprint(classes, release.path)
    return {"target": release.target, "path": release.path, "fingerprint": found}


def _with_keys(endpoint: EndpointConfig) -> dict[str, Any]:
    """Plain values with the keys of upstreams, which are hidden otherwise: the controller's now."""
    found = endpoint.model_dump(mode="json")
    for plain, upstream in zip(found["upstreams"], endpoint.upstreams, strict=True):
        if "api_key" in upstream.model_fields_set:
            plain["api_key"] = upstream.api_key.get_secret_value()
        else:
            del plain["api_key"]  # which leaves the one that the controller has
    return found


def _warnings(graphs: Mapping[str, Graph]) -> Iterator[str]:
    main = graphs[MAIN].entry.rpc.files
    for name, graph in graphs.items():
        said = broken(MAIN, main, name, graph.entry.rpc.files) if name != MAIN else ""
        if said:
            yield said


def from_config(
    config: DeploymentConfig,
    path: Sequence[str],
    endpoints: Mapping[str, EndpointConfig] | None = None,
    instance_types: Mapping[str, Resources] = MappingProxyType({}),
) -> Application:
    """The application of a deployment whose versions all name targets. Raises ConfigError."""
    targets = {MAIN: config.target} | {
        name: version.target for name, version in config.canary.versions.items()
    }
    releases = {name: Release.of_target(target, path) for name, target in targets.items()}
    return application(config, releases, endpoints, instance_types)
