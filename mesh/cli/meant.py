"""What `mesh deploy` is asked to deploy: a file, a target, or a release by name."""

import os
from pathlib import Path

from mesh.cli.failure import WrongUsage
from mesh.client.control.client import ControlClient
from mesh.definition.loader import is_importable
from mesh.errors import NotFound
from mesh.packing.shelf import Shelf
from mesh.packing.tag import LATEST, is_name, is_tag

_FILES = (".yaml", ".yml", ".json")


def is_file(source: str) -> bool:
    """Whether a deployment file is meant, not a target."""
    return source.endswith(_FILES) or Path(source).is_file()


def means_release(source: str, folder: Path) -> bool:
    """Whether `name:version` is meant: a module of that name in the folder goes first."""
    return is_tag(source) and not _is_here(source, folder)


def means_newest(source: str, folder: Path) -> bool:
    """Whether the newest release of a name may be meant: `name`, or `name:latest`.

    A file or a module of that name in the folder goes first.
    """
    name, colon, version = source.partition(":")
    is_whole = version == LATEST if colon else is_name(name)
    return is_whole and is_name(name) and not is_file(source) and not _is_here(source, folder)


def _is_here(source: str, folder: Path) -> bool:
    name = source.partition(":")[0]
    return any((folder / each).exists() for each in (name, f"{name}.py"))


def newest(client: ControlClient, source: str, folder: Path) -> str:
    """The tag of the newest release of a name; empty if the name is a module's, not a release's.

    Raises WrongUsage where it is neither, saying what would do.
    """
    name, colon, _ = source.partition(":")
    try:
        return client.releases.newest(name).tag
    except NotFound:
        if not colon and is_importable(name):
            return ""
    tried = f"no release {name!r} was pushed to the mesh at {client.url}"
    if not colon:
        tried = f"{folder} has no file or module {name!r}, and {tried}"
    built = Shelf.of(os.environ).releases(name)
    if built:
        tag = built[0].tag
        raise WrongUsage(tried, f"{tag} is on this machine: mesh push {tag} sends it")
    raise WrongUsage(
        tried,
        "give pkg.mod:Service, a deployment file, or a release: mesh releases --remote lists them",
    )
