"""`mesh client-stub`: types of a service, for those who call it."""

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.described import described
from mesh.cli.target import ACCESS_OPTION
from mesh.client.client import Client
from mesh.client.description import ServiceDescription
from mesh.client.stub import stub
from mesh.errors import ConfigError


def client_stub(
    source: Annotated[
        str,
        typer.Argument(
            metavar="URL|TARGET",
            help="A deployed service (http://host:port, grpc://host:port), or pkg.mod:Service.",
        ),
    ],
    *,
    token: Annotated[str, ACCESS_OPTION] = "",
    out: Annotated[
        Path | None, typer.Option(help="The file to write; else standard output.")
    ] = None,
) -> None:
    """Write the types of a service's client as a .pyi, for editors and type checkers."""
    text = stub(_service(source, token))
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from error


def _service(source: str, token: str) -> ServiceDescription:
    if "://" in source:
        with Client(source, timeout=10, token=token) as client:
            return client.service
    return described(source)[0]
