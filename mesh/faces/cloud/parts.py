"""How the parts of a mesh are: controller, store, gateways, nodes."""

from dataclasses import dataclass
from importlib.metadata import version

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.placement import CPU, GPU, Node
from mesh.control.records import CLUSTER
from mesh.control.store.catalogue import Kind
from mesh.errors import MeshError
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import at
from mesh.faces.cloud.wire.clusters import HostView, PartView

READ = may(Verb.READ, Area.CLUSTERS)


@dataclass(frozen=True, slots=True)
class Part:
    """One part, and how it is; `is_well` if it was heard of just now."""

    name: str
    state: str
    is_well: bool = True


def parts(backing: Backing) -> APIRouter:
    """The routes of the parts of a mesh."""
    routes = APIRouter(tags=["clusters"])

    async def shown() -> tuple[PartView, ...]:
        return tuple(_view(backing, each) for each in await _parts(backing))

    @routes.get("/api/v1/yatai_components")
    async def all_parts(asker: Asker = READ) -> tuple[PartView, ...]:
        """The parts of the mesh, and how they are."""
        del asker  # is let in
        return await shown()

    @routes.get("/api/v1/current_org/yatai_components")
    async def parts_of_organization(asker: Asker = READ) -> tuple[PartView, ...]:
        """The parts of the mesh: organizations share them."""
        del asker  # is let in
        return await shown()

    @routes.get("/api/v1/clusters/{name}/yatai_components")
    async def parts_of_cluster(name: str, asker: Asker = READ) -> tuple[PartView, ...]:
        """The parts of the mesh, which has one cluster."""
        del asker  # is let in
        check_cluster(name)
        return await shown()

    return routes


async def _parts(backing: Backing) -> list[Part]:
    verbs = backing.verbs
    found = [
        Part("controller", f"{len(verbs.deployments())} deployments" if verbs.opened else "starts")
    ]
    try:
        await backing.catalogue.count_entries(Kind.SETTING)
        found.append(Part("store", "answers"))
    except MeshError as error:
        found.append(Part("store", error.message, is_well=False))
    readers = verbs.snapshots.readers
    found.append(Part("gateways", f"{readers} follow the routing table", is_well=readers > 0))
    try:
        found.extend(Part(f"node-{each.name}", _free(each)) for each in await backing.nodes())
    except MeshError as error:
        found.append(Part("nodes", error.message, is_well=False))
    return found


def _free(node: Node) -> str:
    told = [
        f"{node.free.get(name, 0.0):g} of {node.total[name]:g} {name} free"
        for name in (CPU, GPU)
        if node.total.get(name)
    ]
    return ", ".join(told) or "no CPU"


def _view(backing: Backing, part: Part) -> PartView:
    began = at(0.0)
    return PartView(
        uid=part.name,
        created_at=began,
        updated_at=began,
        name=part.name,
        description=part.state,
        version=version("serving-mesh"),
        kube_namespace=CLUSTER,
        latest_heartbeat_at=at(backing.wall()) if part.is_well else None,
        cluster=HostView(
            uid=CLUSTER, created_at=began, updated_at=began, name=CLUSTER, display_name=CLUSTER
        ),
    )
