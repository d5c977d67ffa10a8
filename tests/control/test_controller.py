"""The controller over a cluster on paper."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

import pytest

from mesh.cluster.contract import Cluster
from mesh.control.controller import Controller
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.plan import Application, application
from mesh.control.status import DeploymentPhase
from mesh.control.store import MemoryStore, State, Store
from mesh.errors import ConfigError, NotFound
from mesh.launch import Launch
from mesh.traffic.snapshot import Snapshot
from tests.control.simulation import published, replica


class PaperCluster(Cluster):
    """Does what it is told at once, and keeps an account of it."""

    def __init__(self, *running: ObservedReplica) -> None:
        self.replicas = {each.id: each for each in running}
        self.launches: list[Launch] = []
        self.log: list[str] = []
        self.broken = ""
        self._news = asyncio.Event()
        self._seen = asyncio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for something that a change of the cluster makes true."""
        while not true():
            self._seen.clear()
            await self._seen.wait()

    def _tell(self) -> None:
        self._news.set()
        self._seen.set()

    async def adopt(self) -> None:
        self.log.append("adopt")
        self._tell()

    async def start(self, launch: Launch) -> None:
        self.launches.append(launch)
        phase = Phase.FAILED if self.broken else Phase.READY
        self.put(
            replica(
                launch.replica_id,
                launch.version_id,
                phase,
                service=launch.service,
                reason=self.broken,
            )
        )

    def observe(self) -> Sequence[ObservedReplica]:
        return [self.replicas[key] for key in sorted(self.replicas)]

    async def drain(self, replica_id: str, timeout_s: float = 30.0) -> None:
        self.put(replace(self.replicas[replica_id], phase=Phase.DRAINED))

    async def stop(self, replica_id: str) -> None:
        self.put(replace(self.replicas[replica_id], phase=Phase.GONE))

    def forget(self, replica_id: str) -> None:
        del self.replicas[replica_id]
        self._tell()

    def put(self, each: ObservedReplica) -> None:
        self.log.append(f"{each.id} {each.phase}")
        self.replicas[each.id] = each
        self._tell()

    async def changed(self) -> None:
        await self._news.wait()
        self._news.clear()

    async def close(self) -> None:
        pass


def app(target: str = "app:Main", replicas: int = 1, name: str = "d") -> Application:
    service = {
        "name": "Main",
        "methods": [{"name": "predict", "route": "/predict", "kind": 1}],
        "config": {},
    }
    version = {
        "manifest": {"entry": "Main", "services": {"Main": service}},
        "source": {"target": target},
    }
    config = {"name": name, "target": target, "replicas": replicas}
    return application(json.dumps({"config": config, "versions": {"main": version}}).encode())


@asynccontextmanager
async def controlling(
    cluster: PaperCluster, store: Store | None = None
) -> AsyncIterator[Controller]:
    numbers = count(1)
    controller = Controller(
        store=store or MemoryStore(),
        cluster=cluster,
        epoch=7,
        address="127.0.0.1:9",
        clock=lambda: 0.0,
        new_id=lambda launch: f"{launch.service}-{next(numbers)}",
        tick=60.0,
    )
    task = asyncio.create_task(controller.run())
    try:
        yield controller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled() -> None:
    """Gives every task that can run as many turns as it can use."""
    for _ in range(50):
        await asyncio.sleep(0)


async def snapshot_with(controller: Controller, *replicas: str) -> Snapshot:
    async for snapshot in controller.snapshots.watch():
        if published(snapshot) == set(replicas):
            return snapshot
    raise AssertionError("watching never ends")


def test_an_applied_deployment_is_started_and_published() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            assert await controller.apply(app(replicas=2)) == 1
            snapshot = await snapshot_with(controller, "Main-1", "Main-2")
            assert snapshot.epoch == 7
            assert snapshot.default_endpoint == "d"
            assert [each.controller for each in cluster.launches] == ["127.0.0.1:9"] * 2
            (status,) = controller.status("d")
            assert status.phase is DeploymentPhase.RUNNING

    asyncio.run(main())


