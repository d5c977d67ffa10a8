"""Entries and the journal in memory: for tests, and for meshes that may be forgotten."""

from collections import deque
from dataclasses import dataclass, field, replace

from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.control.store.catalogue import (
    Deed,
    Deeds,
    Entry,
    Kind,
    Put,
    Remove,
    Used,
)
from mesh.control.store.settled import settled_document
from mesh.errors import AlreadyExists

DEEDS = 100_000
"""Deeds that are kept; the oldest are forgotten first."""


@dataclass(slots=True)
class MemoryCatalogue:
    """See catalogue.Catalogue and catalogue.Journal."""

    _entries: dict[tuple[str, str, str, str], Entry] = field(default_factory=dict)
    _deeds: deque[Deed] = field(default_factory=lambda: deque(maxlen=DEEDS))
    _used: dict[tuple[float, str, str, str], Used] = field(default_factory=dict)

    async def entry(
        self, kind: Kind, name: str, *, scope: str = "", organization: str = DEFAULT_ORGANIZATION
    ) -> Entry | None:
        """As of Catalogue."""
        return self._entries.get((kind.value, organization, scope, name))

    async def entry_of(self, kind: Kind, uid: str) -> Entry | None:
        """As of Catalogue."""
        of_it = (each for each in self._entries.values() if (each.kind, each.uid) == (kind, uid))
        return next(of_it, None)

    async def entries(
        self,
        kind: Kind,
        *,
        scope: str | None = None,
        organization: str | None = DEFAULT_ORGANIZATION,
        search: str = "",
        start: int = 0,
        count: int | None = None,
    ) -> tuple[Entry, ...]:
        """As of Catalogue."""
        found = self._found(kind, scope, organization, search)
        found.sort(key=lambda each: (each.created_at, each.uid), reverse=True)
        return tuple(found[start : None if count is None else start + count])

    async def count_entries(
        self,
        kind: Kind,
        *,
        scope: str | None = None,
        organization: str | None = DEFAULT_ORGANIZATION,
        search: str = "",
    ) -> int:
        """As of Catalogue."""
        return len(self._found(kind, scope, organization, search))

    def _found(
        self, kind: Kind, scope: str | None, organization: str | None, search: str
    ) -> list[Entry]:
        return [
            each
            for each in self._entries.values()
            if each.kind is kind
            and scope in (None, each.scope)
            and organization in (None, each.organization)
            and search in each.name
        ]

    async def write(self, *changes: Put | Remove) -> None:
        """As of Catalogue."""
        entries = dict(self._entries)
        for change in changes:
            entry = change.entry
            if isinstance(change, Remove):
                entries.pop(entry.key, None)
                continue
            if change.is_new and entry.key in entries:
                raise AlreadyExists(f"there is a {entry.kind} {entry.name!r} already")
            whose = f"the document of {entry.kind} {entry.name!r}"
            document = settled_document(entry.document, whose)
            entries[entry.key] = replace(entry, document=document)
        self._entries = entries

    async def note(self, *deeds: Deed) -> None:
        """As of Journal."""
        self._deeds.extend(deeds)

    async def deeds(self, which: Deeds, start: int = 0, count: int = 100) -> tuple[Deed, ...]:
        """As of Journal."""
        found = self._those(which)
        if not which.oldest_first:
            found.reverse()
        return tuple(found[start : start + count])

    async def count_deeds(self, which: Deeds) -> int:
        """As of Journal."""
        return len(self._those(which))

    def _those(self, which: Deeds) -> list[Deed]:
        return [
            each
            for each in self._deeds
            if which.since <= each.at < which.until
            and which.organization in ("", each.organization)
            and which.user in ("", each.user)
            and which.resource_type in ("", each.resource_type)
            and which.name in ("", each.name)
            and which.operation in ("", each.operation)
            and which.status in ("", each.status)
        ]

    async def add_used(self, *used: Used) -> None:
        """As of Journal."""
        for each in used:
            key = (each.hour, each.organization, each.deployment, each.instance_type)
            before = self._used.get(key)
            self._used[key] = each if before is None else _sum(before, each)

    async def used(
        self, since: float, until: float, *, organization: str = "", deployment: str = ""
    ) -> tuple[Used, ...]:
        """As of Journal."""
        return tuple(
            each
            for _, each in sorted(self._used.items())
            if since <= each.hour < until
            and organization in ("", each.organization)
            and deployment in ("", each.deployment)
        )


def _sum(one: Used, other: Used) -> Used:
    return replace(
        one,
        replica_seconds=one.replica_seconds + other.replica_seconds,
        requests=one.requests + other.requests,
        errors=one.errors + other.errors,
    )
