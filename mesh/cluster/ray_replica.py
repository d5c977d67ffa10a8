"""A replica's actor in a process of its own on some node: what it knows of both."""

import ray
import ray.util

from mesh.cluster.actors import ReplicaActor
from mesh.cluster.contract import LogChunk
from mesh.cluster.log_file import LogPlace, one_log, read_log
from mesh.launch import Launch


class RayReplica(ReplicaActor):
    """Hosts one replica in a worker process of Ray that is there for it alone.

    With an empty `bind_host` it listens on the address by which other nodes know this one.
    """

    def __init__(self, launch: Launch, host: str, bind_host: str) -> None:
        self._place = one_log(ray.get_runtime_context().get_node_id())
        bind_host = bind_host or ray.util.get_node_ip_address()
        super().__init__(launch, host, bind_host, own_process=True)

    def where(self) -> LogPlace:
        """Its node, and where on it this process writes."""
        return self._place

    def logs(self, after: int, limit: int) -> LogChunk | None:
        """A piece of what this process wrote (see `contract.Cluster.logs`); None if it can't."""
        return read_here(self._place, after, limit)


def read_here(place: LogPlace, after: int, limit: int) -> LogChunk | None:
    """A piece of a log, if its file is on this machine."""
    try:
        return read_log(place, after, limit) if place.path else None
    except OSError:
        return None
