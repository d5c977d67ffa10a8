"""Where archives are kept, as `--releases` says."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from mesh.control.store.location import InFile, InMemory, locate
from mesh.releases.blobs import DiskBlobs, Vault
from mesh.releases.location import is_url, located
from mesh.releases.remote_blobs import RemoteBlobs

_log = logging.getLogger(__name__)

FOLDER = "releases"
"""The folder beside the database."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Archives, and the folder that is removed when they are closed (None: none is)."""

    vault: Vault
    passing: Path | None = None

    def close(self) -> None:
        """Removes what was to be kept for as long as this process only. Blocks."""
        if self.passing is not None:
            shutil.rmtree(self.passing, ignore_errors=True)


def open_vault(releases: str, store: str) -> Opened:
    """Archives at `releases`: a folder, or a URL such as `s3://bucket/prefix`.

    Without it they are in the folder `releases` beside the database of `store`; where that is no
    file, in a folder that is removed at the end. Blocks. Raises ConfigError naming `--releases`.
    """
    if is_url(releases):
        beside = _beside(store)
        passing = None if beside else _passing()
        incoming = (beside or passing or Path()) / "incoming"
        return Opened(RemoteBlobs(releases, incoming), passing)
    if releases:
        return Opened(DiskBlobs(Path(located(releases))))
    beside = _beside(store)
    if beside is not None:
        return Opened(DiskBlobs(beside))
    if not isinstance(locate(store or "memory:"), InMemory):
        _log.warning("archives of releases are lost when the mesh ends: say --releases")
    passing = _passing()
    return Opened(DiskBlobs(passing), passing)


def _beside(store: str) -> Path | None:
    """The folder beside the database, if that is a file."""
    location = locate(store or "memory:")
    return location.path.parent / FOLDER if isinstance(location, InFile) else None


def _passing() -> Path:
    return Path(mkdtemp(prefix="mesh-releases-"))
