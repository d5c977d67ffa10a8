"""Secrets at rest."""

import base64
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mesh.control.records import Change
from mesh.control.store import open_store
from mesh.control.store.catalogue import Kind, Put
from mesh.control.store.key_file import KeyFile
from mesh.control.store.sealing import NO_SEAL, VARIABLE, Seal, read_seal
from mesh.control.store.sql import SqlStore
from mesh.errors import ConfigError, FailedPrecondition
from tests.control.store.records import endpoint, entry
from tests.control.store.stores import async_test, opened
from tests.postgresql import Server

OLD, NEW = b"o" * 32, b"n" * 32
SECRET = "sk-upstream-4711"


@given(st.binary(), st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3))
def test_what_is_sealed_opens_with_the_same_keys_and_no_others(
    plain: bytes, keys: list[bytes]
) -> None:
    seal = Seal(keys, "here")
    sealed = seal.close(plain, "it")
    assert seal.open(sealed, "it") == plain
    other = bytes(each ^ 1 for each in keys[0])
    assert Seal([other, keys[0]], "").open(sealed, "it") == plain
    with pytest.raises(
        FailedPrecondition, match="it cannot be decrypted with the secret key of /x"
    ):
        Seal([other], "/x").open(sealed, "it")


@given(st.binary(min_size=32, max_size=32))
def test_keys_are_read_in_either_alphabet_of_base64(key: bytes) -> None:
    sealed = Seal([key], "").close(b"plain", "it")
    for told in (base64.b64encode(key), base64.urlsafe_b64encode(key)):
        text = b"\n " + base64.b64encode(OLD) + b",\r\n" + told + b"\n"
        assert read_seal(text, "here").open(sealed, "it") == b"plain"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" \n,",
        b"hunter2",
        base64.b64encode(b"short"),
        base64.b64encode(bytes(33)),
        base64.b64encode(OLD) + b" hunter2",
        base64.b64encode(OLD)[:-1],
        b"\xff" * 44,
    ],
)
def test_malformed_keys_are_refused_with_where_they_are_and_never_shown(text: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        read_seal(text, VARIABLE)
    assert str(caught.value) == (
        "MESH_SECRET_KEY: secret keys are 32 bytes in Base64 each,"
        " as `openssl rand -base64 32` makes them"
    )
    assert caught.value.__cause__ is None


def test_a_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old = os.umask(0)
    try:
        sealed = KeyFile(path).seal().close(b"plain", "it")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyFile(path).seal().open(sealed, "it") == b"plain"
    assert list(tmp_path.iterdir()) == [path]


def test_each_key_file_has_a_key_of_its_own(tmp_path: Path) -> None:
    sealed = KeyFile(tmp_path / "one").seal().close(b"plain", "it")
    with pytest.raises(FailedPrecondition, match=f"secret key of {tmp_path / 'two'}$"):
        KeyFile(tmp_path / "two").seal().open(sealed, "it")


def test_a_key_file_that_others_may_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key"
    KeyFile(path).seal()
    path.chmod(0o640)
    KeyFile(path).seal()
    assert [each.getMessage() for each in caplog.records] == [
        f"{path}: others than its owner may read the secret key: chmod 600"
    ]


def test_a_key_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "key"
    with pytest.raises(ConfigError, match=f"the secret key {path}: No such file"):
        KeyFile(path).seal()


def test_neither_a_seal_nor_an_endpoint_shows_its_keys() -> None:
    for shown in (repr(Seal([OLD], "here")), repr(vars(Seal([OLD], "here")))):
        assert "oooo" not in shown
        assert base64.b64encode(OLD).decode()[:8] not in shown
    assert SECRET not in repr(endpoint(keys={0: SECRET}))
    assert SECRET not in repr(entry(secret={"key": SECRET}))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@async_test
async def test_no_file_of_the_database_and_no_log_has_a_key_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
    try:
        store = open_store(str(tmp_path / "mesh.db"), None)
        await store.commit(Change(endpoints=(endpoint(keys={0: SECRET}),)))
        await store.commit(Change(endpoints=(endpoint(config={"n": 2}, keys={7: SECRET}),)))
        await store.catalogue.write(Put(entry(secret={"key": SECRET})))
        before = contents(tmp_path)
        assert (await store.load()).endpoints["e"].keys == {7: SECRET}
        await store.close()
    finally:
        logging.getLogger("sqlalchemy").setLevel(logging.NOTSET)
    after = contents(tmp_path)
    assert "mesh.db-wal" in before
    assert any(b"uid-e" in data for data in before.values()), "what is no secret is found"
    assert caplog.records, "statements are logged"
    for data in (*before.values(), *after.values(), caplog.text.encode()):
        assert SECRET.encode() not in data
        assert base64.b64encode(SECRET.encode())[:12] not in data
        assert SECRET.encode().hex().encode() not in data


@async_test
async def test_with_another_key_the_store_says_which_file_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    store = open_store(str(path), None)
    await store.commit(Change(endpoints=(endpoint("open"), endpoint(keys={0: SECRET}))))
    await store.close()
    key = tmp_path / "mesh.db.key"
    key.write_bytes(base64.b64encode(NEW))
    store = open_store(str(path), None)
    message = f"^the keys of endpoint 'e' cannot be decrypted with the secret key of {key}$"
    with pytest.raises(FailedPrecondition, match=message):
        await store.load()
    await store.close()
    store = open_store(str(path), base64.b64encode(NEW))
    with pytest.raises(FailedPrecondition, match=r"with the secret key of MESH_SECRET_KEY$"):
        await store.load()
    await store.close()


@async_test
async def test_a_server_has_no_keys_without_a_secret_key(postgresql: Server) -> None:
    url = postgresql.database()
    store = open_store(url, None)
    await store.commit(Change(endpoints=(endpoint("open"),)))
    with pytest.raises(FailedPrecondition, match=r"cannot be encrypted: .* set MESH_SECRET_KEY"):
        await store.commit(Change(endpoints=(endpoint(keys={0: SECRET}),)))
    assert set((await store.load()).endpoints) == {"open"}
    await store.close()
    store = open_store(url, base64.b64encode(OLD))
    await store.commit(Change(endpoints=(endpoint(keys={0: SECRET}),)))
    assert (await store.load()).endpoints["e"].keys == {0: SECRET}
    await store.close()
    store = open_store(url, None)
    with pytest.raises(FailedPrecondition, match=r"cannot be decrypted: .* set MESH_SECRET_KEY"):
        await store.load()
    await store.close()


@async_test
async def test_sealed_keys_do_not_open_for_another_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    store = opened(str(path))
    await store.commit(Change(endpoints=(endpoint("one", keys={0: SECRET}), endpoint("two"))))
    with closing(sqlite3.connect(path)) as thief:
        thief.execute(
            "UPDATE endpoints SET sealed = (SELECT sealed FROM endpoints WHERE name = 'one')"
        )
        thief.commit()
    with pytest.raises(FailedPrecondition, match="endpoint 'two' are those of endpoint 'one'"):
        await store.load()
    await store.close()


@async_test
async def test_a_sealed_secret_does_not_open_for_another_entry(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    store = opened(str(path))
    other = entry("two", Kind.SECRET, organization="other")
    await store.catalogue.write(
        Put(entry("one", Kind.SECRET, secret={"key": SECRET})), Put(other), Put(entry("one"))
    )
    with closing(sqlite3.connect(path)) as thief:
        thief.execute(
            "UPDATE entries SET sealed ="
            " (SELECT sealed FROM entries WHERE name = 'one' AND kind = 'secret')"
        )
        thief.commit()
    for kind, name, owner in ((Kind.SECRET, "two", "other"), (Kind.BENTO, "one", "default")):
        with pytest.raises(
            FailedPrecondition, match=f"^the secret of {kind} '{name}' is that of another entry$"
        ):
            await store.catalogue.entry(kind, name, organization=owner)
    assert await store.catalogue.count_entries(Kind.SECRET, organization=None) == 2
    await store.close()


@async_test
async def test_without_a_secret_key_an_entry_with_a_secret_is_refused(postgresql: Server) -> None:
    store = open_store(postgresql.database(), None)
    with pytest.raises(
        FailedPrecondition, match=r"^the secret of secret 'one' cannot be encrypted: .*"
    ):
        await store.catalogue.write(
            Put(entry("open")), Put(entry("one", Kind.SECRET, secret={"key": SECRET}))
        )
    assert await store.catalogue.entries(Kind.BENTO) == ()
    await store.catalogue.write(Put(entry("open")))
    await store.close()


def readable(store: SqlStore, key: bytes, table: str = "endpoints") -> list[str]:
    """The endpoints whose keys, or the entries whose secrets, `key` decrypts."""
    with store._database.reading() as connection:
        rows = connection.exec_driver_sql(f"SELECT name, sealed FROM {table} ORDER BY name").all()
    found = []
    for name, sealed in rows:
        try:
            Seal([key], "").open(bytes(sealed), "")
        except FailedPrecondition:
            continue
        found.append(name)
    return found


@async_test
async def test_opening_with_a_new_key_before_the_old_encrypts_all_with_the_new(
    sql_url: str,
) -> None:
    store = opened(sql_url, Seal([OLD], "old"))
    records = tuple(endpoint(name, keys={0: name + SECRET}) for name in ("one", "two"))
    await store.commit(Change(endpoints=(*records, endpoint("zero"))))
    secret = entry("three", Kind.SECRET, secret={"key": SECRET})
    await store.catalogue.write(Put(secret), Put(entry("zero", Kind.SECRET)))
    await store.close()
    store = opened(sql_url, Seal([NEW, OLD], "both"))
    assert readable(store, OLD) == readable(store, OLD, "entries") == []
    assert readable(store, NEW) == ["one", "two"]
    assert readable(store, NEW, "entries") == ["three"]
    await store.close()
    store = opened(sql_url, Seal([NEW], "new"))
    assert {each.name: each for each in records}.items() <= (await store.load()).endpoints.items()
    assert await store.catalogue.entry(Kind.SECRET, "three") == secret
    await store.close()


@async_test
async def test_rotating_encrypts_all_or_nothing(sql_url: str) -> None:
    store = opened(sql_url, Seal([OLD], "old"))
    await store.commit(Change(endpoints=tuple(endpoint(n, keys={0: SECRET}) for n in "abc")))
    secret = entry("s", Kind.SECRET, secret={"key": SECRET})
    await store.catalogue.write(Put(secret), Put(entry("none")))
    await store.close()
    store = opened(sql_url, Seal([NEW], "new"))
    await store.commit(Change(endpoints=(endpoint("a", keys={0: SECRET}),)))
    with pytest.raises(FailedPrecondition, match="endpoint 'b' cannot be decrypted"):
        await store.rotate()
    assert readable(store, NEW) == ["a"]
    with pytest.raises(
        FailedPrecondition, match=r"^the secret of secret 's' cannot be decrypted with .* of new$"
    ):
        await store.catalogue.entry(Kind.SECRET, "s")
    store._seal = Seal([NEW, OLD], "both")
    assert await store.rotate() == 4
    assert readable(store, NEW) == ["a", "b", "c"]
    assert readable(store, NEW, "entries") == ["s"]
    assert await store.catalogue.entry(Kind.SECRET, "s") == secret
    await store.close()


def test_without_any_key_nothing_is_sealed_or_opened() -> None:
    for attempt in (NO_SEAL.close, NO_SEAL.open):
        with pytest.raises(FailedPrecondition, match=r"it cannot be .*: there is no secret key"):
            attempt(b"", "it")
