"""Entries in a SQL database."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.control.store.entry_rows import entry_row, read_entry, sealed_secret
from mesh.control.store.held import Held
from mesh.control.store.schema import ENTRIES
from mesh.control.store.sealing import Seal
from mesh.control.store.settled import is_key, settled_entry
from mesh.control.store.statements import has_in_it, upsert
from mesh.errors import AlreadyExists

_COLUMNS = ENTRIES.c


class SqlCatalogue:
    """See catalogue.Catalogue. `held` is that of the store."""

    def __init__(self, held: Held, seal: Seal) -> None:
        self._held = held
        self._seal = seal

    def __repr__(self) -> str:
        return f"SqlCatalogue({self._held.database.label})"

    async def entry(
        self, kind: Kind, name: str, *, scope: str = "", organization: str = DEFAULT_ORGANIZATION
    ) -> Entry | None:
        """As of Catalogue."""
        key = (kind.value, organization, scope, name)
        return await self._one(_is(key), key)

    async def entry_of(self, kind: Kind, uid: str) -> Entry | None:
        """As of Catalogue."""
        return await self._one((_COLUMNS.kind == kind.value) & (_COLUMNS.uid == uid), (uid,))

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
        if not all(map(is_key, (scope, organization, search))):
            return ()
        newest = (_COLUMNS.created_at.desc(), _COLUMNS.uid.desc())
        query = select(ENTRIES).order_by(*newest).offset(start).limit(count)

        def read(connection: Connection) -> tuple[Entry, ...]:
            those = query.where(_those(connection, kind, scope, organization, search))
            rows = connection.execute(those).mappings()
            return tuple(read_entry(row, self._seal) for row in rows)

        return await self._held.read(read)

    async def count_entries(
        self,
        kind: Kind,
        *,
        scope: str | None = None,
        organization: str | None = DEFAULT_ORGANIZATION,
        search: str = "",
    ) -> int:
        """As of Catalogue."""
        if not all(map(is_key, (scope, organization, search))):
            return 0
        query = select(func.count()).select_from(ENTRIES)

        def read(connection: Connection) -> int:
            those = query.where(_those(connection, kind, scope, organization, search))
            return connection.execute(those).scalar_one()

        return await self._held.read(read)

    async def write(self, *changes: Put | Remove) -> None:
        """As of Catalogue."""
        todo = [
            Put(settled_entry(each.entry), each.is_new) if isinstance(each, Put) else each
            for each in changes
        ]

        def write(connection: Connection) -> None:
            for each in todo:
                _change(connection, each, self._seal)

        await self._held.write(write)

    async def _one(self, which: ColumnElement[bool], asked: Sequence[str]) -> Entry | None:
        if not all(map(is_key, asked)):
            return None
        query = select(ENTRIES).where(which)

        def read(connection: Connection) -> Entry | None:
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else read_entry(row, self._seal)

        return await self._held.read(read)


def rotate_entries(connection: Connection, seal: Seal) -> int:
    """Encrypts all secrets anew; returns how many there are.

    Raises FailedPrecondition if one cannot be decrypted.
    """
    rows = connection.execute(select(ENTRIES).where(_COLUMNS.sealed != b"")).mappings().all()
    for row in rows:
        entry = read_entry(row, seal)
        new = sealed_secret(entry, seal)
        connection.execute(update(ENTRIES).where(_is(entry.key)).values(sealed=new))
    return len(rows)


def _change(connection: Connection, change: Put | Remove, seal: Seal) -> None:
    entry = change.entry
    if isinstance(change, Remove):
        if all(map(is_key, entry.key)):
            connection.execute(delete(ENTRIES).where(_is(entry.key)))
        return
    this = _is(entry.key)
    if change.is_new and connection.execute(select(_COLUMNS.uid).where(this)).first():
        raise AlreadyExists(f"there is a {entry.kind} {entry.name!r} already")
    same = (_COLUMNS.kind == entry.kind.value) & (_COLUMNS.uid == entry.uid)
    if connection.execute(select(_COLUMNS.uid).where(same, ~this)).first():
        raise AlreadyExists(f"{entry.kind} {entry.name!r} has the uid of another")
    upsert(connection, ENTRIES, [entry_row(entry, seal)])


def _is(key: Sequence[str]) -> ColumnElement[bool]:
    columns = (_COLUMNS.kind, _COLUMNS.organization, _COLUMNS.scope, _COLUMNS.name)
    return and_(*(column == part for column, part in zip(columns, key, strict=True)))


def _those(
    connection: Connection, kind: Kind, scope: str | None, organization: str | None, search: str
) -> ColumnElement[bool]:
    which: list[ColumnElement[bool]] = [_COLUMNS.kind == kind.value]
    if scope is not None:
        which.append(_COLUMNS.scope == scope)
    if organization is not None:
        which.append(_COLUMNS.organization == organization)
    if search:
        which.append(has_in_it(connection, _COLUMNS.name, search))
    return and_(*which)
