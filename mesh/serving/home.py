"""The folder in which a mesh of this machine keeps its state, and says where it is.

mesh.json   addresses and process of the mesh that runs, while it runs
token       of its control API; for the user alone
mesh.db     what its controller must not forget
mesh.log    what its processes write, if it runs in the background; mesh.log.1 is older
lock        held by the mesh that runs
login.json  where `mesh login` was told that a control API is, with the token; for the user alone
serving     a file for each `mesh serve` that runs beside the folder, with its token
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from mesh.errors import ConfigError, FailedPrecondition

VARIABLE = "MESH_HOME"
"""The environment variable that names the folder."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A mesh that runs here.

    `pid` is its process, `started` when that began, in seconds since the Unix epoch; `url` is for
    callers, `control_url` for its control API, `controller` (`host:port`) for gateways elsewhere.
    `log` is the file of its own log, empty if it writes to a terminal, `replica_logs` the folder
    of its replicas' on this machine. Calls have `grace` seconds to finish when it is told to end.
    """

    pid: int
    started: float
    url: str
    control_url: str
    controller: str
    log: str
    replica_logs: str
    grace: int = 0


class Home:
    """The state folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "mesh.log"
        self._announced = folder / "mesh.json"
        self._token = folder / "token"

    def __repr__(self) -> str:
        return f"<Home {self.folder}>"

    @classmethod
    def of(cls, folder: Path | None, environ: Mapping[str, str]) -> "Home":
        """The one at `folder`, else where the environment says, else `~/.mesh`."""
        said = environ.get(VARIABLE, "")
        return cls((folder or (Path(said) if said else Path.home() / ".mesh")).absolute())

    @property
    def store_url(self) -> str:
        """The database in it, as a store's URL."""
        return f"sqlite:///{self.folder / 'mesh.db'}"

    def make(self) -> None:
        """Makes the folder, for its user alone, unless it is there. Raises ConfigError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise fault(self.folder, error) from error

    def token(self) -> str:
        """The token of the control API; empty if there is none."""
        try:
            return self._token.read_text().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise fault(self._token, error) from error

    def make_token(self) -> str:
        """The token, made if there is none. Raises ConfigError."""
        fresh = self.folder / f"token.{os.getpid()}.new"
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(f"{secrets.token_urlsafe(32)}\n")
            # It is there as a whole or not at all: others may be making one.
            with suppress(FileExistsError):
                os.link(fresh, self._token)
            fresh.unlink()
        except OSError as error:
            raise fault(self._token, error) from error
        if not (found := self.token()):
            raise ConfigError(f"state folder: {self._token}: is empty; remove it for a new one")
        return found

    @property
    def token_path(self) -> Path:
        """Where the token is."""
        return self._token

    def announcement(self) -> Announcement | None:
        """The mesh that runs here; what one has left that did not end well is removed."""
        try:
            found = Announcement(**json.loads(self._announced.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        if runs(found.pid, found.started):
            return found
        with suppress(OSError):
            self._announced.unlink()
        return None

    @contextmanager
    def announced(self, mesh: Announcement) -> Iterator[None]:
        """Says for the block that a mesh runs."""
        self.announce(mesh)
        try:
            yield
        finally:
            self.withdraw()

    def announce(self, mesh: Announcement) -> None:
        """Says that a mesh runs: all of it at once, for others may be reading."""
        write_at_once(self._announced, asdict(mesh))

    def withdraw(self) -> None:
        """Says that it does not any more."""
        self._announced.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other meshes out of the folder, which is made, until the block or the process ends.

        Raises:
            FailedPrecondition: another mesh runs in it.
            ConfigError: it cannot be written to.
        """
        self.make()
        path = self.folder / "lock"
        try:
            lock = path.open("w")
        except OSError as error:
            raise fault(path, error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FailedPrecondition(f"a mesh runs already in {self.folder}") from None
            yield


def this_process() -> dict[str, Any]:
    """The process of an announcement: this one."""
    return {"pid": os.getpid(), "started": psutil.Process().create_time()}


def runs(pid: int, started: float) -> bool:
    """Whether the process runs, and is no other that has its number now."""
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < 1
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def write_at_once(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a file of JSON for the user alone, so that no reader sees a part of it."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(json.dumps(document, indent=2) + "\n")
    fresh.replace(path)


def fault(path: Path, error: OSError) -> ConfigError:
    """What is wrong with the folder."""
    return ConfigError(f"state folder: {path}: {error.strerror}")
