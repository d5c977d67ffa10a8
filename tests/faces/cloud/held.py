"""A wire between a client and a server that can be held while something is on its way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 2**16


class HeldWire:
    """Passes on what clients send, but of one connection no more than `after` bytes at first.

    `reached` is set when that much has come. `cut` drops what is held, as a machine does whose
    client has died.
    """

    def __init__(self, url: str, after: int) -> None:
        there = urlsplit(url)
        self._server = (str(there.hostname), int(there.port or 80))
        self._after = after
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.reached = threading.Event()
        self._cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Drops the connections that are held."""
        self._cut.set()

    def close(self) -> None:
        """Takes no more connections."""
        self._cut.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with closing(client), socket.create_connection(self._server) as server:
            back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            back.start()
            self._pass(client, server, self._after)
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket, after: int = 0) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
                passed += len(piece)
                if after and passed >= after:
                    self.reached.set()
                    self._cut.wait()
                    break
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def held_wire(url: str, after: int) -> Iterator[HeldWire]:
    """A wire to the server at `url`, while the block lasts."""
    wire = HeldWire(url, after)
    try:
        yield wire
    finally:
        wire.close()
