"""`mesh serve`: a service on this machine, from its class to a URL."""

import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mesh.access.login_config import login_config
from mesh.cli import starting
from mesh.cli.logs import LogFormat, LogLevel
from mesh.cli.owner_token import IN_VARIABLE, TokenPlace, in_file, nowhere
from mesh.cli.ready import ready_text
from mesh.cli.steps import Steps
from mesh.client.control.whereabouts import TOKEN
from mesh.errors import ConfigError
from mesh.releases.location import located
from mesh.serving.announced import announcement
from mesh.serving.application import from_config
from mesh.serving.gateways import GRACE
from mesh.serving.home import Home
from mesh.serving.run import Place, RunningMesh
from mesh.serving.served import noted
from mesh.serving.signals import Signals
from mesh.serving.wanted import mesh_config

LOOK_EVERY = 1.0
"""Seconds between two looks at the gateways."""


def serve(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="The entry service, as pkg.mod:Service; of BentoML as well.",
            show_default=False,
        ),
    ] = "",
    *,
    host: starting.Host = "127.0.0.1",
    port: starting.Port = 3000,
    control_port: starting.ControlPort = 3001,
    replicas: Annotated[
        int | None,
        typer.Option(
            help="Replicas of each service; else as it says itself.", min=1, show_default=False
        ),
    ] = None,
    gateways: starting.Gateways = 1,
    address: starting.Address = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Deployment file, YAML or JSON.", show_default=False),
    ] = None,
    num_cpus: starting.Cpus = None,
    num_gpus: starting.Gpus = None,
    grpc_web_origin: starting.Origins = None,
    store: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="What keeps deployments: sqlite:///PATH, postgresql://…; else memory.",
            show_default=False,
        ),
    ] = "",
    releases: starting.Releases = "",
    public_url: starting.PublicUrl = "",
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the database and where the mesh is; else nothing is kept.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        int, typer.Option(help="Seconds that calls have to finish after Ctrl-C.", min=0)
    ] = GRACE,
    log_level: starting.Level = LogLevel.INFO,
    log_format: starting.Form = LogFormat.TEXT,
) -> None:
    """Serve a service and all that it depends on, until Ctrl-C.

    A deployment file says more: canaries, weights, replicas and resources of each service.
    """
    folder = str(Path.cwd())
    settings = {} if replicas is None else {"replicas": replicas}
    wanted = mesh_config(target, config, [folder], settings)
    applications = [
        from_config(deployment, [folder], wanted.endpoints, wanted.instance_types)
        for deployment in wanted.deployments
    ]
    home = Home.of(state, os.environ) if state else None
    console = Console(stderr=True, highlight=False)
    signals = Signals()
    with (
        Steps(console) as steps,
        home.held() if home else nullcontext(),
    ):
        token, where, keeper = _token(home, os.environ)
        place = Place(
            host=host,
            port=port,
            control_port=control_port,
            gateways=gateways,
            address=address,
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            logs=log_format.value,
            log_level=log_level.value,
            web_origins=tuple(grpc_web_origin or ()),
            grace=grace,
            store=store or (home.store_url if home else ""),
            token=token,
            login=login_config(os.environ),
            releases=located(releases, store, home.folder if home else None),
            public_url=public_url.rstrip("/"),
        )
        with RunningMesh(place, steps.say) as mesh:
            signals.listen()  # Ray has put a handler of its own in place
            for application in applications:
                for warning in application.warnings:
                    console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
                mesh.deploy(application, steps.say)
            steps.end()
            signals.defer()
            with _told(mesh, home, keeper):
                console.print(ready_text(mesh, applications[0], where), soft_wrap=True)
                while not signals.wanted.wait(LOOK_EVERY):
                    for sentence in mesh.mend():
                        console.print(Text(f"{sentence}; started again", "yellow"))
            signals.again = mesh.hurry
            steps.say(f"stopping: calls have {grace} s to finish, Ctrl-C again ends them")


def _token(home: Home | None, environ: Mapping[str, str]) -> tuple[str, TokenPlace, Home | None]:
    """What the control API wants, where that is, and the folder that has it, if one has.

    It is the one given, else that of this user's own folder, which other meshes may have too.
    """
    if home is None and (given := environ.get(TOKEN, "")):
        return given, IN_VARIABLE, None
    keeper = home or Home.of(None, environ)
    try:
        keeper.make()
        return keeper.make_token(), in_file(keeper.token_path), keeper
    except ConfigError:
        if home is not None:
            raise
    made = secrets.token_urlsafe(32)
    return made, nowhere(made), None


def _told(
    mesh: RunningMesh, home: Home | None, keeper: Home | None
) -> AbstractContextManager[None]:
    """Tells commands of this user where the mesh is, while the block lasts."""
    if home is not None:
        return home.announced(announcement(mesh, ""))
    return noted(keeper, mesh.control_url) if keeper else nullcontext()
