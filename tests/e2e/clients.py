"""Clients of one deployment, load on it, and waiting for what other processes do."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc
import httpx

from mesh.client import GrpcClient
from mesh.errors import MeshError
from mesh.testing import LocalMesh

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds after which a test that waits fails: a busy machine takes a while to start a process."""


def eventually(look: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
    """What `look` returns once that is true; other processes have `patience` s to make it so."""
    until = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < until, f"still not: {what or look}"
        time.sleep(0.05)
    return found


class Deployed:
    """A deployment with clients of its endpoint."""

    def __init__(self, mesh: LocalMesh, name: str) -> None:
        self.mesh = mesh
        self.name = name
        self.http = httpx.Client(base_url=f"{mesh.url}/e/{name}", timeout=PATIENCE)
        self.grpc = GrpcClient(mesh.target, endpoint=name)
        self.channel = grpc.insecure_channel(mesh.target)

    def close(self) -> None:
        self.http.close()
        self.grpc.close()
        self.channel.close()

    def typed_version(self, path: str, **metadata: str) -> str:
        """The version that answers the typed rpc at `path`, called with an empty message."""
        fields = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        _, call = self.channel.unary_unary(path).with_call(b"", timeout=PATIENCE, metadata=fields)
        return str(dict(call.initial_metadata())["x-mesh-version"])

    def versions(self, requests: int, *, headers: dict[str, str] | None = None) -> Counter[str]:
        """How often each version answered `who`, half over HTTP and half over gRPC."""
        seen: Counter[str] = Counter()
        for _ in range(requests // 2):
            seen[self.http.post("/who", headers=headers).headers["x-mesh-version"]] += 1
            _, metadata = self.grpc.call_with("who", {}, metadata=headers)
            seen[metadata["x-mesh-version"]] += 1
        return seen


class Load:
    """What calls that went on all the time have answered."""

    def __init__(self) -> None:
        self.pids: Counter[int] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(self, call: Callable[[], int]) -> None:
        while not self._stop.is_set():
            try:
                pid = call()
            except (MeshError, httpx.HTTPError, AssertionError) as error:
                with self._lock:
                    self.failures.append(repr(error))
            else:
                with self._lock:
                    self.pids[pid] += 1

    def wait_for(self, more: int) -> None:
        """Returns when so many more calls were answered."""
        goal = sum(self.pids.values()) + more
        eventually(lambda: sum(self.pids.values()) >= goal, f"{goal} answers")

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def load(*calls: Callable[[], int]) -> Iterator[Load]:
    """Each of `calls`, which return a pid, again and again in a thread of its own."""
    made = Load()
    threads = [threading.Thread(target=made.run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.stop()
        for thread in threads:
            thread.join(PATIENCE)
