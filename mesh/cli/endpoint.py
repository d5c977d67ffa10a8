"""`mesh endpoint`: public names over deployments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from mesh.cli.complete import endpoint_names
from mesh.cli.failure import WrongUsage
from mesh.cli.remote import (
    AsJson,
    Token,
    Url,
    Yes,
    confirm,
    connected,
    table,
    tell_deleted,
    weights,
    write,
    write_json,
)
from mesh.cli.text import clean
from mesh.client.control.values import EndpointView
from mesh.serving.documents import read

app = typer.Typer(
    help="Endpoints: names over deployments, by weight.", no_args_is_help=True, add_completion=False
)
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name of the endpoint.",
        show_default=False,
        autocompletion=endpoint_names,
    ),
]


@app.command("list")
def list_(*, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """List endpoints."""
    with connected(url, token) as client:
        found = client.endpoints.list()
    if as_json:
        write_json(found)
    else:
        _show(found)


@app.command()
def get(name: Name, *, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """Show one endpoint; keys of upstreams are never shown."""
    with connected(url, token) as client:
        view = client.endpoints.get(name)
    _tell(view, as_json=as_json)


@app.command()
def apply(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="YAML or JSON: name and settings of one, or several under endpoints.",
            show_default=False,
        ),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Make endpoints what a file says."""
    wanted = of_document(read(file, ""), str(file))
    with connected(url, token) as client:
        found = tuple(client.endpoints.apply(name, config) for name, config in wanted.items())
    if as_json:
        write_json(found)
    else:
        _show(found)


def of_document(document: dict[str, Any], what: str) -> Mapping[str, Mapping[str, Any]]:
    """The endpoints that a file says, by name. Raises WrongUsage."""
    several = document.get("endpoints")
    if isinstance(several, dict):
        return several
    name = document.get("name")
    if not isinstance(name, str):
        raise WrongUsage(f"{what}: give a name, or endpoints by name under endpoints")
    return {name: {key: value for key, value in document.items() if key != "name"}}


@app.command("set")
def set_(
    name: Name,
    weight: Annotated[
        list[str],
        typer.Argument(
            metavar="DEPLOYMENT=WEIGHT", help="All that it leads to.", show_default=False
        ),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Divide an endpoint among deployments by weight; a new endpoint if there is none."""
    wanted = weights(weight, "DEPLOYMENT=WEIGHT")
    with connected(url, token) as client:
        known = {each.name for each in client.endpoints.list()}
        if name in known:
            view = client.endpoints.set_weights(name, wanted)
        else:
            view = client.endpoints.apply(name, {"deployments": wanted})
    _tell(view, as_json=as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Forget an endpoint; its deployments stay."""
    confirm(f"Delete the endpoint {name}?", yes=yes)
    with connected(url, token) as client:
        client.endpoints.delete(name)
    tell_deleted(name, as_json=as_json)


@app.command()
def start(name: Name, *, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """Have it take requests again."""
    with connected(url, token) as client:
        view = client.endpoints.start(name)
    _tell(view, as_json=as_json)


@app.command()
def terminate(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Have it take no requests, and keep what it is set to."""
    confirm(f"Stop the endpoint {name}?", yes=yes)
    with connected(url, token) as client:
        view = client.endpoints.terminate(name)
    _tell(view, as_json=as_json)


def _tell(view: EndpointView, *, as_json: bool) -> None:
    if as_json:
        write_json(view)
    else:
        _show([view])


def _show(found: Sequence[EndpointView]) -> None:
    write(_table(found))
    for view in found:
        for each in view.warnings:
            said = f"{view.name}: {clean(each)}"
            write(Text.assemble(("warning: ", "yellow"), said, no_wrap=True, overflow="ignore"))


def _table(found: Any) -> Any:
    rows = [
        (
            Text(view.name, "bold"),
            "running" if view.intent == "run" else "terminated",
            str(view.config.get("load_balance", "weighted")),
            "\n".join(_shares(view)),
        )
        for view in found
    ]
    return table(
        ("endpoint", "status", "balance", "leads to"),
        rows,
        "no endpoints but each deployment's own",
    )


def _shares(view: EndpointView) -> list[str]:
    deployments = view.config.get("deployments") or {}
    upstreams = view.config.get("upstreams") or ()
    return [
        *(f"{name} {weight}" for name, weight in deployments.items()),
        *(f"{each.get('url')} {each.get('weight', 1)}" for each in upstreams),
    ]
