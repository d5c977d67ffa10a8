"""In front of the cloud API: who may come in, and a note of what they did."""

from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from mesh.access.principal import Principal
from mesh.errors import MeshError, PermissionDenied
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.people.cookies import SESSION, cookie, is_from_our_pages
from mesh.faces.notes import Notes, Noting
from mesh.faces.rest.access import is_from_elsewhere, refuse, token_of

OPEN = frozenset(
    {
        "/api/v1/auth/code",
        "/api/v1/auth/token",
        "/api/v1/auth/login",
        "/api/v1/auth/register",
        "/api/v1/auth/logout",
        "/api/v1/auth/oidc/login",
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
PAGES = frozenset({"/login", "/register", "/api_tokens"})
PAGES_BELOW = ("/deployments/", "/codespaces/")
"""Pages for people: who is not logged in is told how to."""
FROM_ELSEWHERE = frozenset({"/api/v1/auth/oidc/login", "/api/v1/auth/oidc/callback"})
"""Where the pages of others lead, on purpose."""
OPEN_BELOW = ("/uploads/", "/downloads/")
"""Addresses that are signed."""


class Door:
    """Lets in who shows a token that is known; notes what they do that changes something."""

    def __init__(self, app: ASGIApp, backing: Backing) -> None:
        self._app = Noting(app, Notes(backing.journal, backing.wall, backing.new_uid))
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
        # Who logs in becomes somebody meanwhile, and is noted as such.
        scope.setdefault("state", {})["principal"] = principal
        scope["state"]["let_in"] = partial(self._let_in, scope)
        await self._app(scope, receive, send)

    async def _let_in(self, scope: Scope) -> Principal | None:
        path = scope["path"]
        if path.startswith(OPEN_BELOW) or path in FROM_ELSEWHERE:
            return None
        fields = {name: value.strip() for name, value in scope["headers"]}
        principal = await self._known(scope, fields)
        organization = fields.get(ORGANIZATION_HEADER.encode(), b"").decode("latin-1")
        if principal is None or organization in ("", principal.organization):
            return principal
        await self._backing.access.until_opened()
        return self._backing.access.elsewhere(principal, organization)

    async def _known(self, scope: Scope, fields: dict[bytes, bytes]) -> Principal | None:
        """Who shows a token or a session; None for nobody, where that may be."""
        path, token = scope["path"], token_of(fields).decode("latin-1")
        is_page = path in PAGES or path.startswith(PAGES_BELOW)
        if not is_page and not token and is_from_elsewhere(fields):
            raise PermissionDenied("pages of other servers may not use the control API")
        if path in OPEN:
            return None
        try:
            found = None if token else await self._logged_in(scope, fields)
        except MeshError:
            if not is_page:
                raise
            return None  # who has left logs in as somebody else
        return found if found or is_page else await self._backing.access.admit(token)

    async def _logged_in(self, scope: Scope, fields: dict[bytes, bytes]) -> Principal | None:
        """Who is logged in with the browser that asks, if it asks for a page of ours."""
        session = cookie(fields, SESSION)
        # A WebSocket is no less than what changes something.
        if not session or not is_from_our_pages(fields, scope.get("method", "")):
            return None
        await self._backing.access.until_opened()
        return self._backing.logins.principal(session)


async def _turn_away(scope: Scope, receive: Receive, send: Send, error: MeshError) -> None:
    if scope["type"] == "http":
        await refuse(send, error)
        return
    await receive()  # websocket.connect
    await send({"type": "websocket.close", "code": 4401, "reason": error.message[:120]})
