"""What --store means."""

from pathlib import Path

import pytest

from mesh.control.store import open_store
from mesh.control.store.location import AtServer, InFile, InMemory, locate
from mesh.control.store.memory import MemoryStore as Records
from mesh.control.store.sql import SqlStore
from mesh.errors import ConfigError
from tests.control.store.records import update
from tests.control.store.stores import async_test
from tests.postgresql import Server


def test_memory_is_said_with_a_colon() -> None:
    assert locate("memory:") == InMemory()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/var/mesh/state.db", Path("/var/mesh/state.db")),
        ("sqlite:////var/mesh/state.db", Path("/var/mesh/state.db")),
        ("state.db", Path.cwd() / "state.db"),
        ("sqlite:///state.db", Path.cwd() / "state.db"),
        ("./memory:", Path.cwd() / "memory:"),
        ("a b?c=%d.db", Path.cwd() / "a b?c=%d.db"),
        ("~/state.db", Path.home() / "state.db"),
    ],
)
def test_a_path_is_that_of_a_sqlite_file(text: str, path: Path) -> None:
    assert locate(text) == InFile(path)


def test_a_server_is_named_without_what_is_secret() -> None:
    found = locate("postgresql://me:pass%40word@db.example:5433/mesh?password=x&sslmode=require")
    assert isinstance(found, AtServer)
    assert found.label == "postgresql://me:***@db.example:5433/mesh"
    assert found.url.password == "pass@word"
    assert found.url.query["sslmode"] == "require"
    assert "pass" not in repr(found).replace("password=", "")


@pytest.mark.parametrize(
    "text",
    ["mysql://me:pw@host/db", "postgres://me:pw@host/db", "memory:pw", "sqlite:pw", "redis:pw"],
)
def test_other_schemes_are_refused_with_the_flag_and_without_what_follows(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        locate(text)
    told = str(caught.value)
    assert told.startswith(f"--store {text.partition(':')[0]}:...: not memory:, a path, ")
    assert "pw" not in told


@pytest.mark.parametrize("text", ["", "sqlite:///", "/tmp", "folder/", "sqlite:////tmp"])
def test_what_names_no_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--store '.*': not the name of a file$"):
        locate(text)


def test_a_malformed_address_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        locate("postgresql://me:hidden@host:port/db")
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@async_test
async def test_each_kind_of_store_is_opened(tmp_path: Path, postgresql: Server) -> None:
    memory = open_store("memory:", None)
    assert isinstance(memory, Records)
    for url in (f"sqlite:///{tmp_path}/new folder/100%.db", postgresql.database()):
        for number in (1, 2):
            store = open_store(url, None)
            assert isinstance(store, SqlStore)
            await store.commit(update(number))
            assert await store.count_revisions("d") == number
            await store.close()
    assert (tmp_path / "new folder" / "100%.db").exists()
    assert (tmp_path / "new folder" / "100%.db.key").exists()
