"""A replica's host without a service, which behaves as the target of its launch says."""

import os
import signal
import threading

from mesh.errors import Unavailable
from mesh.launch import Launch

FAILS = "fails"
"""`start` raises."""
EXITS = "exits"
"""`start` calls sys.exit, as user code may."""
BUSY = "busy"
"""`drain` takes all the time it is given."""
DIES = "dies"
"""Its process ends by itself once it has started."""
TELLS = "tells"
"""`start` prints its process and the variable MODE."""


class FakeHost:
    """See `mesh.cluster.actors.Host`."""

    def __init__(self, launch: Launch, bind_host: str) -> None:
        self._target = launch.source.target
        self._bind_host = bind_host
        self._stopped = threading.Event()

    def start(self) -> str:
        if self._target == FAILS:
            raise ModuleNotFoundError("No module named\n 'numbat'")
        if self._target == EXITS:
            raise SystemExit("the model is missing")
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        print(f"the replica starts with the devices {devices}")
        if self._target == TELLS:
            print(f"process {os.getpid()}, mode {os.environ.get('MODE')}")
        if self._target == DIES:
            print("last words")
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return f"{self._bind_host}:1"

    def check(self) -> None:
        if self._stopped.is_set():
            raise Unavailable("stopped")

    def drain(self, timeout: float) -> bool:
        return not (self._target == BUSY and not self._stopped.wait(timeout))

    def stop(self) -> None:
        self._stopped.set()
