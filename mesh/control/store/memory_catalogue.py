"""Entries and the journal in memory: for tests, and for meshes that may be forgotten."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.control.store.catalogue import Deed, Deeds, Entry, Kind, Put, Remove, Used
from mesh.control.store.contract import Retention
from mesh.control.store.settled import settled_deed, settled_entry
from mesh.errors import AlreadyExists

Key = tuple[str, str, str, str]


@dataclass(slots=True)
class KeptEntries:
    """What outlives a MemoryCatalogue. `keys` has the key of each entry by its kind and uid."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    keys: dict[tuple[Kind, str], Key] = field(default_factory=dict)
    deeds: dict[str, Deed] = field(default_factory=dict)
    used: dict[tuple[float, str, str, str], Used] = field(default_factory=dict)


def _allowed() -> None:
    """Anybody may."""


class MemoryCatalogue:
    """See catalogue.Catalogue and catalogue.Journal.

    `may_read` and `may_write` are called first, and raise if the store is closed or another
    controller has taken it over.
    """

    def __init__(
        self,
        kept: KeptEntries | None = None,
        retention: Retention | None = None,
        may_read: Callable[[], object] = _allowed,
        may_write: Callable[[], object] = _allowed,
    ) -> None:
        self._kept = kept if kept is not None else KeptEntries()
        self._retention = retention or Retention()
        self._may_read = may_read
        self._may_write = may_write

    def __repr__(self) -> str:
        return f"MemoryCatalogue({len(self._kept.entries)} entries)"

    async def entry(
        self, kind: Kind, name: str, *, scope: str = "", organization: str = DEFAULT_ORGANIZATION
    ) -> Entry | None:
        """As of Catalogue."""
        self._may_read()
        return self._kept.entries.get((kind.value, organization, scope, name))

    async def entry_of(self, kind: Kind, uid: str) -> Entry | None:
        """As of Catalogue."""
        self._may_read()
        key = self._kept.keys.get((kind, uid))
        return None if key is None else self._kept.entries[key]

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
        self._may_read()
        return [
            each
            for each in self._kept.entries.values()
            if each.kind is kind
            and scope in (None, each.scope)
            and organization in (None, each.organization)
            and search in each.name
        ]

    async def write(self, *changes: Put | Remove) -> None:
        """As of Catalogue."""
        todo = [
            Put(settled_entry(each.entry), each.is_new) if isinstance(each, Put) else each
            for each in changes
        ]
        self._may_write()
        entries, keys = dict(self._kept.entries), dict(self._kept.keys)
        for each in todo:
            _change(entries, keys, each)
        self._kept.entries, self._kept.keys = entries, keys

    async def note(self, *deeds: Deed) -> None:
        """As of Journal."""
        settled = [settled_deed(each) for each in deeds]
        self._may_write()
        kept = self._kept.deeds
        for deed in settled:
            kept.setdefault(deed.uid, deed)
        while len(kept) > self._retention.deeds:
            del kept[next(iter(kept))]

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
        self._may_read()
        return [
            each
            for each in self._kept.deeds.values()
            if which.since <= each.at < which.until
            and which.organization in ("", each.organization)
            and _is_among(each.user, which.users)
            and _is_among(each.resource_type, which.resource_types)
            and _is_among(each.operation, which.operations)
            and _is_among(each.status, which.statuses)
            and all(word in each.name for word in which.words)
        ]

    async def add_used(self, *used: Used) -> None:
        """As of Journal."""
        self._may_write()
        kept = self._kept.used
        for each in used:
            key = (each.hour, each.organization, each.deployment, each.instance_type)
            before = kept.get(key)
            kept[key] = each if before is None else _sum(before, each)
        first = max((hour for hour, *_ in kept), default=0.0) - self._retention.used_for
        for key in [key for key in kept if key[0] < first] if used else ():
            del kept[key]

    async def used(
        self, since: float, until: float, *, organization: str = "", deployment: str = ""
    ) -> tuple[Used, ...]:
        """As of Journal."""
        self._may_read()
        return tuple(
            each
            for _, each in sorted(self._kept.used.items())
            if since <= each.hour < until
            and organization in ("", each.organization)
            and deployment in ("", each.deployment)
        )


def _change(
    entries: dict[Key, Entry], keys: dict[tuple[Kind, str], Key], change: Put | Remove
) -> None:
    entry = change.entry
    before = entries.get(entry.key)
    if isinstance(change, Put):
        if change.is_new and before is not None:
            raise AlreadyExists(f"there is a {entry.kind} {entry.name!r} already")
        if keys.get((entry.kind, entry.uid), entry.key) != entry.key:
            raise AlreadyExists(f"{entry.kind} {entry.name!r} has the uid of another")
    if before is not None:
        del entries[before.key], keys[before.kind, before.uid]
    if isinstance(change, Put):
        entries[entry.key] = entry
        keys[entry.kind, entry.uid] = entry.key


def _is_among(value: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or value in wanted


def _sum(one: Used, other: Used) -> Used:
    return replace(
        one,
        replica_seconds=one.replica_seconds + other.replica_seconds,
        requests=one.requests + other.requests,
        errors=one.errors + other.errors,
    )
