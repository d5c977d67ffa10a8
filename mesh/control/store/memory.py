"""Records in memory: for tests, and for meshes that may be forgotten."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mesh.control.records import (
    Change,
    DeploymentRecord,
    EndpointRecord,
    Event,
    RevisionRecord,
    State,
    VersionRecord,
)
from mesh.control.store.contract import Retention
from mesh.control.store.memory_catalogue import KeptEntries, MemoryCatalogue
from mesh.control.store.settled import TakenOver, orphaned, owners, settled, version_ids
from mesh.errors import FailedPrecondition, NotFound


@dataclass(slots=True)
class Kept:
    """What outlives a MemoryStore. `epoch` counts who opened it; only the last may write.

    `events` has the place of each event in the order of commits, by kind, deployment and endpoint.
    """

    epoch: int = 0
    deployments: dict[str, DeploymentRecord] = field(default_factory=dict)
    revisions: dict[str, dict[int, RevisionRecord]] = field(default_factory=dict)
    versions: dict[str, dict[str, VersionRecord]] = field(default_factory=dict)
    endpoints: dict[str, EndpointRecord] = field(default_factory=dict)
    events: dict[tuple[str, str, str], dict[Event, int]] = field(default_factory=dict)
    entries: KeptEntries = field(default_factory=KeptEntries)
    places: int = 0

    def delete(self, change: Change) -> None:
        """Forgets what `change` deletes."""
        for name in change.deleted_deployments:
            for records in (self.deployments, self.revisions, self.versions):
                records.pop(name, None)
        for name in change.deleted_endpoints:
            self.endpoints.pop(name, None)

    def put(self, change: Change) -> None:
        """Takes the records of `change` in."""
        self.deployments.update({each.name: each for each in change.deployments})
        for revision in change.revisions:
            self.revisions.setdefault(revision.deployment, {})[revision.number] = revision
        for version in change.versions:
            self.versions.setdefault(version.deployment, {})[version.id] = version
        self.endpoints.update({each.name: each for each in change.endpoints})

    def note(self, events: Iterable[Event], retention: Retention) -> None:
        """Takes new events in, and forgets old ones."""
        for event in events:
            alike = self.events.setdefault((event.kind, event.deployment, event.endpoint), {})
            if event not in alike:
                self.places += 1
                alike[event] = self.places
            while len(alike) > retention.of_each:
                del alike[next(iter(alike))]
        forgotten = self.places - retention.in_all
        for alike in self.events.values() if forgotten > 0 else ():
            while alike and next(iter(alike.values())) <= forgotten:
                del alike[next(iter(alike))]


class MemoryStore:
    """Keeps records as long as the process lives. See contract.Store.

    `kept` is shared with the next store after it (see `reopened`).
    """

    def __init__(self, kept: Kept | None = None, retention: Retention | None = None) -> None:
        self._kept = kept if kept is not None else Kept()
        self._retention = retention or Retention()
        self._kept.epoch += 1
        self._epoch = self._kept.epoch
        self._closed = False
        self.catalogue = self.journal = MemoryCatalogue(
            self._kept.entries, self._retention, self._open, self._owned
        )

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._kept.deployments)} deployments)"

    def reopened(self) -> "MemoryStore":
        """A store with the same records, which takes over from this one."""
        return MemoryStore(self._kept, self._retention)

    async def load(self) -> State:
        """As of Store."""
        kept = self._open()
        revisions: dict[str, RevisionRecord] = {}
        versions: dict[tuple[str, str], VersionRecord] = {}
        for name, deployment in kept.deployments.items():
            revision = kept.revisions.get(name, {}).get(deployment.revision)
            if revision is not None:
                revisions[name] = revision
            of_it = kept.versions.get(name, {})
            ids = (each for each in version_ids(revision, deployment) if each in of_it)
            versions |= {(name, each): of_it[each] for each in ids}
        return State(dict(kept.deployments), revisions, versions, dict(kept.endpoints))

    async def commit(self, change: Change) -> None:
        """As of Store."""
        kept = self._owned()
        change = settled(change)
        left = kept.deployments.keys() - set(change.deleted_deployments)
        if missing := owners(change) - left:
            raise orphaned(missing)
        kept.delete(change)
        kept.put(change)
        kept.note(change.events, self._retention)

    async def revisions(
        self, deployment: str, *, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        """As of Store."""
        found = self._open().revisions.get(deployment, {})
        numbers = sorted(found, reverse=True)[start : start + count]
        return tuple(found[number] for number in numbers)

    async def count_revisions(self, deployment: str) -> int:
        """As of Store."""
        return len(self._open().revisions.get(deployment, {}))

    async def revision(
        self, deployment: str, number: int
    ) -> tuple[RevisionRecord, tuple[VersionRecord, ...]]:
        """As of Store."""
        kept = self._open()
        found = kept.revisions.get(deployment, {}).get(number)
        if found is None:
            raise NotFound(f"there is no revision {number} of deployment {deployment!r}")
        versions = kept.versions.get(deployment, {})
        ids = dict.fromkeys(found.versions.values())
        return found, tuple(versions[each] for each in ids if each in versions)

    async def events(
        self,
        *,
        deployment: str = "",
        endpoint: str = "",
        organization: str = "",
        start: int = 0,
        count: int = 100,
    ) -> tuple[Event, ...]:
        """As of Store."""
        found = [
            (place, event)
            for (_, of_deployment, of_endpoint), alike in self._open().events.items()
            if deployment in ("", of_deployment) and endpoint in ("", of_endpoint)
            for event, place in alike.items()
            if not organization or event.organization in ("", organization)
        ]
        found.sort(key=lambda each: each[0], reverse=True)
        return tuple(event for _, event in found[start : start + count])

    async def rotate(self) -> int:
        """As of Store: nothing is encrypted here."""
        self._owned()
        return 0

    async def renew_key(self) -> int:
        """As of Store."""
        self._owned()
        raise FailedPrecondition("a store in memory has no secret key")

    async def close(self) -> None:
        """As of Store."""
        self._closed = True

    def _open(self) -> Kept:
        if self._closed:
            raise FailedPrecondition("the store memory: is closed")
        return self._kept

    def _owned(self) -> Kept:
        kept = self._open()
        if kept.epoch != self._epoch:
            raise TakenOver("memory:")
        return kept
