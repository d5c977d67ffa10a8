"""Another secret key for a store that is open."""

import base64
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mesh.control.records import Change
from mesh.control.store import open_store
from mesh.control.store.catalogue import Entry, Kind, Put
from mesh.control.store.contract import Store
from mesh.control.store.database import reach
from mesh.control.store.key_file import KeyFile
from mesh.control.store.location import InFile
from mesh.control.store.sealing import Seal, read_seal
from mesh.control.store.sql import SqlStore
from mesh.errors import FailedPrecondition, Internal, Unavailable
from tests.control.store.records import endpoint, entry
from tests.control.store.stores import async_test
from tests.postgresql import Server

SECRET = "sk-upstream-4711"
KEYS = endpoint(keys={0: SECRET})
ENTRY = entry("s", Kind.SECRET, secret={"key": SECRET})
LATER = entry("later", Kind.SECRET, secret={"key": SECRET})
# What Fernet makes begins with its version and the zeros of a time before 2106.
SEALED = re.compile(rb"gAAAAA[A-Za-z0-9_=-]{60,}")


async def filled(
    folder: Path, replace: Callable[[Path, Path], object] = os.replace
) -> tuple[SqlStore, Seal]:
    """A store with secrets, some of them changed and some gone, and the key it has."""
    keys = KeyFile(folder / "mesh.db.key", replace)
    store = SqlStore.open(reach(InFile(folder / "mesh.db")), keys)
    await store.commit(Change(endpoints=(endpoint(keys={0: SECRET * 2}),)))
    for number in range(200):
        await store.catalogue.write(Put(entry("s", Kind.SECRET, secret={"key": f"{number}" * 99})))
    await store.commit(Change(endpoints=(KEYS,)))
    await store.catalogue.write(Put(ENTRY))
    return store, kept_keys(folder)


def kept_keys(folder: Path) -> Seal:
    return read_seal((folder / "mesh.db.key").read_bytes(), "the old")


async def secret(store: Store, name: str = "s") -> Entry | None:
    return await store.catalogue.entry(Kind.SECRET, name)


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def opened_by(seal: Seal, folder: Path) -> int:
    """How much of what is in any file of a database a seal opens, deleted or not."""
    found = 0
    for path in folder.glob("mesh.db*"):
        for sealed in SEALED.findall(path.read_bytes()):
            try:
                seal.open(sealed, "it")
            except FailedPrecondition:
                continue
            found += 1
    return found


async def check_opens(folder: Path, old: Seal) -> None:
    """A store there opens with the key file beside it, and is given another key."""
    store = open_store(str(folder / "mesh.db"), None)
    assert (await store.load()).endpoints["e"].keys == {0: SECRET}
    assert await secret(store) == ENTRY
    assert await store.renew_key() == 2
    await store.close()
    assert len(kept_keys(folder).keys) == 1
    assert opened_by(old, folder) == 0


@async_test
async def test_with_a_new_key_the_old_one_opens_nothing_that_is_in_the_files(
    tmp_path: Path,
) -> None:
    store, old = await filled(tmp_path)
    assert opened_by(old, tmp_path) > 2, "what was there before is in the files as well"
    assert await store.renew_key() == 2
    assert opened_by(old, tmp_path) == 0
    new = kept_keys(tmp_path)
    assert len(new.keys) == 1
    assert new.keys != old.keys
    assert (await store.load()).endpoints["e"].keys == {0: SECRET}
    await store.catalogue.write(Put(LATER))
    assert opened_by(new, tmp_path) >= 3
    assert opened_by(old, tmp_path) == 0
    await store.close()
    assert names(tmp_path) == {"mesh.db", "mesh.db.key"}
    assert (tmp_path / "mesh.db.key").stat().st_mode & 0o777 == 0o600
    store = SqlStore.open(reach(InFile(tmp_path / "mesh.db")), KeyFile(tmp_path / "mesh.db.key"))
    assert await secret(store) == ENTRY
    assert await secret(store, "later") == LATER
    await store.close()


@async_test
async def test_what_a_crash_leaves_at_any_step_opens(tmp_path: Path) -> None:
    """Copies of the folder, from before and after each time that the key file changes."""
    now = tmp_path / "now"
    copies: list[Path] = []

    def copy() -> None:
        copies.append(tmp_path / f"{len(copies)}")
        shutil.copytree(now, copies[-1])

    def replace(new: Path, old: Path) -> None:
        copy()
        new.replace(old)
        copy()

    now.mkdir()
    store, old = await filled(now, replace)
    made = len(copies)  # when the key file came to be
    await store.renew_key()
    await store.close()
    assert [len(kept_keys(copy).keys) for copy in copies[made:]] == [1, 2, 2, 1]
    for each in copies[made:]:
        await check_opens(each, old)


