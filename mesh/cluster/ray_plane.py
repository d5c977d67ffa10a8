"""The control plane of a Ray cluster, as the controller's actor makes it."""

from mesh.cluster.ray_cluster import HOST, RayCluster
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane


def ray_plane(config: PlaneConfig, bind_host: str = "", host: str = HOST) -> ControlPlane:
    """A control plane over the Ray cluster that this process belongs to.

    `bind_host` and `host` are those of `RayCluster`.
    """
    return ControlPlane(config, lambda: RayCluster(bind_host=bind_host, host=host))
