"""What a command line and a deployment file together say is to run."""

import re
from pathlib import Path
from typing import Any

import yaml

from mesh.config import DeploymentConfig, MeshConfig, parse
from mesh.definition.loader import load
from mesh.definition.spec import service_spec
from mesh.errors import ConfigError


def mesh_config(
    target: str, file: Path | None, replicas: int | None, folder: str, command: str = "mesh serve"
) -> MeshConfig:
    """What to run, of the command line and the deployment file. Raises ConfigError."""
    if file is None:
        if not target:
            raise ConfigError("say what to serve: mesh serve pkg.mod:Service, or --config FILE")
        document = {}
    else:
        document = read(file)
    what = str(file) if file is not None else command
    if target and "target" in document:
        raise ConfigError(f"{what} says what to serve: leave out TARGET")
    if "deployments" not in document:
        if target:
            document = {"target": target, **document}
        if "target" in document and "name" not in document:
            entry = load(str(document["target"]), [folder])
            document = {"name": deployment_name(service_spec(entry).name), **document}
        if replicas is not None:
            document["replicas"] = replicas
        return MeshConfig(deployments=[parse(DeploymentConfig, document, what=what)])
    if target or replicas is not None:
        raise ConfigError(f"{what} has deployments of its own: leave out TARGET and --replicas")
    return parse(MeshConfig, document, what=what)


def read(file: Path, flag: str = "--config ") -> dict[str, Any]:
    """The keys and values of a file in YAML or JSON. Raises ConfigError."""
    try:
        # JSON is YAML.
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        raise ConfigError(f"{flag}{file}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{flag}{file}: not YAML or JSON: {text}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{flag}{file}: expected keys and values at the top")
    return document


def deployment_name(service: str) -> str:
    """The name of a service as a DNS label: `DigitClassifier` is `digit-classifier`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", service)
    return words.strip("-").lower()[:63].rstrip("-")
