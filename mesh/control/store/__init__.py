"""Where the controller keeps what it must not forget."""

from pathlib import Path

from mesh.control.store.contract import Store
from mesh.control.store.database import reach
from mesh.control.store.key_file import KeyFile
from mesh.control.store.location import AtServer, InFile, InMemory, locate
from mesh.control.store.memory import MemoryStore
from mesh.control.store.sealing import NO_SEAL, VARIABLE, Seal, read_seal
from mesh.control.store.sql import SqlStore


def open_store(url: str, key: bytes | None) -> Store:
    """Opens the store at `url`, and takes it over from whoever had it open. Blocks.

    `url` is `memory:`, the path of a SQLite file or `sqlite:///PATH` (file, folder and schema are
    made if need be), or `postgresql://USER:PASSWORD@HOST/DB`. `key` is the value of
    MESH_SECRET_KEY (see sealing.read_seal); without it, the secret key of a SQLite file is in the
    file with `.key` after its name, which is made if it does not exist, and a PostgreSQL store
    refuses to keep keys of upstreams.

    Raises:
        ConfigError: `url` is none of these, the file cannot be made, the driver is missing, or a
            secret key is malformed.
        Unavailable: the database cannot be reached.
        FailedPrecondition: a later version of the mesh wrote it, or there are several secret keys
            and none decrypts what is there.
    """
    match locate(url):
        case InMemory():
            return MemoryStore()
        case InFile(path) as location:
            return SqlStore.open(reach(location), _seal(key) or KeyFile(Path(f"{path}.key")))
        case AtServer() as location:
            return SqlStore.open(reach(location), _seal(key) or NO_SEAL)


def _seal(key: bytes | None) -> Seal | None:
    return None if key is None else read_seal(key, VARIABLE)
