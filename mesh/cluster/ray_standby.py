"""A standby's actor: a process with the resources and libraries of a replica, which becomes one."""

import importlib
import os
import pkgutil
import threading
from contextlib import suppress

import ray

from mesh.cluster.contract import Failed, LogChunk, Started
from mesh.cluster.log_file import LogPlace, one_log
from mesh.cluster.ray_replica import RayReplica, read_here
from mesh.errors import FailedPrecondition
from mesh.launch import Launch, Secrets
from mesh.nodes.prepare import Prepared
from mesh.nodes.settings import NodeSettings

LOADED = ("numpy", "bentoml")
"""Libraries that are loaded where they are installed, besides those of the mesh."""


class RayStandby:
    """Waits in a worker process of Ray, with the libraries of `host` loaded, for a replica to run.

    From then on it is what `RayReplica` is, under the name that it has.
    """

    def __init__(self, standby: Launch, host: str) -> None:
        self._place = one_log(ray.get_runtime_context().get_node_id())
        self._standby = standby
        self._replica: RayReplica | None = None
        self._changing = threading.Lock()
        self._taken = threading.Event()
        pkgutil.resolve_name(host)
        for name in LOADED:
            with suppress(ImportError):
                importlib.import_module(name)

    def become(
        self,
        launch: Launch,
        host: str,
        bind_host: str,
        prepared: Prepared | None = None,
        settings: NodeSettings | None = None,
    ) -> None:
        """Makes it the replica that `RayReplica` would be, not started yet."""
        with self._changing:
            if self._replica is not None:
                return
            os.environ.update(launch.envs)  # before any code of the user is loaded
            self._replica = RayReplica(launch, host, bind_host, prepared, settings)
            self._taken.set()

    def standby(self) -> Launch:
        """What it was made as."""
        return self._standby

    def idle(self) -> None:
        """Returns when it has become a replica."""
        self._taken.wait()

    @property
    def _there(self) -> RayReplica:
        if self._replica is None:
            raise FailedPrecondition("a standby runs no replica")
        return self._replica

    def launch(self) -> Launch | None:
        """What it runs; None while it waits."""
        return self._replica.launch() if self._replica is not None else None

    def where(self) -> LogPlace:
        """As of RayReplica: the log begins with the replica."""
        return self._replica.where() if self._replica is not None else self._place

    def logs(self, after: int, limit: int) -> LogChunk | None:
        """As of RayReplica."""
        return read_here(self.where(), after, limit)

    def start(self, secrets: Secrets | None = None) -> Started | Failed:
        """As of RayReplica."""
        return self._there.start(secrets)

    def outcome(self) -> Started | Failed | None:
        """As of RayReplica."""
        return self._there.outcome()

    def watch(self) -> str:
        """As of RayReplica."""
        return self._there.watch()

    def drain(self, timeout_s: float) -> bool:
        """As of RayReplica."""
        return self._there.drain(timeout_s)

    def stop(self) -> None:
        """As of RayReplica."""
        self._there.stop()
