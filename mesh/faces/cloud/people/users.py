"""Users over the cloud API: `/api/v1/users`."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request

from mesh.access.passwords import acceptable, kept_form
from mesh.access.people import User
from mesh.access.principal import Area, Role, Verb
from mesh.access.users import Invited, NewUser
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed, UserView, user
from mesh.faces.cloud.wire.people import InvitationSent, InvitationView, UserSent

HERE = "/api/v1/users"
READ = may(Verb.READ, Area.MEMBERS)
CREATE = may(Verb.WRITE, Area.MEMBERS, "user", "created")
INVITE = may(Verb.WRITE, Area.MEMBERS, "user", "invited")


def users(backing: Backing) -> APIRouter:
    """The routes of users."""
    routes = APIRouter(tags=["users"])
    access = backing.access

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[UserView]:
        """The users of the organization; an administrator of all organizations sees all."""
        query = wanted(asked.q, asker.user)
        found = [
            each
            for each in access.users.all()
            if _is_seen(backing, asker, each)
            and asked.search in each.name
            and query.words_allow(each.name, each.email)
        ]
        return asked.page(found, user)

    @routes.post(HERE)
    async def create(sent: UserSent, asker: Asker = CREATE) -> UserView:
        """Makes a user, who is a member of the organization."""
        asker.doing.name = sent.name
        # It takes a while, by intent, and holds up nobody else.
        password = await asyncio.to_thread(kept_form, acceptable(sent.password))
        wanted = NewUser(
            sent.name,
            sent.email,
            organization=asker.organization,
            role=sent.role or Role.DEVELOPER,
            creator=asker.user,
            credentials={"password": password},
        )
        return user(await access.users.make(wanted))

    @routes.post(f"{HERE}/invite")
    async def invite(
        sent: InvitationSent, request: Request, asker: Asker = INVITE
    ) -> InvitationView:
        """Makes a link with which somebody becomes a user and a member. No mail is sent."""
        asker.doing.name = sent.email
        invited = Invited(
            sent.email,
            sent.role or Role.DEVELOPER,
            sent.first_name or "",
            sent.last_name or "",
        )
        _, code = await access.users.invite(asker.principal, invited)
        return InvitationView(
            invitation_code=code, url=f"{request.base_url}register?invitation_code={code}"
        )

    @routes.get(f"{HERE}/{{name}}")
    async def get(name: str, asker: Asker = READ) -> UserView:
        """One user."""
        found = access.users.user(name)
        if not _is_seen(backing, asker, found):
            raise NotFound(f"there is no user {name!r}")
        return user(found)

    return routes


def _is_seen(backing: Backing, asker: Asker, found: User) -> bool:
    here = (asker.organization, "", found.name)
    return asker.principal.is_super_admin or here in backing.access.roll.members
