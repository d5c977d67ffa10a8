"""Logging in with a provider of OpenID Connect."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse

from mesh.access.codes import LASTS
from mesh.access.oidc import SCOPES
from mesh.access.oidc_logins import OidcLogins
from mesh.errors import MeshError, NotFound, Unauthenticated
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.pages.html import local_path, onward
from mesh.faces.cloud.parameters import Text
from mesh.faces.cloud.people.auth import address_of, logged_in, not_logged_in
from mesh.faces.cloud.wire.auth import OidcCallbackView, OidcInfoView
from mesh.faces.cloud.wire.base import user as user_view

BEGAN = "mesh_oidc"
"""The cookie of a browser that is at the provider."""
_BELOW = "/api/v1/auth/oidc"


def oidc(backing: Backing) -> APIRouter:
    """The routes of `/api/v1/auth` that a provider is for."""
    routes = APIRouter(tags=["login"])

    def logins() -> OidcLogins:
        if backing.oidc is None:
            raise NotFound("this mesh has no OpenID provider: MESH_OIDC_ISSUER names one")
        return backing.oidc

    @routes.get("/api/v1/auth/oidc_info")
    async def info() -> OidcInfoView:
        """Whether people can log in with a provider, and which."""
        if (found := backing.login.oidc) is None:
            return OidcInfoView()
        return OidcInfoView(
            enabled=True, client_id=found.client_id, provider_url=found.issuer, scopes=SCOPES
        )

    @routes.get("/api/v1/auth/oidc/login", include_in_schema=False)
    async def begin(request: Request, next: Text = "/") -> Response:  # noqa: A002  # a parameter
        """Sends the browser to the provider."""
        back = f"{str(request.base_url).rstrip('/')}{_BELOW}/callback"
        url, binding = await logins().begin(back, local_path(next))
        response = RedirectResponse(url, 303)
        response.set_cookie(
            BEGAN,
            binding,
            max_age=int(LASTS),
            path=_BELOW,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",  # it comes with the way back, which is from elsewhere
        )
        return response

    @routes.get("/api/v1/auth/oidc/callback", response_model=OidcCallbackView)
    async def callback(
        request: Request,
        response: Response,
        code: Text = "",
        error: Text = "",
        state: Text = "",
        accept: Annotated[str, Header()] = "",
    ) -> Any:
        """Logs in whom the provider has sent back; a browser goes on to what it wanted."""
        there, typed, known = logins(), "", None
        try:
            if error:
                raise Unauthenticated(f"the OpenID provider refuses: {error[:100]}")
            who, leads_to = await there.identified(code, state, request.cookies.get(BEGAN, ""))
            typed = who.email or who.name
            known = backing.access.users.find(who.email) if who.email else None
            known = found = await there.user(who)
            await logged_in(backing, request, response, found)
        except MeshError:
            if there.is_worth_a_note(address_of(request)):
                not_logged_in(backing, request, typed, known)
            raise
        response.delete_cookie(BEGAN, path=_BELOW)
        if "text/html" in accept:
            return onward(leads_to, response)
        return OidcCallbackView(user=user_view(found))

    return routes
