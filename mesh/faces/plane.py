"""The control plane as one thing to start and stop: controller, gRPC face, HTTP face.

Blocking and thread-safe, with an event loop of its own: an actor, or a program without a loop,
can host it. Knows no Ray.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from uuid import uuid4

from mesh.access.directory import Directory
from mesh.cluster.contract import Cluster
from mesh.control.admission import admit_members
from mesh.control.controller import Controller
from mesh.control.instance_types import instance_types
from mesh.control.kept_standbys import KeptStandbys
from mesh.control.plan import application
from mesh.control.records import CLUSTER
from mesh.control.status import DeploymentStatus
from mesh.control.store.contract import Store
from mesh.control.store.memory import MemoryStore
from mesh.errors import FailedPrecondition, MeshError, NotFound, Unavailable
from mesh.faces.addresses import Addresses, PlaneConfig
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.codespaces.coding import Coding
from mesh.faces.grpc_face import GrpcServer
from mesh.faces.http_face import HttpServer, http_app
from mesh.faces.noted import NotedVerbs
from mesh.faces.notes import Notes
from mesh.faces.rest.within import Within
from mesh.loops import LoopThread
from mesh.releases.codespaces import Codespaces
from mesh.releases.contract import Builder, Releases
from mesh.releases.deploying import Deploying
from mesh.releases.described import Descriptions
from mesh.releases.nothing import NoBuilder
from mesh.releases.place import Opened, open_vault
from mesh.releases.registry import Registry
from mesh.releases.tidy import keep_tidy
from mesh.releases.uploads import Uploads

_log = logging.getLogger(__name__)

KEPT = 60.0
"""Seconds between two times at which is written down when tokens were last used."""
AGAIN = 1.0
"""Seconds until users and tokens are read again where that failed."""


class ControlPlane:
    """Controller and faces.

    `cluster`, `store` and `builder` (None: releases cannot run) are made on the loop, when it
    starts.
    """

    def __init__(
        self,
        config: PlaneConfig,
        cluster: Callable[[], Cluster],
        store: Callable[[], Store] = MemoryStore,
        builder: Callable[[], Builder] | None = None,
        releases: Releases | None = None,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._store = store
        self._releases = releases
        self._builder = builder
        self._is_stopped = False
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._running: _Running | None = None

    def __repr__(self) -> str:
        state = repr(self._running.addresses) if self._running else "stopped"
        return f"<ControlPlane {state}>"

    def start(self) -> Addresses:
        """Starts to listen and to control, once; later calls return the same.

        Raises:
            Unavailable: an address cannot be listened on.
        """
        with self._lock:
            if self._running is None:
                thread = LoopThread("control")
                try:
                    self._running = thread.wait(self._start())
                except BaseException:
                    thread.stop()
                    raise
                self._thread = thread
                self._is_stopped = False
            return self._running.addresses

    def apply(self, document: bytes, code: Mapping[str, bytes] | None = None) -> int:
        """Applies a deployment as `Controller.apply` does; returns its revision.

        Raises:
            ConfigError: the document is wrong.
        """
        thread, running = self._started()
        return thread.wait(running.owner.apply(application(document), code))

    def delete(self, name: str) -> None:
        """Stops and forgets a deployment. Raises NotFound."""
        thread, running = self._started()
        thread.wait(running.owner.delete(name))

    def end(self) -> None:
        """Ends all replicas in order, and keeps what is wanted. Returns when none is left."""
        thread, running = self._started()
        thread.wait(running.controller.end())

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        """How far the deployment `name` is, or all. Raises NotFound."""
        thread, running = self._started()
        return thread.wait(running.status(name))

    def blob(self, digest: str, offset: int, limit: int) -> bytes:
        """A piece of an archive, as of Blobs. Raises NotFound."""
        thread, running = self._started()
        return thread.wait(running.blob(digest, offset, limit))

    def stop(self) -> None:
        """Stops to control and to listen. What runs on the cluster runs on, if it can."""
        with self._lock:
            self._is_stopped = True
            thread, running = self._thread, self._running
            self._thread = self._running = None
            if thread is not None and running is not None:
                thread.wait(running.stop())
                thread.stop()

    def _started(self) -> "tuple[LoopThread, _Running]":
        if self._thread is None or self._running is None:
            if self._is_stopped:
                raise FailedPrecondition("the control plane is stopped")
            # Whoever asks a controller that is just made anew is to ask again.
            raise Unavailable("the control plane is not started yet")
        return self._thread, self._running

    async def _start(self) -> "_Running":
        running = _Running(self._cluster())
        try:
            builder = self._builder() if self._builder is not None else None
            await running.start(self._config, self._store(), builder, self._releases)
        except BaseException:
            await running.stop()
            raise
        return running


class _Running:
    """What a control plane is made of while it runs; lives on its loop."""

    controller: Controller
    owner: NotedVerbs

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._deploying: Deploying | None = None
        self._coding: Coding | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._grpc = GrpcServer()
        self._http: HttpServer | None = None
        self._control: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._access: Directory | None = None
        self._store: Store | None = None
        self._archives: Opened | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self.addresses = Addresses("")

    async def start(
        self,
        config: PlaneConfig,
        store: Store,
        builder: Builder | None,
        releases: Releases | None,
    ) -> None:
        self._store = store
        # HTTP first: gRPC does not give an address back that it has taken and not used.
        http = ""
        if config.http_port is not None:
            self._http = HttpServer()
            http = f"{config.http_host}:{self._http.bind(config.http_host, config.http_port)}"
        grpc = f"{config.host}:{self._grpc.bind(config.host, config.port)}"
        self.addresses = Addresses(grpc, http, config.token)
        self.controller = Controller(
            store=store,
            cluster=self._cluster,
            epoch=time.time_ns(),
            address=grpc,
            waits_for_grants=True,
        )
        self._access = Directory.closed(store.catalogue, config.token)
        self._access.roll.admit = partial(admit_members, store.catalogue)
        self.controller.when_used(self._access.used)
        notes = Notes(store.journal)
        self.owner = NotedVerbs(Within(self.controller), notes)
        if self._http is not None:
            uploads = self._uploads(config, store)
            self._deploying = self._deploys(
                store, releases or uploads.registry, builder or NoBuilder()
            )
            self._coding = Coding(Codespaces(uploads), self._deploying)
            self._resuming = asyncio.create_task(
                _resume(self._deploying, self._coding, self.controller), name="deploying"
            )
            self._resuming.add_done_callback(_report)
            backing = Backing(
                self.controller,
                store.catalogue,
                store.journal,
                self._access,
                blobs=uploads.registry.vault,
                uploads=uploads,
                nodes=self._cluster.nodes,
                standbys=self._keeps_warm(store),
                granted=self.controller.granted,
                applied=self.controller.watchers.progress,
                builder=builder,
                deploying=self._deploying,
                coding=self._coding,
                gateway_url=config.public_url.rstrip("/"),
                login=config.login,
            )
            self._http.start(http_app(self.controller, self._access, backing=backing))
        await self._grpc.start(self.controller, notes, self._access)
        self._control = asyncio.create_task(self.controller.run(), name="controller")
        self._control.add_done_callback(_report)
        self._keeping = asyncio.create_task(_keep(self._access, self.controller), name="access")
        self._keeping.add_done_callback(_report)

    def _keeps_warm(self, store: Store) -> KeptStandbys:
        made = KeptStandbys(store.catalogue, self._cluster, CLUSTER)
        self._warming = asyncio.create_task(_warm(made, self.controller), name="standbys")
        self._warming.add_done_callback(_report)
        return made

    def _deploys(self, store: Store, releases: Releases, builder: Builder) -> Deploying:
        return Deploying(
            self.controller,
            store.catalogue,
            releases,
            Descriptions(store.catalogue, builder, time.time),
            wall=time.time,
            new_uid=lambda: uuid4().hex,
            types=lambda: instance_types(store.catalogue),
        )

    def _uploads(self, config: PlaneConfig, store: Store) -> Uploads:
        self._archives = open_vault(config.releases, config.store)
        registry = Registry(store.catalogue, self._archives.vault, self.controller)
        self._tidying = asyncio.create_task(_tidy(registry, self.controller), name="registry")
        self._tidying.add_done_callback(_report)
        return Uploads(registry)

    async def status(self, name: str) -> tuple[DeploymentStatus, ...]:
        await self.controller.until_opened()
        return self.controller.status(name)

    async def blob(self, digest: str, offset: int, limit: int) -> bytes:
        if self._archives is None:
            raise NotFound("there are no archives")
        return await self._archives.vault.read(digest, offset, limit)

    async def stop(self) -> None:
        every = (self._control, self._keeping, self._tidying, self._resuming, self._warming)
        tasks = [task for task in every if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._coding is not None:
            await self._coding.close()
        if self._deploying is not None:
            await self._deploying.close()
        if self._http is not None:
            await self._http.stop()
        await self._grpc.stop()
        if self._control is not None:
            await self.controller.keep_use()  # nothing is reported any more
        if self._access is not None:
            await _keep_uses(self._access)
        await self._cluster.close()
        if self._store is not None:
            await self._store.close()
        if self._archives is not None:
            await asyncio.to_thread(self._archives.close)


async def _tidy(registry: Registry, controller: Controller) -> None:
    """Clears the registry away once the store is taken over."""
    await controller.until_opened()
    await keep_tidy(registry)


async def _warm(standbys: KeptStandbys, controller: Controller) -> None:
    """Keeps standbys once what runs is adopted."""
    await controller.until_opened()
    await standbys.keep()


async def _keep(access: Directory, controller: Controller) -> None:
    """Reads users and tokens once the store is taken over; then writes down uses for ever."""
    await controller.until_opened()
    while not access.is_open:
        try:
            await access.open()
        except MeshError as error:
            _log.error("users and tokens cannot be read yet: %s", error.message)
            await asyncio.sleep(AGAIN)
    # Not before: gateways would refuse all tokens until the others are read.
    access.when_granted(controller.grant)
    while True:
        await asyncio.sleep(KEPT)
        await _keep_uses(access)


async def _resume(deploying: Deploying, coding: Coding, controller: Controller) -> None:
    """Goes on with deployments whose releases were being made ready."""
    await controller.until_opened()
    while True:
        try:
            await deploying.resume()
            return await coding.resume()
        except MeshError as error:
            _log.error("what is to be deployed cannot be read yet: %s", error.message)
        await asyncio.sleep(AGAIN)


async def _keep_uses(access: Directory) -> None:
    try:
        await access.tokens.keep_uses()
    except MeshError as error:
        _log.error("when tokens were last used cannot be written: %s", error.message)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("%s ended", task.get_name(), exc_info=error)
