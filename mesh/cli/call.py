"""`mesh call`: one call of a method, with its results as a person wants them."""

import logging
from base64 import b64decode
from collections.abc import Generator, Mapping
from contextlib import closing
from functools import partial
from typing import Annotated, Any

import typer

from mesh.cli.arguments import RULE, Items, arguments
from mesh.cli.failure import WrongUsage, calling
from mesh.cli.kept import Keeper
from mesh.cli.notation import signature
from mesh.cli.output import Output, output
from mesh.cli.plain import PlainClient
from mesh.cli.target import ACCESS_OPTION, Target, url_here, url_over
from mesh.client.address import Address
from mesh.client.client import Client
from mesh.client.description import MethodDescription
from mesh.client.fields import BINARY, FieldValue, checked
from mesh.errors import ConfigError, MeshError

_HELP = f"""\
Call a method, and show what it gives: streams as they come.

TARGET is METHOD of the default endpoint, ENDPOINT.METHOD or ENDPOINT.SERVICE.METHOD.

{RULE}

On a terminal arrays are summed up, tables drawn, and files kept in the current folder, under names
that no file has. Elsewhere, and with --json, results are JSON, items of a stream a line each.

Exit codes: 0, 1 if the call failed, 2 if it was not made because something was typed wrongly.
"""
URL_OPTION = typer.Option(
    help="Where the mesh is; else that of `mesh up`, else http://localhost:3000.",
    envvar="MESH_URL",
    show_default=False,
)
HEADER_OPTION = typer.Option(
    "--header",
    metavar="NAME=VALUE",
    help="A header field, over gRPC metadata; for names in -bin in base64.",
    show_default=False,
)
TIMEOUT_OPTION = typer.Option(help="Seconds for all of it; 0 is no limit.", min=0)


def call(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="What to call.", show_default=False)
    ],
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Arguments.", show_default=False),
    ] = None,
    *,
    url: Annotated[str, URL_OPTION] = "",
    grpc: Annotated[
        bool | None,
        typer.Option("--grpc/--http", help="The protocol; else the URL's.", show_default=False),
    ] = None,
    timeout: Annotated[float, TIMEOUT_OPTION] = 60,
    header: Annotated[list[str] | None, HEADER_OPTION] = None,
    token: Annotated[str, ACCESS_OPTION] = "",
    version: Annotated[
        str, typer.Option(help="A version of the deployment; else one by weight.")
    ] = "",
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="A file for the result as it is, a folder for its files, or - for stdout.",
            show_default=False,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON, also on a terminal.")] = False,
) -> None:
    """Calls a method, and shows what it gives."""
    wanted = Target.of(target)
    where = url_over(url or url_here(), is_grpc=grpc)
    client = PlainClient(
        where,
        endpoint=wanted.endpoint,
        version=version,
        timeout=timeout or None,
        headers=headers(header or []),
        token=token,
    )
    with calling(), client:
        method = wanted.method_of(client.service)
        if method.stream and Address(where).is_http:
            raise WrongUsage(f"{method.name}() takes a stream, which goes over gRPC: add --grpc")
        # Never closed here: that would wait for whoever reads from it, who may wait for ever.
        stdin = open(0, "rb", closefd=False)  # noqa: SIM115  # as said; and it has no path
        given = arguments(method, args or [], stdin)
        sink = output(out, as_json=as_json, keeper=partial(Keeper, method=method))
        _show(results(client, method, given), sink, is_stream=method.streams_out)


# A line for each paragraph, for what shows it breaks lines anew but keeps those that there are.
call.__doc__ = "\n\n".join(" ".join(each.split()) for each in _HELP.split("\n\n"))


def headers(given: list[str]) -> dict[str, FieldValue]:
    """Header fields of `name=value`, base64 for names in `-bin`. Raises WrongUsage for others."""
    found: dict[str, FieldValue] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise WrongUsage(f"--header {each!r}: give name=value")
        key = name.strip().lower()
        found[key] = _decoded(each, value) if key.endswith(BINARY) else value.strip()
    try:
        return checked(found)
    except ConfigError as error:
        raise WrongUsage(f"--{error.message}") from None


def _decoded(given: str, value: str) -> bytes:
    """The bytes of base64, with padding or without."""
    bare = value.strip().rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        raise WrongUsage(f"--header {given!r}: the value of a name in {BINARY} is base64") from None


def results(
    client: Client, method: MethodDescription, given: Mapping[str, Any]
) -> Generator[Any, None, None]:
    """The result of a call, or the items of its stream as they come.

    Raises MeshError if the call fails, WrongUsage if an argument cannot be sent.
    """
    items = given.get(method.stream)
    if isinstance(items, Items):
        # Writes down every fault of an item with its traceback, before it cancels the call.
        logging.getLogger("grpc").addHandler(logging.NullHandler())
    try:
        found = client.call(method.name, **given)
        if method.streams_out:
            with closing(found):
                yield from found
        else:
            yield found
    except MeshError:
        if isinstance(items, Items) and items.fault is not None:
            raise items.fault from None
        raise
    except ModuleNotFoundError as error:
        raise ConfigError(f"the result is of {error.name}, which is not installed") from None
    except OSError as error:
        raise ConfigError(f"{error.filename or method.name}: {error.strerror}") from None
    except (TypeError, ValueError) as error:
        raise WrongUsage(str(error), signature(method)) from None


def _show(found: Generator[Any, None, None], sink: Output, *, is_stream: bool) -> None:
    try:
        with closing(found):
            for each in found:
                if is_stream:
                    sink.item(each)
                else:
                    sink.result(each)
    finally:
        sink.end()
