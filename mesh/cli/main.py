"""The command `mesh` and its subcommands."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from mesh.cli.failure import exit_code, show, told
from mesh.cli.later import Later
from mesh.errors import MeshError

app = typer.Typer(
    name="mesh",
    help="Serving Mesh: typed Python services on Ray, over HTTP and gRPC.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUN, PLATFORM, CALL = "Serve", "Run a platform", "Call and describe"
COMMANDS = {
    "serve": (RUN, "Serve a service and all that it depends on, until Ctrl-C."),
    "up": (PLATFORM, "Start a mesh in the background, and return when it can be deployed to."),
    "down": (PLATFORM, "Stop the mesh; what is deployed is kept in its store."),
    "status": (PLATFORM, "Show whether a mesh runs, where, and how it is."),
    "login": (PLATFORM, "Keep where a mesh is and a token for it, and use both from now on."),
    "logout": (PLATFORM, "Forget what mesh login keeps."),
    "token": (PLATFORM, "Tokens of the control API: create, list, revoke."),
    "deploy": (PLATFORM, "Deploy a service, or all that a file says, and wait until it runs."),
    "build": (PLATFORM, "Pack a service and all that it depends on as a release."),
    "push": (PLATFORM, "Send a release to the mesh."),
    "pull": (PLATFORM, "Fetch a release from the mesh."),
    "releases": (PLATFORM, "List releases, of this machine or of the mesh."),
    "deployment": (PLATFORM, "Deployments: list, look at, roll back, restart, delete."),
    "endpoint": (PLATFORM, "Endpoints: names over deployments, by weight."),
    "secret": (PLATFORM, "Secrets: values that replicas get and nobody sees."),
    "instance-type": (PLATFORM, "Instance types: names for what a replica reserves."),
    "quota": (PLATFORM, "Quotas: what an organization may have at most."),
    "user": (PLATFORM, "Users: invite, list, remove."),
    "member": (PLATFORM, "Members of the organization: list, add, invite, set role, remove."),
    "canary": (PLATFORM, "Canaries: weights, promotion, how they do."),
    "replicas": (PLATFORM, "Show the replicas of a deployment, or all."),
    "standby": (PLATFORM, "Standbys: processes kept warm for replicas to come."),
    "simulate": (PLATFORM, "Show how a service would scale under a load, without running it."),
    "call": (CALL, "Call a method, and show what it gives: streams as they come."),
    "describe": (CALL, "Show the services at a URL, or of a graph in code."),
    "client-stub": (
        CALL,
        "Write the types of a service's client as a .pyi, for editors and type checkers.",
    ),
    "proto": (CALL, "Write the .proto of a service."),
}
"""Where the help shows each, and what it says of it."""


def _nothing() -> None:
    """What a command does is loaded when it is run."""


for _name, (_panel, _help) in COMMANDS.items():
    app.command(_name, cls=Later, help=_help, rich_help_panel=_panel)(_nothing)


def _tell_version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"mesh {version('serving-mesh')}")
        raise typer.Exit


@app.callback()
def _commands(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _tell_version(asked=asked),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Serving Mesh: typed Python services on Ray, over HTTP and gRPC."""
    del show_version  # told already


def main() -> None:
    """Runs the command; what goes wrong is told on stderr, and by exit code 1 or 2."""
    try:
        app()
    except MeshError as error:
        show(told(error))
        sys.exit(exit_code(error))
