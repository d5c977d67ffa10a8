"""Records in a SQL database: a SQLite file or PostgreSQL."""

from collections.abc import Sequence
from typing import Self

from sqlalchemy import Connection, delete, func, select, tuple_, update

from mesh.control.records import Change, Event, RevisionRecord, State, VersionRecord
from mesh.control.store.contract import Retention
from mesh.control.store.database import Database
from mesh.control.store.held import Held
from mesh.control.store.key_file import KeyFile, new_key, not_in_a_file
from mesh.control.store.migrate import upgrade
from mesh.control.store.rows import (
    deployment_row,
    endpoint_row,
    event_row,
    opened_keys,
    read_deployment,
    read_endpoint,
    read_event,
    read_revision,
    read_version,
    revision_row,
    sealed_keys,
    version_row,
)
from mesh.control.store.schema import DEPLOYMENTS, ENDPOINTS, EVENTS, OWNER, REVISIONS, VERSIONS
from mesh.control.store.sealing import Seal
from mesh.control.store.settled import orphaned, owners, settled, version_ids
from mesh.control.store.sql_catalogue import SqlCatalogue, rotate_entries
from mesh.control.store.sql_journal import SqlJournal
from mesh.control.store.statements import batches, delete_named, insert, upsert
from mesh.errors import NotFound


class SqlStore:
    """Keeps records in a database. See contract.Store; made by `open`.

    Its catalogue and its journal share its thread and what it may write (see `held`).
    """

    def __init__(
        self,
        database: Database,
        seal: Seal,
        retention: Retention,
        epoch: int,
        key_file: KeyFile | None = None,
    ) -> None:
        self._database = database
        self._seal = seal
        self._retention = retention
        self._key_file = key_file
        self._held = Held(database, epoch)
        self.catalogue = SqlCatalogue(self._held, seal)
        self.journal = SqlJournal(self._held, retention)

    def __repr__(self) -> str:
        return f"SqlStore({self._database.label})"

    @classmethod
    def open(
        cls, database: Database, keys: Seal | KeyFile, retention: Retention | None = None
    ) -> Self:
        """Brings the schema up to date and takes the records over from whoever had them. Blocks.

        Closes `database` if it fails. Raises what the methods of Store raise, ConfigError for a
        file of keys that is none, and FailedPrecondition if a later version of the mesh wrote the
        database.
        """
        key_file = keys if isinstance(keys, KeyFile) else None
        try:
            with database.opening() as connection:
                # Not before: who has the store may be changing them.
                seal = keys.seal() if isinstance(keys, KeyFile) else keys
                upgrade(connection, database.label)
                epoch = connection.execute(
                    update(OWNER).values(epoch=OWNER.c.epoch + 1).returning(OWNER.c.epoch)
                ).scalar_one()
                if seal.several:
                    _rotate(connection, seal)
        except BaseException:
            database.close()
            raise
        return cls(database, seal, retention or Retention(), epoch, key_file)

    async def load(self) -> State:
        """As of Store."""
        return await self._held.call(self._load)

    async def commit(self, change: Change) -> None:
        """As of Store."""
        change = settled(change)
        await self._held.call(lambda: self._commit(change))

    async def revisions(
        self, deployment: str, *, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        """As of Store."""
        query = (
            select(REVISIONS)
            .where(REVISIONS.c.deployment == deployment)
            .order_by(REVISIONS.c.number.desc())
            .offset(start)
            .limit(count)
        )

        def read(connection: Connection) -> tuple[RevisionRecord, ...]:
            return tuple(read_revision(row) for row in connection.execute(query).mappings())

        return await self._held.read(read)

    async def count_revisions(self, deployment: str) -> int:
        """As of Store."""
        of_it = REVISIONS.c.deployment == deployment
        query = select(func.count()).select_from(REVISIONS).where(of_it)

        return await self._held.read(lambda connection: connection.execute(query).scalar_one())

    async def revision(
        self, deployment: str, number: int
    ) -> tuple[RevisionRecord, tuple[VersionRecord, ...]]:
        """As of Store."""
        return await self._held.call(lambda: self._revision(deployment, number))

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
        query = select(EVENTS).order_by(EVENTS.c.id.desc()).offset(start).limit(count)
        if deployment:
            query = query.where(EVENTS.c.deployment == deployment)
        if endpoint:
            query = query.where(EVENTS.c.endpoint == endpoint)
        if organization:
            query = query.where(EVENTS.c.organization.in_(("", organization)))

        def read(connection: Connection) -> tuple[Event, ...]:
            return tuple(read_event(row) for row in connection.execute(query).mappings())

        return await self._held.read(read)

    async def rotate(self) -> int:
        """As of Store."""
        return await self._held.write(lambda connection: _rotate(connection, self._seal))

    async def renew_key(self) -> int:
        """As of Store."""
        return await self._held.call(self._renew_key)

    async def close(self) -> None:
        """As of Store."""
        await self._held.close()

    def _load(self) -> State:
        with self._database.reading() as connection:
            # In the order in which they were made: the first endpoint is the default one.
            by_age = select(DEPLOYMENTS).order_by(DEPLOYMENTS.c.created_at, DEPLOYMENTS.c.uid)
            rows = connection.execute(by_age).mappings()
            deployments = {row["name"]: read_deployment(row) for row in rows}
            current = select(REVISIONS).join(
                DEPLOYMENTS,
                (REVISIONS.c.deployment == DEPLOYMENTS.c.name)
                & (REVISIONS.c.number == DEPLOYMENTS.c.revision),
            )
            rows = connection.execute(current).mappings()
            revisions = {row["deployment"]: read_revision(row) for row in rows}
            wanted = [
                (name, each)
                for name, deployment in deployments.items()
                for each in version_ids(revisions.get(name), deployment)
            ]
            versions = _versions(connection, wanted)
            by_age = select(ENDPOINTS).order_by(ENDPOINTS.c.created_at, ENDPOINTS.c.uid)
            rows = connection.execute(by_age).mappings()
            endpoints = {row["name"]: read_endpoint(row, self._seal) for row in rows}
        return State(deployments, revisions, versions, endpoints)

    def _revision(
        self, deployment: str, number: int
    ) -> tuple[RevisionRecord, tuple[VersionRecord, ...]]:
        key = (REVISIONS.c.deployment == deployment) & (REVISIONS.c.number == number)
        with self._database.reading() as connection:
            row = connection.execute(select(REVISIONS).where(key)).mappings().one_or_none()
            if row is None:
                raise NotFound(f"there is no revision {number} of deployment {deployment!r}")
            found = read_revision(row)
            wanted = [(deployment, each) for each in dict.fromkeys(found.versions.values())]
            versions = _versions(connection, wanted)
        return found, tuple(versions[key] for key in wanted if key in versions)

    def _renew_key(self) -> int:
        """Whatever it ends at, the keys in the file open the store, and `self._seal` has them."""
        if self._key_file is None:
            raise not_in_a_file(self._seal)
        with self._database.alone():
            with self._held.owned():
                pass  # whoever has taken over has read the file
            keys = (new_key(), *self._seal.keys)
            self._key_file.keep(keys)
            self._seal.take(keys)
            with self._held.owned() as connection:
                count = _rotate(connection, self._seal)
            self._database.rewrite()
            self._key_file.keep(keys[:1])
            self._seal.take(keys[:1])
        return count

    def _commit(self, change: Change) -> None:
        endpoints = [endpoint_row(each, self._seal) for each in change.endpoints]
        with self._held.owned() as connection:
            delete_named(connection, DEPLOYMENTS, change.deleted_deployments)
            delete_named(connection, ENDPOINTS, change.deleted_endpoints)
            upsert(connection, DEPLOYMENTS, [deployment_row(each) for each in change.deployments])
            if missing := owners(change) - _existing(connection, owners(change)):
                raise orphaned(missing)
            upsert(connection, VERSIONS, [version_row(each) for each in change.versions])
            upsert(connection, REVISIONS, [revision_row(each) for each in change.revisions])
            upsert(connection, ENDPOINTS, endpoints)
            _note(connection, change.events, self._retention)


def _versions(
    connection: Connection, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], VersionRecord]:
    """The versions with these deployments and ids, of those that there are."""
    key = tuple_(VERSIONS.c.deployment, VERSIONS.c.id)
    rows = (
        row
        for batch in batches(wanted)
        for row in connection.execute(select(VERSIONS).where(key.in_(batch))).mappings()
    )
    return {(row["deployment"], row["id"]): read_version(row) for row in rows}


