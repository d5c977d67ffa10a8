"""Quotas through the control API: groups of limits, and which organizations they hold for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.client.control.connection import Connection, path
from mesh.errors import NotFound


@dataclass(frozen=True, slots=True)
class QuotaView:
    """A group of limits, and the organizations that it holds for, as far as one sees them."""

    name: str
    limits: Mapping[str, Any]
    organizations: tuple[str, ...] = ()


class Quotas:
    """What can be done with quotas. All raise MeshError, PermissionDenied above all.

    Limits are those of `mesh.config.limits`: `deployment_count`, `resource_gpu_limit`, ….
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/admin/v1/limit_groups"
        self._organizations = f"{connection.url}/api/v1/orgs"

    def list(self) -> tuple[QuotaView, ...]:
        """All groups, the newest first."""
        found = self._connection.ask(dict[str, Any], "GET", self._here)
        members = self._members()
        return tuple(_view(each, members) for each in found["items"])

    def get(self, name: str) -> QuotaView:
        """One group."""
        found = self._connection.ask(dict[str, Any], "GET", self._here + path(name))
        return _view(found, self._members())

    def set(self, name: str, limits: Mapping[str, Any]) -> QuotaView:
        """Gives some limits of a group other values (None: no limit); the others stay.

        A new group if there is none of that name.
        """
        try:
            before = self.get(name).limits
        except NotFound:
            sent = {"name": name, "config": dict(limits)}
            found = self._connection.ask(dict[str, Any], "POST", self._here, sent)
        else:
            sent = {"config": {**before, **limits}}
            where = self._here + path(name)
            found = self._connection.ask(dict[str, Any], "PATCH", where, sent, again=True)
        return _view(found, self._members())

    def assign(self, organization: str, name: str) -> None:
        """Has the limits of a group hold for an organization; empty: none do any more."""
        where = self._organizations + path(organization)
        self._connection.raw("PATCH", where, {"limit_group_name": name}, again=True)

    def delete(self, name: str) -> None:
        """Forgets a group that holds for nobody."""
        self._connection.raw("DELETE", self._here + path(name))

    def _members(self) -> Mapping[str, str]:
        """The group of each organization that is in one."""
        found = self._connection.ask(dict[str, Any], "GET", self._organizations)
        return {
            each["name"]: each["limit_group"]["name"]
            for each in found["items"]
            if each.get("limit_group")
        }


def _view(found: Mapping[str, Any], members: Mapping[str, str]) -> QuotaView:
    inside = (each for each, group in members.items() if group == found["name"])
    return QuotaView(found["name"], found["config"], tuple(sorted(inside)))
