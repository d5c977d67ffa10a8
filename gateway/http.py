"""HTTP: `POST /<method>` in, one body or one chunk per item out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from gateway import errors
from gateway.admin import Page
from gateway.asgi import BrokenReplyError, ClientGoneError, Event, Receive, Send
from gateway.authorization import Guard
from gateway.forward import Aim, Request, call_head, field_value, reply_fields
from gateway.fronts import BARE, failure_headers, reply_headers
from gateway.mirror import LARGE, Mirrors
from gateway.presence import Clients, Departure
from gateway.rest import Rest
from gateway.sessions import cookie_fields
from gateway.upstream_http import Answer
from mesh.call import CALL, JSON, CallHead, Trace
from mesh.compat.bentoml.error_body import is_own
from mesh.edge import Dialect
from mesh.errors import Cancelled, Code, MeshError, NotFound, TooLarge, UnsupportedMediaType
from mesh.io.open_inference.media import is_open_inference
from mesh.link.call import CallerCall
from mesh.link.dispatch import Dispatcher
from mesh.link.frames import CHUNK, Piece
from mesh.traffic.route import method_of
from mesh.traffic.snapshot import Method, Service, Version

Fields = list[tuple[bytes, bytes]]
PartT = TypeVar("PartT")

Ask = Callable[[AsyncIterator[bytes] | None], Awaitable[Answer]]
"""Sends a request with this body, or without one, to a server outside; gives its reply's head."""

_IN_PATHS = "/:@!$&'()*+,;="
"""What stands for itself in a path besides letters, digits and `-._~`, RFC 3986."""


