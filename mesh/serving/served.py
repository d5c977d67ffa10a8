"""Meshes that run beside a state folder: with its token, without its lock, several at a time.

Their control URLs are noted there, so that the token goes to nothing else.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mesh.serving.home import Home, fault, runs, this_process, write_at_once


@contextmanager
def noted(home: Home, control_url: str) -> Iterator[None]:
    """Notes for the block that this process has a control API there. Raises ConfigError."""
    process = this_process()
    path = _folder(home) / f"{process['pid']}.json"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_at_once(path, {**process, "control_url": control_url})
    except OSError as error:
        raise fault(path, error) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def served(home: Home) -> list[str]:
    """The control URLs of those that run, the latest first; what others have left is removed."""
    found = []
    for path in _folder(home).glob("*.json"):
        noted = _read(path)
        if noted and runs(noted["pid"], noted["started"]):
            found.append((noted["started"], noted["control_url"]))
        else:
            with suppress(OSError):
                path.unlink()
    return [url for _, url in sorted(found, reverse=True)]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        return {
            "pid": int(found["pid"]),
            "started": float(found["started"]),
            "control_url": str(found["control_url"]),
        }
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _folder(home: Home) -> Path:
    return home.folder / "serving"
