"""What is shown when a mesh is ready: its addresses, and how to call it."""

import json

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mesh.cli.example import curl, python, simplest
from mesh.cli.owner_token import TokenPlace, bentoml_login
from mesh.cli.text import copied
from mesh.serving.application import Application
from mesh.serving.run import RunningMesh


def ready_text(mesh: RunningMesh, application: Application, token: TokenPlace) -> RenderableType:
    """Addresses, methods, and one call each with curl and in Python over gRPC."""
    manifest = application.document["versions"]["main"]["manifest"]
    entry = manifest["services"][manifest["entry"]]
    routes = json.loads(entry["schema_json"])["routes"]
    table = Table.grid(padding=(0, 2))
    table.add_row("HTTP and gRPC", Text(mesh.url, style="bold green"))
    table.add_row("control plane", mesh.control_url or "none")
    table.add_row("its token", Text(token.said, overflow="fold"))
    table.add_row("methods", ", ".join(route["route"] for route in routes))
    table.add_row("typed gRPC", entry["rpc_service"])
    table.add_row("page to try them", f"{mesh.url}/")
    table.add_row("metrics", f"{mesh.url}/metrics")
    table.add_row(
        "replicas log to", Text(f"{mesh.replica_logs}/worker-*.{{err,out}}", overflow="fold")
    )
    table.add_row("gateways join at", mesh.control.addresses.grpc)
    route = simplest(routes)
    return Group(
        Text(f"\n{entry['name']} is ready", style="bold"),
        table,
        Text("\nTry it:", style="bold"),
        copied(curl(mesh.url, route)),
        copied(python(mesh.target, route)),
        Text("\nDeploy to it with bentoml:", style="bold"),
        copied(bentoml_login(mesh.control_url, token)),
        Text("\nCtrl-C stops everything.", style="dim"),
    )
