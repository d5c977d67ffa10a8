"""The command `mesh` and its subcommands."""

import sys

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.client_stub import client_stub
from mesh.cli.proto import proto
from mesh.cli.serve import serve
from mesh.errors import MeshError

app = typer.Typer(
    name="mesh",
    help="Serving Mesh: typed Python services on Ray, over HTTP and gRPC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(client_stub)
app.command()(proto)


@app.callback()
def _commands() -> None:
    """Serving Mesh: typed Python services on Ray, over HTTP and gRPC."""


def main() -> None:
    """Runs the command; what goes wrong is one line on stderr and exit code 1."""
    try:
        app()
    except MeshError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        text = " ".join(error.message.split())
        console.print(Text.assemble(("error:", "bold red"), " ", text))
        sys.exit(1)
