"""A mesh in the background: the program that `mesh up` starts.

It reads one line of JSON from stdin: the state folder as `state`, a `mesh.serving.run.Place` as
`place` without token and store, and the store's URL as `store`, empty for the one in the folder.
What it does is told in lines of JSON on the file descriptor `report`: `step` in a few words, at
last `ready` or `error`.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from mesh.access.login_config import login_config
from mesh.errors import Cancelled, MeshError
from mesh.observe import logs
from mesh.serving.announced import announcement
from mesh.serving.home import Home
from mesh.serving.rotated import Rotated
from mesh.serving.run import Place, RunningMesh
from mesh.serving.signals import Signals

LOOK_EVERY = 1.0
"""Seconds between two looks at the gateways."""
_log = logging.getLogger("mesh")


class Report:
    """Tells whoever has started this; once it is gone, nobody."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", buffering=1)

    def step(self, text: str) -> None:
        """What is being done now."""
        self._tell({"step": text})

    def ready(self) -> None:
        """All is done; nothing more is told."""
        self._tell({"ready": True})
        self._file.close()

    def failed(self, error: MeshError) -> None:
        """It could not be done; nothing more is told."""
        self._tell({"error": error.message})
        self._file.close()

    def _tell(self, what: dict[str, Any]) -> None:
        if self._file.closed:
            return
        try:
            self._file.write(json.dumps(what) + "\n")
        except BrokenPipeError:
            _log.info("nobody waits for this mesh to start")


def place_of(plain: dict[str, Any], *, store: str, token: str) -> Place:
    """The place that is asked for, as JSON has it."""
    known = {**plain, "web_origins": tuple(plain.get("web_origins", ()))}
    return Place(**known, store=store, token=token, login=login_config(os.environ))


def main() -> None:
    """Runs a mesh until SIGTERM."""
    asked = json.loads(sys.stdin.readline())
    report = Report(asked["report"])
    place = asked["place"]
    logs.configure(stream=sys.stderr, level=place["log_level"], json=place["logs"] == "json")
    home = Home(Path(asked["state"]))
    try:
        _run(home, place, asked["store"] or home.store_url, report)
    except MeshError as error:
        _log.critical("the mesh cannot run: %s", error.message)
        report.failed(error)
        sys.exit(1)
    except KeyboardInterrupt:
        report.failed(Cancelled("it was told to end while it started"))
        sys.exit(1)


def _run(home: Home, plain: dict[str, Any], store: str, report: Report) -> None:
    signals = Signals()
    with home.held():
        place = place_of(plain, store=store, token=home.make_token())
        with RunningMesh(place, report.step) as mesh:
            signals.listen()  # Ray has put a handler of its own in place
            mesh.wait_listening()
            signals.defer()
            with home.announced(announcement(mesh, str(home.log))):
                report.ready()
                _log.info("the mesh runs at %s", mesh.url)
                watch(mesh, signals.wanted, Rotated(home.log))
                _log.info("the mesh stops")
                signals.again = mesh.hurry


class Mended(Protocol):
    """What is looked after: `mend` starts again what ended, and says what that was."""

    def mend(self) -> Iterable[str]:
        """As of RunningMesh."""


class Wanted(Protocol):
    """Set when this is to end."""

    def wait(self, timeout: float) -> bool:
        """As of threading.Event."""


def watch(mesh: Mended, wanted: Wanted, log: Rotated) -> None:
    """Looks after the gateways and the log until the end is wanted."""
    while not wanted.wait(LOOK_EVERY):
        for sentence in mesh.mend():
            _log.warning("%s; started again", sentence)
        try:
            log.look()
        except OSError as error:
            _log.warning("the log cannot be emptied: %s", error)


if __name__ == "__main__":
    main()
