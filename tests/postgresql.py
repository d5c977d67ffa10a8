"""A real PostgreSQL for tests, from the system's packages, reached over a Unix socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest

USER, PASSWORD = "mesh", "s3cret-pa%ss"  # of a server that lives as long as a test run


@dataclass
class Server:
    """A running server; `folder` has its socket."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def database(self) -> str:
        """The URL of a new, empty database, as `--store` takes it."""
        name = f"mesh{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        password = PASSWORD.replace("%", "%25")
        return f"postgresql://{USER}:{password}@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(
            user=USER, password=PASSWORD, host=str(self.folder), dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement.encode())


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    found = [Path(path).resolve().parent for path in [shutil.which("initdb")] if path]
    found += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    return next((path for path in reversed(found) if (path / "initdb").exists()), None)


@contextmanager
def running_postgresql() -> Iterator[Server]:
    """A server of our own. The test is skipped where none is installed, and fails so in CI."""
    programs = binaries()
    if programs is None:
        reason = "PostgreSQL is not installed: apt-get install postgresql"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    # It refuses to run as root; pytest's own folders are closed to others.
    become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def run(*command: str) -> None:
        done = subprocess.run(
            [*become, *command], cwd=folder, capture_output=True, text=True, check=False
        )
        log = folder / "log"
        told = done.stdout + done.stderr + (log.read_text() if log.exists() else "")
        assert done.returncode == 0, told

    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        if become:
            shutil.chown(folder, "postgres")
        (password := folder / "password").write_text(PASSWORD)
        password.chmod(0o644)
        data, log = str(folder / "data"), str(folder / "log")
        secure = ("--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}")
        run(str(programs / "initdb"), "-D", data, "--no-sync", "--locale=C.UTF-8", *secure)
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        control = str(programs / "pg_ctl")
        # Its output goes to files: a pipe would stay open as long as the server runs.
        subprocess.run(
            [*become, control, "-D", data, "-l", log, "-w", "-o", options, "start"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        try:
            yield Server(folder)
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")
