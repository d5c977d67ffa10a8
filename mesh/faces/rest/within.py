"""A mesh as one asker has it: the deployments and endpoints of their organization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.access.principal import OWNER, Principal
from mesh.config import EndpointConfig
from mesh.control.latest import Latest
from mesh.control.observed import ObservedReplica
from mesh.control.plan import Application
from mesh.control.records import DeploymentRecord, EndpointRecord, Event, RevisionRecord
from mesh.control.status import DeploymentStatus
from mesh.control.verbs import Canaries, LogChunk, Verbs
from mesh.errors import NotFound, PermissionDenied
from mesh.traffic.snapshot import Snapshot

EVENTS = 1000
"""How many are looked through at once for those of one organization."""


@dataclass(frozen=True, slots=True)
class Within:
    """See verbs.Verbs. What is of another organization is not there: NotFound.

    Administrators of all organizations have the whole mesh; what they make is of their own.
    Changes are told to be `principal`'s.
    """

    verbs: Verbs
    principal: Principal = OWNER

    @property
    def snapshots(self) -> Latest[Snapshot]:
        """As of Verbs; it is the whole table, of which only numbers are shown."""
        return self.verbs.snapshots

    @property
    def opened(self) -> bool:
        """As of Verbs."""
        return self.verbs.opened

    async def until_opened(self) -> None:
        """As of Verbs."""
        await self.verbs.until_opened()

    def _is_mine(self, record: DeploymentRecord | EndpointRecord) -> bool:
        mine = record.organization == self.principal.organization
        return mine or self.principal.is_super_admin

    def _check(self, name: str) -> None:
        if not self.principal.is_super_admin and not self._is_mine(self.verbs.deployment(name)):
            raise NotFound(f"there is no deployment {name!r}")

    def _mine(self) -> frozenset[str]:
        return frozenset(each.name for each in self.deployments())

    async def apply(
        self,
        application: Application,
        code: Mapping[str, bytes] | None = None,
        *,
        cause: str = "",
    ) -> int:
        """As of Verbs."""
        who = self.principal
        organization = self.owner_of(application.config.name)
        return await self.verbs.apply(
            application, code, cause=cause, by=who.user, organization=organization
        )

    def owner_of(self, name: str) -> str:
        """The organization that has a deployment which who asks may change, or else theirs."""
        if not self.principal.is_super_admin:
            return self.principal.organization
        try:
            return self.verbs.deployment(name).organization
        except NotFound:
            return self.principal.organization

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        """As of Verbs."""
        if name:
            self._check(name)
        found = self.verbs.status(name)
        if self.principal.is_super_admin or name:
            return found
        mine = self._mine()
        return tuple(each for each in found if each.name in mine)

    def deployment(self, name: str) -> DeploymentRecord:
        """As of Verbs."""
        self._check(name)
        return self.verbs.deployment(name)

    def deployments(self) -> tuple[DeploymentRecord, ...]:
        """As of Verbs."""
        return tuple(filter(self._is_mine, self.verbs.deployments()))

    def current(self, name: str) -> RevisionRecord:
        """As of Verbs."""
        self._check(name)
        return self.verbs.current(name)

    async def revisions(
        self, name: str, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.revisions(name, start, count)

    async def revision(self, name: str, number: int) -> RevisionRecord:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.revision(name, number)

    async def rollback(self, name: str, number: int = 0) -> int:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.rollback(name, number, by=self.principal.user)

    async def terminate(self, name: str) -> None:
        """As of Verbs."""
        self._check(name)
        await self.verbs.terminate(name, by=self.principal.user)

    async def start(self, name: str) -> None:
        """As of Verbs."""
        self._check(name)
        await self.verbs.start(name, by=self.principal.user)

    async def restart(self, name: str) -> int:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.restart(name, by=self.principal.user)

    async def delete(self, name: str) -> None:
        """As of Verbs."""
        self._check(name)
        await self.verbs.delete(name, by=self.principal.user)

    async def set_labels(self, name: str, labels: Mapping[str, str]) -> Any:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.set_labels(name, labels, by=self.principal.user)

    async def set_canary(self, name: str, weights: Mapping[str, int]) -> int:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.set_canary(name, weights, by=self.principal.user)

    async def promote(self, name: str, version: str = "") -> int:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.promote(name, version, by=self.principal.user)

    async def abort(self, name: str, version: str = "") -> int:
        """As of Verbs."""
        self._check(name)
        return await self.verbs.abort(name, version, by=self.principal.user)

    def canary_status(self, name: str) -> Canaries:
        """As of Verbs."""
        self._check(name)
        return self.verbs.canary_status(name)

    async def events(self, name: str = "", start: int = 0, count: int = 100) -> tuple[Event, ...]:
        """As of Verbs; of what is deleted only administrators of all organizations see any."""
        if self.principal.is_super_admin:
            return await self.verbs.events(name, start, count)
        if name:
            self._check(name)
            return await self.verbs.events(name, start, count)
        names, ends = self._mine(), {each.name for each in self.endpoints()}
        found: list[Event] = []
        place = 0
        while len(found) < start + count:
            some = await self.verbs.events("", place, EVENTS)
            found += [
                e
                for e in some
                if (e.deployment in names or e.endpoint in ends)
                and e.organization in ("", self.principal.organization)
            ]
            if len(some) < EVENTS:
                break
            place += EVENTS
        return tuple(found[start : start + count])

    def replicas(self, name: str = "") -> Sequence[ObservedReplica]:
        """As of Verbs."""
        if name:
            self._check(name)
        found = self.verbs.replicas(name)
        if self.principal.is_super_admin or name:
            return found
        mine = self._mine()
        return tuple(each for each in found if each.deployment in mine)

    async def logs(self, replica_id: str, after: int = -1, limit: int = 65536) -> LogChunk:
        """As of Verbs."""
        everywhere = self.principal.is_super_admin
        if not everywhere and not any(each.id == replica_id for each in self.replicas()):
            raise NotFound(f"there is no replica {replica_id!r}")
        return await self.verbs.logs(replica_id, after, limit)

    async def renew_secret_key(self) -> int:
        """As of Verbs; for administrators of all organizations."""
        if not self.principal.is_super_admin:
            raise PermissionDenied("this is for administrators of all organizations")
        return await self.verbs.renew_secret_key()

    def endpoints(self) -> tuple[EndpointRecord, ...]:
        """As of Verbs."""
        return tuple(filter(self._is_mine, self.verbs.endpoints()))

    def endpoint(self, name: str) -> EndpointRecord:
        """As of Verbs."""
        found = self.verbs.endpoint(name)
        if not self._is_mine(found):
            raise NotFound(f"there is no endpoint {name!r}")
        return found

    async def apply_endpoint(self, name: str, config: EndpointConfig) -> Any:
        """As of Verbs."""
        who = self.principal
        organization = who.organization
        if who.is_super_admin:
            there = (each for each in self.verbs.endpoints() if each.name == name)
            organization = next((each.organization for each in there), organization)
        return await self.verbs.apply_endpoint(name, config, by=who.user, organization=organization)

    async def delete_endpoint(self, name: str) -> None:
        """As of Verbs."""
        self.endpoint(name)
        await self.verbs.delete_endpoint(name, by=self.principal.user)

    async def start_endpoint(self, name: str) -> None:
        """As of Verbs."""
        self.endpoint(name)
        await self.verbs.start_endpoint(name, by=self.principal.user)

    async def terminate_endpoint(self, name: str) -> None:
        """As of Verbs."""
        self.endpoint(name)
        await self.verbs.terminate_endpoint(name, by=self.principal.user)
