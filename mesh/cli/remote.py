"""What commands that ask the control API have in common: where it is, and what they write."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from mesh.cli.failure import FAILED, WrongUsage, show, told
from mesh.cli.text import clean
from mesh.client.control.client import ControlClient
from mesh.client.control.whereabouts import TOKEN, URL
from mesh.errors import MeshError

Url = Annotated[
    str,
    typer.Option(
        "--url",
        help="Where the control API is; else where the mesh of this machine has it.",
        envvar=URL,
        show_default=False,
    ),
]


def _said(context: typer.Context, option: typer.CallbackParam, value: str) -> str:
    """A token; one that is said to be nothing is a mistake, such as a variable that is not set."""
    source = context.get_parameter_source(option.name or "")
    if not value and source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"):
        raise typer.BadParameter("--token: it is empty", context)
    return value


Token = Annotated[
    str,
    typer.Option(
        "--token",
        help="Token for the control API.",
        envvar=TOKEN,
        show_default=False,
        callback=_said,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, also on a terminal.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait until it runs.", min=0)]
NARROW = 100
"""Columns of a table at least, where nobody says how many there are."""


@contextmanager
def connected(url: str, token: str, *, state: str = "") -> Iterator[ControlClient]:
    """A client for the block; what fails in it ends the command with exit code 1 and one line."""
    try:
        with ControlClient(url or None, token or None, state=state or None, tell=_waits) as client:
            yield client
    except WrongUsage:
        raise
    except MeshError as error:
        show(told(error))
        raise typer.Exit(FAILED) from None


def _waits(what: str) -> None:
    show(Text(clean(what), "dim"))


def confirm(what: str, *, yes: bool) -> None:
    """Asks on a terminal whether that is meant; ends the command if it is not.

    Raises WrongUsage where nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUsage(f"{what} There is no terminal to ask on: say --yes")
    typer.confirm(what, abort=True)


def pairs(given: Sequence[str], what: str) -> dict[str, str]:
    """`NAME=VALUE` as a dict. Raises WrongUsage, saying `what` was expected."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise WrongUsage(f"{each!r}: give {what}")
        found[name] = value
    return found


def weights(given: Sequence[str], what: str) -> dict[str, int]:
    """`NAME=NUMBER` as a dict. Raises WrongUsage, saying `what` was expected."""
    found = {}
    for name, value in pairs(given, what).items():
        bare = value.removesuffix("%")
        if not bare.isdecimal():
            raise WrongUsage(f"{name}={value}: give {what}")
        found[name] = int(bare)
    return found


def write_json(value: Any) -> None:
    """Writes a value of the control API, or several, as the API has it."""
    typer.echo(json.dumps(plain(value), indent=2 if sys.stdout.isatty() else None))


def plain(value: Any) -> Any:
    """The value in JSON's types."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


def write(shown: RenderableType) -> None:
    """Writes a table or a line for people."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, NARROW))
    console.print(shown)


def tell_deleted(name: str, *, as_json: bool) -> None:
    """Writes that something is gone."""
    if as_json:
        write_json({"deleted": name})
    else:
        write(f"{name} is deleted")


def table(columns: Iterable[str], rows: Iterable[Sequence[str | Text]], nothing: str) -> Any:
    """A row for each, or the line `nothing`."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    return made if made.row_count else Text(nothing, "dim")


_STYLES = {
    "running": "green",
    "ready": "green",
    "failed": "red",
    "unhealthy": "red",
    "terminated": "dim",
    "terminating": "dim",
    "scaled-to-zero": "dim",
}


def word(status: str) -> Text:
    """A status in its colour."""
    return Text(clean(status), _STYLES.get(status, "yellow"))


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago that was, in one unit: `40s`, `5m`, `3h`, `2d`."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
