"""Who may use the control API, and how much a request may hold: in front of everything in it."""

import json
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.access.contract import Access
from mesh.access.principal import Area, Principal, Verb
from mesh.control.verbs import Verbs
from mesh.errors import MeshError, PermissionDenied, TooLarge, Unauthenticated
from mesh.faces.rest.within import Within
from mesh.faces.tokens import bearer

MAX_BODY = 32 * 2**20
"""Bytes of a request. The largest has the description of a graph, with all of its types."""
TOKEN_HEADER = "x-yatai-api-token"  # noqa: S105  # the name of a header
"""Where clients of BentoCloud put their token; ours use `Authorization: Bearer`."""


class Guard:
    """Lets through whoever may, and what is not too large; tells others so in a line of JSON.

    Who only asks must be one who may read deployments; who changes something, one who may write
    them. Where nobody needs a token everyone is let through but pages of browsers: what listens
    only for this machine is not there for any page that somebody on it looks at.

    What the app works with is `mine` of a request: `verbs` as whoever asks has them.
    """

    def __init__(self, app: ASGIApp, access: Access, verbs: Verbs) -> None:
        self._app = app
        self._access = access
        self._verbs = verbs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields = {name: value.strip() for name, value in scope["headers"]}
        try:
            principal = await self._let_in(scope["method"], fields)
        except MeshError as error:
            await refuse(send, error)
            return
        state = scope.setdefault("state", {})
        state["principal"] = principal
        state["mine"] = Within(self._verbs, principal)
        limited = _Limited(receive, send)
        await self._app(scope, limited.receive, limited.send)

    async def _let_in(self, method: str, fields: dict[bytes, bytes]) -> Principal:
        token = token_of(fields).decode("latin-1")
        principal = await self._access.admit(token)
        if not token and is_from_elsewhere(fields):
            raise PermissionDenied("the control API has no token, so pages may not use it")
        verb = Verb.READ if method in ("GET", "HEAD") else Verb.WRITE
        principal.require(verb, Area.DEPLOYMENTS)
        length = fields.get(b"content-length", b"")
        if length.isdigit() and int(length) > MAX_BODY:
            raise _too_large()
        return principal


def mine(connection: HTTPConnection) -> Within:
    """What whoever asks has of the mesh: a dependency of each route behind a `Guard`."""
    found: Within = connection.state.mine
    return found


Mine = Annotated[Within, Depends(mine)]


def token_of(fields: dict[bytes, bytes]) -> bytes:
    """The token among the header fields of a request; empty if there is none."""
    return bearer(fields.get(b"authorization", b"")) or fields.get(TOKEN_HEADER.encode(), b"")


def is_from_elsewhere(fields: dict[bytes, bytes]) -> bool:
    """Whether a browser says that a page of another server asks; only browsers say such things."""
    if fields.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        return True
    origin = fields.get(b"origin")
    return origin is not None and not is_ours(origin, fields)


def is_ours(origin: bytes, fields: dict[bytes, bytes]) -> bool:
    """Whether `origin` is the server that is asked."""
    return urlsplit(origin.decode("latin-1")).netloc.encode("latin-1") == fields.get(b"host", b"")


def _too_large() -> TooLarge:
    return TooLarge(f"a request of the control API holds at most {MAX_BODY // 2**20} MiB")


class _Limited:
    """One exchange whose request is counted as it comes."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._size = 0
        self._has_begun = False
        self._is_over = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > MAX_BODY:
                if not self._has_begun:
                    await refuse(self._send, _too_large())
                self._is_over = True
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        self._has_begun = True
        if not self._is_over:
            await self._send(message)


async def refuse(send: Send, error: MeshError) -> None:
    """Answers with an error."""
    body = json.dumps({"error": error.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
