"""A control API whose connections break: what a client sees of a controller that is killed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import Thread

import httpx


class Breaks(Enum):
    """When a connection ends without an answer."""

    BEFORE = auto()
    """The request was never looked at."""
    AFTER = auto()
    """What was asked for is done."""


REFUSAL = b'{"error": "the mesh is being stopped"}'
"""What a controller says with 503 that does nothing any more."""


@dataclass
class Between:
    """Stands at `url` before a server. The next requests of `breaks` get no answer.

    Reads break with `reads` only. `asked` are methods and paths of all requests but reads, and the
    first `refused` of them get 503.
    """

    url: str
    breaks: list[Breaks] = field(default_factory=list)
    reads: bool = False
    asked: list[str] = field(default_factory=list)
    refused: int = 0


@contextmanager
def between(server: str, bound: socket | None = None) -> Iterator[Between]:
    """Stands before `server` while the block lasts, at a bound socket (None: a free port)."""
    with httpx.Client(base_url=server, timeout=30, trust_env=False) as onward:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                is_read = self.command == "GET"
                if not is_read:
                    made.asked.append(f"{self.command} {self.path.partition('?')[0]}")
                    if made.refused:
                        made.refused -= 1
                        self._answer(503, {"content-type": "application/json"}, REFUSAL)
                        return
                breaks = made.breaks.pop(0) if made.breaks and is_read == made.reads else None
                if breaks is not Breaks.BEFORE:
                    reply = onward.request(
                        self.command, self.path, content=content, headers=dict(self.headers)
                    )
                self.close_connection = True
                if breaks is None:
                    self._answer(reply.status_code, reply.headers, reply.content)

            def _answer(self, status: int, fields: Mapping[str, str], content: bytes) -> None:
                self.close_connection = True
                self.send_response(status)
                for name in {"content-type", "www-authenticate"} & set(fields):
                    self.send_header(name, fields[name])
                if status != 204:
                    self.send_header("content-length", str(len(content)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815  # as it is called

            def log_message(self, *_: object) -> None:
                pass

        address = bound.getsockname() if bound else ("127.0.0.1", 0)
        listener = ThreadingHTTPServer(address, Handler, bind_and_activate=bound is None)
        if bound is not None:
            listener.socket.close()
            listener.socket = bound
            listener.server_activate()
        listener.daemon_threads = True
        made = Between(f"http://127.0.0.1:{listener.socket.getsockname()[1]}")
        thread = Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown()
            thread.join()
            listener.server_close()
