"""How much a request of the cloud API may hold, counted as it comes.

Archives are counted where they are taken; everything else is read as a whole, and is small.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.errors import TooLarge
from mesh.faces.cloud.door import OPEN
from mesh.faces.rest.access import refuse

MOST = 32 * 2**20
"""Bytes of a request. The largest are manifests of releases."""
MOST_OF_FILES = 128 * 2**20
"""Bytes of files of a codespace: clients send 64 MiB at once, in a form that is a third longer."""
MOST_OF_ANYONE = 2**20
"""Bytes of a request that shows no token."""
_ARCHIVES = ("/uploads/",)


def most(path: str) -> int | None:
    """Bytes that a request to this path may hold; None where it counts them itself."""
    if path in OPEN:
        return MOST_OF_ANYONE
    if path.startswith(_ARCHIVES) or path.endswith("/upload"):
        return None
    return MOST_OF_FILES if path.endswith("/files") else MOST


class Bodies:
    """Tells in a line of JSON what is too large, and reads no more of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or WebSocket."""
        limit = most(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            await refuse(send, _too_large(limit))
            return
        counted = _Counted(receive, send, limit)
        await self._app(scope, counted.receive, counted.send)


class _Counted:
    """One exchange whose request is counted."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._left = limit
        self._limit = limit
        self._has_begun = False
        self._is_over = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                if not self._has_begun:
                    await refuse(self._send, _too_large(self._limit))
                self._is_over = True
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        self._has_begun = True
        if not self._is_over:
            await self._send(message)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"a request here holds at most {limit // 2**20} MiB")
