"""What holds of databases only: faults, locks, files, and what is read."""

import asyncio
import fcntl
import itertools
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as events, text

from mesh.control.records import Change
from mesh.control.store import open_store
from mesh.control.store.database import reach
from mesh.control.store.location import InFile
from mesh.control.store.settled import settled
from mesh.control.store.sql import SqlStore
from mesh.errors import Code, ConfigError, Internal, MeshError, Unavailable
from tests.control.store.records import deployment, endpoint, event, revision, update, version
from tests.control.store.stores import SEAL, async_test, opened
from tests.postgresql import PASSWORD, Server


@contextmanager
def statements(store: SqlStore, before: Any) -> Iterator[None]:
    """Calls `before` before each statement in which the store writes."""

    def hook(*_: object) -> None:
        before()

    events.listen(store._database.writer, "before_cursor_execute", hook)
    try:
        yield
    finally:
        events.remove(store._database.writer, "before_cursor_execute", hook)


@async_test
async def test_a_change_whose_any_statement_fails_leaves_nothing_behind(sql_url: str) -> None:
    store = opened(sql_url)
    await store.commit(update(1))
    await store.commit(Change(deployments=(deployment("old"),)))
    change = Change(
        deployments=(deployment("d", 2), deployment("new")),
        revisions=(revision("d", 2),),
        versions=(version("d", 2), version("new", 1)),
        endpoints=(endpoint(keys={0: "secret"}),),
        events=(event(5.0), event(5.0, "change")),
        deleted_deployments=("old",),
        deleted_endpoints=("e",),
    )
    before = await store.load(), await store.events()
    left = 0

    def fail_at_last() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError("the disk is on fire")

    for step in itertools.count(1):
        left = step
        with statements(store, fail_at_last):
            try:
                await store.commit(change)
                break
            except Unavailable as error:
                assert str(error) == f"the store {store._database.label}: the disk is on fire"
        assert (await store.load(), await store.events()) == before
    assert step > 8
    assert (await store.load()).deployments["d"].revision == 2
    await store.close()


@async_test
async def test_loading_reads_no_history(tmp_path: Path) -> None:
    store = opened(str(tmp_path / "mesh.db"))
    numbers = range(1, 1001)
    await store.commit(
        Change(
            deployments=(deployment("d", 1000), deployment("small", 1)),
            revisions=(*(revision("d", number) for number in numbers), revision("small")),
            versions=(*(version("d", number) for number in numbers), version("small")),
            events=tuple(event(float(number), deployment=f"d{number}") for number in range(20)),
        )
    )
    rows = 0

    def count(_: sqlite3.Cursor, row: tuple[object, ...]) -> tuple[object, ...]:
        nonlocal rows
        rows += 1
        return row

    def counted(connection: Any, *_: object) -> None:
        connection.row_factory = count

    events.listen(store._database.writer, "checkout", counted)
    state = await store.load()
    assert len(state.revisions) == len(state.versions) == 2
    assert rows == 6  # two deployments, a revision and a version of each
    await store.close()


@async_test
async def test_what_is_loaded_is_of_one_moment(sql_url: str) -> None:
    reader = opened(sql_url)
    writer = opened(sql_url)
    await writer.commit(changed(1))
    numbers = itertools.count(2)

    def between(*_: object) -> None:
        writer._commit(changed(next(numbers)))

    events.listen(reader._database.reader, "before_cursor_execute", between)
    for _ in range(3):
        state = await reader.load()
        number = state.deployments["d"].revision
        assert state.revisions["d"].number == number
        assert state.versions.keys() == {("d", f"d-v{number}")}
        assert state.endpoints["e"].config == {"number": number}
    await reader.close()
    await writer.close()
    assert next(numbers) > 3 * 3


def changed(number: int) -> Change:
    return settled(replace(update(number), endpoints=(endpoint(config={"number": number}),)))


@async_test
async def test_a_sqlite_store_writes_through_to_the_disk_and_checks_keys(tmp_path: Path) -> None:
    store = opened(str(tmp_path / "mesh.db"))
    with store._database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    await store.close()


