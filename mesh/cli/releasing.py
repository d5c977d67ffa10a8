"""Deployments of releases that were pushed, shown while they are made ready."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from mesh.cli.steps import Steps
from mesh.client.control.client import ControlClient
from mesh.errors import InvalidArgument
from mesh.packing.shelf import Shelf

_MISSING = "there is no release"


def wish(
    client: ControlClient, releases: Iterable[Mapping[str, Any]], cause: str
) -> tuple[str, ...]:
    """Has each be deployed; returns their names. Raises MeshError naming what is not there."""
    return tuple(_wished(client, each, cause) for each in releases)


def _wished(client: ControlClient, config: Mapping[str, Any], cause: str) -> str:
    try:
        return client.deploy_release(config, cause=cause).name
    except InvalidArgument as error:
        told = error.message.replace("there is no bento", _MISSING)  # a release, to BentoML
        if _MISSING not in told:
            raise
        here = (str(each.tag) for each in Shelf.of(os.environ).releases())
        tag = next((each for each in here if f"'{each}'" in told), "")
        hint = (
            f"it is on this machine only: mesh push {tag} sends it"
            if tag
            else "mesh releases --remote lists what was pushed"
        )
        raise InvalidArgument(f"{told}; {hint}") from None


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
                if view.stage != "failed":  # what follows says why
                    steps.say(f"{name}: {view.reason or 'making its release ready'}")
            revisions[name] = client.deployments.get(name).revision
    return revisions
