"""A mesh that `mesh up` started, its controller's process, and load on its deployments."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from mesh import ControlClient
from mesh.client import GrpcClient
from mesh.client.control.values import DeploymentView, ReplicaView
from mesh.errors import MeshError
from mesh.ports import free_port
from tests.cluster.processes import command
from tests.e2e.clients import PATIENCE, eventually

ROOT = Path(__file__).parent.parent.parent
SERVICES = "tests.e2e.releases"
LONG = 120.0
"""Seconds that a change has to take effect on a machine that is busy."""


class Upped:
    """The mesh whose state is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port("127.0.0.1")
        self.control_port = free_port("127.0.0.1")
        self.target = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.target}"
        self.environ: dict[str, str] = {}  # of commands, besides this process's

    def mesh(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What a command does."""
        return subprocess.run(
            [sys.executable, "-c", "from mesh.cli.main import main; main()", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONG,
            env={
                **os.environ, "MESH_HOME": str(self.folder), "PYTHONPATH": str(ROOT),
                **self.environ,
            },
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def runs(self, *arguments: str) -> str:
        """What a command that succeeds writes."""
        done = self.mesh(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *more: str) -> None:
        ports = ("--port", str(self.port), "--control-port", str(self.control_port))
        done = self.mesh("up", *ports, "--num-cpus", "4", *more)
        assert done.returncode == 0, done.stderr
        self.client = ControlClient(state=self.folder)

    def down(self) -> None:
        self.client.close()
        done = self.mesh("down")
        assert done.returncode == 0, done.stderr

    def controller(self) -> psutil.Process | None:
        """The process of the controller; None while there is none."""
        for process in psutil.process_iter():
            try:
                if (
                    "ControllerActor" in command(process)
                    and process.environ().get("MESH_HOME") == str(self.folder)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    return process
            except psutil.Error:
                continue
        return None

    def deploy(self, release: str, name: str, **settings: Any) -> DeploymentView:
        return self.client.deploy(f"{SERVICES}:{release}", path=[ROOT], name=name, **settings)

    def settled(self, name: str, look: Callable[[DeploymentView], object]) -> DeploymentView:
        """The deployment once `look` at it is true."""

        def looked() -> DeploymentView | None:
            found = self.client.deployments.get(name)
            return found if look(found) else None

        found = eventually(looked, f"{name} as it should be", LONG)
        assert found is not None
        return found

    def running(self, name: str, revision: int = 0) -> DeploymentView:
        """The deployment when it runs as it should, and nothing else of it does."""
        self.client.wait(name, LONG, revision=revision)

        def alone() -> bool:
            wanted = {version.id for version in self.client.deployments.get(name).versions}
            found = self.client.replicas(name)
            return all(each.phase == "ready" and each.version_id in wanted for each in found)

        eventually(alone, f"nothing else of {name} runs", LONG)
        return self.client.deployments.get(name)

    def ready(self, name: str) -> dict[str, ReplicaView]:
        """The replicas that are ready, by their ids."""
        return {each.id: each for each in self.client.replicas(name) if each.phase == "ready"}


@contextmanager
def upped(folder: Path, *more: str) -> Iterator[Upped]:
    """Runs a mesh for the length of a block; `more` goes to `mesh up`."""
    made = Upped(folder)
    made.up(*more)
    try:
        yield made
    finally:
        made.down()


class Traffic:
    """Calls of one endpoint, one after the other in each of some threads.

    `answers` counts the calls that were answered by kind and release, `failures` has the text of
    each that was not. `times` has for each release when the calls that it answered began and
    ended.
    """

    def __init__(self, upped: Upped, name: str) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []
        self.times: dict[str, list[tuple[float, float]]] = {}
        self._http = httpx.Client(base_url=f"{upped.url}/e/{name}", timeout=LONG)
        self._grpc = GrpcClient(upped.target, endpoint=name)
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def http(self) -> str:
        reply = self._http.post("/buy")
        assert reply.status_code == 200, f"{reply.status_code} {reply.text}"
        return whole(reply.json())

    def http_stream(self) -> str:
        fields = {"accept": "application/x-ndjson"}
        with self._http.stream("POST", "/watch", json={"n": 5}, headers=fields) as reply:
            assert reply.status_code == 200, f"{reply.status_code} {reply.read()!r}"
            items = [json.loads(line) for line in reply.iter_lines()]
        return of_stream(items)

    def grpc(self) -> str:
        return whole(self._grpc.call("buy", timeout=LONG))

    def grpc_stream(self) -> str:
        return of_stream(list(self._grpc.stream("watch", n=5, timeout=LONG)))

    def run(self, kind: str) -> None:
        call: Callable[[], str] = getattr(self, kind)
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                release = call()
            except (MeshError, httpx.HTTPError, AssertionError) as error:
                with self._lock:
                    self.failures.append(f"{kind}: {error!r}")
            else:
                with self._lock:
                    self.answers[kind, release] += 1
                    self.times.setdefault(release, []).append((began, time.monotonic()))

    def of(self, release: str) -> set[str]:
        """The kinds of calls that the release has answered."""
        with self._lock:
            return {kind for kind, each in self.answers if each == release}

    def more(self, calls: int) -> None:
        """Returns when so many more calls of each kind were answered."""
        before = self._by_kind()

        def answered() -> bool:
            assert not self.failures, self.failures[:3]
            now = self._by_kind()
            return all(now[kind] - before[kind] >= calls for kind in KINDS)

        eventually(answered, f"{calls} more calls of each kind", LONG)

    def reach(self, release: str) -> None:
        """Returns when the release has answered calls of all kinds, and nothing else any more.

        What had begun before may end by another.
        """

        def answered() -> bool:
            assert not self.failures, self.failures[:3]
            return self.of(release) == set(KINDS)

        eventually(answered, f"all kinds of calls are answered by {release}", LONG)
        self.more(2)  # these may have begun before
        with self._lock:
            self.answers.clear()
        self.more(2)
        assert {each for _, each in self.answers} == {release}

    @property
    def count(self) -> int:
        """How many calls were answered or failed."""
        with self._lock:
            return sum(map(len, self.times.values())) + len(self.failures)

    def _by_kind(self) -> Counter[str]:
        with self._lock:
            found = Counter(dict.fromkeys(KINDS, 0))
            for (kind, _), count in self.answers.items():
                found[kind] += count
        return found

    def answered_by(self, release: str) -> None:
        """Returns when the release has answered calls of all kinds, whatever failed before."""
        eventually(lambda: self.of(release) == set(KINDS), f"{release} answers", LONG)
        with self._lock:
            self.answers.clear()

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._http.close()
        self._grpc.close()


KINDS = ("http", "http_stream", "grpc", "grpc_stream")


def whole(answer: Any) -> str:
    """The release of an answer, all of whose services must be of it."""
    assert answer["shop"] == answer["stock"], answer
    release: str = answer["shop"]
    return release


def of_stream(items: list[str]) -> str:
    """The release of a stream, which must have come from one and to its end."""
    releases = set(items)
    assert (len(items), len(releases)) == (5, 1), items
    return releases.pop()


@contextmanager
def traffic(upped: Upped, name: str, each: int = 2) -> Iterator[Traffic]:
    """Calls of all kinds, `each` at a time, for the length of a block."""
    made = Traffic(upped, name)
    threads = [
        threading.Thread(target=made.run, args=(kind,)) for kind in KINDS for _ in range(each)
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.stop()
        for thread in threads:
            thread.join(PATIENCE)
        made.close()
