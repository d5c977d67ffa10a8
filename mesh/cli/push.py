"""`mesh push` and `mesh pull`: releases, to a mesh and from it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from mesh.cli.build import shown
from mesh.cli.remote import AsJson, Token, Url, connected, write, write_json
from mesh.client.control.releases import Moved
from mesh.packing.shelf import Shelf
from mesh.packing.tag import Tag
from mesh.releases.archive import unpack

Release = Annotated[
    str,
    typer.Argument(
        metavar="NAME[:VERSION]", help="Without a version the newest.", show_default=False
    ),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Also if it is there already.")]


def push(
    release: Release,
    *,
    force: Force = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Send a release to the mesh, where it can be deployed from.

    Releases that `bentoml build` made are sent as well, if they have no models; `bentoml push`
    sends those.
    """
    packed = Shelf.of(os.environ).get(Tag.of(release))
    name, version = packed.tag.name, packed.tag.version
    with connected(url, token) as client, _bar(f"pushing {packed.tag}") as moved:
        is_sent = client.releases.push(
            name, version, packed.folder, packed.manifest, force=force, moved=moved
        )
    if as_json:
        write_json({"tag": str(packed.tag), "sent": is_sent})
        return
    write(Text(f"pushed {packed.tag}" if is_sent else f"{packed.tag} is there already"))


def pull(
    release: Release,
    *,
    force: Force = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Fetch a release from the mesh, and keep it where `mesh build` does."""
    tag = Tag.of(release)
    shelf = Shelf.of(os.environ)
    with (
        connected(url, token) as client,
        tempfile.NamedTemporaryFile() as archive,
        _bar(f"pulling {tag}") as moved,
    ):
        version, _ = client.releases.pull(tag.name, tag.version, archive, moved=moved)
        archive.flush()
        tag = Tag(tag.name, version)
        if force:
            shelf.discard(tag)
        with shelf.adding(tag) as folder:
            folder.rmdir()  # what is there already is not unpacked again
            unpack(Path(archive.name), folder)
    if as_json:
        write_json(shown(shelf.get(tag)))
        return
    write(Text(f"pulled {tag} to {shelf.get(tag).folder}"))


@contextmanager
def _bar(what: str) -> Iterator[Moved]:
    """A bar on a terminal, of the bytes that are through."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns,
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=None)

        def moved(done: int, whole: int) -> None:
            progress.update(task, completed=done, total=whole or None)

        yield moved
