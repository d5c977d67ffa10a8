"""`mesh deploy`: a service or a deployment file, to a mesh that runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from mesh.cli.failure import WrongUsage
from mesh.cli.meant import is_file, means_newest, means_release, newest
from mesh.cli.releasing import built, wish
from mesh.cli.remote import AsJson, Timeout, Token, Url, connected, pairs, write, write_json
from mesh.cli.rollout import Wait, services, wait
from mesh.client.control.client import ControlClient
from mesh.client.control.values import DeploymentView
from mesh.errors import NotFound
from mesh.serving.described import DescribedFile, described, described_file
from mesh.serving.wanted import deployment_name


def deploy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="TARGET|FILE|RELEASE",
            help=(
                "The entry service, as pkg.mod:Service; a deployment file; or name:version of a"
                " release that was pushed, or its name alone for the newest."
            ),
            show_default=False,
        ),
    ],
    *,
    name: Annotated[
        str, typer.Option(help="Name of the deployment; else the service's.", show_default=False)
    ] = "",
    replicas: Annotated[
        int | None, typer.Option(help="Replicas of each service.", min=1, show_default=False)
    ] = None,
    least: Annotated[
        int | None,
        typer.Option("--min", help="Replicas of each service at least.", min=0, show_default=False),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option("--max", help="Replicas of each service at most.", min=1, show_default=False),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            help=(
                "How new replicas take over: RollingUpdate, Recreate, RampedSlowRollout,"
                " BestEffortControlledRollout."
            ),
            show_default=False,
        ),
    ] = "",
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Environment of replicas.", show_default=False),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="A secret that its replicas get: mesh secret.", show_default=False),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Label to find it by.", show_default=False),
    ] = None,
    protected: Annotated[
        bool | None,
        typer.Option(
            "--access-authorization/--no-access-authorization",
            help="Whether callers have to show a token that is for it.",
            show_default=False,
        ),
    ] = None,
    cause: Annotated[str, typer.Option(help="Kept with the revision.", show_default=False)] = "",
    waits: Wait = True,
    timeout: Timeout = 300,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Deploy a service, or all that a file says, and wait until it runs.

    The code of a target is not sent: it is loaded here to see what it takes and gives, and by the
    replicas from the same folder. A release brings its code, and what it needs is installed. If
    it cannot run, exit code 1 and the reason; what served before does so on.
    """
    if not source:
        raise WrongUsage(
            "say what to deploy: pkg.mod:Service, a deployment file, or a release that was pushed"
        )
    changes = settings(name, replicas, least, most, strategy, env or [], label or [], protected)
    if secret:
        changes["secrets"] = secret
    folder = str(Path.cwd())
    file = Path(source) if is_file(source) else None
    console = Console(stderr=True, highlight=False)
    if means_newest(source, Path(folder)):
        source = _newest(source, url, token, console)
    if file is None and means_release(source, Path(folder)):
        named = {"name": deployment_name(source.partition(":")[0]), "release": source, **changes}
        found = DescribedFile((), {}, is_list=False, releases=(named,))
    elif file is None:
        found = DescribedFile((described(source, changes, [folder]),), {}, is_list=False)
    else:
        found = described_file(file, [folder], changes)
    for application in found.applications:
        for warning in application.warnings:
            console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    with connected(url, token) as client:
        for application in found.applications:
            if opened := _opened(client, application.document["config"]):
                console.print(f"[yellow]warning:[/] {escape(opened)}", soft_wrap=True)
        views = [client.apply(application, cause=cause) for application in found.applications]
        revisions = {view.name: view.revision for view in views}
        wished = wish(client, found.releases, cause)
        if waits or found.endpoints:  # an endpoint leads only to what is there
            revisions |= built(client, wished, timeout, console)
        for endpoint, config in found.endpoints.items():
            for warning in client.endpoints.apply(endpoint, config).warnings:
                said = escape(f"endpoint {endpoint}: {warning}")
                console.print(f"[yellow]warning:[/] {said}", soft_wrap=True)
        if waits:
            views = [wait(client, *each, timeout, console) for each in revisions.items()]
    if not views and not waits:
        console.print(f"{', '.join(wished)}: on the way; mesh deployment get tells", markup=False)
        return
    _tell(views, as_json=as_json, is_list=found.is_list)


def _newest(source: str, url: str, token: str, console: Console) -> str:
    """The newest release of a name, and says so; as it is if a module is meant."""
    with connected(url, token) as client:
        tag = newest(client, source, Path.cwd())
    if tag:
        console.print(f"{tag} is the newest release of that name", markup=False, soft_wrap=True)
    return tag or source


def settings(
    name: str,
    replicas: int | None,
    least: int | None,
    most: int | None,
    strategy: str,
    envs: list[str],
    labels: list[str],
    protected: bool | None = None,
) -> dict[str, Any]:
    """What the options say, as a deployment file would. Raises WrongUsage."""
    if replicas is not None and (least is not None or most is not None):
        raise WrongUsage("--replicas is a fixed number: leave out --min and --max")
    bounds = {"min_replicas": least, "max_replicas": most}
    scaling = {key: value for key, value in bounds.items() if value is not None}
    said = {
        "name": name,
        "replicas": replicas,
        "scaling": scaling,
        "deployment_strategy": strategy,
        "envs": pairs(envs, "--env KEY=VALUE"),
        "labels": pairs(labels, "--label KEY=VALUE"),
    }
    found = {key: value for key, value in said.items() if value}
    return found if protected is None else {**found, "access_authorization": protected}


def _opened(client: ControlClient, config: Mapping[str, Any]) -> str:
    """What is to be said of a deployment that was protected and is not any more; else empty."""
    if config.get("access_authorization"):
        return ""
    try:
        before = client.deployments.get(config["name"])
    except NotFound:
        return ""
    if not before.config.get("access_authorization"):
        return ""
    return f"{before.name} is not protected any more: everyone may call it"


def _tell(views: list[DeploymentView], *, as_json: bool, is_list: bool) -> None:
    if as_json:
        write_json(views if is_list else views[0])
        return
    for view in views:
        write(services(view))
