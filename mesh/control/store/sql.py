"""Records in a SQL database: a SQLite file or PostgreSQL."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self, TypeVar

from sqlalchemy import (
    Connection,
    Table,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mesh.control.records import Change, Event, RevisionRecord, State, VersionRecord
from mesh.control.store.contract import Retention
from mesh.control.store.database import Database
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.control.store.migrate import upgrade
from mesh.control.store.rows import (
    Row,
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
from mesh.control.store.settled import TakenOver, orphaned, owners, settled, version_ids
from mesh.errors import FailedPrecondition, NotFound

_BATCH = 500
"""Names in one statement; databases have a limit."""

_T = TypeVar("_T")


class SqlStore:
    """Keeps records in a database. See contract.Store; made by `open`.

    Blocking calls are made in one thread of its own, so that they stay in order.
    """

    def __init__(self, database: Database, seal: Seal, retention: Retention, epoch: int) -> None:
        self._database = database
        self._seal = seal
        self._retention = retention
        self._epoch = epoch
        self._thread = ThreadPoolExecutor(1, "store")
        self._closed = False
        self.catalogue = self.journal = MemoryCatalogue()

    def __repr__(self) -> str:
        return f"SqlStore({self._database.label})"

    @classmethod
    def open(cls, database: Database, seal: Seal, retention: Retention | None = None) -> Self:
        """Brings the schema up to date and takes the records over from whoever had them. Blocks.

        Closes `database` if it fails. Raises what the methods of Store raise, and
        FailedPrecondition if a later version of the mesh wrote the database.
        """
        try:
            with database.opening() as connection:
                upgrade(connection, database.label)
                epoch = connection.execute(
                    update(OWNER).values(epoch=OWNER.c.epoch + 1).returning(OWNER.c.epoch)
                ).scalar_one()
                if seal.several:
                    _rotate(connection, seal)
        except BaseException:
            database.close()
            raise
        return cls(database, seal, retention or Retention(), epoch)

    async def load(self) -> State:
        """As of Store."""
        return await self._call(self._load)

    async def commit(self, change: Change) -> None:
        """As of Store."""
        change = settled(change)
        await self._call(lambda: self._commit(change))

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

        def read() -> tuple[RevisionRecord, ...]:
            with self._database.reading() as connection:
                return tuple(read_revision(row) for row in connection.execute(query).mappings())

        return await self._call(read)

    async def count_revisions(self, deployment: str) -> int:
        """As of Store."""
        of_it = REVISIONS.c.deployment == deployment
        query = select(func.count()).select_from(REVISIONS).where(of_it)

        def read() -> int:
            with self._database.reading() as connection:
                return connection.execute(query).scalar_one()

        return await self._call(read)

    async def revision(
        self, deployment: str, number: int
    ) -> tuple[RevisionRecord, tuple[VersionRecord, ...]]:
        """As of Store."""
        return await self._call(lambda: self._revision(deployment, number))

    async def events(
        self, *, deployment: str = "", endpoint: str = "", start: int = 0, count: int = 100
    ) -> tuple[Event, ...]:
        """As of Store."""
        query = select(EVENTS).order_by(EVENTS.c.id.desc()).offset(start).limit(count)
        if deployment:
            query = query.where(EVENTS.c.deployment == deployment)
        if endpoint:
            query = query.where(EVENTS.c.endpoint == endpoint)

        def read() -> tuple[Event, ...]:
            with self._database.reading() as connection:
                return tuple(read_event(row) for row in connection.execute(query).mappings())

        return await self._call(read)

    async def rotate(self) -> int:
        """As of Store."""

        def write() -> int:
            with self._owned() as connection:
                return _rotate(connection, self._seal)

        return await self._call(write)

    async def close(self) -> None:
        """As of Store."""
        if self._closed:
            return
        self._closed = True
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._database.close)
        self._thread.shutdown(wait=False)  # lets what was asked before end
        await done

    async def _call(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise FailedPrecondition(f"the store {self._database.label} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @contextmanager
    def _owned(self) -> Iterator[Connection]:
        """A transaction to write in; who opens the store next waits for its end."""
        with self._database.writing() as connection:
            epoch = connection.execute(select(OWNER.c.epoch).with_for_update()).scalar_one()
            if epoch != self._epoch:
                raise TakenOver(self._database.label)
            yield connection

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

    def _commit(self, change: Change) -> None:
        endpoints = [endpoint_row(each, self._seal) for each in change.endpoints]
        with self._owned() as connection:
            _delete(connection, DEPLOYMENTS, change.deleted_deployments)
            _delete(connection, ENDPOINTS, change.deleted_endpoints)
            _upsert(connection, DEPLOYMENTS, [deployment_row(each) for each in change.deployments])
            if missing := owners(change) - _existing(connection, owners(change)):
                raise orphaned(missing)
            _upsert(connection, VERSIONS, [version_row(each) for each in change.versions])
            _upsert(connection, REVISIONS, [revision_row(each) for each in change.revisions])
            _upsert(connection, ENDPOINTS, endpoints)
            _note(connection, change.events, self._retention)


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


def _versions(
    connection: Connection, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], VersionRecord]:
    """The versions with these deployments and ids, of those that there are."""
    key = tuple_(VERSIONS.c.deployment, VERSIONS.c.id)
    rows = (
        row
        for batch in _batches(wanted)
        for row in connection.execute(select(VERSIONS).where(key.in_(batch))).mappings()
    )
    return {(row["deployment"], row["id"]): read_version(row) for row in rows}


def _existing(connection: Connection, deployments: frozenset[str]) -> set[str]:
    return {
        name
        for batch in _batches(sorted(deployments))
        for name in connection.execute(
            select(DEPLOYMENTS.c.name).where(DEPLOYMENTS.c.name.in_(batch))
        ).scalars()
    }


def _delete(connection: Connection, table: Table, names: Sequence[str]) -> None:
    for batch in _batches(names):
        connection.execute(delete(table).where(table.c.name.in_(batch)))


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The two have one way to say what happens to a row that exists."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def _upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if not rows:
        return
    statement = _insert(connection, table)
    key = [column.name for column in table.primary_key]
    new = {each.name: each for each in statement.excluded if each.name not in key}
    statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    connection.execute(statement, rows)


def _note(connection: Connection, events: Sequence[Event], retention: Retention) -> None:
    """Appends events, and deletes old ones."""
    if not events:
        return
    statement = _insert(connection, EVENTS).on_conflict_do_nothing(index_elements=["digest"])
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
    sealed = select(ENDPOINTS.c.name, ENDPOINTS.c.sealed).where(ENDPOINTS.c.sealed != b"")
    rows = connection.execute(sealed).all()
    for name, old in rows:
        new = sealed_keys(name, opened_keys(name, bytes(old), seal), seal)
        connection.execute(update(ENDPOINTS).where(ENDPOINTS.c.name == name).values(sealed=new))
    return len(rows)
