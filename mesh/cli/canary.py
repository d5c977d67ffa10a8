"""`mesh canary`: versions beside main, and their share of the requests."""

from typing import Annotated

import typer
from rich.text import Text

from mesh.cli.remote import AsJson, Token, Url, ago, connected, table, weights, write, write_json
from mesh.cli.rollout import Name, tell
from mesh.cli.text import clean
from mesh.client.control.values import CanaryView

app = typer.Typer(
    help="Canaries: weights, promotion, how they do.", no_args_is_help=True, add_completion=False
)


@app.command("set")
def set_(
    name: Name,
    weight: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION=WEIGHT",
            help="Per cent; canaries that are not named keep theirs, main has the rest.",
            show_default=False,
        ),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Give canaries another share of the requests."""
    wanted = weights(weight, "VERSION=WEIGHT in per cent")
    with connected(url, token) as client:
        view = client.canary.set(name, wanted)
    tell(view, as_json=as_json)


@app.command()
def promote(
    name: Name,
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION", help="The canary; else the only one.", show_default=False
        ),
    ] = "",
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Make a canary main; its replicas stay, no request fails."""
    with connected(url, token) as client:
        view = client.canary.promote(name, version)
    tell(view, as_json=as_json)


@app.command()
def abort(
    name: Name,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="The canary; else all.", show_default=False)
    ] = "",
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Take all requests from a canary, and end its progression."""
    with connected(url, token) as client:
        view = client.canary.abort(name, version)
    tell(view, as_json=as_json)


@app.command()
def status(name: Name, *, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """Show how requests are divided, and how each version does."""
    with connected(url, token) as client:
        view = client.canary.status(name)
    if as_json:
        write_json(view)
        return
    rows = [
        (
            Text(each.name, "bold"),
            f"{each.weight}%",
            str(each.requests),
            f"{each.rate:.3g}/s",
            str(each.errors),
            f"{each.error_rate:.2%}",
            _milliseconds(each.p50),
            _milliseconds(each.p90),
            _milliseconds(each.p99),
        )
        for each in view.versions
    ]
    columns = ("version", "weight", "requests", "rate", "errors", "of all", "p50", "p90", "p99")
    write(table(columns, rows, "no versions"))
    by = f"by {view.route_type} {view.route_by}".rstrip()
    write(Text(clean(f"{by}{progressed(view)}"), "dim"))


def progressed(view: CanaryView) -> str:
    """How far a progression is, for the end of a line; empty if there is none."""
    found = view.progression
    if found is None:
        return ""
    step = f"step {found.step + 1} of {len(found.steps)} for {ago(found.since)}"
    return f"; progression of {found.version} {found.state}, {step}: {found.reason}".rstrip(": ")


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3g} ms"
