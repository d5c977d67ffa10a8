"""Programs that a Makefile in their folder checks for, builds and runs.

`make check` says which tools there are, or what is missing; `make build OUT=... PROTOS=...` builds;
`make run OUT=...` runs.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_BUILD = 400
_KEPT = 3 * 24 * 3600  # seconds that a program is kept after its last use


class Absent(Exception):
    """The tools that a program needs are not here; the text says what is missing."""


def make(
    folder: Path, target: str, *, limit: int = 60, **variables: object
) -> tuple[int, str, str]:
    """Makes a target of the folder; returns its status and what it wrote."""
    given = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "-s", "-C", str(folder), target, f"PYTHON={sys.executable}", *given],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
    )
    return done.returncode, done.stdout, done.stderr


def tools(folder: Path) -> str:
    """The tools there are, with versions. Raises Absent where `make check` says what is not."""
    status, said, wrong = make(folder, "check")
    if status and not said.strip():
        raise RuntimeError(f"make check fails in {folder}: {wrong}")
    if status:
        raise Absent(said.strip())
    return said.strip()


def built(folder: Path, protos: Path | None = None, *, cache: Path | None = None) -> Path:
    """Where its program is, from the cache if it was built before of the same. Raises Absent."""
    cache = cache or _cache()
    out = cache / f"{folder.name}-{_digest(folder, protos, tools(folder))}"
    with _alone(out):
        if not (out / "built").exists():
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            status, said, wrong = make(
                folder, "build", limit=_LONGEST_BUILD, PROTOS=protos or "", OUT=out
            )
            if status:
                raise RuntimeError(f"{folder} cannot be built: {said[-2000:]}{wrong[-4000:]}")
            _forget(cache, folder.name)
        (out / "built").touch()
    return out


def _forget(cache: Path, name: str) -> None:
    """Removes programs of a folder that nobody has used for days."""
    for built_then in cache.glob(f"{name}-*/built"):
        if built_then.stat().st_mtime < time.time() - _KEPT:
            shutil.rmtree(built_then.parent, ignore_errors=True)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "serving-mesh" / "conformance"


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Waits until no other run builds the same."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(sources: Path, protos: Path | None, there: str) -> str:
    digest = hashlib.sha256(there.encode())
    for folder in filter(None, (sources, protos)):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
