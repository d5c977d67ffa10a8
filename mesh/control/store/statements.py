"""Statements that the databases say differently, or of which there must be several."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Table, delete, func
from sqlalchemy.dialects import postgresql, sqlite

from mesh.control.store.rows import Row

_BATCH = 500
"""Names in one statement; databases have a limit."""

_T = TypeVar("_T")


def batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """The items in parts that fit into one statement each."""
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


def delete_named(connection: Connection, table: Table, names: Sequence[str]) -> None:
    """Deletes the rows with these names."""
    for batch in batches(names):
        connection.execute(delete(table).where(table.c.name.in_(batch)))


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT; the two have one way to say what happens to a row that exists."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Writes rows over those with the same primary key."""
    if not rows:
        return
    statement = insert(connection, table)
    key = [column.name for column in table.primary_key]
    new = {each.name: each for each in statement.excluded if each.name not in key}
    statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    connection.execute(statement, rows)


def has_in_it(
    connection: Connection, column: ColumnElement[str], search: str
) -> ColumnElement[bool]:
    """Whether a text has `search` in it, to the letter: nothing in it stands for anything else."""
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    return find(column, search) > 0
