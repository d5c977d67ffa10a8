"""Which organizations may use the cluster, and who is what in it, over the cloud API.

There is one cluster. To make it for an organization is to let the organization use it.
"""

from dataclasses import replace

from fastapi import APIRouter

from mesh.access.people import Member, Organization
from mesh.access.principal import Area, Role, Verb
from mesh.control.records import CLUSTER
from mesh.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.clusters.routes import Clusters
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may, over_all
from mesh.faces.cloud.wire.base import Listed, cluster
from mesh.faces.cloud.wire.clusters import ClusterChange, ClusterFull, ClusterListed, ClusterSent
from mesh.faces.cloud.wire.people import (
    ClusterMemberView,
    MemberNamed,
    MembersSent,
    cluster_member,
)

OWN = "/api/v1/clusters/{name}/members"
OF_ALL = "/api/admin/v1/orgs/{organization}/clusters"
ONE = f"{OF_ALL}/{{name}}"
CHANGE = may(Verb.WRITE, Area.MEMBERS, "cluster_member", "updated")
CHANGE_ANY = over_all("updated", "cluster_member")


def tenants(backing: Backing) -> APIRouter:
    """The routes of organizations' clusters and of their members."""
    routes = APIRouter(tags=["clusters"])
    kept = Tenants(backing)

    @routes.get("/api/v1/current_org/major_cluster")
    async def major(asker: Asker = may(Verb.READ, Area.CLUSTERS)) -> ClusterFull:
        """The cluster of the organization."""
        return await kept.full(asker, asker.organization, CLUSTER)

    @routes.get("/api/admin/v1/clusters")
    async def listed(asked: Paged, asker: Asker = over_all("")) -> Listed[ClusterListed]:
        """The cluster, once for each organization that may use it."""
        found = await kept.listed(asker) if asked.search in CLUSTER else []
        return asked.page(found, _same)

    _add_own_members(routes, kept)
    _add_admin(routes, kept)
    _add_admin_members(routes, kept)
    return routes


def _add_own_members(routes: APIRouter, kept: "Tenants") -> None:
    @routes.get(OWN)
    async def members(
        name: str, asker: Asker = may(Verb.READ, Area.MEMBERS)
    ) -> tuple[ClusterMemberView, ...]:
        """Those who have a role of their own in the cluster."""
        return kept.members(asker.organization, name)

    @routes.post(OWN)
    async def add(
        name: str, sent: MembersSent, asker: Asker = CHANGE
    ) -> tuple[ClusterMemberView, ...]:
        """Gives members of the organization a role of their own in the cluster."""
        return await kept.add(asker, asker.organization, name, sent)

    @routes.delete(OWN)
    async def remove(name: str, sent: MemberNamed, asker: Asker = CHANGE) -> ClusterMemberView:
        """Takes it away: the role in the organization counts again."""
        return await kept.remove(asker, asker.organization, name, sent)


def _add_admin(routes: APIRouter, kept: "Tenants") -> None:
    @routes.post(OF_ALL)
    async def allow(
        organization: str, sent: ClusterSent, asker: Asker = over_all("created", "cluster")
    ) -> ClusterFull:
        """Lets an organization use the cluster."""
        asker.doing.name = sent.name or ""
        await kept.allow(organization, sent.name or "")
        return await kept.full(asker, organization, CLUSTER)

    @routes.get(ONE)
    async def get(organization: str, name: str, asker: Asker = over_all("")) -> ClusterFull:
        """The cluster, if the organization may use it."""
        return await kept.full(asker, organization, name)

    @routes.patch(ONE)
    async def change(
        organization: str,
        name: str,
        sent: ClusterChange,
        asker: Asker = over_all("updated", "cluster"),
    ) -> ClusterFull:
        """Changes what is said of the cluster, for all organizations."""
        kept.check(organization, name)
        await kept.describe(asker, sent)
        return await kept.full(asker, organization, name)

    @routes.delete(ONE)
    async def forbid(
        organization: str, name: str, asker: Asker = over_all("deleted", "cluster")
    ) -> ClusterFull:
        """Lets an organization without deployments not use the cluster any more."""
        shown = await kept.full(asker, organization, name)
        await kept.forbid(organization, name)
        return shown


