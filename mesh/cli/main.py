"""The command `mesh` and its subcommands."""

import sys

import typer

from mesh.cli.call import call
from mesh.cli.client_stub import client_stub
from mesh.cli.describe import describe
from mesh.cli.failure import exit_code, show, told
from mesh.cli.proto import proto
from mesh.cli.serve import serve
from mesh.cli.simulate import simulate
from mesh.errors import MeshError

app = typer.Typer(
    name="mesh",
    help="Serving Mesh: typed Python services on Ray, over HTTP and gRPC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(call)
app.command()(describe)
app.command()(client_stub)
app.command()(proto)
app.command()(simulate)


@app.callback()
def _commands() -> None:
    """Serving Mesh: typed Python services on Ray, over HTTP and gRPC."""


def main() -> None:
    """Runs the command; what goes wrong is told on stderr, and by exit code 1 or 2."""
    try:
        app()
    except MeshError as error:
        show(told(error))
        sys.exit(exit_code(error))
