"""`mesh up`, `mesh down`, `mesh status`: a mesh of this machine, in the background."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mesh.cli import starting
from mesh.cli.failure import FAILED
from mesh.cli.logs import LogFormat, LogLevel
from mesh.cli.owner_token import bentoml_login, in_file
from mesh.cli.remote import AsJson, Token, Url, connected, write, write_json
from mesh.cli.steps import Steps
from mesh.cli.text import copied
from mesh.client.control.values import MeshView
from mesh.client.control.whereabouts import PREFIX
from mesh.releases.location import located
from mesh.serving import background
from mesh.serving.gateways import GRACE
from mesh.serving.home import VARIABLE, Announcement, Home

State = Annotated[
    Path | None,
    typer.Option(help=f"State folder; else ${VARIABLE}, else ~/.mesh.", show_default=False),
]
Store = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="What keeps deployments: sqlite:///PATH, postgresql://…; else the state folder.",
        show_default=False,
    ),
]


def up(
    *,
    host: starting.Host = "127.0.0.1",
    port: starting.Port = 3000,
    control_port: starting.ControlPort = 3001,
    gateways: starting.Gateways = 1,
    address: starting.Address = "",
    store: Store = "",
    releases: starting.Releases = "",
    public_url: starting.PublicUrl = "",
    state: State = None,
    num_cpus: starting.Cpus = None,
    num_gpus: starting.Gpus = None,
    grpc_web_origin: starting.Origins = None,
    grace: Annotated[
        int, typer.Option(help="Seconds that calls have to finish on mesh down.", min=0)
    ] = GRACE,
    log_level: starting.Level = LogLevel.INFO,
    log_format: starting.Form = LogFormat.JSON,
    as_json: AsJson = False,
) -> None:
    """Start a mesh in the background, and return when it can be deployed to.

    What is deployed is kept in its store, and runs again when it is up again.
    """
    home = Home.of(state, os.environ)
    running = home.announcement()
    if running is not None:
        _tell(
            running,
            home,
            "a mesh runs already, as it was started: mesh down first to change that",
            as_json=as_json,
        )
        return
    place = {
        "host": host,
        "port": port,
        "control_port": control_port,
        "gateways": gateways,
        "address": address,
        "num_cpus": num_cpus,
        "num_gpus": num_gpus,
        "logs": log_format.value,
        "log_level": log_level.value,
        "web_origins": grpc_web_origin or [],
        "grace": grace,
        "releases": located(releases, store, home.folder),
        "public_url": public_url.rstrip("/"),
    }
    with Steps(Console(stderr=True, highlight=False)) as steps:
        running = background.start(home, place, store, steps.say)
    _tell(running, home, "the mesh is up", as_json=as_json)


def down(*, state: State = None, as_json: AsJson = False) -> None:
    """Stop the mesh; what is deployed is kept in its store."""
    home = Home.of(state, os.environ)
    running = home.announcement()
    if running is not None:
        with Steps(Console(stderr=True, highlight=False)) as steps:
            steps.say("stopping: calls have their time to finish")
            background.stop(running)
    if as_json:
        write_json({"stopped": running is not None})
    else:
        write(Text("the mesh is down" if running else f"no mesh runs in {home.folder}"))


def status(
    *, state: State = None, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Show whether a mesh runs, where, and how it is; exit code 1 if there is none."""
    home = Home.of(state, os.environ)
    running = home.announcement() if not url else None
    if running is None and not url:
        if as_json:
            write_json({"running": False, "mesh": None, "status": None})
        else:
            write(Text(f"no mesh runs in {home.folder}: mesh up starts one"))
        raise typer.Exit(FAILED)
    with connected(url, token, state=str(home.folder)) as client:
        view = client.status()
    if as_json:
        mesh = asdict(running) if running else None
        write_json({"running": True, "mesh": mesh, "status": view})
        return
    write(_counts(view))
    if running:
        write(_addresses(running, home))


def _tell(running: Announcement, home: Home, headline: str, *, as_json: bool) -> None:
    if as_json:
        write_json(asdict(running))
        return
    hint = Text("\nmesh deploy pkg.mod:Service deploys to it, mesh down stops it.", style="dim")
    write(Group(Text(headline, style="bold"), _addresses(running, home), hint))


def _addresses(running: Announcement, home: Home) -> RenderableType:
    rows = {
        "HTTP and gRPC": Text(running.url, style="bold green"),
        "control API": Text(f"{running.control_url}{PREFIX}"),
        "token": Text(str(home.token_path)),
        "log": Text(running.log or "on its terminal"),
        "replicas log to": Text(f"{running.replica_logs}/worker-*.{{err,out}}"),
        "gateways join at": Text(running.controller),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    login = bentoml_login(running.control_url, in_file(home.token_path))
    return Group(table, Text("\nDeploy to it with bentoml:", style="bold"), copied(login))


def _counts(view: MeshView) -> RenderableType:
    def said(counts: dict[str, int]) -> str:
        return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"

    table = Table.grid(padding=(0, 2))
    table.add_row("controller", "ready" if view.ready else "starting")
    table.add_row("deployments", said(dict(view.deployments)))
    table.add_row("replicas", said(dict(view.replicas)))
    table.add_row("endpoints", str(view.endpoints))
    table.add_row("followed by", f"{view.watchers} gateways and replicas")
    if view.nodes:
        table.add_row("nodes", ", ".join(view.nodes))
    return table
