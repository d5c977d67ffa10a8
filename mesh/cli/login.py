"""`mesh login` and `mesh logout`: where commands go, and with which token."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.failure import FAILED, WrongUsage, show, told
from mesh.cli.remote import AsJson, Token, write, write_json
from mesh.client.control.login import account, from_browser
from mesh.client.control.whereabouts import Whereabouts, checked
from mesh.errors import MeshError
from mesh.serving.home import VARIABLE, Home
from mesh.serving.kept_login import Login, forget_login, keep_login, kept_login

State = Annotated[
    Path | None,
    typer.Option(help=f"State folder; else ${VARIABLE}, else ~/.mesh.", show_default=False),
]


def login(
    url: Annotated[
        str, typer.Argument(help="Where the control API is.", metavar="URL", show_default=False)
    ],
    *,
    token: Token = "",
    browser: Annotated[
        bool, typer.Option("--browser", help="Make a token in a browser, without asking.")
    ] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Keep where a mesh is and a token for it, and use both from now on.

    Without --token it asks for one, or has one made in a browser. Commands use it where nothing
    else is said and no mesh of the state folder runs.
    """
    where = checked(url)
    try:
        secret = token if token and not browser else _asked(where, browser=browser)
        found = account(Whereabouts(where, secret))
        keep_login(Home.of(state, os.environ), Login(where, secret))
    except WrongUsage:
        raise
    except MeshError as error:
        show(told(error))
        raise typer.Exit(FAILED) from None
    if as_json:
        write_json({"url": where, "user": found.user, "organization": found.organization})
    else:
        write(Text(f"logged in at {where} as {found.user}, organization {found.organization}"))


def logout(*, state: State = None, as_json: AsJson = False) -> None:
    """Forget what mesh login keeps. The token stays good: mesh token revoke ends it."""
    home = Home.of(state, os.environ)
    before = kept_login(home)
    forget_login(home)
    if as_json:
        write_json({"url": before.url if before else None})
    else:
        write(Text(f"logged out of {before.url}" if before else "nobody was logged in"))


def _asked(url: str, *, browser: bool) -> str:
    if not browser:
        if not sys.stdin.isatty():
            raise WrongUsage(
                "there is no terminal to ask for a token on",
                "say --token, set MESH_CONTROL_TOKEN, or say --browser",
            )
        given: str = typer.prompt(
            "Token (empty: make one in a browser)", default="", hide_input=True, show_default=False
        )
        if given.strip():
            return given.strip()
    return from_browser(url, _open)


def _open(page: str) -> None:
    text = f"make a token at {page}"
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text))
    if sys.stdout.isatty():
        webbrowser.open(page)
