"""An index of packages that wants a name and a password."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.nodes.bentos import wheel

USER, PASSWORD = "ada", "s3same-open"


class _Private(SimpleHTTPRequestHandler):
    """Gives files to whoever knows the password."""

    def do_GET(self) -> None:
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("authorization") == f"Basic {known}":
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("www-authenticate", 'Basic realm="index"')
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def private_index(folder: Path, name: str, version: str) -> Iterator[str]:
    """An index with one package, at `http://...` while the block lasts."""
    place = folder / name
    place.mkdir(parents=True)
    path = wheel(place, name, version)
    (place / "index.html").write_text(f'<a href="{path.name}">{path.name}</a>')
    handler = partial(_Private, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
