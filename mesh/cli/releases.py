"""`mesh releases`: those of this machine, or of a mesh."""

import os
from typing import Annotated

import typer

from mesh.cli.build import shown
from mesh.cli.remote import AsJson, Token, Url, ago, connected, table, write, write_json
from mesh.cli.sizes import size_text
from mesh.packing.shelf import Shelf


def releases(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Only those of this name.", show_default=False)
    ] = "",
    *,
    remote: Annotated[
        bool, typer.Option("--remote", help="Those that were pushed to the mesh.")
    ] = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List releases, of this machine or of the mesh."""
    if remote:
        with connected(url, token) as client:
            pushed = client.releases.list(name)
        if as_json:
            write_json(pushed)
            return
        far = (
            (each.tag, each.status, size_text(each.size), ago(each.created_at)) for each in pushed
        )
        write(table(("release", "upload", "size", "age"), far, _nothing("pushed", name)))
        return
    found = Shelf.of(os.environ).releases(name)
    if as_json:
        write_json([shown(each) for each in found])
        return
    near = (
        (str(each.tag), each.service, size_text(each.size), ago(each.created_at)) for each in found
    )
    write(table(("release", "service", "size", "age"), near, _nothing("built", name)))


def _nothing(done: str, name: str) -> str:
    return f"no release {name!r} was {done}" if name else f"nothing was {done} yet"
