"""`mesh describe`: services, their methods and types, as a table."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mesh.cli.described import described
from mesh.cli.failure import calling
from mesh.cli.notation import kind, parameter, result, signature
from mesh.cli.target import ACCESS_OPTION, url_here, url_over
from mesh.cli.text import clean
from mesh.client.address import Address
from mesh.client.client import Client
from mesh.client.description import MethodDescription, ServiceDescription
from mesh.client.endpoints import EndpointListing, listing
from mesh.client.options import Options
from mesh.errors import MeshError, NotFound, Unimplemented

_URL = re.compile(r"[a-z]+://|[^/:]+:\d+(/|$)")
"""What begins like a URL, perhaps without its scheme."""
_NARROW = 100
"""Columns at least: narrower tables break words."""


@dataclass(frozen=True, slots=True)
class Found:
    """A service, and the endpoint where it is; without `service`, `fault` says why there is none.

    Without `endpoint` the service is the one at an address that says nothing of endpoints, or
    from code.
    """

    service: ServiceDescription | None
    endpoint: EndpointListing | None = None
    fault: str = ""


def describe(
    source: Annotated[
        str,
        typer.Argument(
            metavar="URL|TARGET",
            help=(
                "A mesh (http://host:port), one endpoint of it (http://host:port/e/name,"
                " grpc://host:port), or pkg.mod:Service; else the mesh of `mesh up`, else"
                " http://localhost:3000."
            ),
            envvar="MESH_URL",
            show_default=False,
        ),
    ] = "",
    *,
    token: Annotated[str, ACCESS_OPTION] = "",
    timeout: Annotated[float, typer.Option(help="Seconds for each question.", min=0.001)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, with all of the types.")] = False,
) -> None:
    """Show the services at a URL, or of a graph in code: their methods with all types."""
    source = source or url_here()
    with calling():
        if _URL.match(source):
            found = find(url_over(source, is_grpc=None), timeout, token)
        else:
            found = [*map(Found, described(source))]
    if as_json:
        document = {"services": [as_plain(each) for each in found]}
        typer.echo(json.dumps(document, indent=None if not sys.stdout.isatty() else 2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, _NARROW))
    for each in found:
        console.print(heading(each))
        if each.service is not None:
            console.print(methods_table(each.service))
    if not found:
        console.print("no endpoints")


def find(url: str, timeout: float, token: str = "") -> list[Found]:
    """What is at a URL: every endpoint of a mesh, or the one service. Raises MeshError.

    `timeout` is in seconds, for each question that is asked; `token` opens what is protected.
    """
    address = Address(url)
    if address.is_http:
        try:
            endpoints = listing(address.url, Options(timeout=timeout))
        except (
            NotFound,
            Unimplemented,
        ):  # the address of one endpoint, or of another server that has a schema
            endpoints = None
        if endpoints is not None:
            with Client(url, timeout=timeout, token=token) as client:
                return [_at(client, each) for each in endpoints]
    with Client(url, timeout=timeout, token=token) as client:
        return [Found(client.service)]


def _at(client: Client, endpoint: EndpointListing) -> Found:
    try:
        return Found(client.options(endpoint=endpoint.name).service, endpoint)
    except MeshError as error:  # that of one does not hide the others
        return Found(None, endpoint, error.message)


def as_plain(found: Found) -> dict[str, Any]:
    """All that is known, for JSON."""
    plain: dict[str, Any] = {}
    if found.endpoint is not None:
        plain["endpoint"] = asdict(found.endpoint)
    if found.service is None:
        return {**plain, "error": found.fault}
    service = found.service
    methods = [_method(method) for method in service.methods.values()]
    return {**plain, "name": service.name, "doc": service.doc, "methods": methods}


def _method(method: MethodDescription) -> dict[str, Any]:
    return {
        "name": method.name,
        "route": method.route,
        "kind": kind(method),
        "signature": signature(method),
        "doc": method.doc,
        "is_idempotent": method.idempotent,
        "input": method.input,
        "output": method.output,
    }


def heading(found: Found) -> Text:
    """The service with its endpoint, the versions that share its traffic, and its doc."""
    text = Text("\n")
    endpoint = found.endpoint
    if endpoint is not None:
        text.append(clean(endpoint.name), "bold green")
        text.append(" (default)" if endpoint.is_default else "")
        text.append("  ")
    if found.service is not None:
        text.append(clean(found.service.name), "bold")
        if found.service.doc:
            text.append(f"  {clean(_first_line(found.service.doc))}")
    else:
        text.append(clean(found.fault), "red")
    if endpoint is not None:
        text.append(f"\n{', '.join(versions(endpoint)) or 'no versions'}", "dim")
    return text


def versions(endpoint: EndpointListing) -> Iterator[str]:
    """Each version with its share of the traffic; with its deployment, if there are several."""
    deployments = {version.deployment for version in endpoint.versions}
    for version in endpoint.versions:
        name = version.name if len(deployments) < 2 else f"{version.deployment}/{version.name}"
        replicas = f"{version.replicas} replica{'' if version.replicas == 1 else 's'}"
        yield clean(f"{name} {version.share:.0%}, {replicas}")


def methods_table(service: ServiceDescription) -> Table:
    """A row for each method."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    has_docs = any(method.doc for method in service.methods.values())
    for column in ("method", "kind", "takes", "gives", *(["about"] if has_docs else [])):
        table.add_column(column, overflow="fold")
    for method in service.methods.values():
        table.add_row(
            Text(clean(method.name), "bold"),
            kind(method),
            _cell(_takes(method)),
            _cell([result(method)]),
            *([_cell([_first_line(method.doc)])] if has_docs else []),
        )
    return table


def _takes(method: MethodDescription) -> Iterator[str]:
    for name in method.parameters:
        yield parameter(method, name) + (", /" if method.root else "")


def _cell(lines: Iterable[str]) -> Text:
    return Text(clean("\n".join(lines)))


def _first_line(doc: str) -> str:
    return doc.strip().partition("\n")[0]
