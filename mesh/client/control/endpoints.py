"""Endpoints through the control API."""

from collections.abc import Mapping
from typing import Any

from mesh.client.control.connection import Connection, path
from mesh.client.control.values import EndpointView


class Endpoints:
    """What can be done with endpoints. All raise MeshError, NotFound above all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> tuple[EndpointView, ...]:
        """All, by name."""
        return self._connection.ask(tuple[EndpointView, ...], "GET", "/endpoints")

    def get(self, name: str) -> EndpointView:
        """One endpoint."""
        return self._connection.ask(EndpointView, "GET", path("endpoints", name))

    def apply(self, name: str, config: Mapping[str, Any]) -> EndpointView:
        """Makes an endpoint what `config` says: the keys of an `EndpointConfig`.

        An upstream that says nothing of `api_key` keeps the one that it has.
        """
        return self._connection.ask(EndpointView, "PUT", path("endpoints", name), dict(config))

    def set_weights(self, name: str, weights: Mapping[str, int]) -> EndpointView:
        """Gives its deployments other weights, and leaves the rest of it as it is.

        Deployments that are not named have none any more.
        """
        config = self.get(name).config
        return self.apply(name, {**config, "deployments": dict(weights)})

    def delete(self, name: str) -> None:
        """Forgets it; its deployments stay."""
        self._connection.raw("DELETE", path("endpoints", name))

    def start(self, name: str) -> EndpointView:
        """Has it take requests again."""
        return self._post(name, "start")

    def terminate(self, name: str) -> EndpointView:
        """Has it take no requests, and keeps what it is set to."""
        return self._post(name, "terminate")

    def _post(self, name: str, verb: str) -> EndpointView:
        where = path("endpoints", name, verb)
        return self._connection.ask(EndpointView, "POST", where, again=True)
