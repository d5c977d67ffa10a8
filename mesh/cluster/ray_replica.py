"""A replica's actor in a process of its own on some node: what it knows of both."""

import os
from dataclasses import replace
from pathlib import Path

import ray
import ray.util

from mesh.cluster.actors import ReplicaActor, reason_of
from mesh.cluster.contract import Failed, LogChunk, Started
from mesh.cluster.log_file import LogPlace, one_log, read_log
from mesh.errors import FailedPrecondition
from mesh.launch import Launch, Secrets
from mesh.nodes.cache import Lease, NodeCache
from mesh.nodes.entering import enter, inject, settled, variables
from mesh.nodes.home import make_home, remove_home
from mesh.nodes.prepare import RELEASES, Prepared, held, open_cache
from mesh.nodes.settings import NodeSettings
from mesh.nodes.unpacked import UnpackedRelease


class RayReplica(ReplicaActor):
    """Hosts one replica in a worker process of Ray that is there for it alone.

    With an empty `bind_host` it listens on the address by which other nodes know this one.
    `prepared` is the release that it runs, which is ready on this node (None: it runs none).
    """

    def __init__(
        self,
        launch: Launch,
        host: str,
        bind_host: str,
        prepared: Prepared | None = None,
        settings: NodeSettings | None = None,
    ) -> None:
        self._place = one_log(ray.get_runtime_context().get_node_id())
        self._given = launch
        self._prepared = prepared
        self._secrets: Secrets | None = None
        self._cache: NodeCache | None = None
        self._home: Lease | None = None
        self._leases: list[Lease] = []
        if prepared is not None or launch.secret_names:
            self._cache = open_cache(settings or NodeSettings())
        if prepared is not None and self._cache is not None:
            folder = self._cache.folder / RELEASES / prepared.release
            launch = replace(launch, source=settled(launch.source, folder))
        bind_host = bind_host or ray.util.get_node_ip_address()
        super().__init__(launch, host, bind_host, own_process=True)

    def launch(self) -> Launch:
        """What this replica was started with."""
        return self._given

    def where(self) -> LogPlace:
        """Its node, and where on it this process writes."""
        return self._place

    def logs(self, after: int, limit: int) -> LogChunk | None:
        """A piece of what this process wrote (see `contract.Cluster.logs`); None if it can't."""
        return read_here(self._place, after, limit)

    def start(self, secrets: Secrets | None = None) -> Started | Failed:
        """Starts the replica, once; later calls give the first one's result.

        `secrets` are what it is to get, of which the first count.
        """
        if self._secrets is None:
            self._secrets = secrets
        return super().start()

    def _start(self) -> Started | Failed:
        try:
            if self._cache is not None:
                self._enter(self._cache)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever user code raises is the reason
            self._leave()
            return Failed(reason_of(error))
        return super()._start()

    def _enter(self, cache: NodeCache) -> None:
        """Gives the process its home, its variables and files, and loads its code."""
        launch, secrets = self._given, self._secrets
        if secrets is None:
            if launch.secret_names:
                # Its controller died before it could send them, and the next one starts another.
                raise FailedPrecondition("it has not been given its secrets")
            secrets = Secrets()
        self._secrets = Secrets()
        release, models, prepared = None, dict[str, Path](), self._prepared
        if prepared is not None:
            folder, models, self._leases = held(prepared, cache)
            release = UnpackedRelease(folder)
        own = release.envs if release is not None else {}
        # What a release brings along is not what its deployment says.
        said = {name for name, value in launch.envs.items() if own.get(name) != value}
        inject(secrets.envs, said)
        if release is not None or secrets.files:
            homes = cache.folder / "homes"
            self._home = make_home(homes, launch.replica_id, models, secrets.files)
            python = prepared.python if prepared is not None else ""
            home, is_release = self._home.path, release is not None
            os.environ.update(
                variables(home, cache.folder, python, os.environ, is_release=is_release)
            )
        if release is not None:
            enter(release)

    def stop(self) -> None:
        """Ends the replica; the actor can be killed."""
        super().stop()
        self._leave()

    def _leave(self) -> None:
        home, self._home = self._home, None
        if home is not None:
            remove_home(home)
        for lease in self._leases:
            lease.close()


def read_here(place: LogPlace, after: int, limit: int) -> LogChunk | None:
    """A piece of a log, if its file is on this machine."""
    try:
        return read_log(place, after, limit) if place.path else None
    except OSError:
        return None
