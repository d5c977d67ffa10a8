"""Standbys: processes that are kept warm for replicas to come."""

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.client.control.connection import Connection


@dataclass(frozen=True, slots=True)
class StandbyView:
    """How many standbys of one instance type are wanted, and how many are ready."""

    instance_type: str
    wanted: int
    ready: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    wanted: int
    ready: int


@dataclass(frozen=True, slots=True)
class _Config:
    standby_instances: dict[str, _Numbers]


@dataclass(frozen=True, slots=True)
class _Cluster:
    config: _Config


@dataclass(frozen=True, slots=True)
class _Changed:
    standby_instances: dict[str, int]


class Standbys:
    """What can be done with standbys. All raise MeshError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/v1/clusters/default"

    def show(self) -> tuple[StandbyView, ...]:
        """Those that are wanted or ready, by instance type."""
        found = self._connection.ask(_Cluster, "GET", self._here).config.standby_instances
        return tuple(
            StandbyView(name, found[name].wanted, found[name].ready) for name in sorted(found)
        )

    def set(self, numbers: Mapping[str, int]) -> tuple[StandbyView, ...]:
        """Wants so many of these instance types from now on; of others as before.

        Raises ConfigError for a type that is not there.
        """
        wanted = {each.instance_type: each.wanted for each in self.show()}
        body = {"standby_instances": {**wanted, **numbers}}
        where = f"{self._here}/standby_instances"
        self._connection.ask(_Changed, "PATCH", where, body, again=True)
        return self.show()
