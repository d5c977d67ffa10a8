"""The life of replicas, whatever they run in: one task follows each from start to end."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Protocol

from mesh.clock import Clock, monotonic
from mesh.cluster.contract import DRAIN_TIMEOUT, LOG_CHUNK, Failed, LogChunk, Started
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.placement import Node
from mesh.errors import MeshError, NotFound, Unavailable
from mesh.launch import Launch

_log = logging.getLogger(__name__)

ENDED = (Phase.FAILED, Phase.GONE)
"""Phases in which nothing of a replica is left but its record."""
PLACING = 1.0
"""Seconds between two looks at why a replica has no place yet."""
PAST = 500
"""Replicas that are forgotten and whose logs can still be read."""


class Process(Protocol):
    """What one replica runs in. Methods raise MeshError when it has died, saying of what."""

    async def placed(self) -> str:
        """Returns once it has its resources and runs: the name of its node."""
        ...

    async def missing(self) -> str:
        """What it lacks to be placed, in one line; empty if nothing is known to be missing."""
        ...

    async def start(self) -> Started | Failed:
        """Makes the replica ready to take calls. A second call gives the first one's result."""
        ...

    async def watch(self) -> str:
        """Returns when the replica is not fit to go on, with the reason in one line."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Returns when the replica has no calls left, or after `timeout_s` seconds."""
        ...

    async def end(self, *, gently: bool) -> None:
        """Ends it, if `gently` in order; afterwards nothing of it is left. Never raises."""
        ...

    async def logs(self, after: int, limit: int) -> LogChunk:
        """As of `contract.Cluster`, also after its end. Raises Unavailable."""
        ...


Running = tuple[Launch, Process, Started | Failed | None]
"""A replica that somebody else has started, and what became of that; None: it starts still."""