@pytest.mark.parametrize(("fails_at", "keys"), [(1, 1), (2, 2)])
@async_test
async def test_where_the_key_file_cannot_be_written_the_store_goes_on(
    tmp_path: Path, fails_at: int, keys: int
) -> None:
    places = iter(range(9))  # the first is when the file is made

    def replace(new: Path, old: Path) -> None:
        if next(places) == fails_at:
            raise OSError(28, "No space left on device")
        new.replace(old)

    store, old = await filled(tmp_path, replace)
    with pytest.raises(FailedPrecondition, match=r"mesh\.db\.key: No space left on device$"):
        await store.renew_key()
    assert len(kept_keys(tmp_path).keys) == keys
    await goes_on(store, tmp_path, old)


@async_test
async def test_where_the_database_cannot_be_written_the_store_goes_on(tmp_path: Path) -> None:
    store, old = await filled(tmp_path)
    # The keys of endpoints are written before the secrets of entries.
    with closing(sqlite3.connect(tmp_path / "mesh.db")) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        other.commit()
        before = opened_by(old, tmp_path)
        with pytest.raises(Internal, match="full"):
            await store.renew_key()
        assert len(kept_keys(tmp_path).keys) == 2
        assert opened_by(old, tmp_path) == before
        other.execute("DROP TRIGGER full")
        other.commit()
    await goes_on(store, tmp_path, old)


@async_test
async def test_while_another_process_reads_the_file_the_old_key_stays(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "mesh.db.key")
    store = SqlStore.open(reach(InFile(tmp_path / "mesh.db"), patience=0.1), keys)
    await store.commit(Change(endpoints=(KEYS,)))
    await store.catalogue.write(Put(ENTRY))
    old = kept_keys(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mesh.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM entries").fetchall()
        with pytest.raises(Unavailable):
            await store.renew_key()
    assert len(kept_keys(tmp_path).keys) == 2
    await goes_on(store, tmp_path, old)


async def goes_on(store: SqlStore, folder: Path, old: Seal) -> None:
    """It is used on, a copy of it opens, and asking again ends what was cut short."""
    assert await secret(store) == ENTRY
    await store.catalogue.write(Put(LATER))
    copy = folder / "copy"
    shutil.copytree(folder, copy)
    opened = open_store(str(copy / "mesh.db"), None)
    assert await secret(opened, "later") == LATER
    assert (await opened.load()).endpoints["e"].keys == {0: SECRET}
    await opened.close()
    assert await store.renew_key() == 3
    assert len(kept_keys(folder).keys) == 1
    assert opened_by(old, folder) == 0
    assert await secret(store) == ENTRY
    await store.close()


@async_test
async def test_a_key_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    (tmp_path / "mesh.db.key").symlink_to(tmp_path / "safe" / "key")
    store, old = await filled(tmp_path)
    await store.renew_key()
    await store.close()
    assert (tmp_path / "mesh.db.key").is_symlink()
    assert names(tmp_path / "safe") == {"key"}
    assert kept_keys(tmp_path).keys != old.keys


@async_test
async def test_who_has_lost_the_store_changes_no_key(tmp_path: Path) -> None:
    store, old = await filled(tmp_path)
    later = open_store(str(tmp_path / "mesh.db"), None)
    with pytest.raises(FailedPrecondition, match="another controller has taken over"):
        await store.renew_key()
    assert kept_keys(tmp_path).keys == old.keys
    assert await secret(later) == ENTRY
    await store.close()
    await later.close()


@async_test
async def test_a_key_that_is_in_no_file_is_for_the_operator_to_change(
    tmp_path: Path, postgresql: Server
) -> None:
    key = base64.b64encode(b"k" * 32)
    for url in (str(tmp_path / "mesh.db"), postgresql.database()):
        store = open_store(url, key)
        await store.catalogue.write(Put(ENTRY))
        with pytest.raises(
            FailedPrecondition,
            match=r"the secret key is in MESH_SECRET_KEY: put a new one .* before it there,"
            " with a comma between, restart the mesh, then take the old one out",
        ):
            await store.renew_key()
        assert await secret(store) == ENTRY
        await store.close()
    for url, why in (
        (postgresql.database(), "no secret key to change: .* set MESH_SECRET_KEY"),
        ("memory:", "a store in memory has no secret key"),
    ):
        store = open_store(url, None)
        with pytest.raises(FailedPrecondition, match=why):
            await store.renew_key()
        await store.close()
