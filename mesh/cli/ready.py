"""What is shown when a mesh is ready: its addresses, and how to call it."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mesh.serving.application import Application
from mesh.serving.run import RunningMesh

_SAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 0.5,
    "boolean": True,
    "null": None,
}
_LONGEST = 1024
"""Elements of a sample array in one dimension at most; more are left out of the example."""


def ready_text(mesh: RunningMesh, application: Application) -> RenderableType:
    """Addresses, methods, and one call each with curl and in Python over gRPC."""
    manifest = application.document["versions"]["main"]["manifest"]
    entry = manifest["services"][manifest["entry"]]
    routes = json.loads(entry["schema_json"])["routes"]
    table = Table.grid(padding=(0, 2))
    table.add_row("HTTP and gRPC", Text(mesh.url, style="bold green"))
    table.add_row("control plane", mesh.control_url or "none")
    table.add_row("methods", ", ".join(route["route"] for route in routes))
    table.add_row("metrics", f"{mesh.url}/metrics")
    table.add_row("replicas log to", Text(f"{mesh.replica_logs}/worker-*.err", overflow="fold"))
    table.add_row("gateways join at", mesh.control.addresses.grpc)
    route = min(routes, key=lambda each: len(each["input"].get("required", [])))
    arguments = sample(route["input"])
    return Group(
        Text(f"\n{entry['name']} is ready", style="bold"),
        table,
        Text("\nTry it:", style="bold"),
        _command(curl(mesh.url, route["route"], arguments)),
        _command(python(mesh.target, route, arguments)),
        Text("\nCtrl-C stops everything.", style="dim"),
    )


def _command(text: str) -> Text:
    # Never broken over lines: it is there to be copied.
    return Text(text, no_wrap=True, overflow="ignore")


def curl(url: str, route: str, arguments: Mapping[str, Any]) -> str:
    """A shell command that calls a method over HTTP."""
    body = shlex.quote(json.dumps(arguments))
    return f"curl {url}{route} -H 'content-type: application/json' -d {body}"


def python(target: str, route: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """A shell command that calls a method over gRPC."""
    # Double quotes, which a shell leaves alone between its single ones.
    name, address = json.dumps(route["name"]), json.dumps(target)
    given = ", ".join([name, *(f"{key}={_literal(value)}" for key, value in arguments.items())])
    call = f"GrpcClient({address}).call({given})"
    if route["output"].get("is_stream"):
        call = f"*GrpcClient({address}).stream({given})"
    code = f"from mesh.client import GrpcClient; print({call})"
    return f"python -c {shlex.quote(code)}"


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def sample(schema: Mapping[str, Any]) -> Any:
    """A value that fits a JSON schema as `/schema.json` has them: an example, or made up."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            properties = schema.get("properties", {})
            return {name: sample(properties[name]) for name in required if name in properties}
        case "array":
            return [sample(schema.get("items", {}))]
        case "tensor":
            return _tensor(schema.get("shape", [1]))
        case str(kind):
            return _SAMPLES.get(kind, "text")
        case _:
            return _SAMPLES["string"]


def _tensor(shape: list[int]) -> Any:
    if not shape:
        return 0.5
    extent = min(shape[0], _LONGEST) if shape[0] > 0 else 1
    return [_tensor(shape[1:])] * extent
