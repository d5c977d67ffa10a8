"""Standbys over the cloud API: how many replicas' worth of an instance type are kept warm."""

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.clusters.routes import HERE, Clusters
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.clusters import ClusterListed, StandbySent


def standby(backing: Backing) -> APIRouter:
    """The route of standbys; how many there are is in what clusters tell."""
    routes = APIRouter(tags=["clusters"])
    clusters = Clusters(backing)

    @routes.patch(f"{HERE}/{{name}}/standby_instances")
    async def change(
        name: str,
        sent: StandbySent,
        asker: Asker = may(Verb.OPERATE, Area.CLUSTERS, "cluster", "standby_updated"),
    ) -> ClusterListed:
        """Keeps so many from now on, by instance type, and no others."""
        check_cluster(name)
        if sent.standby_instances is not None:
            numbers = {kind: number for kind, number in sent.standby_instances.items() if number}
            asker.doing.resource = {"standby_instances": numbers}
            await clusters.keep_standbys(asker, numbers)
        return await clusters.listed(asker)

    return routes
