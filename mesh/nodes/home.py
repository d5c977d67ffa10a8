"""The home of one replica: its models as BentoML looks for them, files of secrets, room to write.

Of each there is a file that its process keeps locked; the homes of processes that are dead are
removed when the next one is made.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

from mesh.nodes.cache import Lease, remove

_LOCK = ".lock"


def make_home(
    homes: Path, name: str, models: Mapping[str, Path], files: Mapping[str, bytes]
) -> Lease:
    """Makes the home `name` in `homes`, which is there until the lease is closed, or longer.

    `models` are folders by their tag `name:version`, `files` contents by their path in it.
    """
    homes.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep_homes(homes)
    lease = _locked(homes, name)
    try:
        remove(lease.path)
        lease.path.mkdir(mode=0o700)
        (lease.path / "models").mkdir()
        for tag, folder in models.items():
            model, _, version = tag.partition(":")
            link = lease.path / "models" / model / version
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(folder)
        for file, content in files.items():
            _write(lease.path / file, content)
    except BaseException:
        remove_home(lease)
        raise
    return lease


def remove_home(home: Lease) -> None:
    """Removes a home with all in it, and gives its lock back."""
    remove(home.path)
    home.path.with_name(home.path.name + _LOCK).unlink(missing_ok=True)
    home.close()


def sweep_homes(homes: Path) -> None:
    """Removes the homes that no process has any more."""
    for lock in homes.glob(f"*{_LOCK}"):
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(lock.with_name(lock.name.removesuffix(_LOCK)))
            lock.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)


def _locked(homes: Path, name: str) -> Lease:
    path = homes / f"{name}{_LOCK}"
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(handle).st_ino:
                return Lease(homes / name, handle)
        except FileNotFoundError:
            pass
        os.close(handle)  # it was swept away before it was locked


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
