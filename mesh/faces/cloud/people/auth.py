"""Getting in: passwords, registration, setup, and codes for commands that log in by a browser."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from mesh.access.people import User
from mesh.access.principal import Principal, Role
from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.errors import PermissionDenied, Unauthenticated
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Text
from mesh.faces.cloud.people.cookies import SESSION, begin_session, end_session
from mesh.faces.cloud.permission import Anyone, Asker
from mesh.faces.cloud.wire.auth import (
    CodeView,
    LoggedOutView,
    LoginSent,
    NewcomerSent,
    PasswordSent,
)
from mesh.faces.cloud.wire.base import UserView, user as user_view
from mesh.faces.notes import Doing

TYPED = 80
"""Characters that an event has of the name of somebody whom nobody knows."""


def _person(asker: Anyone) -> Asker:
    """Asked before what is sent is looked at, as of all who may not do a thing."""
    if asker.principal.token:
        raise PermissionDenied("a password is changed by whoever is logged in with it")
    return asker


_Person = Annotated[Asker, Depends(_person)]


def auth(backing: Backing) -> APIRouter:
    """The routes of `/api/v1/auth` that passwords and codes are for, and `/api/v1/setup`."""
    routes = APIRouter(tags=["login"])
    logins = backing.logins

    @routes.post("/api/v1/auth/login")
    async def log_in(sent: LoginSent, request: Request, response: Response) -> UserView:
        """Logs in with a password: a cookie is the token of the session."""
        try:
            found = await logins.log_in(sent.name_or_email, sent.password, address_of(request))
            await logged_in(backing, request, response, found)
        except (Unauthenticated, PermissionDenied):
            known = backing.access.users.find(sent.name_or_email)
            # Tries that come too soon are not noted: as many as somebody likes would push out
            # all else.
            not_logged_in(backing, request, sent.name_or_email, known)
            raise
        return user_view(found)

    @routes.post("/api/v1/auth/logout")
    async def log_out(request: Request, response: Response) -> LoggedOutView:
        """Ends the session, if there is one."""
        await backing.access.until_opened()
        await logins.sessions.end(request.cookies.get(SESSION, ""))
        end_session(response)
        return LoggedOutView()

    @routes.post("/api/v1/auth/register")
    async def register(
        sent: NewcomerSent, request: Request, response: Response, token: Text = ""
    ) -> UserView:
        """Makes a user of somebody with an invitation, and logs them in."""
        made = await logins.register(sent.token or token, sent.newcomer())
        _note(request, made, Doing("user", "created", made.name))
        await _begin(backing, request, response, made)
        return user_view(made)

    @routes.post("/api/v1/setup")
    async def set_up(sent: NewcomerSent, request: Request, response: Response) -> UserView:
        """Makes the first administrator; the token is that of the mesh's owner."""
        made = await logins.set_up(sent.token or "", sent.newcomer())
        _note(request, made, Doing("user", "created", made.name))
        await _begin(backing, request, response, made)
        return user_view(made)

    @routes.patch("/api/v1/auth/reset_password")
    async def reset_password(sent: PasswordSent, request: Request, asker: _Person) -> UserView:
        """Gives whoever asks another password; their other sessions end."""
        changed = await logins.change_password(
            asker.user,
            sent.current_password,
            sent.new_password,
            address_of(request),
            request.cookies.get(SESSION, ""),
        )
        request.state.doing = Doing("user", "updated", changed.name)
        return user_view(changed)

    @routes.get("/api/v1/auth/code")
    async def code() -> CodeView:
        """A code: the token that is made with it at `/api_tokens?code=` is got with it."""
        return CodeView(code=logins.codes.make(backing.wall()))

    @routes.get("/api/v1/auth/token")
    async def token_of(response: Response, code: Text = "") -> dict[str, Any]:
        """The token that is bound to a code, once."""
        response.headers["cache-control"] = "no-store"
        return dict(logins.codes.take(code, backing.wall()))

    return routes


def address_of(request: Request) -> str:
    """Where a request comes from, as far as that is known."""
    return request.client.host if request.client else ""


async def logged_in(backing: Backing, request: Request, response: Response, found: User) -> None:
    """Begins a session of a user, and notes it. Raises PermissionDenied for no member."""
    principal = backing.access.principal(found.name)
    await _begin(backing, request, response, found)
    request.state.principal = principal
    request.state.doing = Doing("user", "logged in", found.name)


def not_logged_in(backing: Backing, request: Request, typed: str, known: User | None) -> None:
    """Has the door note a try that failed, where those of the user see it who are to see it.

    `typed` is who they say that they are, `known` the user who that is.
    """
    theirs = backing.access.members.organizations_of(known.name) if known else ()
    organization = DEFAULT_ORGANIZATION
    if theirs and organization not in theirs:
        organization = min(theirs)
    request.state.principal = Principal("", Role.GUEST, organization)
    request.state.doing = Doing("user", "logged in", known.name if known else typed[:TYPED])


async def _begin(backing: Backing, request: Request, response: Response, found: User) -> None:
    """Begins a session in place of the one that the browser has."""
    before = request.cookies.get(SESSION, "")
    token = await backing.logins.sessions.begin(found.name, backing.wall(), before)
    begin_session(request, response, token)


def _note(request: Request, made: User, doing: Doing) -> None:
    """Has the door note what somebody did who was nobody yet."""
    request.state.principal = Principal(made.name, Role.GUEST)
    request.state.doing = doing
