"""Holds what should run, and brings it about.

Decides nothing itself: `plan` reads what users want; `publish` and `reconcile` say what follows.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from mesh.clock import Clock, monotonic
from mesh.cluster.contract import Cluster
from mesh.control.desired import Desired, DesiredDeployment
from mesh.control.latest import Latest
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.plan import Application, plan, plan_endpoints
from mesh.control.promises import broken_promises
from mesh.control.publish import publish
from mesh.control.reconcile import (
    Action,
    DrainReplica,
    Forget,
    StartReplica,
    StopReplica,
    reconcile,
)
from mesh.control.status import DeploymentStatus, statuses
from mesh.control.store import State, Store
from mesh.errors import NotFound
from mesh.launch import Launch
from mesh.traffic.snapshot import EMPTY, Snapshot

_log = logging.getLogger(__name__)


def random_id(launch: Launch) -> str:
    """An id that no replica had or will have; readable, and short enough for a name."""
    return f"{launch.version_id}-{launch.service}-{secrets.token_hex(4)}"


class Controller:
    """The control plane of one mesh. For one event loop; `run` must run for anything to happen.

    `address` is the `host:port` of its gRPC face, told to replicas. `epoch` orders its snapshots
    after those of earlier controllers: nanoseconds since the Unix epoch. `tick` is the longest
    time in seconds between two looks at the cluster. `clock` is that of the cluster.
    """

    def __init__(
        self,
        *,
        store: Store,
        cluster: Cluster,
        epoch: int,
        address: str = "",
        clock: Clock = monotonic,
        new_id: Callable[[Launch], str] = random_id,
        tick: float = 1.0,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._epoch = epoch
        self._address = address
        self._clock = clock
        self._new_id = new_id
        self._tick = tick
        self._state: State | None = None
        self._opened = asyncio.Event()
        self._woken = asyncio.Event()
        self._changing = asyncio.Lock()
        self.snapshots: Latest[Snapshot] = Latest()

    async def run(self) -> None:
        """Adopts what runs, then keeps it as it should be, until cancelled."""
        self._state = await self._store.load()
        await self._cluster.adopt()
        self._opened.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="controller/follow")
            group.create_task(self._work(), name="controller/work")

    async def apply(self, application: Application, code: Mapping[str, bytes] | None = None) -> int:
        """Makes a deployment what `application` says; returns its revision.

        `code` holds the pickled entry classes of versions that have no target. Returns when the
        change is kept; follow it with `status`. The same application again changes nothing,
        except that what failed is tried again at once.

        Raises:
            ConfigError: the application contradicts itself.
        """
        await self._opened.wait()
        async with self._changing:
            desired = self._desired
            before = desired.deployments.get(application.config.name)
            deployment = plan(application, revision=before.revision if before else 1, code=code)
            if before is not None and deployment != before:
                deployment = replace(deployment, revision=before.revision + 1)
            for sentence in broken_promises(before, deployment):
                _log.warning("deployment %s: %s", deployment.name, sentence)
            await self._change(_with(desired, deployment, application))
            self._retry(deployment.name)
        _log.info("deployment %s: revision %d applied", deployment.name, deployment.revision)
        return deployment.revision

    async def delete(self, name: str) -> None:
        """Stops and forgets a deployment. Raises NotFound if there is none of this name."""
        await self._opened.wait()
        async with self._changing:
            if name not in self._desired.deployments:
                raise NotFound(f"there is no deployment {name!r}")
            await self._change(_without(self._desired, name))
        _log.info("deployment %s: deleted", name)

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        """How far the deployment `name` is, or all. Raises NotFound if there is no such one."""
        state = self._state or State()
        found = tuple(
            status
            for status in statuses(state.desired, self._cluster.observe(), state.serving)
            if name in ("", status.name)
        )
        if name and not found:
            raise NotFound(f"there is no deployment {name!r}")
        return found

    @property
    def opened(self) -> bool:
        """Whether it has read its store and adopted what runs."""
        return self._opened.is_set()

    @property
    def _desired(self) -> Desired:
        return self._state.desired if self._state else Desired()

    async def _change(self, desired: Desired) -> None:
        state = replace(self._state or State(), desired=desired)
        await self._store.save(state)
        self._state = state
        self._woken.set()

    def _retry(self, deployment: str) -> None:
        """A changed deployment does not wait out the failures of what it was before."""
        for replica in self._cluster.observe():
            if replica.deployment == deployment and replica.phase is Phase.FAILED:
                self._cluster.forget(replica.id)

    async def _follow(self) -> None:
        while True:
            await self._cluster.changed()
            self._woken.set()

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._step()
            except Exception:  # noqa: BLE001  # one bad step must not end all control; the next tick tries again
                _log.exception("a step of the controller failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tick):
                    await self._woken.wait()

    async def _step(self) -> None:
        if self._state is None:
            # Nothing was ever applied, or the store is lost: what runs is left as it is, and
            # callers keep the routes they have.
            return
        observed = tuple(self._cluster.observe())
        state = await self._publish(self._state, observed)
        for action in reconcile(state.desired, observed, state.serving, self._clock()):
            await self._act(action)
        await self._settle_retired()

    async def _publish(self, state: State, observed: tuple[ObservedReplica, ...]) -> State:
        snapshot, serving = publish(state.desired, observed, state.serving)
        async with self._changing:
            kept = State(self._desired, serving)
            if serving.versions != state.serving.versions:
                await self._store.save(kept)
            self._state = kept
        last = self.snapshots.value or EMPTY
        if replace(last, epoch=0, number=0) != snapshot or not last.number:
            self.snapshots.put(replace(snapshot, epoch=self._epoch, number=last.number + 1))
        return State(state.desired, serving)

    async def _act(self, action: Action) -> None:
        match action:
            case StartReplica(launch):
                launch = replace(launch, replica_id=self._new_id(launch), controller=self._address)
                _log.info("replica %s: start", launch.replica_id)
                await self._cluster.start(launch)
            case DrainReplica(replica_id):
                _log.info("replica %s: drain", replica_id)
                await self._cluster.drain(replica_id)
            case StopReplica(replica_id):
                _log.info("replica %s: stop", replica_id)
                await self._cluster.stop(replica_id)
            case Forget(replica_id):
                self._cluster.forget(replica_id)

    async def _settle_retired(self) -> None:
        """Forgets deleted deployments that have no replicas left."""
        async with self._changing:
            running = {replica.deployment for replica in self._cluster.observe()}
            retired = self._desired.retired
            if retired - running:
                await self._change(replace(self._desired, retired=retired & running))


def _with(desired: Desired, deployment: DesiredDeployment, application: Application) -> Desired:
    return Desired(
        {**desired.deployments, deployment.name: deployment},
        {**desired.endpoints, **plan_endpoints(application)},
        desired.retired - {deployment.name},
    )


def _without(desired: Desired, name: str) -> Desired:
    deployments = {key: value for key, value in desired.deployments.items() if key != name}
    endpoints = {
        endpoint.name: endpoint
        for endpoint in desired.endpoints.values()
        if endpoint.deployments.keys() & deployments.keys()
    }
    return Desired(deployments, endpoints, desired.retired | {name})
