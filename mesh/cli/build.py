"""`mesh build`: a release of a service, on this machine."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mesh.cli.remote import AsJson, pairs, write, write_json
from mesh.cli.sizes import size_text
from mesh.packing.pack import Recipe, pack
from mesh.packing.shelf import Packed, Shelf


def build(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="The entry service, as pkg.mod:Service.", show_default=False
        ),
    ],
    *,
    folder: Annotated[
        Path, typer.Option(help="Where its code is.", exists=True, file_okay=False)
    ] = Path(),
    name: Annotated[
        str, typer.Option(help="Name of the release; else the service's.", show_default=False)
    ] = "",
    version: Annotated[
        str, typer.Option(help="Its version; else one that sorts by time.", show_default=False)
    ] = "",
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Files that go in, as .gitignore has patterns; else all.",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Files that do not, besides those of .meshignore.",
            show_default=False,
        ),
    ] = None,
    requirements: Annotated[
        Path | None,
        typer.Option(
            help="What pip has to install; else requirements.txt, if it is there.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Label of the release.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pack a service and all that it depends on as a release.

    It goes where `bentoml` keeps its own ($BENTOML_HOME, else ~/bentoml): both commands list, push
    and pull it.
    """
    labels = pairs(label or [], "--label KEY=VALUE")
    recipe = Recipe(
        target,
        folder.resolve(),
        name,
        version,
        include or (),
        exclude or (),
        requirements,
        labels,
    )
    packed = pack(recipe, Shelf.of(os.environ), datetime.now(UTC))
    if as_json:
        write_json(shown(packed))
        return
    write(Text(f"built {packed.tag}, {size_text(packed.size)}, in {packed.folder}"))
    write(Text(f"mesh push {packed.tag}", "dim"))


def shown(packed: Packed) -> dict[str, object]:
    """A release as `--json` has it."""
    return {
        "tag": str(packed.tag),
        "name": packed.tag.name,
        "version": packed.tag.version,
        "service": packed.service,
        "size": packed.size,
        "created_at": packed.created_at,
        "folder": str(packed.folder),
    }