def _add_admin_members(routes: APIRouter, kept: "Tenants") -> None:
    @routes.get(f"{ONE}/members")
    async def members(
        organization: str, name: str, asker: Asker = over_all("")
    ) -> tuple[ClusterMemberView, ...]:
        """Those who have a role of their own in the cluster."""
        del asker  # is let in
        return kept.members(organization, name)

    @routes.post(f"{ONE}/members")
    async def add(
        organization: str, name: str, sent: MembersSent, asker: Asker = CHANGE_ANY
    ) -> tuple[ClusterMemberView, ...]:
        """Gives members of the organization a role of their own in the cluster."""
        return await kept.add(asker, organization, name, sent)

    @routes.delete(f"{ONE}/members")
    async def remove(
        organization: str, name: str, sent: MemberNamed, asker: Asker = CHANGE_ANY
    ) -> ClusterMemberView:
        """Takes it away: the role in the organization counts again."""
        return await kept.remove(asker, organization, name, sent)


def _same(view: ClusterListed) -> ClusterListed:
    return view


class Tenants:
    """The cluster as organizations have it."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._access = backing.access
        self._clusters = Clusters(backing)

    def check(self, organization: str, name: str) -> Organization:
        """An organization that may use this cluster. Raises NotFound."""
        found = self._access.organizations.organization(organization)
        check_cluster(name)
        if name not in found.clusters:
            raise NotFound(f"organization {organization!r} has no cluster {name!r}")
        return found

    async def full(self, asker: Asker, organization: str, name: str) -> ClusterFull:
        """The cluster as the organization sees it. Raises NotFound."""
        self.check(organization, name)
        return await self._clusters.full(self._there(asker, organization))

    async def listed(self, asker: Asker) -> list[ClusterListed]:
        """The cluster for each organization that may use it."""
        return [
            await self._clusters.listed(self._there(asker, each.name))
            for each in self._access.organizations.all()
            if CLUSTER in each.clusters
        ]

    async def describe(self, asker: Asker, sent: ClusterChange) -> None:
        """Keeps what is said of the cluster."""
        if sent.description is not None:
            await self._clusters.describe(asker, sent.description)

    async def allow(self, organization: str, name: str) -> None:
        """Lets an organization use the cluster.

        Raises:
            InvalidArgument: there is no such cluster to make.
            NotFound: there is no such organization.
            AlreadyExists: it may already.
        """
        found = self._access.organizations.organization(organization)
        if name != CLUSTER:
            raise InvalidArgument(f"a mesh has one cluster, {CLUSTER!r}: add nodes to it with Ray")
        if name in found.clusters:
            raise AlreadyExists(f"organization {organization!r} has cluster {name!r} already")
        await self._access.organizations.change(organization, clusters={**found.clusters, name: ""})

    async def forbid(self, organization: str, name: str) -> None:
        """Lets it not use the cluster any more.

        Raises NotFound, and FailedPrecondition while it has deployments.
        """
        found = self.check(organization, name)
        deployments = self._backing.verbs.deployments()
        using = [each.name for each in deployments if each.organization == organization]
        if using:
            some = ", ".join(using[:3])
            raise FailedPrecondition(
                f"organization {organization!r} has deployments ({some}): delete them first"
            )
        rest = {key: text for key, text in found.clusters.items() if key != name}
        await self._access.organizations.change(organization, clusters=rest)
        for each in self._access.members.of(organization, name):
            await self._access.members.remove(organization, each.user, name)

    def members(self, organization: str, name: str) -> tuple[ClusterMemberView, ...]:
        """Who has a role of their own in the cluster. Raises NotFound."""
        self.check(organization, name)
        return tuple(map(self._member, self._access.members.of(organization, name)))

    async def add(
        self, asker: Asker, organization: str, name: str, sent: MembersSent
    ) -> tuple[ClusterMemberView, ...]:
        """Gives members such a role. Raises NotFound."""
        self.check(organization, name)
        role = sent.role or Role.DEVELOPER
        asker.doing.name = ",".join(sent.usernames)
        asker.doing.resource = {"role": role, "cluster": name, "organization": organization}
        found = await self._access.members.add(organization, sent.usernames, role, asker.user, name)
        return tuple(map(self._member, found))

    async def remove(
        self, asker: Asker, organization: str, name: str, sent: MemberNamed
    ) -> ClusterMemberView:
        """Takes it away. Raises NotFound."""
        self.check(organization, name)
        asker.doing.name = sent.username
        asker.doing.resource = {"role": None, "cluster": name, "organization": organization}
        return self._member(await self._access.members.remove(organization, sent.username, name))

    def _there(self, asker: Asker, organization: str) -> Asker:
        return replace(asker, principal=self._access.elsewhere(asker.principal, organization))

    def _member(self, found: Member) -> ClusterMemberView:
        of = self._access.organizations.organization(found.organization)
        where = cluster(self._access.person(of.creator), of.created_at)
        return cluster_member(
            found,
            self._access.person(found.user),
            self._access.person(found.creator),
            where.model_copy(update={"organization_name": of.name}),
        )
