"""The control plane of a Ray cluster, as the controller's actor makes it."""

import os

from mesh.cluster.ray_actors import HOST
from mesh.cluster.ray_calls import result
from mesh.cluster.ray_cluster import ORIGIN, RayCluster
from mesh.cluster.ray_release import RayBuilder
from mesh.control.store import open_store
from mesh.control.store.sealing import VARIABLE
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from mesh.nodes.settings import NodeSettings


def ray_plane(
    config: PlaneConfig,
    bind_host: str = "",
    host: str = HOST,
    nodes: NodeSettings | None = None,
    key: bytes | None = None,
) -> ControlPlane:
    """A control plane over the Ray cluster that this process belongs to.

    `bind_host`, `host` and `nodes` are those of `RayCluster`; `key` is the secret key of the
    store (None: what the environment says).
    """
    if key is None:
        key = os.environb.get(VARIABLE.encode())
    return ControlPlane(
        config,
        lambda: RayCluster(bind_host=bind_host, host=host, nodes=nodes),
        lambda: open_store(config.store or "memory:", key),
        lambda: RayBuilder(nodes or NodeSettings(), ORIGIN, result),
    )
