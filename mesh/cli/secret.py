"""`mesh secret`: values that replicas get and nobody sees."""

import sys
from pathlib import Path
from typing import Annotated

import typer

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
    tell_deleted,
    write,
    write_json,
)
from mesh.client.control.secrets import SecretView

app = typer.Typer(
    help="Secrets: values that replicas get and nobody sees.",
    no_args_is_help=True,
    add_completion=False,
)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the secret.", show_default=False)
]
Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", help="KEY=- is read from standard input.", show_default=False
    ),
]
Type = Annotated[str, typer.Option("--type", "-t", help="env (variables) or file.")]
Stage = Annotated[str, typer.Option("--stage", "-s", help="build, runtime or all.")]
Folder = Annotated[str, typer.Option("--path", "-p", help="Folder of files, below $BENTOML_HOME.")]
FromFile = Annotated[
    list[str] | None,
    typer.Option("--from-file", metavar="KEY=PATH", help="The value is what is in a file."),
]
FromEnvFile = Annotated[
    Path | None, typer.Option("--from-env-file", help="A file with a line KEY=VALUE for each.")
]
Description = Annotated[str, typer.Option("--description", "-d", help="What it is for.")]
NewDescription = Annotated[
    str | None,
    typer.Option("--description", "-d", help="What it is for; else as before.", show_default=False),
]
_TYPES = {"env": "env", "file": "mountfile", "mountfile": "mountfile"}


@app.command()
def create(
    name: Name,
    values: Values = None,
    *,
    kind: Type = "env",
    stage: Stage = "runtime",
    path: Folder = "",
    from_file: FromFile = None,
    from_env_file: FromEnvFile = None,
    description: Description = "",
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Keep a new secret."""
    given = gathered(values or [], from_file or [], from_env_file)
    about = {"type": _type(kind), "stage": stage, "path": path, "description": description}
    with connected(url, token) as client:
        view = client.secrets.create(name, given, **about)
    _tell([view], as_json=as_json)


@app.command()
def apply(
    name: Name,
    values: Values = None,
    *,
    kind: Type = "env",
    stage: Stage = "runtime",
    path: Folder = "",
    from_file: FromFile = None,
    from_env_file: FromEnvFile = None,
    description: NewDescription = None,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Replace all that a secret has; replicas get it when they start anew."""
    given = gathered(values or [], from_file or [], from_env_file)
    about = {"type": _type(kind), "stage": stage, "path": path}
    if description is not None:
        about["description"] = description
    with connected(url, token) as client:
        view = client.secrets.apply(name, given, **about)
    _tell([view], as_json=as_json)


@app.command("list")
def list_(
    search: Annotated[str, typer.Option(help="Part of the name.")] = "",
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List secrets, without their values."""
    with connected(url, token) as client:
        found = client.secrets.list(search)
    _tell(list(found), as_json=as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Forget a secret that no deployment uses which runs."""
    confirm(f"Delete the secret {name}?", yes=yes)
    with connected(url, token) as client:
        client.secrets.delete(name)
    tell_deleted(name, as_json=as_json)


@app.command("rotate-key")
def rotate_key(
    *, yes: Yes = False, url: Url = "", token: Token = "", as_json: AsJson = False
) -> None:
    """Give the store of the mesh a new secret key, and encrypt all that it keeps with it."""
    confirm("Replace the secret key? Copies of the store from before need the old one.", yes=yes)
    with connected(url, token) as client:
        count = client.secrets.rotate_key()
    if as_json:
        write_json({"secrets": count})
    else:
        write(f"the secret key is new, and {count} secrets are encrypted with it")


def gathered(values: list[str], files: list[str], env_file: Path | None) -> dict[str, str]:
    """All values that are given, by key.

    Raises WrongUsage, and never with a value in it.
    """
    found: dict[str, str] = {}
    lines = _read(env_file).splitlines() if env_file else []
    pairs = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for place, each in enumerate([*pairs, *values], 1):
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise WrongUsage(f"value {place}: give KEY=VALUE")
        found[key] = sys.stdin.read().removesuffix("\n") if value == "-" else value
    for place, each in enumerate(files, 1):
        key, equals, name = each.partition("=")
        if not equals or not key:
            raise WrongUsage(f"--from-file {place}: give KEY=PATH")
        found[key] = _read(Path(name))
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a text"
        raise WrongUsage(f"{file}: {why}") from None


def _type(kind: str) -> str:
    if kind not in _TYPES:
        raise WrongUsage("--type: give env or file")
    return _TYPES[kind]


def _tell(found: list[SecretView], *, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    rows = [
        (
            each.name,
            each.content["type"],
            each.content["stage"],
            ", ".join(each.keys),
            ago(each.updated_at),
        )
        for each in found
    ]
    write(table(("secret", "type", "stage", "keys", "changed"), rows, "no secrets"))
