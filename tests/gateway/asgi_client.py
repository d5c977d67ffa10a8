"""A client of an ASGI application in memory, which can do what a socket can: stall, leave."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from gateway.asgi import Event
from gateway.grpc_frames import MessageReader, framed

App = Any
REPEATS: ContextVar[bool] = ContextVar("repeats", default=True)
"""How servers behave that are told nothing else; see Exchange."""
Headers = Sequence[tuple[str, str]]


class GoneError(OSError):
    """What servers raise when a reply is written to a client that has gone."""


@dataclass
class Reply:
    """What the application sent, or how it failed."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    is_whole: bool = False
    error: BaseException | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    def has_text(self, text: str) -> bool:
        said = repr((self.headers, self.body, self.trailers))
        return text in said


class Exchange:
    """One request and its reply.

    `repeats`: once the request is whole, the server answers each `receive` at once, as Envoy's
    does; else it answers when the request is over, as others do.
    """

    def __init__(
        self,
        app: App,
        verb: str,
        target: str,
        headers: Headers = (),
        *,
        repeats: bool | None = None,
    ) -> None:
        path, _, query = target.partition("?")
        host = [] if any(name == "host" for name, _ in headers) else [("host", "127.0.0.1:3000")]
        self._scope = {
            "type": "http",
            "method": verb,
            "path": path,
            "query_string": query.encode(),
            "headers": [
                (name.encode(), value.encode("latin-1")) for name, value in [*host, *headers]
            ],
            "extensions": {"http.response.trailers": {}},
        }
        self._repeats = REPEATS.get() if repeats is None else repeats
        self._arrived: deque[Event] = deque()
        self._is_whole = False  # the request
        self._is_over = False  # the client has gone, or the reply is complete
        self._has_gone = False
        self._wants_trailers = False
        self._changed = asyncio.Condition()
        self.receives = 0
        self.reply = Reply()
        self._task = asyncio.ensure_future(self._run(app))

    async def _run(self, app: App) -> None:
        try:
            await app(self._scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001  # what the server would see
            self.reply.error = error
        finally:
            await self._change(is_over=True)

    async def _change(self, *, is_over: bool = False) -> None:
        async with self._changed:
            self._is_over = self._is_over or is_over
            self._changed.notify_all()

    async def _receive(self) -> Event:
        self.receives += 1
        async with self._changed:
            await self._changed.wait_for(self._can_receive)
            if self._is_over:
                return {"type": "http.disconnect"}
            if self._arrived:
                return self._arrived.popleft()
            return {"type": "http.request", "body": b"", "more_body": False}

    def _can_receive(self) -> bool:
        return bool(self._arrived or self._is_over or (self._is_whole and self._repeats))

    async def _send(self, event: Event) -> None:
        if self._has_gone:
            raise GoneError
        assert not self.reply.is_whole, f"{event} after the end"
        kind = event["type"]
        if kind == "http.response.start":
            assert not self.reply.status
            self.reply.status = event["status"]
            self.reply.headers = _texts(event["headers"])
            self._wants_trailers = event.get("trailers", False)
        elif kind == "http.response.body":
            assert self.reply.status
            if event.get("body"):
                self.reply.parts.append(event["body"])
            more = event.get("more_body", False)
            self.reply.is_whole = not more and not self._wants_trailers
        else:
            assert kind == "http.response.trailers"
            assert self._wants_trailers
            self.reply.trailers = _texts(event["headers"])
            self.reply.is_whole = True
        await self._change(is_over=self.reply.is_whole)

    @property
    def unread(self) -> int:
        """Parts of the request that the application has not received."""
        return len(self._arrived)

    async def feed(self, body: bytes = b"", *, more: bool = False) -> "Exchange":
        """Sends a part of the request's body, the last one without `more`."""
        self._arrived.append({"type": "http.request", "body": body, "more_body": more})
        self._is_whole = not more
        await self._change()
        return self

    async def leave(self) -> None:
        """Closes the connection."""
        self._has_gone = True
        await self._change(is_over=True)

    async def begun(self, parts: int = 0) -> Reply:
        """The reply as it is when its head and so many parts of its body are there."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._is_over or (self.reply.status and len(self.reply.parts) >= parts)
            )
        return self.reply

    async def done(self) -> Reply:
        """The reply when the application is done with it."""
        await self._task
        return self.reply


def _texts(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode("latin-1")) for name, value in fields]


async def ask(
    app: App, verb: str, target: str, body: bytes | Sequence[bytes] = b"", headers: Headers = ()
) -> Reply:
    """The reply to a request whose body comes in one part, or in several."""
    parts = [body] if isinstance(body, bytes) else list(body)
    exchange = Exchange(app, verb, target, headers)
    for number, part in enumerate(parts, 1):
        await exchange.feed(part, more=number < len(parts))
    return await exchange.done()


@dataclass
class GrpcReply:
    """A reply as a gRPC client sees it."""

    code: int
    message: str
    messages: list[bytes]
    metadata: list[tuple[str, str]]
    http: Reply


GRPC_HEADERS = [("content-type", "application/grpc"), ("te", "trailers")]


def grpc_exchange(app: App, method: str, headers: Headers = (), **how: bool) -> Exchange:
    """A call of `mesh.v1.Inference`, or of what `method` says if it begins with a slash."""
    path = method if method.startswith("/") else f"/mesh.v1.Inference/{method}"
    return Exchange(app, "POST", path, [*GRPC_HEADERS, *headers], **how)


def grpc_reply(reply: Reply) -> GrpcReply:
    assert reply.error is None, reply.error
    assert reply.is_whole
    assert reply.status == 200
    assert reply.header("content-type") == "application/grpc"
    fields = dict(reply.trailers or reply.headers)
    reader = MessageReader(1 << 30)
    reader.put(reply.body)
    messages = list(iter(reader.take, None))
    return GrpcReply(
        int(fields["grpc-status"]),
        unquote(fields.get("grpc-message", "")),
        messages,
        reply.headers,
        reply,
    )


async def call(app: App, method: str, *messages: bytes, headers: Headers = ()) -> GrpcReply:
    """The reply to a gRPC call with these messages, each in a part of its own."""
    return await call_raw(app, method, *map(framed, messages), headers=headers)


async def call_raw(app: App, method: str, *parts: bytes, headers: Headers = ()) -> GrpcReply:
    """As `call`, with the bytes as they are."""
    exchange = grpc_exchange(app, method, headers)
    for part in parts:
        await exchange.feed(part, more=True)
    await exchange.feed()
    return grpc_reply(await exchange.done())
