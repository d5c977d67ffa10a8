"""Calls of a ledger that go on while its replicas are killed, and what became of each."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import psutil

from mesh.client import GrpcClient
from mesh.errors import MeshError
from tests.e2e.clients import PATIENCE, eventually
from tests.e2e.upped import LONG, Upped

THREADS = 3
"""That call each method over each protocol."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed; `began` and `ended` are on the monotonic clock."""

    method: str
    number: int
    began: float
    ended: float
    text: str


class Sales:
    """Calls that go on until `stop`, and those of them that failed.

    `pids` are the replicas that have answered since it was last cleared.
    """

    def __init__(self, upped: Upped, name: str) -> None:
        self.failures: list[Failure] = []
        self.pids: set[int] = set()
        self.answered = 0
        self._numbers = count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._http = httpx.Client(base_url=f"{upped.url}/e/{name}", timeout=LONG)
        self._grpc = GrpcClient(upped.target, endpoint=name)

    def over_http(self, method: str, number: int) -> int:
        reply = self._http.post(f"/{method}", json={"number": number})
        assert reply.status_code == 200, f"{reply.status_code} {reply.text}"
        return int(reply.json())

    def over_grpc(self, method: str, number: int) -> int:
        return int(self._grpc.call(method, timeout=LONG, number=number))

    def run(self, call: Callable[[str, int], int], method: str) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            began = time.monotonic()
            try:
                pid = call(method, number)
            except (MeshError, httpx.HTTPError, AssertionError) as error:
                failure = Failure(method, number, began, time.monotonic(), repr(error))
                with self._lock:
                    self.failures.append(failure)
            else:
                with self._lock:
                    self.pids.add(pid)
                    self.answered += 1

    def more(self, calls: int) -> None:
        """Returns when so many more calls were answered."""
        goal = self.answered + calls
        eventually(lambda: self.answered >= goal, f"{calls} more answers", LONG)

    def answering(self, replicas: int) -> set[int]:
        """So many processes that answer."""
        self.pids.clear()
        eventually(lambda: len(self.pids) >= replicas, f"{replicas} replicas answer", LONG)
        return set(self.pids)

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._http.close()
        self._grpc.close()


@contextmanager
def sales(upped: Upped, name: str) -> Iterator[Sales]:
    """Calls of both methods over both protocols for the length of a block."""
    made = Sales(upped, name)
    threads = [
        threading.Thread(target=made.run, args=(call, method))
        for call in (made.over_http, made.over_grpc)
        for method in ("sell", "ask")
        for _ in range(THREADS)
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


@dataclass(frozen=True, slots=True)
class Losses:
    """What became of the calls while replicas were killed.

    `held` have the texts of those that a dying replica may have had and that may not run twice;
    `others` of all others that failed: those that may run twice, and those that clients sent when
    the replica was gone. `begun` counts those of `held` that its method had begun.
    """

    calls: int
    held: Sequence[str]
    others: Sequence[str]
    begun: int


def kill_replicas(upped: Upped, folder: Path, kills: int) -> Losses:
    """Kills one of two replicas under load, so many times, each when there are two again."""
    upped.deploy("Ledger", "ledger", replicas=2, envs={"LEDGER": str(folder)})
    upped.running("ledger")
    spans = []
    with sales(upped, "ledger") as made:
        for _ in range(kills):
            victim = psutil.Process(min(made.answering(2)))
            made.more(50)
            killed = time.monotonic()
            victim.kill()
            victim.wait(LONG)
            spans.append((killed, time.monotonic()))
            made.more(50)
            upped.settled("ledger", lambda view: view.status == "running")
    upped.client.deployments.delete("ledger")
    sold = {int(line) for line in (folder / "sold").read_text().split()}
    held, others, begun = [], [], 0
    for failure in made.failures:
        was_held = any(failure.began < gone and failure.ended > at for at, gone in spans)
        if failure.method == "sell" and was_held:
            held.append(failure.text)
            begun += failure.number in sold
        else:
            others.append(f"{failure.method}: {failure.text}")
    return Losses(made.answered + len(made.failures), held, others, begun)
