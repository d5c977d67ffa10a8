"""`mesh deployment`: what was deployed, and what can be done with it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.failure import WrongUsage
from mesh.cli.remote import (
    AsJson,
    Timeout,
    Token,
    Url,
    Yes,
    ago,
    confirm,
    connected,
    pairs,
    plain,
    table,
    tell_deleted,
    word,
    write,
    write_json,
)
from mesh.cli.rollout import Name, Wait, coming, release_of, services, tell, wait
from mesh.cli.text import clean
from mesh.client.control.client import ControlClient
from mesh.client.control.values import BuildView, DeploymentView
from mesh.errors import NotFound

app = typer.Typer(
    help="Deployments: list, look at, roll back, restart, delete.",
    no_args_is_help=True,
    add_completion=False,
)
Count = Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)]


@app.command("list")
def list_(
    *,
    search: Annotated[str, typer.Option(help="Part of the name.", show_default=False)] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="All must hold.", show_default=False),
    ] = None,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List deployments."""
    with connected(url, token) as client:
        labels = pairs(label or [], "--label KEY=VALUE")
        found = client.deployments.list(search=search, labels=labels)
        builds = {} if as_json or labels else _builds(client)
    if as_json:
        write_json(found)
        return
    rows: list[tuple[str | Text, ...]] = [
        (
            Text(view.name, "bold"),
            word(view.status),
            f"{view.ready}/{view.desired}",
            str(view.revision),
            ", ".join(f"{each.name} {each.weight}%" for each in view.versions),
            ago(view.updated_at),
            view.reason or (coming(builds[view.name]) if view.name in builds else ""),
        )
        for view in found
    ]
    there = {view.name for view in found}
    rows += [
        (Text(name, "bold"), word(build.stage), "", "", "", ago(build.updated_at), coming(build))
        for name, build in builds.items()
        if name not in there and search in name
    ]
    columns = ("deployment", "status", "ready", "revision", "versions", "changed", "reason")
    write(table(columns, rows, "no deployments: mesh deploy TARGET makes one"))


@app.command()
def get(name: Name, *, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """Show one deployment, with the replicas of its services."""
    with connected(url, token) as client:
        build = _build(client, name)
        try:
            view = client.deployments.get(name)
        except NotFound:
            if build is None:
                raise
            _tell_build(build, as_json=as_json)
            return
    if as_json or build is None:
        tell(view, as_json=as_json)
    else:
        write(services(view, coming(build)))


@app.command()
def revisions(
    name: Name, *, count: Count = 20, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Show what it was set to, the newest first."""
    with connected(url, token) as client:
        found = client.deployments.revisions(name, count=count)
    if as_json:
        write_json(found)
        return
    rows = [
        (
            Text(str(each.number), "bold green" if each.current else ""),
            ago(each.created_at),
            ", ".join(
                f"{name} {release_of(each.config, name) or identity}"
                for name, identity in each.versions.items()
            ),
            each.cause,
        )
        for each in found
    ]
    write(table(("revision", "age", "versions", "cause"), rows, "no revisions"))


@app.command()
def rollback(
    name: Name,
    revision: Annotated[
        int | None,
        typer.Argument(
            metavar="REVISION",
            help="Which one; else the last that ran before this.",
            min=1,
            show_default=False,
        ),
    ] = None,
    *,
    waits: Wait = True,
    timeout: Timeout = 300,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Set it to what an earlier revision said, as a new revision."""
    with connected(url, token) as client:
        view = client.deployments.rollback(name, revision)
        _settle(client, view, waits=waits, timeout=timeout, as_json=as_json)


@app.command()
def restart(
    name: Name,
    *,
    waits: Wait = True,
    timeout: Timeout = 300,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Replace all its replicas by new ones of the same, without a failed request."""
    with connected(url, token) as client:
        view = client.deployments.restart(name)
        _settle(client, view, waits=waits, timeout=timeout, as_json=as_json)


@app.command()
def start(
    name: Name,
    *,
    waits: Wait = True,
    timeout: Timeout = 300,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Start what was terminated."""
    with connected(url, token) as client:
        view = client.deployments.start(name)
        _settle(client, view, waits=waits, timeout=timeout, as_json=as_json)


@app.command()
def terminate(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Stop all of it, and keep what it is set to."""
    confirm(f"Stop {name}?", yes=yes)
    with connected(url, token) as client:
        view = client.deployments.terminate(name)
    tell(view, as_json=as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Stop it, and forget it with all its revisions."""
    confirm(f"Delete {name} with all its revisions?", yes=yes)
    with connected(url, token) as client:
        build = _build(client, name)
        if build is not None:
            client.give_up(name)
        try:
            client.deployments.delete(name)
        except NotFound:
            if build is None:
                raise
    tell_deleted(name, as_json=as_json)


@app.command()
def labels(
    name: Name,
    label: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="All that it shall have.", show_default=False),
    ] = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Take all labels away.")] = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Show its labels, or replace them."""
    if label and clear:
        raise WrongUsage("--clear takes all labels away: leave out KEY=VALUE")
    with connected(url, token) as client:
        if label or clear:
            wanted = pairs(label or [], "KEY=VALUE")
            view = client.deployments.set_labels(name, wanted)
        else:
            view = client.deployments.get(name)
    if as_json:
        write_json(view)
        return
    rows = sorted(view.labels.items())
    write(table(("label", "value"), rows, "no labels"))


@app.command()
def logs(
    name: Name,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    replica: Annotated[str, typer.Option(help="Of this one only.", show_default=False)] = "",
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Show what its replicas wrote."""
    console = Console(highlight=False, soft_wrap=True)
    with connected(url, token) as client:
        for each in client.deployments.logs(name, replica=replica, follow=follow):
            if as_json:
                write_json(plain(each))
            elif replica:
                console.print(Text(clean(each.line)))
            else:
                console.print(Text.assemble((f"{each.replica}  ", "cyan"), clean(each.line)))


@app.command()
def events(
    name: Name, *, count: Count = 50, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Show what happened to it, the newest first."""
    with connected(url, token) as client:
        found = client.deployments.events(name, count=count)
    if as_json:
        write_json(found)
        return
    rows = [
        (
            each.at.isoformat(" ", "seconds").replace("+00:00", "Z"),
            str(each.revision or ""),
            word(each.status) if each.status else each.kind,
            each.by,
            each.reason,
        )
        for each in found
    ]
    write(table(("at", "revision", "event", "by", "reason"), rows, "no events"))


def _settle(
    client: ControlClient, view: DeploymentView, *, waits: bool, timeout: float, as_json: bool
) -> None:
    if waits:
        console = Console(stderr=True, highlight=False)
        view = wait(client, view.name, view.revision, timeout, console)
    tell(view, as_json=as_json)


def _build(client: ControlClient, name: str) -> BuildView | None:
    """What a deployment is to become, if its releases are not ready."""
    return _builds(client).get(name)


def _builds(client: ControlClient) -> dict[str, BuildView]:
    try:
        return {each.name: each for each in client.builds()}
    except NotFound:
        return {}  # a mesh without releases


def _tell_build(build: BuildView, *, as_json: bool) -> None:
    if as_json:
        write_json(build)
    else:
        said = Text.assemble((clean(build.name), "bold"), "  ", word(build.stage))
        write(said.append(f"\n{clean(coming(build))}", "dim"))
