"""The control API over verbs in memory, on a real socket."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from mesh.faces.http_face import HttpServer
from mesh.faces.rest.app import PREFIX, rest_app
from mesh.loops import LoopThread
from tests.access.owner import owned
from tests.faces.rest.memory import MemoryVerbs

TOKEN = "t0ken"


@contextmanager
def serving(verbs: MemoryVerbs, token: str = TOKEN) -> Iterator[str]:
    """The address, while the block lasts."""
    server = HttpServer()
    port = server.bind("127.0.0.1")

    async def start() -> None:
        server.start(Starlette(routes=[Mount(PREFIX, rest_app(verbs, await owned(token)))]))

    thread = LoopThread("control-api")
    try:
        thread.wait(start())
        yield f"http://127.0.0.1:{port}"
    finally:
        thread.wait(asyncio.wait_for(server.stop(), 30))
        thread.stop()
