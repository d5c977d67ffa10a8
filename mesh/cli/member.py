"""`mesh member`: who is in the organization, and what they may."""

from typing import Annotated

import typer
from rich.text import Text

from mesh.access.principal import Role
from mesh.cli.invitation import invite as invited
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
from mesh.client.control.members import MemberView

app = typer.Typer(
    help="Members of the organization: list, add, invite, set role, remove.",
    no_args_is_help=True,
    add_completion=False,
)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the member.", show_default=False)
]


@app.command("list")
def list_(*, url: Url = "", token: Token = "", as_json: AsJson = False) -> None:
    """List the members of the organization, with their roles."""
    with connected(url, token) as client:
        found = client.members.list()
    _tell(found, as_json=as_json)


@app.command()
def add(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Names of users.", show_default=False)
    ],
    *,
    role: Annotated[Role, typer.Option(help="What they may.")] = Role.DEVELOPER,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Have users of the mesh be members; those who are get the role.

    Whoever is no user yet is invited: mesh member invite.
    """
    with connected(url, token) as client:
        made = client.members.add(names, role)
    _tell(made, as_json=as_json)


@app.command()
def invite(
    email: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Their e-mail address.", show_default=False)
    ],
    *,
    name: Annotated[str, typer.Option(help="What they are called.", show_default=False)] = "",
    role: Annotated[Role, typer.Option(help="What they may.")] = Role.DEVELOPER,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Make a link with which somebody becomes a user and a member. No mail is sent."""
    with connected(url, token) as client:
        made = client.users.invite(email, role, name)
    invited(made, name or email, as_json=as_json)


@app.command("set")
def set_(
    name: Name,
    role: Annotated[
        Role,
        typer.Argument(metavar="ROLE", help="What they may.", show_default=False),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Give a member another role."""
    with connected(url, token) as client:
        changed = client.members.set_role(name, role)
    if as_json:
        write_json(changed)
    else:
        write(Text(f"the role of {changed.name} is {changed.role}"))


@app.command()
def remove(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Take somebody out of the organization: their tokens open nothing there any more."""
    confirm(f"Remove {name} from the organization?", yes=yes)
    with connected(url, token) as client:
        client.members.remove(name)
    if as_json:
        write_json({"removed": name})
    else:
        write(Text(f"{name} is removed"))


def _tell(found: tuple[MemberView, ...], *, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    rows = [
        (Text(each.name, "bold"), each.email, each.role, ago(each.created_at)) for each in found
    ]
    write(table(("member", "email", "role", "age"), rows, "no members"))
