"""`mesh instance-type`: names for what a replica reserves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from mesh.cli.failure import WrongUsage
from mesh.cli.remote import (
    AsJson,
    Token,
    Url,
    Yes,
    confirm,
    connected,
    table,
    tell_deleted,
    write,
    write_json,
)
from mesh.client.control.instance_types import InstanceTypeView
from mesh.serving.documents import read

app = typer.Typer(
    help="Instance types: names for what a replica reserves.",
    no_args_is_help=True,
    add_completion=False,
)
AMOUNTS = frozenset({"cpu", "memory", "gpu", "custom"})
Wanted = Mapping[str, tuple[dict[str, Any], str | None]]


@app.command("list")
def list_(
    search: Annotated[str, typer.Option(help="Part of the name.")] = "",
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List instance types, and whether a node can hold a replica of each."""
    with connected(url, token) as client:
        found = client.instance_types.list(search)
    _tell(found, as_json=as_json)


@app.command()
def apply(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="YAML or JSON: name, cpu, memory, gpu, gpu_type, custom; or several by name under"
            " instance_types.",
            show_default=False,
        ),
    ],
    *,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Make instance types what a file says; deployments go by it from their next change on."""
    wanted = of_document(read(file, ""), str(file))
    with connected(url, token) as client:
        found = [
            client.instance_types.apply(name, config, description)
            for name, (config, description) in wanted.items()
        ]
    _tell(found, as_json=as_json)


@app.command()
def delete(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the type.", show_default=False)
    ],
    *,
    yes: Yes = False,
    url: Url = "",
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Forget an instance type that no deployment names."""
    confirm(f"Delete the instance type {name}?", yes=yes)
    with connected(url, token) as client:
        client.instance_types.delete(name)
    tell_deleted(name, as_json=as_json)


def of_document(document: Mapping[str, Any], what: str) -> Wanted:
    """The types that a file says: config and description by name. Raises WrongUsage."""
    several = document.get("instance_types")
    if several is None:
        name = document.get("name")
        if not isinstance(name, str):
            raise WrongUsage(f"{what}: give a name, or types by name under instance_types")
        several = {name: {key: value for key, value in document.items() if key != "name"}}
    types = several.values() if isinstance(several, dict) else (None,)
    if not all(isinstance(each, dict) for each in types):
        raise WrongUsage(f"{what}: instance_types: give types by name")
    return {str(name): _config(each, f"{what}: {name}") for name, each in several.items()}


def _config(said: dict[str, Any], what: str) -> tuple[dict[str, Any], str | None]:
    """As the control API has it, of short settings or of a `config` of its own form."""
    description = said.get("description")
    if isinstance(said.get("config"), dict):
        return said["config"], description
    known = AMOUNTS | {"gpu_type", "group", "price", "description"}
    if unknown := sorted(map(str, said.keys() - known)):
        raise WrongUsage(f"{what}: {unknown[0]}: there is no such setting")
    requests = {key: said[key] for key in sorted(AMOUNTS) if said.get(key) is not None}
    config: dict[str, Any] = {"resources": {"requests": requests}}
    config |= {key: str(said[key]) for key in ("group", "price") if said.get(key) is not None}
    if said.get("gpu_type"):
        config["gpu_config"] = {"type": said["gpu_type"]}
    return config, description


def _tell(found: Sequence[InstanceTypeView], *, as_json: bool) -> None:
    if as_json:
        write_json(list(found))
        return
    rows = [
        (
            Text(each.name, "bold"),
            str(each.requests.get("cpu", "")),
            str(each.requests.get("memory", "")),
            str(each.requests.get("gpu", "")),
            str((each.config.get("gpu_config") or {}).get("type", "")),
            Text("yes", "green") if each.active else Text("no node is large enough", "dim"),
        )
        for each in found
    ]
    write(table(("type", "cpu", "memory", "gpu", "gpu type", "fits"), rows, "no instance types"))