@async_test
async def test_only_its_owner_may_read_what_a_sqlite_store_makes(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state" / "mesh.db"
    old = os.umask(0)
    try:
        store = open_store(str(path), None)
        await store.commit(update(1))
    finally:
        os.umask(old)
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == dict.fromkeys(["mesh.db", "mesh.db-wal", "mesh.db-shm", "mesh.db.key"], 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await store.close()


@async_test
async def test_another_writer_is_waited_for_and_then_told_about(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    store = SqlStore.open(reach(InFile(path), patience=0.01), SEAL)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match=f"^the store sqlite:///{path}: database is locked$"):
            await store.commit(update(1))
        assert (await store.load()).deployments == {}  # readers do not wait
        other.execute("ROLLBACK")
    await store.commit(update(1))
    assert await store.count_revisions("d") == 1
    await store.close()


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(Internal) as caught:
        opened(str(path))
    assert str(caught.value) == f"the store sqlite:///{path}: file is not a database"


def test_a_folder_that_cannot_be_made_is_told_with_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "state" / "mesh.db"
    with pytest.raises(ConfigError, match=f"^--store {path}: Not a directory$"):
        open_store(str(path), None)


@async_test
async def test_a_table_that_is_gone_is_an_error_of_ours(sql_url: str) -> None:
    store = opened(sql_url)
    with store._database.writing() as connection:
        connection.execute(text("DROP TABLE events"))
    for failing in (store.events(), store.commit(update(1))):
        with pytest.raises(MeshError) as caught:
            await failing
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"the store {store._database.label}: ")
        assert "events" in str(caught.value)
    assert (await store.load()).deployments == {}
    await store.close()


@async_test
async def test_a_number_that_no_column_takes_is_an_error_of_ours(sql_url: str) -> None:
    store = opened(sql_url)
    with pytest.raises(Internal, match=r"^the store .*: "):
        await store.commit(Change(deployments=(deployment("d", 2**70),)))
    await store.commit(update(1))
    await store.close()


def test_a_server_that_cannot_be_reached_is_told_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://mesh:{PASSWORD[:6]}@/db?host={tmp_path}&password=other-s3cret"
    with pytest.raises(Unavailable) as caught:
        open_store(url, None)
    told = str(caught.value)
    assert told.startswith("the store postgresql://mesh:***@/db: ")
    assert str(tmp_path) in told
    assert "s3cret" not in told
    assert "\n" not in told
    assert caught.value.code is Code.UNAVAILABLE


def test_a_wrong_password_is_told_without_it(postgresql: Server) -> None:
    url = f"postgresql://mesh:wr0ng-one@/postgres?host={postgresql.folder}"
    with pytest.raises(Unavailable, match="password authentication failed") as caught:
        open_store(url, None)
    assert "wr0ng" not in str(caught.value)


@async_test
async def test_a_server_that_dropped_the_connection_is_reached_anew(postgresql: Server) -> None:
    store = opened(postgresql.database())
    for number in (1, 2):
        await store.commit(update(number))
        postgresql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
    assert await store.count_revisions("d") == 2
    await store.close()


def test_without_its_driver_postgresql_is_refused_with_the_name_of_the_extra() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from mesh.control.store import open_store\n"
        "from mesh.errors import ConfigError\n"
        "try: open_store('postgresql://u:hidden@h/db', None)\n"
        "except ConfigError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "--store postgresql://u:***@h/db: psycopg is not installed:"
        " pip install 'serving-mesh[postgresql]'\n"
    )


@async_test
async def test_opening_a_file_holds_a_lock_on_its_folder(tmp_path: Path) -> None:
    database = reach(InFile(tmp_path / "mesh.db"))
    folder = os.open(tmp_path, os.O_RDONLY)
    refused = 0

    def lock(*_: object) -> None:
        nonlocal refused
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        refused += 1

    # Two connections that turn a new file to WAL at once fail now and then, too rarely for a test.
    events.listen(database.writer, "before_cursor_execute", lock)
    store = SqlStore.open(database, SEAL)
    events.remove(database.writer, "before_cursor_execute", lock)
    assert refused > 10
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)
    await store.close()


def test_threads_that_open_one_new_store_at_once_all_get_it(sql_url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: opened(sql_url), range(6)))
    assert sorted(store._held.epoch for store in stores) == [1, 2, 3, 4, 5, 6]
    for store in stores:
        asyncio.run(store.close())


def test_threads_that_open_stores_of_their_own_at_once_all_get_them(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(opened, (str(tmp_path / str(n) / "mesh.db") for n in range(6))))
    assert [store._held.epoch for store in stores] == [1] * 6
    for store in stores:
        asyncio.run(store.close())


def test_processes_that_open_one_new_store_at_once_all_get_it(sql_url: str) -> None:
    program = (
        "import sys; from tests.control.store.stores import opened\n"
        "input(); print(opened(sys.argv[1])._held.epoch)"
    )
    command = [sys.executable, "-c", program, sql_url]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    assert sorted(out for out, _ in said) == ["1\n", "2\n", "3\n", "4\n"], said


@async_test
async def test_a_takeover_does_not_come_between_the_steps_of_a_change(sql_url: str) -> None:
    store = opened(sql_url)
    at_once = sql_url + "&options=-c%20lock_timeout%3D20" if "://" in sql_url else sql_url
    with store._held.owned(), pytest.raises(Unavailable, match="lock"):
        opened(at_once, patience=0.02)
    await store.commit(update(1))
    new = opened(at_once, patience=0.02)
    assert new._held.epoch == store._held.epoch + 1
    assert await new.count_revisions("d") == 1
    await store.close()
    await new.close()
