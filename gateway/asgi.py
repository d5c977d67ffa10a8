"""The parts of the ASGI protocol that the gateway speaks, https://asgi.readthedocs.io."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]


class ClientGoneError(Exception):
    """The client closed its connection or reset its request."""


class BrokenReplyError(Exception):
    """A reply broke midway: raised out of the application so that the server aborts the body."""
