"""A mesh in the background, from the outside: started, found, ended."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import psutil

from mesh.errors import Unavailable
from mesh.serving.home import Announcement, Home

DAEMON = "mesh.serving.daemon"
STOP_WAIT = 120.0
"""Seconds that a mesh has to end, beyond what its calls have."""


def start(
    home: Home, place: Mapping[str, Any], store: str, say: Callable[[str], None]
) -> Announcement:
    """Starts a mesh, and returns when callers can reach it.

    `place` has the fields of a `mesh.serving.run.Place`, all but store and token; `store` is its
    store's URL, empty for the database in the folder. `say` is told what is being done.

    Raises:
        Unavailable: it cannot start; the message says why, or where its log is.
        ConfigError: the folder cannot be written to.
    """
    home.make()
    reader, writer = os.pipe()
    with os.fdopen(reader) as reports:
        try:
            asked = {"state": str(home.folder), "place": place, "store": store}
            process = _spawn(home, asked, writer)
        finally:
            os.close(writer)
        try:
            _listen(reports, say)
        except KeyboardInterrupt:
            process.terminate()  # nobody wants it any more
            raise
    # It outlives this process on purpose; nobody is left to wait for it.
    process.returncode = 0
    found = home.announcement()
    if found is None:
        raise Unavailable(f"the mesh ended while it started: see {home.log}")
    return found


def _listen(reports: Iterable[str], say: Callable[[str], None]) -> None:
    """Passes on what is told until nothing more is. Raises Unavailable for an error."""
    for line in reports:
        report = json.loads(line)
        if "error" in report:
            raise Unavailable(report["error"])
        if "step" in report:
            say(report["step"])


def _spawn(home: Home, asked: Mapping[str, Any], report: int) -> "subprocess.Popen[bytes]":
    with home.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", DAEMON],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=home.folder,  # the folder of whoever starts it may go
            pass_fds=(report,),
            start_new_session=True,  # neither Ctrl-C here nor the end of this terminal is its own
        )
    assert process.stdin is not None, "as asked for"  # noqa: S101  # for the type checker
    with process.stdin as stdin:
        stdin.write(json.dumps({**asked, "report": report}).encode() + b"\n")
    return process


def stop(mesh: Announcement, limit: float = STOP_WAIT) -> None:
    """Has a mesh end, and returns when it has.

    Raises:
        Unavailable: it still runs `limit` seconds after its calls have had their time.
    """
    limit += mesh.grace
    try:
        process = psutil.Process(mesh.pid)
        process.terminate()
        process.wait(limit)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        text = f"the mesh, process {mesh.pid}, still runs after {limit:g} s"
        raise Unavailable(f"{text}: see {mesh.log}") from None
