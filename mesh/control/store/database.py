"""A database behind a store: how it is reached, kept, and told about when it fails."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from mesh.control.store.location import AtServer, InFile
from mesh.errors import ConfigError, Internal, MeshError, Unavailable

PATIENCE = 10
"""Seconds to wait for another writer of a file, or for a connection to a server."""

# Seconds, and the last in milliseconds: a server that has gone without a word is noticed.
_LIBPQ = {
    "connect_timeout": PATIENCE,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# Of our advisory lock: "mesh" in ASCII.
_LOCK = 0x6D657368
_BEGIN = "mesh_begin"


@dataclass(frozen=True, slots=True)
class Database:
    """`label` names it in messages. `reader` and `writer` share one connection."""

    label: str
    reader: Engine
    writer: Engine
    folder: Path | None = None
    """Of the file; None for a server."""

    def close(self) -> None:
        """Gives the connection back."""
        self.writer.dispose()

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Turns foreign errors into ours, in one line each."""
        try:
            yield
        except MeshError:
            raise
        except Exception as error:  # drivers raise theirs beside SQLAlchemy's
            raise _told(self.label, error) from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While it lasts, no other process opens the same database; of a file only."""
        with self.told(), _alone_in(self.folder):
            yield

    @contextlib.contextmanager
    def opening(self) -> Iterator[Connection]:
        """A transaction that no other process that opens the same database has meanwhile."""
        with self.alone(), self.told(), self.writer.begin() as connection:
            if self.folder is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the database as of one moment."""
        with self.told(), self.reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; its work is kept if the block ends without an error."""
        with self.told(), self.writer.begin() as connection:
            yield connection

    def rewrite(self) -> None:
        """Writes a file anew, so that nothing is left in it of what was deleted or changed.

        Raises Unavailable while another process reads it.
        """
        with self.told(), self.writer.connect() as connection:
            raw = connection.connection.cursor()
            try:
                raw.execute("VACUUM")
                # Until then the pages of before are in the file, and those of now beside it.
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                is_busy, *_ = raw.fetchone() or (True,)
            finally:
                raw.close()
        if is_busy:
            raise Unavailable(f"the store {self.label}: another process reads it")


def reach(location: InFile | AtServer, patience: float = PATIENCE) -> Database:
    """The database at `location`; a file and its folder are made if they do not exist.

    `patience` is how long to wait for another writer of a file, in seconds. A server is not asked
    yet. Raises ConfigError if a file cannot be made, or the driver is not installed.
    """
    if isinstance(location, AtServer):
        return _server(location)
    return _file(location.path, patience)


def _file(path: Path, patience: float) -> Database:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its other files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigError(f"--store {path}: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": patience},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    # A transaction that begins by reading could not wait for a writer before it writes.
    writer = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
    return Database(f"sqlite:///{path}", engine, writer, path.parent)


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Python's own transactions begin with the first write, and leave changes of tables out.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _server(location: AtServer) -> Database:
    options = {name: value for name, value in _LIBPQ.items() if name not in location.url.query}
    try:
        engine = create_engine(
            location.url,
            pool_size=1,
            max_overflow=0,
            # A restart of the server is not noticed by the next change.
            pool_pre_ping=True,
            connect_args=options,
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--store {location.label}: {error.name} is not installed:"
            " pip install 'serving-mesh[postgresql]'"
        ) from error
    reader = engine.execution_options(isolation_level="REPEATABLE READ")
    return Database(location.label, reader, engine)


@contextlib.contextmanager
def _alone_in(folder: Path | None) -> Iterator[None]:
    """Holds a lock on the folder: two connections cannot turn a new file to WAL at once."""
    if folder is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _told(label: str, error: Exception) -> MeshError:
    # SQLAlchemy's own text has the statement in it.
    cause = getattr(error, "orig", None) or error
    line = " ".join(str(cause).split()) or type(cause).__name__
    message = f"the store {label}: {line}"
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeout, OSError)):
        return Unavailable(message)
    return Internal(message)
