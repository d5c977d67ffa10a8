"""Who asks, over the cloud API: their user and their organization."""

from fastapi import APIRouter

from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.permission import Anyone, Asker, own
from mesh.faces.cloud.wire.base import UserView, user
from mesh.faces.cloud.wire.people import CurrentChange, CurrentMember

CURRENT = "/api/v1/auth/current"


def identity(backing: Backing) -> APIRouter:
    """The routes of whoever asks."""
    routes = APIRouter(tags=["identity"])
    access = backing.access

    @routes.get(CURRENT)
    async def current(asker: Anyone) -> UserView:
        """The user who asks."""
        return user(access.person(asker.user))

    @routes.put(CURRENT)
    async def change(sent: CurrentChange, asker: Asker = own("updated")) -> UserView:
        """Changes the names of the user who asks."""
        changes = sent.model_dump(exclude_none=True)
        return user(await access.users.change(asker.user, **changes))

    @routes.get("/api/v1/members/current")
    async def member(asker: Anyone) -> CurrentMember:
        """What the user who asks is in their organization."""
        return CurrentMember(role=asker.principal.role, username=asker.user)

    return routes
