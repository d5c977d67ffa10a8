"""A mesh in the background with two gateways and a SQLite store, for tests of its control API."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from mesh import ControlClient
from mesh.errors import MeshError
from mesh.ports import free_port
from tests.cluster.processes import called
from tests.e2e.clients import eventually

ROOT = Path(__file__).parent.parent.parent
GATEWAYS = 2
PATIENCE = 120.0
"""Seconds after which what should happen by itself counts as never."""


class Background:
    """Runs as `mesh up` leaves it, until `down`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        port, control = (str(free_port("127.0.0.1")) for _ in range(2))
        told = self.run(
            *("up", "--json", "--port", port, "--control-port", control),
            *("--gateways", str(GATEWAYS), "--num-cpus", "24"),
        )
        self.about = json.loads(told)
        self.url: str = self.about["url"]
        self.target = self.url.removeprefix("http://")
        self.control = ControlClient(state=self.state)

    def run(self, *arguments: str) -> str:
        """What the command `mesh` writes; it must not fail."""
        env = {**os.environ, "MESH_HOME": str(self.state), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", "from mesh.cli.main import main; main()", *arguments],
            cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=110,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def down(self) -> None:
        self.control.close()
        self.run("down")

    def deploy(self, service: str, name: str, **settings: Any) -> None:
        """Deploys a class of `tests.e2e.canary_services`, and waits until gateways reach it."""
        target = f"tests.e2e.canary_services:{service}"
        made = self.control.deploy(target, path=[ROOT], name=name, **settings)
        self.control.wait(name, PATIENCE, revision=made.revision)
        self.reaches(name)

    def reaches(self, endpoint: str) -> None:
        """Returns when each gateway leads to the endpoint."""
        path = f"/e/{endpoint}/schema.json"

        def answers(client: httpx.Client) -> bool:
            return client.get(path).status_code == 200

        for gateway in self.gateways:
            with self.through(gateway) as client:
                eventually(partial(answers, client), path, PATIENCE)

    @property
    def gateways(self) -> list[int]:
        """The processes of the gateways."""
        family = psutil.Process(self.about["pid"]).children(recursive=True)
        return sorted(each.pid for each in called("_bin/envoy", family))

    @contextmanager
    def through(self, gateway: int) -> Iterator[httpx.Client]:
        """A client with one connection, which is to this gateway, for as long as the block runs."""
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)
        while True:  # the system gives each new connection to one of the gateways
            with httpx.Client(base_url=self.url, timeout=PATIENCE, limits=limits) as client:
                with client.stream("GET", "/livez") as reply:
                    own = reply.extensions["network_stream"].get_extra_info("client_addr")
                    reply.read()
                found = psutil.Process(gateway).net_connections("tcp")
                if any(each.raddr and each.raddr.port == own[1] for each in found):
                    yield client
                    return

    def kill_controller(self) -> None:
        """Kills its process, as the kernel would; it is found by the port that it listens on."""
        port = int(self.about["controller"].rpartition(":")[2])
        for process in psutil.Process(self.about["pid"]).children(recursive=True):
            try:
                held = process.net_connections("tcp")
            except psutil.Error:
                continue
            if any(each.status == "LISTEN" and each.laddr.port == port for each in held):
                os.kill(process.pid, signal.SIGKILL)
                process.wait(PATIENCE)
                return
        raise AssertionError("nobody listens there")

    def when_back(self, ask: Callable[[], Any]) -> Any:
        """What `ask` returns once the controller is there again."""

        def asked() -> Any:
            try:
                return ask()
            except MeshError:
                return None

        return eventually(asked, "the controller is back", PATIENCE)


class Traffic:
    """Requests over HTTP that go on all the time, a few at once; counts how they end."""

    def __init__(self, url: str, path: str) -> None:
        self._url = url
        self._path = path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.codes: Counter[tuple[str, int]] = Counter()
        """By version and status."""

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE) as client:
            while not self._stop.is_set():
                reply = client.post(self._path)
                with self._lock:
                    self.codes[reply.headers.get("x-mesh-version", ""), reply.status_code] += 1
                time.sleep(0.005)  # leaves the machine to others

    def stop(self) -> None:
        self._stop.set()

    @property
    def failed(self) -> dict[tuple[str, int], int]:
        """Those that were not answered with 200."""
        return {key: count for key, count in self.codes.items() if key[1] != 200}


@contextmanager
def traffic(url: str, path: str = "/which", threads: int = 4) -> Iterator[Traffic]:
    """Requests to `path` for as long as the block runs."""
    made = Traffic(url, path)
    running = [threading.Thread(target=made.run) for _ in range(threads)]
    for each in running:
        each.start()
    try:
        yield made
    finally:
        made.stop()
        for each in running:
            each.join(PATIENCE)
