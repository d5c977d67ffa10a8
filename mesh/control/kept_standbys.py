"""How many standbys of each instance type are wanted, and that the cluster keeps so many."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from mesh.cluster.contract import Cluster
from mesh.control.instance_types import known_types
from mesh.control.standby import Warm
from mesh.control.store.catalogue import Catalogue, Kind
from mesh.errors import ConfigError, FailedPrecondition, MeshError

_log = logging.getLogger(__name__)

FIELD = "standby_instances"
"""Where the document of a cluster has the numbers."""
AGAIN = 60.0
"""Seconds until a change of an instance type has come to its standbys."""


class KeptStandbys:
    """The standbys of the cluster `name`. For one event loop."""

    def __init__(self, catalogue: Catalogue, cluster: Cluster, name: str) -> None:
        self._catalogue = catalogue
        self._cluster = cluster
        self._name = name
        self._changing = asyncio.Lock()

    async def numbers(self) -> dict[str, int]:
        """How many are wanted, by instance type."""
        entry = await self._catalogue.entry(Kind.CLUSTER, self._name)
        return dict(entry.document.get(FIELD) or {}) if entry else {}

    def ready(self) -> Mapping[str, int]:
        """How many are ready, by instance type."""
        return self._cluster.warm()

    async def set(self, numbers: Mapping[str, int], write: Callable[[], Awaitable[None]]) -> None:
        """Wants so many, and no others; `write` keeps it.

        Raises:
            ConfigError: there is no instance type of a name.
            FailedPrecondition: this cluster has no standbys.
        """
        async with self._changing:
            found = await self._warm(numbers)
            if missing := sorted(numbers.keys() - found.keys()):
                raise ConfigError(f"there is no instance type {missing[0]!r}")
            before = await self._warm(await self.numbers())
            await self._cluster.keep_warm(found)
            try:
                await write()
            except BaseException:
                await self._cluster.keep_warm(before)
                raise

    async def apply(self) -> None:
        """Has the cluster keep what is wanted. Raises what a catalogue does, FailedPrecondition."""
        async with self._changing:
            await self._cluster.keep_warm(await self._warm(await self.numbers()))

    async def keep(self) -> None:
        """Does so now and whenever an instance type may have changed, for ever."""
        while True:
            try:
                await self.apply()
            except FailedPrecondition as error:
                _log.error("no standbys: %s", error.message)
                return
            except MeshError as error:
                _log.error("which standbys are wanted cannot be read: %s", error.message)
            await asyncio.sleep(AGAIN)

    async def _warm(self, numbers: Mapping[str, int]) -> dict[str, Warm]:
        """What each holds, of the types that there are."""
        if not numbers:
            return {}
        return {
            each.name: Warm(
                numbers[each.name],
                cpu=each.resources.cpu,
                memory=each.resources.memory,
                gpu=each.resources.gpu,
                gpu_type=each.resources.gpu_type,
                custom=dict(each.resources.custom),
            )
            for each in await known_types(self._catalogue)
            if each.name in numbers
        }