def _existing(connection: Connection, deployments: frozenset[str]) -> set[str]:
    return {
        name
        for batch in batches(sorted(deployments))
        for name in connection.execute(
            select(DEPLOYMENTS.c.name).where(DEPLOYMENTS.c.name.in_(batch))
        ).scalars()
    }


def _note(connection: Connection, events: Sequence[Event], retention: Retention) -> None:
    """Appends events, and deletes old ones."""
    if not events:
        return
    statement = insert(connection, EVENTS).on_conflict_do_nothing(index_elements=["digest"])
    connection.execute(statement, [event_row(each) for each in events])
    number = EVENTS.c.id
    for kind, deployment, endpoint in sorted({(e.kind, e.deployment, e.endpoint) for e in events}):
        alike = (
            (EVENTS.c.kind == kind)
            & (EVENTS.c.deployment == deployment)
            & (EVENTS.c.endpoint == endpoint)
        )
        kept = select(number).where(alike).order_by(number.desc())
        last = kept.offset(retention.of_each).limit(1).scalar_subquery()
        connection.execute(delete(EVENTS).where(alike, number <= last))
    newest = select(func.max(number)).scalar_subquery()
    connection.execute(delete(EVENTS).where(number <= newest - retention.in_all))


def _rotate(connection: Connection, seal: Seal) -> int:
    return _rotate_keys(connection, seal) + rotate_entries(connection, seal)


def _rotate_keys(connection: Connection, seal: Seal) -> int:
    sealed = select(ENDPOINTS.c.name, ENDPOINTS.c.sealed).where(ENDPOINTS.c.sealed != b"")
    rows = connection.execute(sealed).all()
    for name, old in rows:
        new = sealed_keys(name, opened_keys(name, bytes(old), seal), seal)
        connection.execute(update(ENDPOINTS).where(ENDPOINTS.c.name == name).values(sealed=new))
    return len(rows)
