"""`mesh token`: tokens of the control API."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.failure import WrongUsage
from mesh.cli.remote import (
    AsJson,
    Token,
    Url,
    Yes,
    ago,
    confirm,
    connected,
    table,
    write,
    write_json,
)
from mesh.client.control.tokens import TokenView

app = typer.Typer(
    help="Tokens of the control API: create, list, revoke.",
    no_args_is_help=True,
    add_completion=False,
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,5})([mhdw])")


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="What it is called.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "What it may: api (all that you may), or read_, write_ or operate_ with cluster or"
                " organization, as in read_cluster."
            ),
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        str,
        typer.Option(help="How long, as 30d, 12h, or until when, as 2027-01-31.", metavar="WHEN"),
    ] = "",
    deployment: Annotated[
        list[str] | None,
        typer.Option(help="A protected deployment that it opens.", show_default=False),
    ] = None,
    organization: Annotated[
        bool, typer.Option("--organization", help="Of the organization, not of yourself.")
    ] = False,
    description: Annotated[str, typer.Option(help="What it is for.", show_default=False)] = "",
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Create a token. It is shown once, and kept nowhere."""
    now = datetime.now(UTC)
    until = moment(expires, now) if expires else None
    if until is not None and until <= now:
        raise WrongUsage(f"--expires {expires}: that has passed")
    with connected(url, token) as client:
        made = client.tokens.create(
            name,
            description=description,
            scopes=scope,
            expires_at=until,
            deployments=deployment or (),
            of_organization=organization,
        )
    if as_json:
        write_json(made)
        return
    Console(stderr=True, highlight=False).print(Text(f"{made.name}: shown only now", "dim"))
    typer.echo(made.token)


@app.command("list")
def list_(*, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """List your tokens and those of the organization."""
    with connected(url, token) as client:
        found = client.tokens.list()
    if as_json:
        write_json([_without_text(each) for each in found])
    else:
        write(_table(found, datetime.now(UTC)))


@app.command()
def revoke(
    uid_or_name: Annotated[
        str,
        typer.Argument(
            metavar="UID_OR_NAME",
            help="The token, as mesh token list shows it.",
            show_default=False,
        ),
    ],
    *,
    yes: Yes = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Revoke a token: from now on it opens nothing."""
    confirm(f"Revoke the token {uid_or_name}?", yes=yes)
    with connected(url, token) as client:
        gone = client.tokens.revoke(uid_or_name)
    if as_json:
        write_json({"revoked": gone.uid, "name": gone.name})
    else:
        write(Text(f"{gone.name} is revoked"))


def moment(text: str, now: datetime) -> datetime:
    """`30d` from `now` on, or a date or time (of this machine's zone). Raises WrongUsage."""
    try:
        if span := _SPAN.fullmatch(text):
            return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongUsage(f"--expires {text}: give 30d, 12h, or 2027-01-31") from None


def _table(found: Sequence[TokenView], now: datetime) -> Any:
    rows = [
        (
            Text(each.name, "bold"),
            each.uid,
            "organization" if each.is_organization_token else each.user.name,
            ", ".join((*each.scopes, *_opened(each))),
            _end(each, now),
            f"{ago(each.last_used_at, now)} ago" if each.last_used_at else "never",
        )
        for each in found
    ]
    return table(("token", "uid", "of", "for", "expires", "used"), rows, "no tokens")


def _opened(token: TokenView) -> tuple[str, ...]:
    return ("all deployments",) if token.is_global_access else token.deployment_names


def _end(token: TokenView, now: datetime) -> Text:
    if token.expired_at is None:
        return Text("never")
    at = token.expired_at.astimezone(UTC)
    soon = abs(at - now) < timedelta(days=2)
    day = f"{at:%Y-%m-%d %H:%M}Z" if soon else at.date().isoformat()
    return Text(f"{day}, expired", "red") if token.expired_at <= now else Text(day)


def _without_text(token: TokenView) -> dict[str, object]:
    """A token as JSON has it in a list, where nobody is told its text."""
    fields = token.__dataclass_fields__
    return {name: getattr(token, name) for name in fields if name != "token"}