class Refused:
    """A process that never was (see Process)."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def placed(self) -> str:
        """As of Process."""
        raise Unavailable(self._reason)

    async def missing(self) -> str:
        """As of Process."""
        return ""

    async def start(self) -> Started | Failed:
        """As of Process."""
        return Failed(self._reason)

    async def watch(self) -> str:
        """As of Process."""
        return self._reason

    async def drain(self, timeout_s: float) -> None:
        """As of Process."""
        del timeout_s

    async def end(self, *, gently: bool) -> None:
        """As of Process."""
        del gently

    async def logs(self, after: int, limit: int) -> LogChunk:
        """As of Process."""
        del after, limit
        return LogChunk("", 0)


class _Life:
    """One replica: its record, its process, the tasks that follow it."""

    def __init__(self, launch: Launch, process: Process, now: float) -> None:
        self.process = process
        self.tasks: set[asyncio.Task[None]] = set()
        self.stopping = False
        self.ready_at: float | None = None
        self.record = ObservedReplica(
            id=launch.replica_id,
            deployment=launch.deployment,
            version_id=launch.version_id,
            service=launch.service,
            phase=Phase.STARTING,
            since=now,
        )

    def __repr__(self) -> str:
        return f"{self.record.id} {self.record.phase}"


class Lives(ABC):
    """The part of a cluster (see `contract.Cluster`) that does not depend on where replicas run."""

    def __init__(self, *, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._lives: dict[str, _Life] = {}
        self._deployments: dict[str, dict[str, _Life]] = {}
        # What `observe` gave and would give again; all of them are under "".
        self._observed: dict[str, tuple[ObservedReplica, ...]] = {}
        self._changed: set[str] = set()
        self._past: dict[str, Process] = {}
        self._news = asyncio.Event()

    @abstractmethod
    def _spawn(self, launch: Launch) -> Process:
        """A process for `launch`, which begins when it is first asked whether it is placed."""

    @abstractmethod
    async def _running(self) -> list[Running]:
        """Processes that an earlier controller left."""

    async def adopt(self) -> None:
        """As of Cluster."""
        for running in await self._running():
            self._take_over(running)

    def _take_over(self, running: Running) -> None:
        launch, process, outcome = running
        life = _Life(launch, process, self._clock())
        if isinstance(outcome, Started):
            self._is_up(life, outcome)
        self._follow(life)

    async def start(self, launch: Launch) -> None:
        """As of Cluster."""
        self._follow(_Life(launch, self._spawn(launch), self._clock()))

    async def refuse(self, launch: Launch, reason: str) -> None:
        """As of Cluster."""
        self._follow(_Life(launch, Refused(reason), self._clock()))

    def observe(self, deployment: str = "") -> Sequence[ObservedReplica]:
        """As of Cluster."""
        found = self._observed.get(deployment)
        if found is None:
            lives = self._deployments.get(deployment, {}) if deployment else self._lives
            found = tuple(lives[replica_id].record for replica_id in sorted(lives))
            if found:
                self._observed[deployment] = found
        return found

    async def drain(self, replica_id: str, timeout_s: float = DRAIN_TIMEOUT) -> None:
        """As of Cluster."""
        life = self._lives.get(replica_id)
        if life is not None and life.record.phase is Phase.READY:
            self._enter(life, Phase.DRAINING)
            self._do(life, self._drain(life, timeout_s))

    async def stop(self, replica_id: str) -> None:
        """As of Cluster."""
        life = self._lives.get(replica_id)
        if life is not None and not life.stopping and life.record.phase not in ENDED:
            life.stopping = True
            self._do(life, self._stop(life))

    def forget(self, replica_id: str) -> None:
        """As of Cluster."""
        life = self._lives.get(replica_id)
        if life is not None and life.record.phase in ENDED:
            del self._lives[replica_id]
            deployment = life.record.deployment
            del self._deployments[deployment][replica_id]
            if not self._deployments[deployment]:
                del self._deployments[deployment]
            self._past[replica_id] = life.process
            if len(self._past) > PAST:
                del self._past[next(iter(self._past))]
            self._tell(life)

    async def logs(self, replica_id: str, after: int = -1, limit: int = LOG_CHUNK) -> LogChunk:
        """As of Cluster."""
        life = self._lives.get(replica_id)
        process = life.process if life is not None else self._past.get(replica_id)
        if process is None:
            raise NotFound(f"there is no replica {replica_id!r}")
        return await process.logs(after, limit)

    async def nodes(self) -> Sequence[Node]:
        """As of Cluster; a cluster that counts resources says which."""
        return ()

    async def changed(self) -> frozenset[str]:
        """As of Cluster."""
        await self._news.wait()
        self._news.clear()
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def _tell(self, life: _Life) -> None:
        self._observed.pop(life.record.deployment, None)
        self._observed.pop("", None)
        self._changed.add(life.record.deployment)
        self._news.set()

    async def close(self) -> None:
        """As of Cluster."""
        tasks = [task for life in self._lives.values() for task in life.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end_all(self) -> None:
        """For a cluster whose replicas can't run on without it."""
        lives = [life for life in self._lives.values() if life.record.phase not in ENDED]
        await asyncio.gather(*(life.process.end(gently=True) for life in lives))

    def _follow(self, life: _Life) -> None:
        self._lives[life.record.id] = life
        self._deployments.setdefault(life.record.deployment, {})[life.record.id] = life
        self._tell(life)
        self._do(life, self._live(life))

    def _do(self, life: _Life, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=repr(life))
        life.tasks.add(task)
        task.add_done_callback(life.tasks.discard)

    async def _live(self, life: _Life) -> None:
        try:
            await self._place(life)
            outcome = await life.process.start()
            if isinstance(outcome, Started):
                if life.ready_at is None:
                    self._is_up(life, outcome)
                if outcome.draining:  # as an earlier controller has told it
                    self._do(life, self._drain(life, DRAIN_TIMEOUT))
                reason = await life.process.watch()
            else:
                reason = outcome.reason
        except MeshError as error:
            reason = error.message
        except Exception as error:  # noqa: BLE001  # a replica that nobody follows would start for ever
            _log.exception("replica %s cannot be followed", life.record.id)
            reason = f"{type(error).__name__}: {error}"
        if not life.stopping:
            _log.warning("replica %s failed: %s", life.record.id, reason)
            await life.process.end(gently=False)
            self._enter(life, Phase.FAILED, reason=reason)

    def _is_up(self, life: _Life, outcome: Started) -> None:
        life.ready_at = self._clock()
        phase = Phase.DRAINING if outcome.draining else Phase.READY
        self._enter(life, phase, address=outcome.address)

    async def _place(self, life: _Life) -> None:
        """Waits for a place, and says in the record what is in the way."""
        placed = asyncio.ensure_future(life.process.placed())
        try:
            while True:
                done, _ = await asyncio.wait({placed}, timeout=PLACING)
                reason = "" if done else await life.process.missing()
                node = placed.result() if done else ""
                if (reason, node) != (life.record.reason, life.record.node):
                    now = life.record
                    self._enter(life, now.phase, reason=reason, node=node, since=now.since)
                if done:
                    return
        finally:
            placed.cancel()

    async def _drain(self, life: _Life, timeout_s: float) -> None:
        try:
            await life.process.drain(timeout_s)
        except MeshError as error:
            _log.warning("replica %s died while it drained: %s", life.record.id, error.message)
            return
        if life.record.phase is Phase.DRAINING:
            self._enter(life, Phase.DRAINED)

    async def _stop(self, life: _Life) -> None:
        await life.process.end(gently=life.ready_at is not None)
        self._enter(life, Phase.GONE)
        for task in life.tasks - {asyncio.current_task()}:
            task.cancel()

    def _enter(
        self,
        life: _Life,
        phase: Phase,
        *,
        address: str = "",
        reason: str = "",
        node: str = "",
        since: float | None = None,
    ) -> None:
        now = self._clock()
        lived = now - life.ready_at if phase is Phase.FAILED and life.ready_at is not None else 0.0
        life.record = replace(
            life.record,
            phase=phase,
            address=address or life.record.address,
            reason=reason,
            node=node or life.record.node,
            since=now if since is None else since,
            lived=lived,
        )
        self._tell(life)
        _log.debug("%r", life)
