"""Instance types through the control API: names for what a replica reserves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.client.control.connection import Connection, path
from mesh.errors import NotFound


@dataclass(frozen=True, slots=True)
class InstanceTypeView:
    """An instance type; `active` if a node of the mesh can hold a replica of it."""

    name: str
    description: str
    config: Mapping[str, Any]
    active: bool

    @property
    def requests(self) -> Mapping[str, Any]:
        """What a replica reserves: `cpu`, `memory`, `gpu`, `custom`, of those that are set."""
        found: Mapping[str, Any] = self.config.get("resources", {}).get("requests", {})
        return found


class InstanceTypes:
    """What can be done with instance types. All raise MeshError, PermissionDenied above all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/admin/v1/resource_instances"

    def list(self, search: str = "") -> tuple[InstanceTypeView, ...]:
        """All whose name has `search` in it, by name; built-in ones too."""
        found = self._connection.ask(dict[str, Any], "GET", self._here, params={"search": search})
        return tuple(map(_view, found["items"]))

    def apply(
        self, name: str, config: Mapping[str, Any], description: str | None = None
    ) -> InstanceTypeView:
        """Makes a type what `config` says; a new one if there is none of that name."""
        sent = {"description": description, "config": dict(config)}
        try:
            return self._ask("PATCH", path(name), sent)
        except NotFound:
            return self._ask("POST", "", {"name": name, **sent})

    def delete(self, name: str) -> None:
        """Forgets one that no deployment names. Raises FailedPrecondition for a built-in one."""
        self._connection.raw("DELETE", self._here + path(name))

    def _ask(self, method: str, rest: str, body: Any) -> InstanceTypeView:
        again = method != "POST"
        where = self._here + rest
        return _view(self._connection.ask(dict[str, Any], method, where, body, again=again))


def _view(found: Mapping[str, Any]) -> InstanceTypeView:
    return InstanceTypeView(found["name"], found["description"], found["config"], found["active"])
