"""The schema of a database, step by step."""

from dataclasses import replace

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from mesh.control.records import Change
from mesh.control.store.catalogue import Kind
from mesh.control.store.migrate import MIGRATIONS, TABLE, config, context, upgrade
from mesh.control.store.schema import METADATA
from mesh.errors import FailedPrecondition, MeshError
from tests.control.store.records import endpoint, event, update
from tests.control.store.stores import async_test, opened


@async_test
async def test_the_migrations_make_the_tables_that_the_code_knows(sql_url: str) -> None:
    store = opened(sql_url)
    with store._database.writing() as connection:
        assert compare_metadata(context(connection), METADATA) == []
        names = set(inspect(connection).get_table_names())
        # Foreign keys and primary keys have the names that later migrations need.
        found = {
            table: (
                inspect(connection).get_pk_constraint(table)["name"],
                {each["name"] for each in inspect(connection).get_foreign_keys(table)},
            )
            for table in METADATA.tables
        }
    assert names == {*METADATA.tables, TABLE}
    assert found == {
        name: (table.primary_key.name, {each.name for each in table.foreign_key_constraints})
        for name, table in METADATA.tables.items()
    }
    await store.close()


@async_test
async def test_every_migration_can_be_undone_and_done_again(sql_url: str) -> None:
    store = opened(sql_url)
    for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions():
        with store._database.writing() as connection:
            command.downgrade(config(connection), "-1")
            below = context(connection).get_current_revision()
            assert below == step.down_revision
            if below is None:
                assert inspect(connection).get_table_names() == [TABLE]
            command.upgrade(config(connection), "+1")
            command.downgrade(config(connection), "-1")
    with store._database.writing() as connection:
        upgrade(connection, "it")
        assert compare_metadata(context(connection), METADATA) == []
    await store.close()
    store = opened(sql_url)
    await store.commit(update(1))
    await store.close()


@async_test
async def test_opening_again_changes_no_table(sql_url: str) -> None:
    store = opened(sql_url)
    await store.commit(update(1))
    await store.close()
    store = opened(sql_url)
    assert await store.count_revisions("d") == 1
    await store.close()


@async_test
async def test_what_was_kept_before_there_were_organizations_is_of_the_default_one(
    sql_url: str,
) -> None:
    store = opened(sql_url)
    change = replace(update(1), endpoints=(endpoint(keys={0: "key"}),))
    await store.commit(change)
    with store._database.writing() as connection:
        command.downgrade(config(connection), "0001")
        columns = {
            name: {each["name"] for each in inspect(connection).get_columns(name)}
            for name in ("deployments", "revisions", "endpoints")
        }
    assert not any({"creator", "organization"} & names for names in columns.values())
    await store.close()
    store = opened(sql_url)
    state = await store.load()
    assert state.deployments["d"] == replace(
        change.deployments[0], creator="", organization="default"
    )
    assert state.endpoints["e"] == replace(change.endpoints[0], creator="", organization="default")
    assert await store.revisions("d") == (replace(change.revisions[0], creator=""),)
    assert [each.kind for each in await store.events()] == ["change"]
    assert await store.catalogue.entries(Kind.BENTO) == ()
    await store.commit(update(2))
    await store.close()


@async_test
async def test_of_what_happened_before_nobody_is_known(sql_url: str) -> None:
    store = opened(sql_url)
    happened = event(1.0, "change", by="ann", organization="acme")
    await store.commit(Change(events=(happened,)))
    with store._database.writing() as connection:
        command.downgrade(config(connection), "0002")
    await store.close()
    store = opened(sql_url)
    assert await store.events() == (replace(happened, by="", organization=""),)
    later = event(2.0, "change", by="bob")
    await store.commit(Change(events=(later,)))
    assert await store.events(count=1) == (later,)
    await store.close()


@async_test
async def test_a_database_of_a_later_version_is_refused_and_left_as_it_is(sql_url: str) -> None:
    store = opened(sql_url)
    with store._database.writing() as connection:
        connection.execute(text(f"UPDATE {TABLE} SET version_num = '9999'"))
    with pytest.raises(FailedPrecondition) as caught:
        opened(sql_url)
    assert str(caught.value) == (
        f"the store {store._database.label} was written by a later version of the mesh:"
        " its schema is 9999, this version knows 0004"
    )
    await store.commit(update(1))  # nobody has taken it over
    await store.close()


@async_test
async def test_a_migration_that_fails_leaves_the_database_as_it_was(sql_url: str) -> None:
    store = opened(sql_url)
    with store._database.writing() as connection:
        command.downgrade(config(connection), "base")
        connection.execute(text("CREATE TABLE events (mine INTEGER)"))
    with pytest.raises(MeshError, match=f"^the store {store._database.label[:10]}.*events"):
        opened(sql_url)
    with store._database.reading() as connection:
        assert set(inspect(connection).get_table_names()) == {"events", TABLE}
    await store.close()


def test_migrations_have_one_head_and_numbers_in_order() -> None:
    steps = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert steps == [f"{number:04}" for number in range(len(steps), 0, -1)]
