"""Replicas in this process: the same life as on Ray, without Ray. For tests and small graphs."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from mesh.clock import Clock, monotonic
from mesh.cluster.actors import ReplicaActor
from mesh.cluster.contract import Failed, LogChunk, Started
from mesh.cluster.lives import Lives, Process, Refused, Running
from mesh.control.standby import Warm
from mesh.errors import FailedPrecondition, Unavailable
from mesh.launch import Launch

T = TypeVar("T")

HOST = "mesh.replica.host:ReplicaHost"
"""What a replica runs in."""
NODE = "local"
"""Name of the only node."""
NO_LOG = "replicas in this process share its output: what each has written cannot be told apart\n"
"""What stands for a replica's log."""
NOT_HERE = "releases and secrets need a process of their own, and replicas here share one"
"""Why they don't run here."""
NOTHING_WARM = "replicas here share one process: there is none to keep for those to come"
"""Why there are no standbys."""


class LocalCluster(Lives):
    """Replicas on threads of this process (see `contract.Cluster`); resources are not counted.

    `host` names a class as `pkg.mod:Class` (see `actors.Host`). What runs ends with the process:
    there is never anything to adopt. Each replica has an event loop of its own, where gRPC likes
    one per process: good for tests, not for load.
    """

    def __init__(
        self, *, bind_host: str = "127.0.0.1", host: str = HOST, clock: Clock = monotonic
    ) -> None:
        super().__init__(clock=clock)
        self._bind_host = bind_host
        self._host = host

    def _spawn(self, launch: Launch) -> Process:
        if launch.source.release or launch.secret_names:
            return Refused(NOT_HERE)
        return _LocalProcess(lambda: ReplicaActor(launch, self._host, self._bind_host))

    async def close(self) -> None:
        """As of Cluster; the replicas end."""
        await super().close()
        await self._end_all()

    async def keep_warm(self, wanted: Mapping[str, Warm]) -> None:
        """As of Cluster: refused, unless none are wanted."""
        if wanted:
            raise FailedPrecondition(NOTHING_WARM)

    def warm(self) -> Mapping[str, int]:
        """As of Cluster."""
        return {}

    async def _running(self) -> list[Running]:
        return []


class _LocalProcess:
    """The shell of one replica, driven by threads of its own (see `lives.Process`)."""

    def __init__(self, create: Callable[[], ReplicaActor]) -> None:
        self._create = create
        self._made: ReplicaActor | None = None
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="replica")
        self._dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def _actor(self) -> ReplicaActor:
        if self._made is None:
            raise Unavailable("the replica is not placed")
        return self._made

    async def placed(self) -> str:
        """As of Process."""
        self._made = await self._run(self._create)
        return NODE

    async def missing(self) -> str:
        """As of Process: nothing is counted, so nothing is missing."""
        return ""

    async def start(self) -> Started | Failed:
        """As of Process."""
        return await self._run(self._actor.start)

    async def watch(self) -> str:
        """As of Process."""
        return await self._run(self._actor.watch)

    async def drain(self, timeout_s: float) -> None:
        """As of Process."""
        actor = self._actor
        await self._run(lambda: actor.drain(timeout_s))

    async def end(self, *, gently: bool) -> None:
        """As of Process: even without `gently` in order, for threads can't be killed."""
        del gently
        if self._made is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._made.stop)
        if not self._dead.done():
            self._dead.set_result(None)
        self._threads.shutdown(wait=False)

    async def logs(self, after: int, limit: int) -> LogChunk:
        """As of Process: a line that says that there are none."""
        start = max(after, 0)
        text = NO_LOG[start : start + limit]
        return LogChunk(text, start + len(text))

    async def _run(self, work: Callable[[], T]) -> T:
        """What `work` returns, unless the replica ends first. Raises Unavailable then."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        either: set[asyncio.Future[Any]] = {running, self._dead}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        raise Unavailable("the replica was stopped")
