"""`mesh user`: who is in the organization."""

from typing import Annotated

import typer
from rich.text import Text

from mesh.access.principal import Role
from mesh.cli.invitation import invite
from mesh.cli.remote import (
    AsJson,
    Token,
    Url,
    Yes,
    confirm,
    connected,
    table,
    write,
    write_json,
)

app = typer.Typer(help="Users: invite, list, remove.", no_args_is_help=True, add_completion=False)


@app.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What they are called.", show_default=False)
    ],
    *,
    email: Annotated[str, typer.Option(help="Their address.", show_default=False)],
    role: Annotated[Role, typer.Option(help="What they may.")] = Role.DEVELOPER,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Invite somebody: with the link that is shown once they become a user and a member."""
    with connected(url, token) as client:
        made = client.users.invite(email, role, name)
    invite(made, name, as_json=as_json)


@app.command("list")
def list_(*, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """List the members of the organization."""
    with connected(url, token) as client:
        found = client.users.list()
    if as_json:
        write_json(found)
        return
    rows = [(Text(each.name, "bold"), each.email, each.role) for each in found]
    write(table(("user", "email", "role"), rows, "no members"))


@app.command()
def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the user.", show_default=False)
    ],
    *,
    yes: Yes = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Take somebody out of the organization: their tokens open nothing there any more."""
    confirm(f"Remove {name} from the organization?", yes=yes)
    with connected(url, token) as client:
        client.users.remove(name)
    if as_json:
        write_json({"removed": name})
    else:
        write(Text(f"{name} is removed"))
