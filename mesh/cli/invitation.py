"""The link of an invitation, as it is shown to whoever passes it on."""

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.remote import write_json
from mesh.cli.text import clean
from mesh.client.control.users import InvitationView


def invite(made: InvitationView, name: str, *, as_json: bool) -> None:
    """Writes the link to stdout alone; what it is for goes to stderr."""
    if as_json:
        write_json(made)
        return
    told = f"{name} ({made.role}): send them this link, no mail is sent; it is shown only now"
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(clean(told), "dim"))
    typer.echo(made.url)
