"""The servers that are measured, as processes: started, checked to answer rightly, and ended."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from tests.bench.load import InvalidRunError
from tests.bench.payload import CALL, JSON_BODY, RPC, is_right_json, is_right_reply

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_WAIT = 120.0
"""Seconds in which a server has to answer."""
STOP_WAIT = 30.0
"""Seconds in which a server has to end when it is told to."""
POLL = 0.01
"""Seconds between two tries."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. `start_seconds` is from its start to its first right answer."""

    process: psutil.Process
    port: int
    start_seconds: float

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def family(self) -> list[psutil.Process]:
        """The process and all that belong to it: what it started, and the rest of its session."""
        own = os.getsid(self.process.pid)
        found = {self.process, *self.process.children(recursive=True)}
        found |= {process for process in psutil.process_iter() if _session(process) == own}
        return sorted(found, key=lambda process: process.pid)


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except OSError:
        return 0


def free_ports(number: int) -> list[int]:
    """Ports on which nobody listens now."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(number)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    answers: Callable[[int], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Runs a program until the block ends, in a session of its own so that all of it is known."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True, env=env
        )
        try:
            while not answers(port):
                if process.poll() is not None or time.perf_counter() - start > START_WAIT:
                    output.seek(0)
                    raise InvalidRunError(f"{' '.join(command)} does not answer:\n{output.read()}")
                time.sleep(POLL)
            yield Server(psutil.Process(process.pid), port, time.perf_counter() - start)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_WAIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def uvicorn() -> Iterator[Server]:
    """The bare ASGI server."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.bench.references", "uvicorn", str(port)]
    with running(command, port, lambda port: answers_http(port, "/")) as server:
        yield server


@contextmanager
def grpc_aio() -> Iterator[Server]:
    """The bare gRPC server."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.bench.references", "grpc", str(port)]
    with running(command, port, lambda port: answers_grpc(port, CALL.__eq__)) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Mesh:
    """A mesh that answers, and the seconds that its `ray.init()` took."""

    server: Server
    ray_seconds: float


@contextmanager
def mesh(arguments: Sequence[str], answers: Callable[[int], bool]) -> Iterator[Mesh]:
    """`mesh serve` with these arguments, ready when its port `answers`."""
    port, control_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        took = Path(folder, "ray-seconds")
        command = [
            *(sys.executable, "-m", "tests.bench.timed_serve", str(took), "serve", *arguments),
            *("--port", str(port), "--control-port", str(control_port)),
            *("--log-level", "WARNING"),
        ]
        with running(command, port, answers, {**os.environ, "MESH_HOME": folder}) as server:
            yield Mesh(server, float(took.read_text()))


def doubles(path: str) -> Callable[[int], bool]:
    """Whether the work is done rightly at a path of a port."""
    return lambda port: answers_http(port, path)


def answers_http(port: int, path: str) -> bool:
    """Whether the work is done rightly there."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("POST", path, JSON_BODY, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status == 200 and is_right_json(reply.read())
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def grpc_reply(port: int) -> bytes:
    """The answer to one call. Raises grpc.RpcError."""
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        reply: bytes = channel.unary_unary(RPC)(CALL, timeout=5)
        return reply


def answers_grpc(port: int, is_right: Callable[[bytes], bool] = is_right_reply) -> bool:
    """Whether the call is answered rightly there."""
    try:
        return is_right(grpc_reply(port))
    except grpc.RpcError:
        return False
