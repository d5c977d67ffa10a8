"""Members over the cloud API: `/api/v1/members`. Lists are bare arrays, as clients want them."""

from fastapi import APIRouter

from mesh.access.people import Member
from mesh.access.principal import Area, Role, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.organizations import organization
from mesh.faces.cloud.wire.people import (
    MemberChange,
    MemberNamed,
    MembersSent,
    MemberView,
    member,
)

HERE = "/api/v1/members"


def members(backing: Backing) -> APIRouter:
    """The routes of members of an organization."""
    routes = APIRouter(tags=["members"])
    kept = backing.access.members

    def view(found: Member) -> MemberView:
        access = backing.access
        of = access.organizations.organization(found.organization)
        shown = organization(of, access.person(of.creator))
        return member(found, access.person(found.user), access.person(found.creator), shown)

    @routes.get(HERE)
    async def listed(
        asker: Asker = may(Verb.READ, Area.MEMBERS),
    ) -> tuple[MemberView, ...]:
        """All members of the organization."""
        return tuple(map(view, kept.of(asker.organization)))

    @routes.post(HERE)
    async def add(
        sent: MembersSent, asker: Asker = may(Verb.WRITE, Area.MEMBERS, "member", "created")
    ) -> tuple[MemberView, ...]:
        """Has users be members; those who are get the role."""
        role = sent.role or Role.DEVELOPER
        asker.doing.name = ",".join(sent.usernames)
        asker.doing.resource = {"role": role}
        found = await kept.add(asker.organization, sent.usernames, role, asker.user)
        return tuple(map(view, found))

    @routes.put(HERE)
    async def change(
        sent: MemberChange, asker: Asker = may(Verb.WRITE, Area.MEMBERS, "member", "updated")
    ) -> MemberView:
        """Gives a member another role."""
        asker.doing.name = sent.username
        asker.doing.resource = {"role": sent.role}
        return view(await kept.change(asker.organization, sent.username, sent.role))

    @routes.delete(HERE)
    async def remove(
        sent: MemberNamed, asker: Asker = may(Verb.WRITE, Area.MEMBERS, "member", "deleted")
    ) -> MemberView:
        """Lets a member go; their own tokens are good no more."""
        asker.doing.name = sent.username
        return view(await kept.remove(asker.organization, sent.username))

    return routes
