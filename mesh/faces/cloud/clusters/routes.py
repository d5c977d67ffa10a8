"""The cluster of this control plane over the cloud API. There is one."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.kept_standbys import FIELD
from mesh.control.placement import Node
from mesh.control.records import CLUSTER
from mesh.control.store.catalogue import Entry, Kind, Put
from mesh.errors import AlreadyExists, FailedPrecondition, Unavailable
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.clusters.instance_types import InstanceTypes
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import Listed, OrganizationView, at, cluster, user
from mesh.faces.cloud.wire.clusters import (
    ClusterChange,
    ClusterFull,
    ClusterListed,
    ClusterSent,
    TypeName,
)

READ = may(Verb.READ, Area.CLUSTERS)
HERE = "/api/v1/clusters"


def clusters(backing: Backing) -> APIRouter:
    """The routes of clusters."""
    routes = APIRouter(tags=["clusters"])
    kept = Clusters(backing)

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[ClusterListed]:
        """The cluster, unless another is looked for."""
        found = [await kept.listed(asker)] if asked.search in CLUSTER else []
        return asked.page(found, _same)

    @routes.post(HERE)
    async def create(
        sent: ClusterSent, asker: Asker = may(Verb.WRITE, Area.CLUSTERS, "cluster", "created")
    ) -> ClusterFull:
        """Refused: a control plane has one cluster, which it starts with."""
        asker.doing.name = sent.name or ""
        if sent.name == CLUSTER:
            raise AlreadyExists(f"there is a cluster {CLUSTER!r} already")
        raise FailedPrecondition(f"a mesh has one cluster, {CLUSTER!r}: add nodes to it with Ray")

    @routes.get(f"{HERE}/{{name}}")
    async def get(name: str, asker: Asker = READ) -> ClusterFull:
        """The cluster, its nodes and what they offer."""
        check_cluster(name)
        return await kept.full(asker)

    @routes.patch(f"{HERE}/{{name}}")
    async def change(
        name: str,
        sent: ClusterChange,
        asker: Asker = may(Verb.WRITE, Area.CLUSTERS, "cluster", "updated"),
    ) -> ClusterFull:
        """Changes what is said of the cluster."""
        check_cluster(name)
        if sent.description is not None:
            await kept.describe(asker, sent.description)
        return await kept.full(asker)

    return routes


def _same(view: ClusterListed) -> ClusterListed:
    return view


class Clusters:
    """What is known of the cluster."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._types = InstanceTypes(backing)

    async def entry(self) -> Entry | None:
        """What is kept of it."""
        return await self._backing.catalogue.entry(Kind.CLUSTER, CLUSTER)

    async def describe(self, asker: Asker, description: str) -> None:
        """Keeps what is said of it."""
        await self._write(asker, description=description)

    async def keep_standbys(self, asker: Asker, numbers: dict[str, int]) -> None:
        """Keeps so many standbys. Raises ConfigError, FailedPrecondition."""
        if self._backing.standbys is None:
            raise FailedPrecondition("this cluster has no standbys")
        await self._backing.standbys.set(numbers, lambda: self._write(asker, **{FIELD: numbers}))

    async def _write(self, asker: Asker, **changed: Any) -> None:
        async with self._backing.changing:
            before = await self.entry()
            now = self._backing.wall()
            document = {"creator": asker.user, **(before.document if before else {})}
            made = Entry(
                Kind.CLUSTER,
                CLUSTER,
                CLUSTER,
                before.created_at if before else now,
                now,
                {**document, **changed},
            )
            await self._backing.catalogue.write(Put(made))

    async def _shown(self, asker: Asker) -> dict[str, Any]:
        entry = await self.entry()
        document = entry.document if entry else {}
        creator = self._backing.access.person(document.get("creator", ""))
        shown = cluster(creator, entry.created_at if entry else 0.0)
        return {
            **dict(shown),
            "updated_at": at(entry.updated_at if entry else 0.0),
            "description": document.get("description", ""),
            "organization_name": asker.organization,
        }

    async def listed(self, asker: Asker) -> ClusterListed:
        """It in a list."""
        entry = await self.entry()
        types = await self._types.views(asker)
        return ClusterListed(
            **await self._shown(asker),
            resource_instance_names=tuple(
                TypeName(name=each.name, display_name=each.display_name) for each in types
            ),
            standby_instances=entry.document.get(FIELD, {}) if entry else {},
        )

    async def full(self, asker: Asker) -> ClusterFull:
        """It with all of it."""
        return ClusterFull(
            **await self._shown(asker),
            organization=await self._organization(asker),
            config=await self.facts(),
            resource_instances=tuple(await self._types.views(asker)),
        )

    async def facts(self) -> dict[str, Any]:
        """Its nodes, and what they offer."""
        told: dict[str, Any] = {
            "default_deployment_kube_namespace": CLUSTER,
            FIELD: await self._standbys(),
        }
        try:
            nodes = await self._backing.nodes()
        except Unavailable as error:
            return {**told, "nodes": [], "error": error.message}
        return {**told, **facts(nodes)}

    async def _standbys(self) -> dict[str, dict[str, int]]:
        """How many are wanted and ready, by instance type."""
        kept = self._backing.standbys
        if kept is None:
            return {}
        wanted, ready = await kept.numbers(), kept.ready()
        return {
            name: {"wanted": wanted.get(name, 0), "ready": ready.get(name, 0)}
            for name in sorted({*wanted, *ready})
        }

    async def _organization(self, asker: Asker) -> OrganizationView:
        entry = await self._backing.catalogue.entry(Kind.ORGANIZATION, asker.organization)
        document = entry.document if entry else {}
        return OrganizationView(
            uid=entry.uid if entry else asker.organization,
            created_at=at(entry.created_at if entry else 0.0),
            updated_at=at(entry.updated_at if entry else 0.0),
            name=asker.organization,
            description=document.get("description", ""),
            creator=user(self._backing.access.person(document.get("creator", ""))),
        )


def facts(nodes: Sequence[Node]) -> dict[str, Any]:
    """Nodes as values; amounts are in cores, devices and bytes."""
    return {
        "nodes": [
            {
                "id": node.id,
                "name": node.name,
                "total": dict(node.total),
                "free": dict(node.free),
                "gpu_types": sorted(node.gpu_types),
            }
            for node in nodes
        ],
        "total": _sum(node.total for node in nodes),
        "free": _sum(node.free for node in nodes),
    }


def _sum(amounts: Any) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, 0.0) + amount
    return total