class RedirectError(Exception):
    """The same method is at another path."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class HttpExchange:
    """One HTTP request to a method, and its reply."""

    __slots__ = (
        "_aim",
        "_clients",
        "_dispatcher",
        "_fields",
        "_guard",
        "_mirrors",
        "_receive",
        "_request",
        "_send",
        "_work",
        "status",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        guard: Guard,
        clients: Clients,
        request: Request,
        receive: Receive,
        send: Send,
        mirrors: Mirrors,
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._mirrors = mirrors
        self._clients = clients
        self._request = request
        self._receive = receive
        self._send = send
        self._fields: Fields = [
            (b"x-request-id", request.request_id.encode("latin-1")),
            *cookie_fields(request),
        ]
        self._aim: Aim | None = None
        self._work: _Work | None = None  # if a server outside is asked
        self.status = 0  # of the reply, when it has begun

    def aim(self, endpoint: str, path: str, verb: str) -> Aim:
        """Chooses the target by path.

        Raises:
            MeshError: the path leads nowhere, not with this verb, nobody is ready, or the request
                may not go there.
            RedirectError: there is a method at the path without its slash at the end.
        """

        def pick(version: Version) -> tuple[Service, Method]:
            try:
                found = method_of(version, path)
            except NotFound:
                routes = version.services[version.entry].routes
                if path.endswith("/") and path.rstrip("/") in routes:
                    raise RedirectError(self._request.path.rstrip("/")) from None
                raise
            if verb != "POST":
                raise MeshError("Method Not Allowed", code=Code.UNIMPLEMENTED, http_status=405)
            return found

        return Aim(self._dispatcher, self._guard, self._request, endpoint, pick)

    async def run(self, aim: Aim, trace: Trace, default_limit: int, media_type: str = "") -> None:
        """Makes the call and writes the reply. `media_type` replaces the one that the client said.

        Raises:
            MeshError: the call failed and nothing was written yet.
            BrokenReplyError: the call failed midway.
            ClientGoneError: nobody waits for the reply any more.
        """
        request = self._request
        self._aim = aim
        target = aim.target
        limit = target.service.max_request_bytes or default_limit
        head = call_head(
            request,
            target.method,
            media_type=media_type or self._media_type(),
            accept=request.text(b"accept"),
            deadline=None,
            trace=trace,
            metadata=aim.metadata,
        )
        call = await self._ask(aim, head, limit)
        self._fields.append(aim.version_field())
        try:
            await self._reply(call)
        except BaseException:
            call.cancel()
            raise

    async def relay(self, ask: Ask, limit: int, *, has_body: bool) -> None:
        """Passes the request on to a server outside, and its reply back, both as they come.

        `ask` sends it, with a body of up to `limit` bytes or without one.

        Raises:
            UnreachableError: nothing was sent; another server may be asked.
            MeshError, BrokenReplyError, ClientGoneError: as `run`.
        """
        working = asyncio.ensure_future(self._relayed(ask, limit, has_body=has_body))
        work = _Work(working, self._clients, self._receive)
        if not has_body:
            work.watch()
        self._work = work
        try:
            await asyncio.wait((working,))
        finally:
            await work.end()
        if working.cancelled():
            raise ClientGoneError
        working.result()

    async def _relayed(self, ask: Ask, limit: int, *, has_body: bool) -> None:
        answer = await ask(self._parts(limit) if has_body else None)
        try:
            self._fields += answer.fields
            await self._begin(answer.status)
            async for part in _each_guarded(answer.parts()):
                await self._send_more(part)
            if self._work is not None:
                self._work.leave()  # a client that has all of the reply may go
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            await answer.close()

    async def _parts(self, limit: int) -> AsyncIterator[bytes]:
        """The request's body as it comes; then the client is watched."""
        size, more = 0, True
        while more:
            event = await self._receive()
            part = _body(event)
            size += len(part)
            yield _checked(part, size, limit)
            more = bool(event.get("more_body"))
        if self._work is not None:
            self._work.watch()

    def _media_type(self) -> str:
        """What the client says that its body is. Raises UnsupportedMediaType."""
        said = self._request.text(b"content-type") or JSON
        if is_open_inference(said):  # with which the gateway tells replicas how to read a body
            raise UnsupportedMediaType("bodies of this type are for the gateway: use /v2")
        return said

    async def _ask(self, aim: Aim, head: CallHead, limit: int) -> CallerCall:
        """Sends the request's body and waits for the reply to begin."""
        body, is_whole = await self._first_part(limit)
        if not is_whole:
            self._mirrors.skip(aim, LARGE)
            return await self._upload(aim, head, body, limit)
        self._mirrors.copy(aim, head, body)
        gone = Departure()
        number = self._clients.enter(self._receive, gone.cancel)
        try:
            return await self._dispatcher.ask(
                aim.find,
                head,
                body,
                idempotent=aim.target.method.idempotent,
                on_open=gone.follow,
            )
        except Cancelled as error:
            raise ClientGoneError if gone.has_gone else error from None
        finally:
            self._clients.leave(number)

    async def _first_part(self, limit: int) -> tuple[bytes, bool]:
        """The body and True if it is small, else its beginning and False."""
        fields = self._request.fields
        encoding = fields.get(b"content-encoding")
        if encoding is not None and encoding.lower() != b"identity":
            raise UnsupportedMediaType("the request body is compressed: send it as it is")
        declared = fields.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        event = await self._receive()
        body: bytes = _body(event)
        if not event.get("more_body"):
            return _checked(body, len(body), limit), True
        parts = [body]
        size = len(body)
        while size <= CHUNK:
            event = await self._receive()
            parts.append(_body(event))
            size += len(parts[-1])
            if not event.get("more_body"):
                return _checked(b"".join(parts), size, limit), True
        return _checked(b"".join(parts), size, limit), False

    async def _upload(self, aim: Aim, head: CallHead, part: bytes, limit: int) -> CallerCall:
        """Passes a large body on piece by piece; such a call has one try."""
        rest = Rest(self._receive, self._clients)
        call = None
        try:
            call, service = await self._opened(aim, head, rest)
            size = len(part)
            more = True
            while not call.is_done:
                await call.send(part, message_end=not more, end=not more)
                if not more:
                    break
                part, more = await rest.part()
                size += len(part)
                _checked(b"", size, limit)
            rest.close()
            await self._uploaded(call, service, head)
        except BaseException:
            if call is not None:
                call.cancel()
            raise
        finally:
            rest.close()
        return call

    async def _opened(self, aim: Aim, head: CallHead, rest: Rest) -> tuple[CallerCall, Service]:
        try:
            return await self._dispatcher.open(aim.find, head, on_wait=rest.wait)
        except Cancelled as error:
            raise ClientGoneError if rest.has_gone else error from None

    async def _uploaded(self, call: CallerCall, service: Service, head: CallHead) -> None:
        """Waits for the reply to an upload to begin."""
        gone = Departure()
        gone.follow(call)
        number = self._clients.enter(self._receive, gone.cancel)
        try:
            await self._dispatcher.reply(call, service, head)
        except Cancelled as error:
            raise ClientGoneError if gone.has_gone else error from None
        finally:
            self._clients.leave(number)

    async def _reply(self, call: CallerCall) -> None:
        head = call.head
        assert head is not None  # noqa: S101  # `ask` returned, so the reply has begun
        fields = self._fields
        if self._aim is not None:
            fields += reply_headers(self._aim.target.service, self._request)
        if head.media_type:
            fields.append((b"content-type", field_value(head.media_type)))
        if head.metadata:
            fields += reply_fields(head.metadata)
        status = head.http_status or 200
        if head.stream:
            await self._stream(call, status)
            return
        piece = await call.piece()
        if piece is None or piece.message_end:
            await self.whole(status, fields, piece.data if piece else b"")
            return
        if head.length:
            fields.append((b"content-length", b"%d" % head.length))
        await self._pieces(call, status, piece.data)

    async def whole(self, status: int, fields: Fields, body: bytes, *, bare: bool = False) -> None:
        """Writes a reply that is here as a whole; `bare` is one that tells origins nothing."""
        self.status = status
        if status != 204:  # which has no body, not an empty one
            fields.append((b"content-length", b"%d" % len(body)))
        if self._request.is_head:
            body = b""
        event: Event = {"type": "http.response.start", "status": status, "headers": fields}
        if bare:
            event[BARE] = True
        await self._send(event)
        await self._send({"type": "http.response.body", "body": body})

    async def _pieces(self, call: CallerCall, status: int, data: bytes) -> None:
        """Writes one large body as its pieces come."""

        async def write() -> None:
            await self._begin(status)
            piece: Piece | None = Piece(data, message_end=False)
            while piece is not None:
                if piece.data:
                    await self._send_more(piece.data)
                piece = await _guarded(call.piece())
            await self._send({"type": "http.response.body", "body": b""})

        await self._watched(call, write())

    async def _stream(self, call: CallerCall, status: int) -> None:
        """Writes a streamed reply: one chunk for each item, when it comes."""
        # Clients see no chunks, and messages don't say where they end.
        is_call = call.head is not None and call.head.media_type == CALL

        async def write() -> None:
            await self._begin(status)
            try:
                while (item := await _guarded(call.message())) is not None:
                    await self._send_more(len(item).to_bytes(4, "big") + item if is_call else item)
            except BrokenReplyError as broken:
                if is_call and isinstance(broken.__cause__, MeshError):
                    await self._send_more(errors.last_frame(broken.__cause__))
                raise
            await self._send({"type": "http.response.body", "body": b""})

        await self._watched(call, write())

    async def _send_more(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _watched(self, call: CallerCall, writing: Coroutine[Any, Any, None]) -> None:
        """Writes a reply while `call` runs, and gives it up when the client goes."""
        gone = Departure()
        gone.follow(call)
        number = self._clients.enter(self._receive, gone.cancel)
        try:
            await writing
        except BrokenReplyError as error:
            raise ClientGoneError if gone.has_gone else error from None
        finally:
            self._clients.leave(number)

    async def page(self, verb: str, page: Page, verbs: tuple[str, ...] = ("GET", "HEAD")) -> None:
        """Writes a page of the gateway's own that is asked for by `verbs`; its head for HEAD."""
        if verb not in verbs:
            page = Page(405, errors.PLAIN, b"Method Not Allowed")
            self._fields.append((b"allow", ", ".join(verbs).encode()))
        fields = [*self._fields, *page.headers, (b"content-type", page.media_type)]
        if page.status != 304:  # which has the length of what is not sent, or none
            fields.append((b"content-length", b"%d" % len(page.body)))
        self.status = page.status
        body = b"" if verb == "HEAD" else page.body
        await self._send({"type": "http.response.start", "status": page.status, "headers": fields})
        await self._send({"type": "http.response.body", "body": body})

    async def redirect(self, error: RedirectError) -> None:
        """Writes a reply that sends the client to another path, with the same verb and body."""
        query = f"?{self._request.query}" if self._request.query else ""
        # Servers decode paths, and a line break would begin a header field.
        location = (b"location", f"{quote(error.path, _IN_PATHS)}{query}".encode("latin-1"))
        await self.whole(307, [*self._fields, location], b"")

    async def fail(self, error: MeshError, told: tuple[bytes, bytes] | None = None) -> None:
        """Writes the reply of a failed call; `told` are media type and body if not the usual."""
        aim = self._aim
        dialect = Dialect.MESH if aim is None else aim.target.service.edge.dialect
        media_type, body = told or errors.http_body(error, dialect)
        fields = [*self._fields, *errors.http_headers(error), (b"content-type", media_type)]
        if aim is not None:
            own = (aim.version_field(), *failure_headers(aim.target.service, self._request, error))
            fields += [field for field in own if field not in fields]
        bare = dialect is not Dialect.MESH and is_own(error)
        await self.whole(error.status, fields, body, bare=bare)

    async def _begin(self, status: int) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": self._fields})


class _Work:
    """A task for a client, which is given up if the client goes away."""

    def __init__(self, task: "asyncio.Task[None]", clients: Clients, receive: Receive) -> None:
        self._task = task
        self._clients = clients
        self._receive = receive
        self._number: int | None = None

    def watch(self) -> None:
        """Gives the work up when the client goes: nothing more is read of its request."""
        if self._number is None:
            self._number = self._clients.enter(self._receive, self._give_up)

    def _give_up(self) -> None:
        self._task.cancel()

    def leave(self) -> None:
        """Watches no more."""
        if self._number is not None:
            self._clients.leave(self._number)
            self._number = None

    async def end(self) -> None:
        """Returns when nothing is left of it."""
        self.leave()
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))


async def _each_guarded(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts that are read; a failure now is one midway."""
    while (part := await _guarded(anext(parts, None))) is not None:
        yield part


async def _guarded(reading: Awaitable[PartT]) -> PartT:
    """The part that is read; a failure now is one midway, for the reply has begun."""
    try:
        return await reading
    except MeshError as error:
        raise BrokenReplyError(error.message) from error


def _body(event: Event) -> bytes:
    if event["type"] == "http.disconnect":
        raise ClientGoneError
    body: bytes = event.get("body", b"")
    return body


def _checked(body: bytes, size: int, limit: int) -> bytes:
    if size > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request body has more than {limit} bytes")
