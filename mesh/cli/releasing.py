"""Deployments of releases that were pushed, shown while they are made ready."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from mesh.cli.steps import Steps
from mesh.client.control.client import ControlClient
from mesh.packing.tag import is_tag


def means_release(source: str, folder: Path) -> bool:
    """Whether `name:version` is meant: a module of that name in the folder goes first."""
    name = source.partition(":")[0]
    return is_tag(source) and not any((folder / each).exists() for each in (name, f"{name}.py"))


def wish(
    client: ControlClient, releases: Iterable[Mapping[str, Any]], cause: str
) -> tuple[str, ...]:
    """Has each be deployed; returns their names. Raises MeshError naming what is not there."""
    return tuple(client.deploy_release(each, cause=cause).name for each in releases)


def built(
    client: ControlClient, names: Iterable[str], timeout: float, console: Console
) -> dict[str, int]:
    """Returns when the releases of all are ready: the revision of each deployment then.

    Raises FailedPrecondition for one that cannot be, and DeadlineExceeded.
    """
    revisions = {}
    with Steps(console) as steps:
        for name in names:
            for view in client.building(name, timeout):
                steps.say(f"{name}: {view.reason or 'making its release ready'}")
            revisions[name] = client.deployments.get(name).revision
    return revisions
