"""`mesh quota`: what an organization may have at most."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
import yaml
from rich.text import Text

from mesh.cli.failure import WrongUsage
from mesh.cli.remote import (
    AsJson,
    Token,
    Url,
    Yes,
    confirm,
    connected,
    pairs,
    table,
    tell_deleted,
    write,
    write_json,
)
from mesh.client.control.quotas import QuotaView
from mesh.config.limits import Limits

app = typer.Typer(
    help="Quotas: what an organization may have at most.",
    no_args_is_help=True,
    add_completion=False,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the quota.", show_default=False)]


@app.command("list")
def list_(*, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """List quotas, and the organizations that they hold for."""
    with connected(url, token) as client:
        found = client.quotas.list()
    _tell(found, as_json=as_json)


@app.command("set")
def set_(
    name: Name,
    limit: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="deployment_count=10, resource_gpu_limit=4, bento_size=2Gi, …; nothing after ="
            " takes a limit away.",
            show_default=False,
        ),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Give limits of a quota other values; the others stay. A new quota if there is none."""
    wanted = limits(limit)
    with connected(url, token) as client:
        view = client.quotas.set(name, wanted)
    _tell([view], as_json=as_json)


@app.command()
def assign(
    organization: Annotated[
        str, typer.Argument(metavar="ORGANIZATION", help="Name of it.", show_default=False)
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the quota; none: no limits.")
    ] = "",
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Have a quota hold for an organization; what it has already stays."""
    with connected(url, token) as client:
        client.quotas.assign(organization, name)
    if as_json:
        write_json({"organization": organization, "quota": name})
    else:
        write(Text(f"{organization} has {f'the quota {name}' if name else 'no limits'}"))


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Forget a quota that holds for no organization."""
    confirm(f"Delete the quota {name}?", yes=yes)
    with connected(url, token) as client:
        client.quotas.delete(name)
    tell_deleted(name, as_json=as_json)


def limits(given: Sequence[str]) -> Mapping[str, Any]:
    """The limits that words say; None for those that are taken away. Raises WrongUsage."""
    found: dict[str, Any] = {}
    for key, text in pairs(given, "KEY=VALUE").items():
        if key not in Limits.model_fields:
            known = ", ".join(Limits.model_fields)
            raise WrongUsage(f"{key}: there is no such limit; there are {known}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise WrongUsage(f"{key}: {text!r} is neither a number nor a quantity") from None
        # Quantities go as they were typed.
        found[key] = value if isinstance(value, (int, bool, list, dict, type(None))) else text
    return found


def _tell(found: Sequence[QuotaView], *, as_json: bool) -> None:
    if as_json:
        write_json(list(found))
        return
    rows = [
        (
            Text(each.name, "bold"),
            "\n".join(f"{key} {value}" for key, value in each.limits.items()),
            ", ".join(each.organizations),
        )
        for each in found
    ]
    write(table(("quota", "limits", "organizations"), rows, "no quotas"))
