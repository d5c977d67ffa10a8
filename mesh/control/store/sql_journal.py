"""What was done, and what was used, in a SQL database."""

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from mesh.control.store.catalogue import Deed, Deeds, Used
from mesh.control.store.contract import Retention
from mesh.control.store.entry_rows import deed_row, read_deed, read_used, used_row
from mesh.control.store.held import Held
from mesh.control.store.schema import DEEDS, USED
from mesh.control.store.settled import is_key, is_text, settled_deed
from mesh.control.store.statements import has_in_it, insert


class SqlJournal:
    """See catalogue.Journal. `held` is that of the store."""

    def __init__(self, held: Held, retention: Retention) -> None:
        self._held = held
        self._retention = retention

    def __repr__(self) -> str:
        return f"SqlJournal({self._held.database.label})"

    async def note(self, *deeds: Deed) -> None:
        """As of Journal."""
        rows = [deed_row(settled_deed(each)) for each in deeds]

        def write(connection: Connection) -> None:
            if not rows:
                return
            statement = insert(connection, DEEDS).on_conflict_do_nothing(index_elements=["uid"])
            connection.execute(statement, rows)
            newest = select(func.max(DEEDS.c.id)).scalar_subquery()
            connection.execute(delete(DEEDS).where(DEEDS.c.id <= newest - self._retention.deeds))

        await self._held.write(write)

    async def deeds(self, which: Deeds, start: int = 0, count: int = 100) -> tuple[Deed, ...]:
        """As of Journal."""
        if not _can_be(which):
            return ()
        number = DEEDS.c.id
        order = number.asc() if which.oldest_first else number.desc()
        query = select(DEEDS).order_by(order).offset(start).limit(count)

        def read(connection: Connection) -> tuple[Deed, ...]:
            rows = connection.execute(query.where(_those(connection, which))).mappings()
            return tuple(map(read_deed, rows))

        return await self._held.read(read)

    async def count_deeds(self, which: Deeds) -> int:
        """As of Journal."""
        if not _can_be(which):
            return 0
        query = select(func.count()).select_from(DEEDS)

        def read(connection: Connection) -> int:
            return connection.execute(query.where(_those(connection, which))).scalar_one()

        return await self._held.read(read)

    async def add_used(self, *used: Used) -> None:
        """As of Journal."""
        rows = [used_row(each) for each in used]

        def write(connection: Connection) -> None:
            if not rows:
                return
            statement = insert(connection, USED)
            new = statement.excluded
            added = {
                name: USED.c[name] + new[name] for name in ("replica_seconds", "requests", "errors")
            }
            key = [column.name for column in USED.primary_key]
            connection.execute(
                statement.on_conflict_do_update(index_elements=key, set_=added), rows
            )
            newest = select(func.max(USED.c.hour)).scalar_subquery()
            connection.execute(delete(USED).where(USED.c.hour < newest - self._retention.used_for))

        await self._held.write(write)

    async def used(
        self, since: float, until: float, *, organization: str = "", deployment: str = ""
    ) -> tuple[Used, ...]:
        """As of Journal."""
        if not (is_key(organization) and is_key(deployment)):
            return ()
        query = select(USED).where(USED.c.hour >= since, USED.c.hour < until)
        query = query.order_by(*USED.primary_key)
        if organization:
            query = query.where(USED.c.organization == organization)
        if deployment:
            query = query.where(USED.c.deployment == deployment)

        def read(connection: Connection) -> tuple[Used, ...]:
            return tuple(read_used(row) for row in connection.execute(query).mappings())

        return await self._held.read(read)


def _can_be(which: Deeds) -> bool:
    """Whether there can be any: no text in a database has, say, a NUL in it."""
    return all(map(is_text, (which.organization, *which.words)))


def _those(connection: Connection, which: Deeds) -> ColumnElement[bool]:
    wanted = {
        DEEDS.c.organization: (which.organization,) if which.organization else (),
        DEEDS.c.user: which.users,
        DEEDS.c.resource_type: which.resource_types,
        DEEDS.c.operation: which.operations,
        DEEDS.c.status: which.statuses,
    }
    among = (
        column.in_([each for each in values if is_text(each)])
        for column, values in wanted.items()
        if values
    )
    words = (has_in_it(connection, DEEDS.c.name, word) for word in which.words)
    at = DEEDS.c.at
    return and_(at >= which.since, at < which.until, *among, *words)
