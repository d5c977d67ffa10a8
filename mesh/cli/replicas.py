"""`mesh replicas`: what runs."""

from typing import Annotated

import typer
from rich.text import Text

from mesh.cli.complete import deployment_names
from mesh.cli.remote import AsJson, Token, Url, connected, table, word, write, write_json


def replicas(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Of this deployment only.",
            show_default=False,
            autocompletion=deployment_names,
        ),
    ] = "",
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Show the replicas of a deployment, or all."""
    with connected(url, token) as client:
        found = client.replicas(name)
    if as_json:
        write_json(found)
        return
    rows = [
        (
            Text(each.id, "bold"),
            each.service,
            each.version_id,
            word(each.phase),
            each.node or each.address,
            each.reason,
        )
        for each in found
    ]
    columns = ("replica", "service", "release", "phase", "where", "reason")
    write(table(columns, rows, "no replicas"))
