"""Names that a shell offers when Tab is pressed. What fails there is silent."""

from collections.abc import Callable, Iterable

import typer

from mesh.client.control.client import ControlClient
from mesh.errors import MeshError

PATIENCE = 1.0
"""Seconds in which the control API has to answer: somebody waits at a prompt."""


def deployment_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Deployments whose names begin so."""
    return _names(ctx, incomplete, lambda client: (each.name for each in client.deployments.list()))


def endpoint_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Endpoints whose names begin so."""
    return _names(ctx, incomplete, lambda client: (each.name for each in client.endpoints.list()))


def _names(
    ctx: typer.Context, incomplete: str, ask: Callable[[ControlClient], Iterable[str]]
) -> list[str]:
    try:
        said = ctx.params
        with ControlClient(
            said.get("url") or None, said.get("token") or None, timeout=PATIENCE, patience=0
        ) as client:
            return [name for name in ask(client) if name.startswith(incomplete)]
    except MeshError:
        return []
