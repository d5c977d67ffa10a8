"""Canaries through the control API."""

from collections.abc import Mapping

from mesh.client.control.connection import Connection, path
from mesh.client.control.values import CanaryView, DeploymentView


class Canaries:
    """What can be done with the canaries of a deployment. All raise MeshError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def status(self, name: str) -> CanaryView:
        """How requests are divided, how each version does, how far a progression is."""
        return self._connection.ask(CanaryView, "GET", _path(name))

    def set(self, name: str, weights: Mapping[str, int]) -> DeploymentView:
        """Gives canaries other percentages of the requests; those not named keep theirs."""
        return self._connection.ask(DeploymentView, "PUT", _path(name), {"weights": dict(weights)})

    def promote(self, name: str, version: str = "") -> DeploymentView:
        """Makes a canary, or the only one, `main`; its replicas stay."""
        body = {"version": version}
        return self._connection.ask(DeploymentView, "POST", _path(name, "promote"), body)

    def abort(self, name: str, version: str = "") -> DeploymentView:
        """Takes all requests from a canary, or from all, and ends a progression."""
        body = {"version": version}
        where = _path(name, "abort")
        return self._connection.ask(DeploymentView, "POST", where, body, again=True)


def _path(name: str, *rest: str) -> str:
    return path("deployments", name, "canary", *rest)
