"""In front of the cloud API: who may come in, and a note of what they did."""

import logging
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.access.principal import Principal
from mesh.control.store.catalogue import Deed
from mesh.errors import MeshError
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.permission import Doing
from mesh.faces.rest.access import refuse, token_of

_log = logging.getLogger(__name__)

OPEN = frozenset(
    {
        "/api/v1/auth/code",
        "/api/v1/auth/token",
        "/api/v1/auth/login",
        "/api/v1/auth/register",
        "/api/v1/auth/reset_password",
        "/api/v1/auth/oidc_info",
        "/api/v1/auth/oidc/callback",
        "/api/v1/setup",
        "/api/v1/auth/firebase_info",
        "/api/v1/auth/airtable_event",
        "/api/v1/auth/sso",
        "/api/v1/sso",
        "/api/v1/version",
        "/api/v1/info",
    }
)
"""What is there for those who have no token yet."""
ORGANIZATION_HEADER = "x-yatai-organization"
"""Which organization is meant: that of the token, but for administrators of all of them."""
OPEN_BELOW = ("/uploads/", "/downloads/")
"""Addresses that are signed."""


class Door:
    """Lets in who shows a token that is known; notes what they do that changes something."""

    def __init__(self, app: ASGIApp, backing: Backing) -> None:
        self._app = app
        self._backing = backing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._let_in(scope)
        except MeshError as error:
            await _turn_away(scope, receive, send, error)
            return
        state = scope.setdefault("state", {})
        state["principal"] = principal
        state["doing"] = None
        noted = _Noted(send)
        try:
            await self._app(scope, receive, noted.send)
        finally:
            doing = state.get("doing")
            if doing is not None and principal is not None:
                await self._note(doing, principal, noted)

    async def _let_in(self, scope: Scope) -> Principal | None:
        access = self._backing.access
        path = scope["path"]
        fields = {name: value.strip() for name, value in scope["headers"]}
        token = token_of(fields).decode("latin-1")
        if path in OPEN or path.startswith(OPEN_BELOW):
            return None
        principal = await access.admit(token)
        organization = fields.get(ORGANIZATION_HEADER.encode(), b"").decode("latin-1")
        if not organization or organization == principal.organization:
            return principal
        await access.until_opened()
        return access.elsewhere(principal, organization)

    async def _note(self, doing: Doing, principal: Principal, noted: "_Noted") -> None:
        deed = Deed(
            at=self._backing.wall(),
            uid=self._backing.new_uid(),
            organization=principal.organization,
            user=principal.user,
            token=principal.token,
            resource_type=doing.resource_type,
            name=unquote(doing.name),
            operation=doing.operation,
            status="success" if 200 <= noted.status < 300 else "failed",
            resource=doing.resource,
        )
        try:
            await self._backing.journal.note(deed)
        except MeshError as error:
            # What was done is done; the caller has its answer.
            _log.error("an event could not be noted: %s", error.message)


class _Noted:
    """One reply, whose status is remembered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


async def _turn_away(scope: Scope, receive: Receive, send: Send, error: MeshError) -> None:
    if scope["type"] == "http":
        await refuse(send, error)
        return
    await receive()  # websocket.connect
    await send({"type": "websocket.close", "code": 4401, "reason": error.message[:120]})
