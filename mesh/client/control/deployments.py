"""Deployments through the control API."""

import json
from collections.abc import Iterator, Mapping

from mesh.client.control.connection import Connection, path
from mesh.client.control.values import (
    DeploymentPage,
    DeploymentView,
    EventView,
    LogLine,
    ReplicaView,
    RevisionView,
)
from mesh.errors import Internal

PAGE = 1000
"""Deployments that are asked for at once."""


class Deployments:
    """What can be done with deployments. All raise MeshError, NotFound above all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, search: str = "", labels: Mapping[str, str] | None = None
    ) -> tuple[DeploymentView, ...]:
        """All, by name: those with `search` in their name and all of `labels`."""
        wanted = [f"{key}={value}" for key, value in (labels or {}).items()]
        found: list[DeploymentView] = []
        while True:
            params = {"search": search, "label": wanted, "start": len(found), "count": PAGE}
            page = self._connection.ask(DeploymentPage, "GET", "/deployments", params=params)
            found += page.items
            if len(found) >= page.total or not page.items:
                return tuple(found)

    def get(self, name: str) -> DeploymentView:
        """One as it is now."""
        return self._connection.ask(DeploymentView, "GET", _path(name))

    def revisions(self, name: str, *, start: int = 0, count: int = 100) -> tuple[RevisionView, ...]:
        """What it was set to, the newest first."""
        params = {"start": start, "count": count}
        return self._connection.ask(
            tuple[RevisionView, ...], "GET", _path(name, "revisions"), params=params
        )

    def revision(self, name: str, number: int) -> RevisionView:
        """One revision."""
        return self._connection.ask(RevisionView, "GET", _path(name, "revisions", number))

    def rollback(self, name: str, revision: int | None = None) -> DeploymentView:
        """Sets it to what an earlier revision said, as a new revision.

        Without `revision` to the last one that ran before the current one.
        """
        # Going back twice is to go back further, unless it is said to what.
        return self._post(name, "rollback", {"revision": revision}, again=revision is not None)

    def terminate(self, name: str) -> DeploymentView:
        """Stops all of it, and keeps what it is set to."""
        return self._post(name, "terminate")

    def start(self, name: str) -> DeploymentView:
        """Starts what was terminated."""
        return self._post(name, "start")

    def restart(self, name: str) -> DeploymentView:
        """Replaces all its replicas, as a new revision."""
        return self._post(name, "restart", again=False)

    def delete(self, name: str) -> None:
        """Stops it, and forgets it with all its revisions."""
        self._connection.raw("DELETE", _path(name))

    def set_labels(self, name: str, labels: Mapping[str, str]) -> DeploymentView:
        """Replaces its labels."""
        body = {"labels": dict(labels)}
        return self._connection.ask(DeploymentView, "PUT", _path(name, "labels"), body)

    def events(self, name: str, *, start: int = 0, count: int = 100) -> tuple[EventView, ...]:
        """What happened to it, the newest first."""
        params = {"start": start, "count": count}
        return self._connection.ask(
            tuple[EventView, ...], "GET", _path(name, "events"), params=params
        )

    def replicas(self, name: str) -> tuple[ReplicaView, ...]:
        """What runs of it."""
        return self._connection.ask(tuple[ReplicaView, ...], "GET", _path(name, "replicas"))

    def logs(
        self, name: str, *, replica: str = "", follow: bool = False, limit: int = 65536
    ) -> Iterator[LogLine]:
        """What its replicas, or one of them, wrote of late: `limit` bytes of each at most.

        With `follow` it goes on as lines come, until the deployment is gone.
        """
        params = {"replica": replica, "follow": follow, "limit": limit}
        fields = {"accept": "application/x-ndjson"}
        for line in self._connection.lines(_path(name, "logs"), params, fields):
            try:
                yield LogLine(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise Internal(f"a line of the logs cannot be read: {error!r}") from None

    def _post(
        self, name: str, verb: str, body: object = None, *, again: bool = True
    ) -> DeploymentView:
        return self._connection.ask(DeploymentView, "POST", _path(name, verb), body, again=again)


def _path(name: str, *rest: str | int) -> str:
    return path("deployments", name, *rest)
