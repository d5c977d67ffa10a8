"""A server on a real socket that answers each call as a script says, and remembers the calls."""

import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np

import mesh
from mesh.call import CALL
from mesh.definition.graph import resolve
from mesh.definition.manifest import describe

KEPT = 1 << 20
"""Bytes of a body that are remembered."""


@mesh.service
class Shop:
    """What the scripted server says that it is."""

    @mesh.api
    def buy(self, n: int = 1) -> int:
        return n

    @mesh.api(idempotent=True)
    def price(self, name: str = "") -> int:
        return len(name)

    @mesh.api
    def scan(self, page: Path, note: str = "", rows: np.ndarray | None = None) -> int:
        return 0

    @mesh.api
    def whole(self, page: Path, /) -> int:
        return 0

    @mesh.api
    def receipt(self) -> Annotated[Path, mesh.ContentType("text/plain")]:
        return Path()

    @mesh.api
    def count(self, n: int) -> Iterator[int]:
        yield n

    @mesh.api
    async def total(self, items: AsyncIterator[int]) -> int:
        return sum([item async for item in items])


def schema_of(service: type) -> bytes:
    """What `/schema.json` says of a service."""
    manifest = describe(resolve(service))
    return manifest.services[manifest.entry].schema_json.encode()


@dataclass
class Seen:
    """A call that came."""

    path: str
    headers: dict[str, str]
    size: int
    body: bytes


Send = Callable[[bytes], None]
Step = Callable[[Send, threading.Event], None]
"""Answers one call; the event is set when the server stops."""


def answer(body: bytes, status: str = "200 OK", **headers: str) -> Step:
    fields = {"content_type": "application/json", "content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return lambda send, _: send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)


def drop(_send: Send, _stop: threading.Event) -> None:
    """Closes the connection without an answer."""


def stall(_send: Send, stop: threading.Event) -> None:
    """Never answers."""
    stop.wait()


def half(send: Send, stop: threading.Event) -> None:
    """Answers half a body, then no more."""
    answer(b"12", content_length="4")(send, stop)
    stop.wait()


def trickle(send: Send, stop: threading.Event) -> None:
    """Answers a body that never ends, and never pauses for long."""
    answer(b"", content_length="1000000000")(send, stop)
    while not stop.wait(0.01):
        send(b" ")


def frames(*messages: bytes, whole: bool = True) -> Step:
    """A stream of messages, after which the connection breaks unless it is `whole`."""

    def step(send: Send, _stop: threading.Event) -> None:
        fields = f"content-type: {CALL}\r\ntransfer-encoding: chunked"
        send(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode())
        for each in messages:
            framed = len(each).to_bytes(4, "big") + each
            send(b"%x\r\n%b\r\n" % (len(framed), framed))
        if whole:
            send(b"0\r\n\r\n")

    return step


@dataclass
class Server:
    """`steps` answer the calls one after the other; the last one all that follow."""

    steps: list[Step]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    service: type = Shop
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self.came = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        self._run(self._accept)

    def stop(self) -> None:
        self._stop.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in list(self._threads):
            thread.join(10)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(120)
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, suppress(OSError):
            while line := stream.readline():
                path = line.split()[1].decode()
                fields = (each.decode().strip() for each in iter(stream.readline, b"\r\n"))
                headers = {
                    name.lower(): value for name, _, value in (f.partition(": ") for f in fields)
                }
                size, kept = 0, bytearray()
                for piece in _pieces(stream, headers):
                    size += len(piece)
                    kept += piece if size <= KEPT else b""
                step = self._step(Seen(path, headers, size, bytes(kept)))
                step(connection.sendall, self._stop)
                if step in (drop, stall, half, trickle) or step.__qualname__.startswith("frames"):
                    return

    def _step(self, seen: Seen) -> Step:
        if seen.path == "/schema.json":
            return answer(schema_of(self.service))
        with self._lock:
            self.seen.append(seen)
            self.came.set()
            return self.steps[min(len(self.seen), len(self.steps)) - 1]


def _pieces(stream: object, headers: dict[str, str]) -> Iterator[bytes]:
    read, readline = stream.read, stream.readline  # type: ignore[attr-defined]  # a socket's file
    left = int(headers.get("content-length", 0))
    while left and (piece := read(min(left, 65536))):
        left -= len(piece)
        yield piece
    if headers.get("transfer-encoding") == "chunked":
        while size := int(readline(), 16):
            yield read(size)
            readline()
        readline()


@contextmanager
def scripted(*steps: Step, service: type = Shop) -> Iterator[Server]:
    """A running server."""
    server = Server(list(steps), service=service)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ok(value: object) -> Step:
    return answer(json.dumps(value).encode())


def unavailable() -> Step:
    return answer(b'{"error": "not now"}', "503 Service Unavailable")


def refused(wait: str = "0") -> Step:
    return answer(b'{"error": "Too many requests"}', "429 Too Many Requests", retry_after=wait)
