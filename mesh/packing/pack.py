"""From a service in a folder to a release: the code, what it needs, and what says what it is."""

import json
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version as version_of
from pathlib import Path
from typing import Any

import yaml

from mesh.definition.graph import Graph, resolve
from mesh.definition.loader import load
from mesh.definition.manifest import Manifest, describe
from mesh.definition.manner import OWN
from mesh.errors import ConfigError
from mesh.packing.chosen import chosen
from mesh.packing.shelf import DESCRIPTION, Packed, Shelf
from mesh.packing.tag import Tag, checked
from mesh.serving.wanted import deployment_name

FORMAT = 2
"""The form of the description that `bentoml` 1.4 writes and reads."""
REQUIREMENTS = "requirements.txt"
NOT_THERE = "0.0.0"
"""The version of a package that is not installed."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make a release of.

    `target` is `pkg.mod:Service`, in `folder`. Without `name` it is the service's, without
    `version` one that sorts by time. `include` and `exclude` are patterns of files (see `chosen`);
    `requirements` is a file in pip's form, else `requirements.txt` of the folder, if there is one.
    """

    target: str
    folder: Path
    name: str = ""
    version: str = ""
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    requirements: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def pack(recipe: Recipe, shelf: Shelf, now: datetime) -> Packed:
    """Makes a release, and puts it on the shelf whole or not at all.

    The service is imported, to see what it takes and gives.

    Raises:
        ConfigError: the target, a name, a pattern or a file is wrong, or it is a service of
            BentoML, whose own command packs it with its models.
        DefinitionError: it is no service.
        AlreadyExists: there is a release of this name and version.
    """
    graph = resolve(load(recipe.target, [str(recipe.folder)]))
    entry = graph.entry
    if entry.manner is not OWN:
        raise ConfigError(f"{recipe.target} is no service of the mesh: bentoml build packs it")
    name = checked(recipe.name or deployment_name(entry.name), "--name")
    version = checked(recipe.version or _version(now), "--version")
    module_name, _, attribute = recipe.target.partition(":")
    target = f"{module_name}:{attribute or entry.cls.__qualname__}"
    needed = _requirements(recipe)
    files = list(chosen(recipe.folder, recipe.include, recipe.exclude))
    module = _module_file(target, recipe.folder)
    if module is not None and module not in files:
        raise ConfigError(f"{module} has the service, and is left out by --include or --exclude")
    with shelf.adding(Tag(name, version)) as folder:
        for file in files:
            _copy(recipe.folder / file, folder / "src" / file)
        _write(folder / "env" / "python" / "requirements.in", needed)
        _write(folder / "env" / "python" / REQUIREMENTS, needed)
        _write(folder / "README.md", _readme(graph, Tag(name, version)))
        manifest = describe(graph)
        _write(folder / "apis" / "schema.json", manifest.services[entry.name].schema_json)
        _write(folder / "apis" / "openapi.json", manifest.services[entry.name].docs_json)
        document = _description(recipe, target, Tag(name, version), manifest, needed, now)
        _write(folder / DESCRIPTION, yaml.safe_dump(document, sort_keys=False))
    return shelf.get(Tag(name, version))


def _version(now: datetime) -> str:
    """Sorts as times do, and is no other's."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _requirements(recipe: Recipe) -> str:
    file = recipe.requirements or recipe.folder / REQUIREMENTS
    if recipe.requirements is None and not file.exists():
        return ""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--requirements {file}: {error}") from error


def _module_file(target: str, folder: Path) -> Path | None:
    """The file of the target's module, relative to the folder; None if it lies elsewhere."""
    module = sys.modules.get(target.partition(":")[0])
    file = getattr(module, "__file__", None)
    if not file or not Path(file).resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{target}: its module is not in {folder}: say --folder")
    return Path(file).resolve().relative_to(folder.resolve())


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, to)
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror}") from error
    to.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _description(
    recipe: Recipe, target: str, tag: Tag, manifest: Manifest, needed: str, now: datetime
) -> dict[str, Any]:
    """The document that says what the release is, in the form of `bento.yaml`."""
    services = [
        {
            "name": service.name,
            "service": "",
            "models": [],
            "dependencies": [{"service": each} for each in service.depends.values()],
            "config": _config(service.config.model_dump(mode="json", exclude_defaults=True)),
        }
        for service in manifest.services.values()
    ]
    return {
        "service": target,
        "name": tag.name,
        "version": tag.version,
        "bentoml_version": _installed("bentoml"),
        "mesh_version": _installed("serving-mesh"),
        "creation_time": now.isoformat(),
        "labels": dict(recipe.labels),
        "models": [],
        "entry_service": manifest.entry,
        "services": services,
        "envs": [],
        "schema": _schema(json.loads(manifest.services[manifest.entry].schema_json)),
        "args": {},
        "spec": FORMAT,
        "image": {
            "base_image": f"python:{platform.python_version()}-slim",
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "commands": [],
            "python_requirements": needed,
            "post_commands": [],
        },
    }


def _config(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of a service, in the form in which variables are a list."""
    envs = config.pop("envs", {})
    if envs:
        config["envs"] = [{"name": name, "value": value} for name, value in envs.items()]
    return config


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    paths = {route["route"]: {"mounted": False} for route in schema.get("routes", [])}
    return {"paths": paths, **schema}


def _installed(package: str) -> str:
    try:
        return version_of(package)
    except PackageNotFoundError:
        return NOT_THERE


def _readme(graph: Graph, tag: Tag) -> str:
    doc = re.sub(r"\n{3,}", "\n\n", graph.entry.doc.strip())
    return f"# {tag}\n\n{doc}\n" if doc else f"# {tag}\n"
