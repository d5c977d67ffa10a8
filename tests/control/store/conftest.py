"""The stores that all keep to one contract, each as something that can be opened again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.control.store.memory import Kept, MemoryStore
from tests.control.store.stores import RETENTION, Opener, opened
from tests.postgresql import Server, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server for the whole run."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "mesh.db")
    server: Server = request.getfixturevalue("postgresql")
    return server.database()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """A new store of each kind."""
    if request.param == "memory":
        kept = Kept()
        return lambda: MemoryStore(kept, RETENTION)
    if request.param == "sqlite":
        return lambda: opened(str(tmp_path / "mesh.db"))
    server: Server = request.getfixturevalue("postgresql")
    url = server.database()
    return lambda: opened(url)