def test_each_change_makes_a_revision_and_the_same_again_does_not() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            revisions = [await controller.apply(app(replicas=n)) for n in (1, 1, 2, 2, 1)]
            assert revisions == [1, 1, 2, 2, 3]

    asyncio.run(main())


def test_snapshots_are_numbered_and_only_published_when_they_differ() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app())
            first = await snapshot_with(controller, "Main-1")
            cluster.put(replica("stranger", deployment="other"))
            await controller.apply(app(replicas=2))
            second = await snapshot_with(controller, "Main-1", "Main-2")
            assert second.number == first.number + 1

    asyncio.run(main())


def test_a_replica_leaves_the_snapshot_before_it_is_drained() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app(replicas=2))
            await snapshot_with(controller, "Main-1", "Main-2")
            await controller.apply(app(replicas=1))
            await snapshot_with(controller, "Main-1")
            await cluster.until(lambda: "Main-2" not in cluster.replicas)
            assert cluster.log[-2:] == ["Main-2 drained", "Main-2 gone"]

    asyncio.run(main())


def test_a_dead_replica_is_replaced() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            cluster.put(replace(cluster.replicas["Main-1"], phase=Phase.FAILED, lived=1e3))
            await snapshot_with(controller, "Main-2")

    asyncio.run(main())


def test_what_failed_is_tried_again_at_once_when_it_is_applied_again() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        cluster.broken = "No module named 'app'"
        async with controlling(cluster) as controller:
            await controller.apply(app())
            await cluster.until(lambda: bool(cluster.replicas))
            assert "No module named 'app'" in controller.status("d")[0].reason
            cluster.broken = ""
            await controller.apply(app())
            await snapshot_with(controller, "Main-2")

    asyncio.run(main())


def test_a_deleted_deployment_ends_and_is_forgotten() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            await controller.delete("d")
            await snapshot_with(controller)
            await cluster.until(lambda: not cluster.replicas)
            await settled()
            with pytest.raises(NotFound):
                controller.status("d")
            with pytest.raises(NotFound):
                await controller.delete("d")

    asyncio.run(main())


def test_a_new_controller_adopts_what_runs_and_restarts_nothing() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
        async with controlling(cluster, store) as controller:
            await snapshot_with(controller, "Main-1")
            assert len(cluster.launches) == 1

    asyncio.run(main())


def test_a_release_that_stands_in_does_so_under_a_new_controller_too() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            cluster.broken = "broken"
            await controller.apply(app("new:Main"))
        async with controlling(cluster, store) as controller:
            await snapshot_with(controller, "Main-1")
            assert cluster.replicas["Main-1"].phase is Phase.READY

    asyncio.run(main())


def test_a_controller_that_lost_its_store_stops_nothing_and_publishes_nothing() -> None:
    async def main() -> None:
        cluster = PaperCluster(replica("old"))
        async with controlling(cluster) as controller:
            await cluster.until(lambda: "adopt" in cluster.log)
            await settled()
            assert controller.opened
            assert controller.snapshots.value is None
            assert cluster.replicas["old"].phase is Phase.READY

    asyncio.run(main())


def test_a_wrong_application_changes_nothing() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with controlling(PaperCluster(), store) as controller:
            bad = app()
            bad = bad.model_copy(update={"versions": {}})
            with pytest.raises(ConfigError):
                await controller.apply(bad)
            assert await store.load() is None

    asyncio.run(main())


def test_a_step_that_fails_does_not_end_control(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()

    class Broken(MemoryStore):
        failures = 1

        async def save(self, state: State) -> None:
            if state.serving.versions and self.failures:
                self.failures -= 1
                failed.set()
                raise OSError("disk full")
            await super().save(state)

    async def main() -> None:
        async with controlling(PaperCluster(), Broken()) as controller:
            await controller.apply(app())
            await failed.wait()
            await controller.apply(app(replicas=2))
            await snapshot_with(controller, "Main-1", "Main-2")
            assert "a step of the controller failed" in caplog.text

    asyncio.run(main())
