"""What a service expects of the replica that runs it, beyond calls of its methods."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.definition.context import Context
from mesh.errors import MeshError
from mesh.io.spec import MethodSpec

Hook = Callable[[Any], Awaitable[None] | None]
"""Called with the instance, on the event loop of its replica."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What runs around the life of a service.

    `deployment` runs once, before the first replica of a deployment starts, where the deployment
    is made; `startup` in each replica when its instance is made, `shutdown` when no more calls
    run.
    """

    deployment: tuple[Callable[[], object], ...] = ()
    startup: tuple[Hook, ...] = ()
    shutdown: tuple[Hook, ...] = ()


def _same(value: Any) -> Any:
    return value


def _plain(context: Context, _: MethodSpec) -> Any:
    return context


def _unknown(_: Exception) -> MeshError | None:
    return None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a service that was written for another system is run.

    `context` makes what its methods get for a Context, `handle` what it gets for a handle of a
    dependency; `failure` says what an exception of its methods means, None for a fault of theirs.
    `probes` are methods that only the gateway calls, by name, whatever the load; they have the
    names of mesh.edge.
    """

    context: Callable[[Context, MethodSpec], Any] = _plain
    handle: Callable[[Any], Any] = _same
    failure: Callable[[Exception], MeshError | None] = _unknown
    hooks: Hooks = Hooks()
    probes: Mapping[str, MethodSpec] = field(default_factory=dict)


OWN = Manner()
"""That of services that were written for the mesh."""
