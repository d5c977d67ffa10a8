"""Organizations over the cloud API: one's own, and for administrators of all of them the others."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter

from mesh.access.people import Organization
from mesh.access.principal import Area, Verb
from mesh.control.admission import limit_group
from mesh.control.store.catalogue import Entry, Kind, Remove
from mesh.errors import FailedPrecondition, NotFound, PermissionDenied
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Paged, Paging
from mesh.faces.cloud.permission import Anyone, Asker, may, over_all
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed, OrganizationView
from mesh.faces.cloud.wire.organizations import (
    Operation,
    OrganizationChange,
    OrganizationSent,
    organization,
)

MINE = "/api/v1/current_org"
ALL = "/api/v1/orgs"
ADMIN = "/api/admin/v1/orgs/{name}"
CHANGE = may(Verb.WRITE, Area.ORGANIZATION, "organization", "updated")
PEOPLE = frozenset(
    {Kind.USER, Kind.ORGANIZATION, Kind.MEMBER, Kind.TOKEN, Kind.INVITATION, Kind.SESSION}
)
"""What the directory keeps itself."""


def organizations(backing: Backing) -> APIRouter:
    """The routes of organizations."""
    routes = APIRouter(tags=["organizations"])
    kept = Organizations(backing)

    @routes.get(MINE)
    async def mine(asker: Anyone) -> OrganizationView:
        """The organization of the token."""
        return kept.view(kept.seen(asker, asker.organization))

    @routes.patch(MINE)
    async def change_mine(sent: OrganizationChange, asker: Asker = CHANGE) -> OrganizationView:
        """Changes what is said of it."""
        return kept.view(await kept.change(asker, asker.organization, sent))

    @routes.get(ALL)
    async def listed(asker: Anyone, asked: Paged) -> Listed[OrganizationView]:
        """Those that one may go into; all, for an administrator of all."""
        return asked.page(kept.meant(asker, asked), kept.view)

    @routes.post(ALL)
    async def create(
        sent: OrganizationSent, asker: Asker = over_all("created")
    ) -> OrganizationView:
        """Makes an organization, whose first administrator is whoever asks."""
        return kept.view(await kept.make(asker, sent))

    @routes.get(f"{ALL}/{{name}}")
    async def get(name: str, asker: Anyone) -> OrganizationView:
        """One of those that one may go into."""
        return kept.view(kept.seen(asker, name))

    @routes.patch(f"{ALL}/{{name}}")
    async def change(
        name: str, sent: OrganizationChange, asker: Asker = CHANGE
    ) -> OrganizationView:
        """Changes what is said of one."""
        return kept.view(await kept.change(asker, name, sent))

    _add_ends(routes, kept)
    return routes


def _add_ends(routes: APIRouter, kept: "Organizations") -> None:
    @routes.delete(ADMIN)
    async def delete(name: str, asker: Asker = over_all("deleted")) -> OrganizationView:
        """Ends an organization that has no deployments and endpoints, and all that it keeps."""
        del asker  # is let in
        return kept.view(await kept.remove(name))

    @routes.post(f"{ADMIN}/operate")
    async def operate(
        name: str, sent: Operation, asker: Asker = over_all("updated")
    ) -> OrganizationView:
        """Makes an organization active or inactive: nobody gets in then, and all runs on."""
        asker.doing.resource = {"status": sent.status}
        access = kept.backing.access
        return kept.view(await access.organizations.change(name, status=sent.status))


class Organizations:
    """The organizations of a mesh, as far as whoever asks may see them."""

    def __init__(self, backing: Backing) -> None:
        self.backing = backing
        self._kept = backing.access.organizations

    def meant(self, asker: Asker, asked: Paging) -> list[Organization]:
        """Those that the asker sees and means, the newest first."""
        query = wanted(asked.q, asker.user)
        theirs = self._of(asker)
        return [
            each
            for each in self._kept.all()
            if (asker.principal.is_super_admin or each.name in theirs)
            and asked.search in each.name
            and query.words_allow(each.name, each.description)
        ]

    def seen(self, asker: Asker, name: str) -> Organization:
        """One that the asker sees. Raises NotFound."""
        if not asker.principal.is_super_admin and name not in self._of(asker):
            raise NotFound(f"there is no organization {name!r}")
        return self._kept.organization(name)

    def _of(self, asker: Asker) -> Iterable[str]:
        """A token is of one organization; whoever is logged in sees all of theirs."""
        if asker.principal.token_uid:
            return (asker.organization,)
        return {asker.organization, *self.backing.access.members.organizations_of(asker.user)}

    async def make(self, asker: Asker, sent: OrganizationSent) -> Organization:
        """A new one. Raises as `Organizations.make` of the directory."""
        asker.doing.name = sent.name
        said: dict[str, Any] = {}
        if sent.limit_group_name:
            said["limit_group"] = sent.limit_group_name
        if sent.config is not None:
            said["config"] = sent.config.said()
        async with self.backing.changing:  # a group that is there stays there
            await self._check_group(sent.limit_group_name)
            made = await self._kept.make(sent.name, asker.user, sent.description or "")
            return await self._kept.change(sent.name, **said) if said else made

    async def change(self, asker: Asker, name: str, sent: OrganizationChange) -> Organization:
        """Changes what is said of one.

        Raises:
            NotFound: there is none that the asker sees.
            PermissionDenied: quotas are for administrators of all organizations, and so is any
                organization but that of the token.
        """
        asker.doing.name = name
        self.seen(asker, name)
        everywhere = asker.principal.is_super_admin
        if not everywhere and (sent.limit_group_name is not None or name != asker.organization):
            raise PermissionDenied("this is for administrators of all organizations")
        said: dict[str, Any] = {}
        if sent.description is not None:
            said["description"] = sent.description
        if sent.limit_group_name is not None:
            said["limit_group"] = sent.limit_group_name
        async with self.backing.changing:  # a group that is there stays there
            await self._check_group(sent.limit_group_name)
            if sent.config is not None:
                said["config"] = {**self.seen(asker, name).config, **sent.config.said()}
            return await self._kept.change(name, **said)

    async def _check_group(self, name: str | None) -> None:
        """Raises NotFound for a group of limits that is none; an empty name is no group."""
        if name:
            await limit_group(self.backing.catalogue, name)

    async def remove(self, name: str) -> Organization:
        """Ends one, and all that is kept of it. Raises NotFound, FailedPrecondition."""
        async with self.backing.changing, self.backing.verbs.unchanged():
            return await self._remove(name)

    async def _remove(self, name: str) -> Organization:
        self._kept.organization(name)
        verbs = self.backing.verbs
        using = [each.name for each in verbs.deployments() if each.organization == name]
        using += [each.name for each in verbs.endpoints() if each.organization == name]
        if self.backing.deploying is not None:
            pending = self.backing.deploying.pending().values()
            using += [each.name for each in pending if each.organization == name]
        if using:
            some = ", ".join(using[:3])
            raise FailedPrecondition(
                f"organization {name!r} has deployments or endpoints ({some}): delete them first"
            )
        removed = await self._kept.remove(name)
        rest: list[Entry] = []
        for kind in Kind:
            if kind not in PEOPLE:
                rest += await self.backing.catalogue.entries(kind, organization=name)
        await self.backing.catalogue.write(*map(Remove, rest))
        return removed

    def view(self, found: Organization) -> OrganizationView:
        """It as replies have it."""
        return organization(found, self.backing.access.person(found.creator))
