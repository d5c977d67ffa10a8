"""This process becomes one that runs a release: its variables, its folder, its code."""

import os
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mesh.definition.loader import load
from mesh.errors import ConfigError
from mesh.launch import Source
from mesh.nodes.unpacked import CODE, UnpackedRelease

_BENTO = "mesh.compat.bentoml.release"
"""Loaded only for bentos, for it needs BentoML."""
HOME = "MESH_HOME"
"""The variable that says where the home of a release's replica is."""
SECRETS = "MESH_SECRETS_HOME"
"""The variable that says below which folder files of secrets are."""


def variables(
    home: Path, cache: Path, python: str, before: Mapping[str, str], *, is_release: bool = True
) -> dict[str, str]:
    """What the environment of a process with a home has besides `before`.

    `python` is the interpreter of its own environment, empty if it has none. Where no release runs
    the home holds files of secrets only, and BentoML's stays that of the node's user.
    """
    if not is_release:
        return {SECRETS: str(home)}
    found = {
        HOME: str(home),
        SECRETS: str(home),
        "BENTOML_HOME": str(home),
        "BENTOML_HF_CACHE_DIR": before.get("BENTOML_HF_CACHE_DIR") or str(cache / "huggingface"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    if python:
        bin_folder = Path(python).parent
        found["VIRTUAL_ENV"] = str(bin_folder.parent)
        found["PATH"] = os.pathsep.join((str(bin_folder), before.get("PATH", os.defpath)))
    return found


def inject(
    envs: Mapping[str, str],
    explicit: Collection[str],
    environ: MutableMapping[str, str] = os.environ,
) -> None:
    """Sets variables of secrets; what was set in so many words holds."""
    environ.update({name: value for name, value in envs.items() if name not in explicit})


def settled(source: Source, folder: Path) -> Source:
    """A source whose folders are those of its release, unpacked at `folder`."""
    return replace(source, path=tuple(str(folder / each) for each in source.path))


def enter(release: UnpackedRelease) -> type:
    """Loads the entry class of a release. Its folder of code becomes that of the process.

    Raises ConfigError with one line, FailedPrecondition.
    """
    target = release.target
    if release.code.is_dir():
        os.chdir(release.code)
    bento = _opened(release) if release.is_bento else None
    entry = load(target, (str(release.folder / CODE),))
    if bento is not None:
        bento.loaded(target)
    return entry


def _opened(release: UnpackedRelease) -> Any:
    try:
        opened = import_module(_BENTO).Opened
    except ModuleNotFoundError:
        raise ConfigError("bentos need BentoML: pip install serving-mesh[bentoml]") from None
    try:
        return opened(release.folder)
    except Exception as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"the bento cannot be read: {type(error).__name__}: {text}") from error
