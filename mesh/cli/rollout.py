"""A deployment that is on its way, shown as it goes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mesh.cli.complete import deployment_names
from mesh.cli.remote import table, word, write, write_json
from mesh.client.control.client import ControlClient
from mesh.client.control.values import BuildView, DeploymentView, ReplicaView
from mesh.config.deployment import MAIN
from mesh.errors import FailedPrecondition

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name of the deployment.",
        show_default=False,
        autocompletion=deployment_names,
    ),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Return when it runs, or at once.")]


def wait(
    client: ControlClient, name: str, revision: int, timeout: float, console: Console
) -> DeploymentView:
    """Returns when the deployment runs, having shown how it gets there.

    Raises:
        FailedPrecondition: it cannot; the message says why, and whether earlier replicas serve on.
        DeadlineExceeded: it does not within `timeout` seconds.
    """
    views = client.follow(name, timeout, revision=revision)
    try:
        *_, last = _shown(views, console)
    except FailedPrecondition as error:
        if serves_on(client.deployments.get(name), client.replicas(name)):
            text = f"the replicas of before serve on; mesh deployment rollback {name} goes back"
            raise FailedPrecondition(f"{error.message}; {text}") from None
        raise
    return last


def serves_on(view: DeploymentView, replicas: Sequence[ReplicaView]) -> bool:
    """Whether replicas are ready that are of none of the versions that are wanted now."""
    wanted = {version.id for version in view.versions}
    return any(each.phase == "ready" and each.version_id not in wanted for each in replicas)


def _shown(views: Iterable[DeploymentView], console: Console) -> Iterable[DeploymentView]:
    """Shows each: in one place of a terminal, else a line when it differs from the last."""
    if console.is_terminal:
        with Live(console=console, transient=True) as live:
            for view in views:
                live.update(services(view))
                yield view
        return
    last = ""
    for view in views:
        line = summary(view)
        if line != last:
            console.print(line, markup=False, soft_wrap=True)
            last = line
        yield view


def summary(view: DeploymentView) -> str:
    """How far it is, in one line."""
    reason = f": {view.reason}" if view.reason else ""
    counted = f"{view.ready} of {view.desired} replicas ready"
    return f"{view.name} revision {view.revision}: {view.status}, {counted}{reason}"


def release_of(config: Mapping[str, Any], version: str) -> str:
    """The release that a version of a deployment runs; empty for one that runs a target."""
    canaries = (config.get("canary") or {}).get("versions") or {}
    found = config if version == MAIN else canaries.get(version) or {}
    return str(found.get("release") or "")


def tell(view: DeploymentView, *, as_json: bool) -> None:
    """Writes how a deployment is."""
    if as_json:
        write_json(view)
    else:
        write(services(view))


def _releases(view: DeploymentView) -> str:
    found = [(each.name, release_of(view.config, each.name)) for each in view.versions]
    said = (tag if name == MAIN else f"{name} {tag}" for name, tag in found if tag)
    return ", ".join(said)


def coming(build: BuildView) -> str:
    """What is to be said of a release that is not ready, in one line."""
    release = release_of(build.config, MAIN)
    if build.stage == "building":
        return f"{release} is made ready"
    return f"{release} cannot be deployed: {build.reason}"


def services(view: DeploymentView, upcoming: str = "") -> Group:
    """Its services with their replicas, and what holds them up.

    `upcoming` is what is to be said of a release that is not ready.
    """
    rows = [
        (
            version.name,
            f"{version.weight}%",
            service.name,
            Text(
                f"{service.ready}/{service.desired}",
                "green" if service.ready >= service.desired else "yellow",
            ),
            service.reason,
        )
        for version in view.versions
        for service in version.services
    ]
    heading = Text.assemble((view.name, "bold"), f" revision {view.revision}  ", word(view.status))
    if releases := _releases(view):
        heading.append(f"  {releases}")
    if view.config.get("access_authorization"):
        heading.append("  protected", "cyan")
    if view.reason:
        heading.append(f"\n{view.reason}", "dim")
    if upcoming:
        heading.append(f"\n{upcoming}", "dim")
    old = [each for version in view.versions for each in version.replacing]
    if old and view.status == "failed":
        heading.append(f"\nwhat ran before serves on: {', '.join(old)}")
    columns = ("version", "weight", "service", "ready", "waits for")
    return Group(heading, table(columns, rows, "no services"))
