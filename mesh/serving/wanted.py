"""What a target or a deployment file, with what is said beside it, asks to run."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mesh.config import DeploymentConfig, MeshConfig, parse
from mesh.definition.loader import load
from mesh.definition.spec import service_spec
from mesh.errors import ConfigError
from mesh.serving.documents import read

NOTHING: Mapping[str, Any] = MappingProxyType({})


def mesh_config(
    target: str,
    file: Path | None,
    path: Sequence[str],
    settings: Mapping[str, Any] = NOTHING,
    what: str = "mesh serve",
) -> MeshConfig:
    """What to run, of a target, a deployment file or both; `path` is where modules are.

    `settings` go over those of a file that has one deployment; labels and variables are added to
    its own. `what` is who asks, for errors.

    Raises:
        ConfigError: something is wrong or missing; the message names it.
    """
    if file is None:
        if not target:
            raise ConfigError("say what to serve: mesh serve pkg.mod:Service, or --config FILE")
        document = {}
    else:
        document = read(file, "--config " if what == "mesh serve" else "")
        what = str(file)
    if target and "target" in document:
        raise ConfigError(f"{what} says what to serve: leave out TARGET")
    if "deployments" not in document:
        together = {
            key: {**document[key], **value}
            for key, value in settings.items()
            if isinstance(value, Mapping) and isinstance(document.get(key), dict)
        }
        said = {"target": target} if target else {}
        document = {**said, **document, **settings, **together}
        if "target" in document and "name" not in document:
            document = {"name": name_of(str(document["target"]), path), **document}
        if "release" in document and "name" not in document:
            name = str(document["release"]).partition(":")[0]
            document = {"name": deployment_name(name), **document}
        return MeshConfig(deployments=[parse(DeploymentConfig, document, what=what)])
    if target or settings:
        flags = ", ".join([*(["TARGET"] if target else []), *map(_flag, settings)])
        raise ConfigError(f"{what} has deployments of its own: leave out {flags}")
    return parse(MeshConfig, document, what=what)


_FLAGS = {
    "scaling": "--min and --max",
    "deployment_strategy": "--strategy",
    "envs": "--env",
    "labels": "--label",
}
"""Options that are not called as the setting that they give."""


def _flag(setting: str) -> str:
    return _FLAGS.get(setting, f"--{setting}")


def name_of(target: str, path: Sequence[str]) -> str:
    """What a deployment of `pkg.mod:Service` is called if nobody says. Raises ConfigError."""
    return deployment_name(service_spec(load(target, list(path))).name)


def deployment_name(service: str) -> str:
    """The name of a service as a DNS label: `DigitClassifier` is `digit-classifier`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", service)
    return words.strip("-").lower()[:63].rstrip("-")
