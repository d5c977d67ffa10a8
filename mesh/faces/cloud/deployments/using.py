"""Deployments as those have them that they use, or that lead to them."""

from mesh.control.records import CLUSTER, DeploymentRecord
from mesh.errors import MeshError
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.wire.base import ClusterView, at, user
from mesh.faces.cloud.wire.secrets import DeploymentUsing


def using(backing: Backing, record: DeploymentRecord, where: ClusterView) -> DeploymentUsing:
    """A deployment in short; `where` is its cluster."""
    try:
        status = backing.verbs.status(record.name)[0].phase.label
    except MeshError:  # one that is kept and not understood has none
        status = "unknown"
    return DeploymentUsing(
        uid=record.uid,
        created_at=at(record.created_at),
        updated_at=at(record.updated_at),
        name=record.name,
        status=status,
        kube_namespace=CLUSTER,
        cluster=where,
        creator=user(backing.access.person(record.creator)),
    )
