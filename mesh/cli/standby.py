"""`mesh standby`: processes that are kept warm for replicas to come."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mesh.cli.failure import WrongUsage
from mesh.cli.remote import AsJson, Token, Url, connected, table, write, write_json
from mesh.client.control.standby import StandbyView

app = typer.Typer(
    help="Standbys: processes kept warm for replicas to come.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def show(*, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """Show how many are wanted and ready, by instance type."""
    with connected(url, token) as client:
        found = client.standbys.show()
    _write(found, as_json=as_json)


@app.command("set")
def set_(
    numbers: Annotated[
        list[str],
        typer.Argument(
            metavar="TYPE=N", help="So many of an instance type; 0: none.", show_default=False
        ),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Keep so many standbys of these instance types, and of others as before."""
    wanted = dict(_number(each) for each in numbers)
    with connected(url, token) as client:
        found = client.standbys.set(wanted)
    _write(found, as_json=as_json)


def _number(text: str) -> tuple[str, int]:
    """`cpu.1=2`. Raises WrongUsage."""
    name, equals, number = text.partition("=")
    if not (name and equals and number.isascii() and number.isdigit() and len(number) < 10):
        raise WrongUsage(f"{text}: say it as cpu.1=2")
    return name, int(number)


def _write(found: Sequence[StandbyView], *, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    rows = ((each.instance_type, str(each.wanted), str(each.ready)) for each in found)
    write(table(("Type", "Wanted", "Ready"), rows, "no standbys"))
