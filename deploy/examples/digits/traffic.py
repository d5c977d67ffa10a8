"""Clients of the classifier: images over HTTP and gRPC, from several threads."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Self

import httpx
from train import Sample
from verdict import Reply

from mesh import MeshError
from mesh.client import GrpcClient

WORKERS = 8
"""Requests in flight at most."""
TIMEOUT = 30.0
"""Seconds that a request may take."""

Outcome = Reply | str
"""A reply, or what went wrong."""


class Traffic:
    """An HTTP and a gRPC client; every other request goes over gRPC."""

    def __init__(self, url: str, target: str) -> None:
        limits = httpx.Limits(max_connections=WORKERS)
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, limits=limits)
        self._grpc = GrpcClient(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._grpc.close()

    def send_all(self, samples: Sequence[Sample]) -> Iterator[Outcome]:
        """Sends every sample once; the outcomes in the order in which they come."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="client") as pool:
            jobs = [pool.submit(self._send, n, sample) for n, sample in enumerate(samples)]
            for job in as_completed(jobs):
                yield job.result()

    def keep_sending(
        self, samples: Sequence[Sample], note: Callable[[Outcome], None], stop: threading.Event
    ) -> None:
        """Sends samples again and again, and notes each outcome, until `stop` is set."""
        numbers = itertools.count()  # taking the next one is atomic

        def work() -> None:
            while not stop.is_set():
                number = next(numbers)
                note(self._send(number, samples[number % len(samples)]))

        with ThreadPoolExecutor(WORKERS, thread_name_prefix="client") as pool:
            for job in [pool.submit(work) for _ in range(WORKERS)]:
                job.result()

    def _send(self, number: int, sample: Sample) -> Outcome:
        start = time.perf_counter()
        try:
            found, version = (self._over_grpc if number % 2 else self._over_http)(sample.png)
        except (httpx.HTTPError, MeshError, ValueError) as error:
            return f"over {'gRPC' if number % 2 else 'HTTP'}: {error!r}"
        seconds = time.perf_counter() - start
        return Reply(version, found["model"], found["digit"] == sample.digit, seconds)

    def _over_http(self, png: bytes) -> tuple[dict[str, Any], str]:
        reply = self._http.post("/classify", files={"image": ("digit.png", png)})
        if reply.is_error:
            raise ValueError(f"{reply.status_code} {reply.text}")
        return reply.json(), reply.headers["x-mesh-version"]

    def _over_grpc(self, png: bytes) -> tuple[dict[str, Any], str]:
        arguments = {"image": png}
        found, metadata = self._grpc.call_with("classify", arguments, timeout=TIMEOUT)
        return found, metadata["x-mesh-version"]
