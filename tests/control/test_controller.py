"""The controller over a cluster on paper."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mesh.cluster.contract import Cluster
from mesh.config import EndpointConfig, parse
from mesh.control.changes import applied
from mesh.control.controller import Controller
from mesh.control.endpoint_changes import Moment
from mesh.control.loads import Outcomes, ReplicaLoad, Report
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.placement import Node
from mesh.control.plan import Application, application
from mesh.control.records import Born, Change, Intent, State
from mesh.control.status import DeploymentPhase
from mesh.control.store import open_store
from mesh.control.store.catalogue import Entry, Kind, Put, Used
from mesh.control.store.contract import Store
from mesh.control.store.memory import MemoryStore
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import (
    AlreadyExists,
    ConfigError,
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from mesh.launch import Launch
from mesh.traffic.snapshot import Grant, Snapshot
from tests import virtual_time
from tests.control.simulation import replica


class PaperCluster(Cluster):
    """Does what it is told at once, and keeps an account of it."""

    def __init__(self, *running: ObservedReplica) -> None:
        self.replicas = {each.id: each for each in running}
        self.launches: list[Launch] = []
        self.numbers = count(1)
        self.log: list[str] = []
        self.broken = ""
        self.broken_targets: set[str] = set()
        self._changed = {each.deployment for each in running}
        self._news = asyncio.Event()
        self._seen = asyncio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for something that a change of the cluster makes true."""
        while not true():
            self._seen.clear()
            await self._seen.wait()

    def _tell(self, *deployments: str) -> None:
        self._changed.update(deployments)
        self._news.set()
        self._seen.set()

    async def adopt(self) -> None:
        self.log.append("adopt")
        self._tell()

    async def nodes(self) -> Sequence[Node]:
        return ()

    async def start(self, launch: Launch) -> None:
        self.launches.append(launch)
        is_broken = self.broken or launch.source.target in self.broken_targets
        phase = Phase.FAILED if is_broken else Phase.READY
        self.put(
            replica(
                launch.replica_id,
                launch.version_id,
                phase,
                service=launch.service,
                deployment=launch.deployment,
                reason=self.broken,
            )
        )

    async def refuse(self, launch: Launch, reason: str) -> None:
        self.put(
            replica(
                launch.replica_id,
                launch.version_id,
                Phase.FAILED,
                service=launch.service,
                deployment=launch.deployment,
                reason=reason,
            )
        )

    def observe(self, deployment: str = "") -> Sequence[ObservedReplica]:
        found = (self.replicas[key] for key in sorted(self.replicas))
        return [each for each in found if deployment in ("", each.deployment)]

    async def drain(self, replica_id: str, timeout_s: float = 30.0) -> None:
        self.put(replace(self.replicas[replica_id], phase=Phase.DRAINED))

    async def stop(self, replica_id: str) -> None:
        self.put(replace(self.replicas[replica_id], phase=Phase.GONE))

    def forget(self, replica_id: str) -> None:
        self._tell(self.replicas.pop(replica_id).deployment)

    def put(self, each: ObservedReplica) -> None:
        self.log.append(f"{each.id} {each.phase}")
        self.replicas[each.id] = each
        self._tell(each.deployment)

    async def changed(self) -> frozenset[str]:
        await self._news.wait()
        self._news.clear()
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    async def close(self) -> None:
        pass


def published(snapshot: Snapshot) -> set[str]:
    """Ids of the replicas that callers see."""
    return {
        each.id
        for deployment in snapshot.deployments.values()
        for version in deployment.versions
        for service in version.services.values()
        for each in service.replicas
    }


def app(
    target: str = "app:Main",
    replicas: int | None = 1,
    name: str = "d",
    canaries: Mapping[str, int] | None = None,
    **more: Any,
) -> Application:
    service = {
        "name": "Main",
        "methods": [{"name": "predict", "route": "/predict", "kind": 1}],
        "config": {},
    }

    def version(target: str) -> dict[str, Any]:
        return {
            "manifest": {"entry": "Main", "services": {"Main": service}},
            "source": {"target": target},
        }

    versions = {"main": version(target)}
    config: dict[str, Any] = {"name": name, "target": target, "replicas": replicas, **more}
    for canary, weight in (canaries or {}).items():
        versions[canary] = version(f"{canary}:Main")
        found = config.setdefault("canary", {}).setdefault("versions", {})
        found[canary] = {"target": f"{canary}:Main", "weight": weight}
    return application(json.dumps({"config": config, "versions": versions}).encode())


@asynccontextmanager
async def controlling(
    cluster: PaperCluster, store: Store | None = None
) -> AsyncIterator[Controller]:
    controller = Controller(
        store=store or MemoryStore(),
        cluster=cluster,
        epoch=7,
        address="127.0.0.1:9",
        clock=lambda: 0.0,
        wall=lambda: 1e9,
        new_id=lambda launch: f"{launch.service}-{next(cluster.numbers)}",
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


def test_a_new_deployment_was_born_as_is_said_and_stays_so() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app(replicas=1), born=Born("mine", 5.0))
            await controller.apply(app(replicas=2), born=Born("other", 6.0))
            record = controller.deployment("d")
            assert (record.uid, record.created_at) == ("mine", 5.0)
            assert record.updated_at > 6.0
            assert "mine" not in {each.uid for each in await controller.revisions("d")}
            await controller.delete("d")
            await controller.apply(app(replicas=1), born=Born("next", 7.0))
            assert controller.deployment("d").uid == "next"

    asyncio.run(main())


def test_what_is_looked_up_at_last_is_applied_and_nobody_is_unchanged_meanwhile() -> None:
    async def main() -> None:
        goes_on = asyncio.Event()
        told: list[str] = []

        async def settle(asked: Application) -> Application:
            told.append("looked up")
            await goes_on.wait()
            return app(replicas=3, name=asked.config.name)

        async def look() -> None:
            async with controller.unchanged():
                told.append(f"{[each.name for each in controller.deployments()]}")

        async with controlling(PaperCluster()) as controller:
            applied = asyncio.create_task(controller.apply(app(replicas=1), settle=settle))
            looked = asyncio.create_task(look())
            await settled()
            assert told == ["looked up"]
            goes_on.set()
            await asyncio.gather(applied, looked)
            assert told == ["looked up", "['d']"]
            assert controller.current("d").config["replicas"] == 3

    asyncio.run(main())


def test_what_is_not_there_at_last_is_not_applied() -> None:
    async def refuse(asked: Application) -> Application:
        raise NotFound(asked.config.name)

    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            with pytest.raises(NotFound):
                await controller.apply(app(), settle=refuse)
            assert controller.deployments() == ()

    asyncio.run(main())


def test_an_organization_without_the_cluster_starts_nothing() -> None:
    async def main() -> None:
        store = MemoryStore()

        async def allow(**clusters: str) -> None:
            document = {"clusters": clusters}
            kept = Entry(Kind.ORGANIZATION, "acme", "a", 0, 0, document, organization="acme")
            await store.catalogue.write(Put(kept))

        async with controlling(PaperCluster(), store=store) as controller:
            await allow()
            with pytest.raises(PermissionDenied, match="may not use cluster"):
                await controller.apply(app(), organization="acme")
            assert controller.deployments() == ()
            await allow(default="")
            await controller.apply(app(replicas=1), organization="acme")
            await controller.apply(app(replicas=2), organization="acme")
            await controller.terminate("d")
            await allow()
            for again in (controller.start, controller.rollback):
                with pytest.raises(PermissionDenied):
                    await again("d")
            await controller.delete("d")

    asyncio.run(main())


def test_each_verb_keeps_who_asked_for_it() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            canaries = app(canaries={"a": 10})
            await controller.apply(canaries, by="ann", organization="acme")
            await controller.restart("d", by="restarts")
            await controller.set_canary("d", {"a": 5}, by="weighs")
            await controller.abort("d", by="aborts")
            await controller.set_labels("d", {"k": "v"}, by="labels")
            await controller.promote("d", by="promotes")
            await controller.rollback("d", 1, by="rolls back")
            assert [each.creator for each in await controller.revisions("d")][::-1] == [
                "ann",
                "restarts",
                "weighs",
                "aborts",
                "labels",
                "promotes",
                "rolls back",
            ]
            config = parse(EndpointConfig, {"deployments": {"d": 1}}, what="e")
            await controller.apply_endpoint("e", config, by="eve", organization="acme")
            for record in (controller.deployment("d"), controller.endpoint("e")):
                assert record.organization == "acme"
            assert controller.deployment("d").creator == "ann"
            assert controller.endpoint("e").creator == "eve"
            with pytest.raises(AlreadyExists):
                await controller.apply(app(), by="ann")
            out = parse(EndpointConfig, {"upstreams": [{"url": "https://a.example"}]}, what="e")
            with pytest.raises(AlreadyExists):
                await controller.apply_endpoint("e", out, by="eve")

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
        async with controlling(cluster, store.reopened()) as controller:
            await snapshot_with(controller, "Main-1")
            assert len(cluster.launches) == 1

    asyncio.run(main())


def test_a_new_controller_wakes_nobody_who_sleeps_and_keeps_the_least_numbers() -> None:
    async def main() -> None:
        store = MemoryStore()
        asleep = app(replicas=None, scaling={"min_replicas": 0, "max_replicas": 3})
        awake = app(replicas=None, name="e", scaling={"min_replicas": 1, "max_replicas": 3})
        async with controlling(PaperCluster(), store) as controller:
            await controller.apply(asleep)
            await controller.apply(awake)
            await snapshot_with(controller, "Main-1", "Main-2")
        cluster = PaperCluster()  # as it is when all of it sleeps
        async with controlling(cluster, store.reopened()) as controller:
            await snapshot_with(controller, "Main-1")
            await settled()
            assert [each.deployment for each in cluster.launches] == ["e"]
            assert controller.status("d")[0].phase is DeploymentPhase.SCALED_TO_ZERO

    asyncio.run(main())


def test_a_release_that_stands_in_does_so_under_a_new_controller_too() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            cluster.broken = "broken"
            await controller.apply(app("new:Main"))
        async with controlling(cluster, store.reopened()) as controller:
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
            assert not (await store.load()).deployments

    asyncio.run(main())


def test_a_step_that_fails_does_not_end_control(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()

    class Broken(MemoryStore):
        failures = 1

        async def commit(self, change: Change) -> None:
            if any(each.standing for each in change.deployments) and self.failures:
                self.failures -= 1
                failed.set()
                raise OSError("disk full")
            await super().commit(change)

    async def main() -> None:
        async with controlling(PaperCluster(), Broken()) as controller:
            await controller.apply(app())
            await failed.wait()
            await controller.apply(app(replicas=2))
            await snapshot_with(controller, "Main-1", "Main-2")
            assert "a look of the controller failed" in caplog.text

    asyncio.run(main())


def test_a_rollback_brings_back_what_a_revision_was() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app("one:Main"))
            await snapshot_with(controller, "Main-1")
            await controller.apply(app("two:Main", replicas=2))
            await snapshot_with(controller, "Main-2", "Main-3")
            assert len(cluster.launches) == 3
            assert await controller.rollback("d", 1) == 3
            await snapshot_with(controller, "Main-4")
            first, third = await controller.revision("d", 1), await controller.revision("d", 3)
            assert (first.versions, first.config) == (third.versions, third.config)
            assert [r.number for r in await controller.revisions("d")] == [3, 2, 1]
            await settled()
            cluster.broken = "broken"
            await controller.apply(app("bad:Main"))
            await controller.apply(app("worse:Main"))
            await settled()
            assert await controller.rollback("d") == 6
            assert controller.current("d").cause == "rollback to 3"
            with pytest.raises(NotFound):
                await controller.rollback("d", 9)

    asyncio.run(main())


def test_a_restart_replaces_all_replicas_with_the_same_settings() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app(replicas=2))
            await snapshot_with(controller, "Main-1", "Main-2")
            config = controller.current("d").config
            assert await controller.restart("d") == 2
            await snapshot_with(controller, "Main-3", "Main-4")
            assert controller.current("d").config == config
            assert await controller.apply(app(replicas=2)) == 2

    asyncio.run(main())


def test_what_is_terminated_is_kept_and_can_be_started_again() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            await controller.terminate("d")
            await cluster.until(lambda: not cluster.replicas)
            await settled()
            assert controller.status("d")[0].phase is DeploymentPhase.TERMINATED
        async with controlling(cluster, store.reopened()) as controller:
            await settled()
            assert not cluster.replicas
            await controller.start("d")
            await snapshot_with(controller, "Main-2")
            assert controller.deployment("d").intent is Intent.RUN

    asyncio.run(main())


def test_what_is_ended_starts_again_with_the_next_controller() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            await controller.end()
            assert not cluster.replicas
            with pytest.raises(Unavailable, match="being stopped"):
                await controller.apply(app(replicas=2))
        async with controlling(cluster, store.reopened()) as controller:
            await snapshot_with(controller, "Main-2")

    asyncio.run(main())


def test_what_is_ended_in_the_middle_of_a_rollout_begins_again_there() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app("good:Main"))
            await snapshot_with(controller, "Main-1")
            cluster.broken = "broken"
            await controller.apply(app("bad:Main"))
            await cluster.until(lambda: len(cluster.launches) == 2)
            await settled()
            await controller.end()
        cluster.broken_targets = {"bad:Main"}
        cluster.broken = ""
        async with controlling(cluster, store.reopened()) as controller:
            async for snapshot in controller.snapshots.watch():
                if published(snapshot):
                    break
            (serving,) = published(snapshot)
            targets = {each.replica_id: each.source.target for each in cluster.launches}
            assert targets[serving] == "good:Main"
            await settled()
            assert controller.status("d")[0].phase is DeploymentPhase.FAILED

    asyncio.run(main())


def test_weights_of_canaries_change_without_any_replica() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app(canaries={"next": 10}))
            await snapshot_with(controller, "Main-1", "Main-2")
            assert await controller.set_canary("d", {"next": 40}) == 2
            await settled()
            snapshot = controller.snapshots.value
            assert snapshot is not None
            weights = {v.name: v.weight for v in snapshot.deployments["d"].versions}
            assert weights == {"main": 60, "next": 40}
            assert len(cluster.launches) == 2
            with pytest.raises(ConfigError, match="less than or equal to 100"):
                await controller.set_canary("d", {"next": 101})
            with pytest.raises(NotFound, match="its canaries: next"):
                await controller.set_canary("d", {"nxet": 1})
            assert await controller.abort("d") == 3
            assert controller.current("d").config["canary"]["versions"]["next"]["weight"] == 0

    asyncio.run(main())


def test_a_new_weight_is_answered_when_every_gateway_goes_by_it() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app(canaries={"next": 10}))
            await settled()
            gateways = [controller.watchers.add(f"gateway/{n}") for n in range(2)]
            replica = controller.watchers.add("replica", "d")
            changing = asyncio.create_task(controller.set_canary("d", {"next": 40}))
            await settled()
            snapshot = controller.snapshots.value
            assert snapshot is not None
            weights = {v.name: v.weight for v in snapshot.deployments["d"].versions}
            assert weights == {"main": 60, "next": 40}
            for gateway in gateways:
                assert not changing.done()
                controller.watchers.applied(gateway, snapshot.number)
                await settled()
            assert changing.done()
            assert replica.applied == 0, "which is not waited for"

    asyncio.run(main())


def test_a_gateway_that_goes_away_is_not_waited_for() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app(canaries={"next": 10}))
            await settled()
            gateway = controller.watchers.add("gateway/0")
            changing = asyncio.create_task(controller.set_canary("d", {"next": 40}))
            await settled()
            assert not changing.done()
            controller.watchers.remove(gateway)
            await settled()
            assert changing.done()

    asyncio.run(main())


def test_a_gateway_that_does_not_answer_is_waited_for_ten_seconds() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app(canaries={"next": 10}))
            await settled()
            controller.watchers.add("gateway/0")
            clock = asyncio.get_running_loop().time
            began = clock()
            await controller.set_canary("d", {"next": 40})
            assert clock() - began == pytest.approx(10.0)

    virtual_time.run(main())


def test_a_canary_that_is_promoted_keeps_its_replicas_and_gets_the_number_of_main() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app(replicas=2, canaries={"next": 10}))
            await snapshot_with(controller, "Main-1", "Main-2", "Main-3")
            ids = controller.current("d").versions
            (canary,) = (k for k, v in cluster.replicas.items() if v.version_id == ids["next"])
            assert await controller.promote("d") == 2
            await snapshot_with(controller, canary, "Main-4")
            assert controller.current("d").config["target"] == "next:Main"
            assert controller.current("d").config["replicas"] == 2
            assert controller.current("d").versions == {"main": ids["next"]}

    asyncio.run(main())


def test_a_deployment_that_is_deleted_and_made_again_is_another_one() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app("one:Main"))
            await snapshot_with(controller, "Main-1")
            await controller.apply(app("two:Main"))
            await snapshot_with(controller, "Main-2")
            uid = controller.deployment("d").uid
            await controller.delete("d")
            assert await controller.apply(app("three:Main")) == 1
            assert controller.deployment("d").uid != uid
            snapshot = await snapshot_with(controller, "Main-3")
            assert [v.name for v in snapshot.deployments["d"].versions] == ["main"]

    asyncio.run(main())


def test_what_is_deleted_and_made_again_the_same_has_replicas_of_its_own() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            before = controller.current("d").versions
            await controller.delete("d")
            await controller.apply(app())
            await snapshot_with(controller, "Main-2")
            await cluster.until(lambda: set(cluster.replicas) == {"Main-2"})
            after = controller.current("d").versions
            assert after != before
            await controller.restart("d")
            await snapshot_with(controller, "Main-3")
            assert controller.current("d").versions not in (before, after)

    asyncio.run(main())


def test_a_new_controller_goes_on_with_a_rollout_that_was_under_way() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app("one:Main", replicas=3))
            await snapshot_with(controller, "Main-1", "Main-2", "Main-3")
        # The change is kept, and the controller dies before anything comes of it.
        reopened = store.reopened()
        state = await reopened.load()
        change = applied(state, app("two:Main", replicas=3), {}, Moment(1e9, "u"))
        await reopened.commit(change)
        async with controlling(cluster, reopened.reopened()) as controller:
            await snapshot_with(controller, "Main-4", "Main-5", "Main-6")
            assert {each.source.target for each in cluster.launches[3:]} == {"two:Main"}
            assert len(cluster.launches) == 6

    asyncio.run(main())


def test_endpoints_come_and_go_and_keep_their_secrets() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app())
            config = parse(
                EndpointConfig,
                {
                    "deployments": {"d": 1},
                    "upstreams": [{"url": "https://else.example", "api_key": "k3y"}],
                },
                what="endpoint",
            )
            await controller.apply_endpoint("public", config)
            assert "k3y" not in repr(controller.endpoint("public"))
            assert controller.endpoint("public").keys == {0: "k3y"}
            again = parse(
                EndpointConfig,
                {"deployments": {"d": 2}, "upstreams": [{"url": "https://else.example"}]},
                what="endpoint",
            )
            await controller.apply_endpoint("public", again)
            assert controller.endpoint("public").keys == {0: "k3y"}
            snapshot = await snapshot_with(controller, "Main-1")
            assert snapshot.default_endpoint == "public"
            await controller.terminate_endpoint("public")
            await settled()
            latest = controller.snapshots.value
            assert latest is not None
            assert latest.endpoints["public"].deployments == ()
            await controller.delete_endpoint("public")
            await settled()
            latest = controller.snapshots.value
            assert latest is not None
            assert list(latest.endpoints) == ["d"]
            with pytest.raises(ConfigError, match="no deployment 'x'"):
                await controller.apply_endpoint(
                    "p", parse(EndpointConfig, {"deployments": {"x": 1}}, what="endpoint")
                )

    asyncio.run(main())


def test_events_tell_what_was_done_and_what_became_of_it() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        cluster.broken = "No module named 'app'"
        async with controlling(cluster) as controller:
            await controller.apply(app())
            await cluster.until(lambda: bool(cluster.replicas))
            await settled()
            told = [(each.kind, each.status, each.reason) for each in await controller.events("d")]
            assert ("change", "", "created") in told
            assert ("status", "failed", "main: Main: No module named 'app'") in told

    asyncio.run(main())


class Clocks:
    """Time that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def measured(
    cluster: PaperCluster, clocks: Clocks, store: Store | None = None, tick: float = 0.0
) -> AsyncIterator[Controller]:
    """A controller that looks at what was measured at each tick: all the time."""
    controller = Controller(
        store=store or MemoryStore(),
        cluster=cluster,
        epoch=7,
        clock=clocks,
        wall=clocks,
        new_id=lambda launch: f"{launch.service}-{next(cluster.numbers)}",
        tick=tick,
    )
    task = asyncio.create_task(controller.run())
    try:
        yield controller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def loaded(controller: Controller, clocks: Clocks, in_flight: float, queued: int = 0) -> None:
    """Reports that each ready replica holds so many calls, and so many wait for the service."""
    replicas = controller.replicas()
    (version,) = set(controller.current("d").versions.values())
    controller.report(
        Report(
            "all",
            1.0,
            {each.id: ReplicaLoad(in_flight=in_flight, at=clocks.now) for each in replicas},
            {("d", version, "Main"): queued} if queued else {},
        )
    )


SCALING = {"scaling": {"min_replicas": 0, "max_replicas": 4}, "replicas": None}
CONCURRENCY = {"services": {"Main": {"traffic": {"concurrency": 2}}}}


def test_the_number_of_replicas_follows_the_load_and_an_event_says_why() -> None:
    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks) as controller:
            await controller.apply(app(**SCALING, **CONCURRENCY))
            await snapshot_with(controller, "Main-1")
            clocks.now += 1.0
            loaded(controller, clocks, in_flight=6.0)
            await snapshot_with(controller, "Main-1", "Main-2", "Main-3")
            told = [each.reason for each in await controller.events("d") if each.kind == "scaling"]
            assert told == ["main: Main: in flight 6 of 2: 1 -> 3"]
            assert controller.status("d")[0].versions[0].services[0].desired == 3

    asyncio.run(main())


def test_an_idle_deployment_goes_to_zero_and_a_call_that_waits_wakes_it() -> None:
    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks) as controller:
            await controller.apply(app(**SCALING, **CONCURRENCY))
            await snapshot_with(controller, "Main-1")
            for _ in range(40):
                clocks.now += 10.0
                loaded(controller, clocks, in_flight=0.0)
                await settled()
            await snapshot_with(controller)
            await cluster.until(lambda: not cluster.replicas)
            await settled()
            assert controller.status("d")[0].phase is DeploymentPhase.SCALED_TO_ZERO
            loaded(controller, clocks, 0.0, queued=1)
            await snapshot_with(controller, "Main-2")

    asyncio.run(main())


def canary(steps: Sequence[int] = (10, 100)) -> dict[str, Any]:
    progression = {"version": "next", "steps": list(steps), "wait": 10, "min_requests": 5}
    return {"canary": {"progression": progression}}


def ended(controller: Controller, clocks: Clocks, version: str, requests: int, errors: int) -> None:
    identity = controller.current("d").versions[version]
    outcomes = {("d", identity): Outcomes(requests, errors, {0: requests})}
    controller.report(Report("gateway/1", 1.0, outcomes=outcomes))


def weights(controller: Controller) -> dict[str, int]:
    snapshot = controller.snapshots.value
    assert snapshot is not None
    return {each.name: each.weight for each in snapshot.deployments["d"].versions}


async def until_weights(controller: Controller, wanted: Mapping[str, int]) -> None:
    async for _ in controller.snapshots.watch():
        if weights(controller) == wanted:
            return


def test_a_good_canary_goes_through_its_steps_and_becomes_main() -> None:
    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks) as controller:
            await controller.apply(app(canaries={"next": 0}, **canary()))
            await until_weights(controller, {"main": 90, "next": 10})
            identity = controller.current("d").versions["next"]
            for step in ({"main": 0, "next": 100}, {"main": 100}):
                clocks.now += 11.0
                ended(controller, clocks, "main", 100, 0)
                ended(controller, clocks, "next", 100, 0)
                await until_weights(controller, step)
            assert controller.current("d").versions == {"main": identity}
            assert controller.current("d").cause.startswith("canary next promoted")

    asyncio.run(main())


def test_a_bad_canary_is_taken_back_by_itself() -> None:
    async def main() -> None:
        cluster, clocks, store = PaperCluster(), Clocks(), MemoryStore()
        async with measured(cluster, clocks, store) as controller:
            await controller.apply(app(canaries={"next": 0}, **canary()))
            await until_weights(controller, {"main": 90, "next": 10})
            ended(controller, clocks, "main", 900, 0)
            ended(controller, clocks, "next", 100, 50)
            await until_weights(controller, {"main": 100, "next": 0})
            assert "error rate 50 %" in controller.current("d").cause
            assert "error rate 50 %" in controller.canary_status("d").reason
        async with measured(cluster, clocks, store.reopened()) as controller:
            await until_weights(controller, {"main": 100, "next": 0})
            assert "error rate 50 %" in controller.canary_status("d").reason

    asyncio.run(main())


def test_labels_do_not_send_a_canary_back_to_its_first_step() -> None:
    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks) as controller:
            await controller.apply(app(canaries={"next": 0}, **canary(steps=(10, 50, 100))))
            await until_weights(controller, {"main": 90, "next": 10})
            clocks.now += 11.0
            ended(controller, clocks, "main", 100, 0)
            ended(controller, clocks, "next", 100, 0)
            await until_weights(controller, {"main": 50, "next": 50})
            await controller.set_labels("d", {"team": "a"})
            await settled()
            assert weights(controller) == {"main": 50, "next": 50}

    asyncio.run(main())


def test_a_canary_keeps_what_its_progression_reached_when_another_gets_a_weight() -> None:
    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks) as controller:
            canaries = {"next": 80, "third": 0}
            await controller.apply(app(canaries=canaries, **canary()))
            await until_weights(controller, {"main": 90, "next": 10, "third": 0})
            await controller.set_canary("d", {"third": 5})
            await until_weights(controller, {"main": 85, "next": 10, "third": 5})
            await controller.promote("d", "third")
            await until_weights(controller, {"main": 90, "next": 10})
            clocks.now += 11.0
            ended(controller, clocks, "next", 100, 0)
            await settled()
            assert weights(controller) == {"main": 90, "next": 10}

    asyncio.run(main())


class Draining(PaperCluster):
    """A cluster whose replicas still have calls when they are drained."""

    async def drain(self, replica_id: str, timeout_s: float = 30.0) -> None:
        self.put(replace(self.replicas[replica_id], phase=Phase.DRAINING))


def test_a_deployment_that_is_deleted_at_the_end_of_a_progression_holds_up_nothing() -> None:
    async def main() -> None:
        cluster, clocks = Draining(), Clocks()
        async with measured(cluster, clocks) as controller:
            await controller.apply(app(canaries={"next": 0}, **canary(steps=(100,))))
            await until_weights(controller, {"main": 0, "next": 100})
            outcomes = Outcomes(100, 0, {0: 100})
            identity = controller.current("d").versions["next"]
            await controller.delete("d")
            clocks.now += 11.0
            controller.report(Report("gateway/1", 1.0, outcomes={("d", identity): outcomes}))
            await settled()
            assert not controller.deployments()
            await controller.apply(app(name="other"))
            await snapshot_with(controller, "Main-3")

    asyncio.run(main())


def test_a_bad_canary_is_taken_back_although_the_store_fails_at_first() -> None:
    class Broken(MemoryStore):
        failures = 1

        async def commit(self, change: Change) -> None:
            if any("aborted" in each.cause for each in change.revisions) and self.failures:
                self.failures -= 1
                raise Unavailable("the store is away")
            await super().commit(change)

    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks, Broken()) as controller:
            await controller.apply(app(canaries={"next": 0}, **canary()))
            await until_weights(controller, {"main": 90, "next": 10})
            ended(controller, clocks, "main", 900, 0)
            ended(controller, clocks, "next", 100, 50)
            await until_weights(controller, {"main": 100, "next": 0})
            await settled()
            assert "error rate 50 %" in controller.current("d").cause

    asyncio.run(main())


@pytest.mark.parametrize(("errors", "state"), [(0, "done"), (50, "aborted")])
def test_a_progression_has_not_ended_before_what_it_comes_to_is_kept(
    errors: int, state: str
) -> None:
    class Slow(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

        async def commit(self, change: Change) -> None:
            if any(each.cause.startswith("canary") for each in change.revisions):
                self.asked.set()
                await self.goes_on.wait()
            await super().commit(change)

    def told(controller: Controller) -> tuple[str, set[str]]:
        status = controller.canary_status("d")
        return status.progression["progress"]["state"], set(controller.current("d").versions)

    async def main() -> None:
        cluster, clocks, store = PaperCluster(), Clocks(), Slow()
        async with measured(cluster, clocks, store) as controller:
            await controller.apply(app(canaries={"next": 0}, **canary(steps=(10, 100))))
            await until_weights(controller, {"main": 90, "next": 10})
            for _ in range(1 if errors else 2):
                clocks.now += 11.0
                ended(controller, clocks, "main", 900, 0)
                ended(controller, clocks, "next", 100, errors)
                await settled()
            await store.asked.wait()
            before = told(controller)
            store.goes_on.set()
            assert before == ("running", {"main", "next"})
            await until_weights(controller, {"main": 100, "next": 0} if errors else {"main": 100})
            assert told(controller) == (state, {"main", "next"} if errors else {"main"})

    asyncio.run(main())


def test_what_is_measured_may_fail_to_be_followed_and_replicas_are_kept_running() -> None:
    class Broken(MemoryStore):
        async def commit(self, change: Change) -> None:
            if any(each.kind == "scaling" for each in change.events):
                raise Unavailable("the store is away")
            await super().commit(change)

    async def main() -> None:
        cluster, clocks = PaperCluster(), Clocks()
        async with measured(cluster, clocks, Broken(), tick=60.0) as controller:
            await controller.apply(app(**SCALING, **CONCURRENCY))
            await snapshot_with(controller, "Main-1")
            clocks.now += 61.0
            loaded(controller, clocks, in_flight=6.0)
            await controller.apply(app(name="other"))
            await settled()
            assert {each.deployment for each in controller.replicas()} == {"d", "other"}

    asyncio.run(main())


def test_of_what_another_organization_had_under_a_name_nothing_is_told() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            out = EndpointConfig.model_validate({"upstreams": [{"url": "https://x.example"}]})
            await controller.apply(app(), by="ann", organization="acme")
            await controller.apply_endpoint("e", out, by="ann", organization="acme")
            await snapshot_with(controller, "Main-1")
            await controller.restart("d", by="ann")
            await controller.delete("d", by="ann")
            await controller.delete_endpoint("e", by="ann")
            assert {each.organization for each in await controller.events()} == {"acme"}
            await controller.apply(app(), by="bob", organization="other")
            await controller.apply_endpoint("e", out, by="bob", organization="other")
            for told in (await controller.events("d"), await controller.events(endpoint="e")):
                assert {each.organization for each in told} == {"other"}
                assert [each.by for each in told if each.kind == "change"] == ["bob"]

    asyncio.run(main())


def test_what_was_made_long_ago_has_its_full_time_when_it_is_started_again() -> None:
    async def main() -> None:
        cluster, clocks, store = PaperCluster(), Clocks(), MemoryStore()
        async with measured(cluster, clocks, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            await controller.terminate("d")
            await cluster.until(lambda: not cluster.replicas)
            await settled()
            clocks.now += 3600.0
            await controller.start("d")
            assert controller.status("d")[0].phase is DeploymentPhase.DEPLOYING
            await snapshot_with(controller, "Main-2")
            await controller.end()
        clocks.now += 3600.0
        async with measured(cluster, clocks, store.reopened()) as controller:
            await snapshot_with(controller, "Main-3")
            told = [each.status for each in await controller.events("d") if each.kind == "status"]
            assert "failed" not in told

    asyncio.run(main())


def test_a_change_whose_asker_leaves_is_kept_or_not_but_never_half() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStore):
        async def commit(self, change: Change) -> None:
            await super().commit(change)
            if change.revisions:
                begun.set()
                await may_end.wait()

    async def main() -> None:
        cluster, store = PaperCluster(), Slow()
        async with controlling(cluster, store) as controller:
            asking = asyncio.create_task(controller.apply(app()))
            await begun.wait()
            asking.cancel()
            await settled()
            may_end.set()
            await asyncio.gather(asking, return_exceptions=True)
            assert asking.cancelled()
            await snapshot_with(controller, "Main-1")
            assert (await store.load()).deployments["d"].standing

    asyncio.run(main())


def test_a_revision_that_is_not_understood_any_more_is_not_gone_back_to() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with controlling(PaperCluster(), store) as controller:
            await controller.apply(app())
            await controller.apply(app(replicas=2))
            await snapshot_with(controller, "Main-1", "Main-2")
            first = await controller.revision("d", 1)
            old = replace(first, config={**first.config, "of_another_time": 1})
            await store.commit(Change(revisions=(old,)))
            with pytest.raises(ConfigError, match="of_another_time"):
                await controller.rollback("d", 1)
            assert controller.current("d").number == 2
            assert (await store.load()).deployments["d"].revision == 2

    asyncio.run(main())


def test_a_deployment_that_is_not_understood_any_more_is_left_as_it_is() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        async with controlling(cluster, store) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")
            current = controller.current("d")
            old = replace(current, config={**current.config, "of_another_time": 1})
            await store.commit(Change(revisions=(old,)))
        async with controlling(cluster, store.reopened()) as controller:
            await controller.apply(app(name="other"))
            await settled()
            assert {each.deployment for each in controller.replicas()} == {"d", "other"}
            with pytest.raises(FailedPrecondition, match="'d' is not understood"):
                controller.canary_status("d")

    asyncio.run(main())


def test_a_store_that_is_away_when_control_begins_is_waited_for() -> None:
    class Away(MemoryStore):
        failures = 3

        async def load(self) -> State:
            if self.failures:
                self.failures -= 1
                raise Unavailable("the store is away")
            return await super().load()

    async def main() -> None:
        cluster = PaperCluster()
        async with measured(cluster, Clocks(), Away()) as controller:
            await controller.apply(app())
            await snapshot_with(controller, "Main-1")

    asyncio.run(main())


def secret(name: str, key: str, value: str, stage: str = "runtime") -> Put:
    document = {"type": "env", "stage": stage, "items": [{"key": key}]}
    return Put(
        Entry(Kind.SECRET, name, name, 0.0, 0.0, document=document, secret={key: value}),
        is_new=True,
    )


def test_a_replica_starts_with_what_is_in_its_secrets_then_and_nobody_else_keeps_it() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        await store.catalogue.write(secret("db", "PASSWORD", "s3same"))
        async with controlling(cluster, store) as controller:
            await controller.apply(app(secrets=["db"]))
            await snapshot_with(controller, "Main-1")
            (launch,) = cluster.launches
            assert launch.secrets.envs == {"PASSWORD": "s3same"}
            assert "s3same" not in repr(launch)
            assert "s3same" not in repr(await store.load())
            assert "s3same" not in repr(await controller.events())

    asyncio.run(main())


def test_secrets_are_for_a_replica_or_for_what_is_installed_for_it_as_their_stage_says() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        for stage in ("build", "runtime", "all"):
            await store.catalogue.write(secret(stage, stage.upper(), "s3same", stage))
        async with controlling(cluster, store) as controller:
            await controller.apply(app(secrets=["build", "runtime", "all"]))
            await snapshot_with(controller, "Main-1")
            (launch,) = cluster.launches
            assert launch.secrets.envs.keys() == {"RUNTIME", "ALL"}
            assert launch.build.envs.keys() == {"BUILD", "ALL"}
            assert "s3same" not in repr(launch)

    asyncio.run(main())


def test_replicas_get_their_secrets_from_a_store_that_has_a_new_key(tmp_path: Path) -> None:
    async def main() -> None:
        cluster = PaperCluster()
        store = open_store(str(tmp_path / "mesh.db"), None)
        await store.catalogue.write(secret("db", "PASSWORD", "s3same"))
        async with controlling(cluster, store) as controller:
            assert await controller.renew_secret_key() == 1
            await controller.apply(app(secrets=["db"]))
            await snapshot_with(controller, "Main-1")
            (launch,) = cluster.launches
            assert launch.secrets.envs == {"PASSWORD": "s3same"}
        await store.close()

    asyncio.run(main())


async def snapshot_that(controller: Controller, true: Callable[[Snapshot], bool]) -> Snapshot:
    async for snapshot in controller.snapshots.watch():
        if true(snapshot):
            return snapshot
    raise AssertionError("it never ends")


def test_callers_see_whether_a_deployment_is_protected_and_by_what_grants_know_it() -> None:
    async def main() -> None:
        async with controlling(PaperCluster()) as controller:
            await controller.apply(app(access_authorization=True))
            table = await snapshot_that(controller, lambda found: "d" in found.deployments)
            record = controller.deployment("d")
            found = table.deployments["d"]
            assert (found.protected, found.uid) == (True, record.uid)
            assert found.organization == record.organization == "default"
            await controller.apply(app(access_authorization=False))
            await snapshot_that(controller, lambda table: not table.deployments["d"].protected)

    asyncio.run(main())


def test_a_replica_whose_secret_is_missing_has_failed_and_says_so() -> None:
    async def main() -> None:
        cluster = PaperCluster()
        async with controlling(cluster) as controller:
            await controller.apply(app(secrets=["db"]))
            await cluster.until(lambda: "Main-1" in cluster.replicas)
            assert cluster.replicas["Main-1"].phase is Phase.FAILED
            assert cluster.replicas["Main-1"].reason == "there is no secret 'db'"
            assert not cluster.launches


def test_grants_are_published_at_once_but_not_before_the_first_look() -> None:
    async def main() -> None:
        grants = {b"a": Grant("", everything=True)}
        cluster = PaperCluster()
        controller = Controller(
            store=MemoryStore(), cluster=cluster, epoch=1, waits_for_grants=True
        )
        task = asyncio.create_task(controller.run())
        await controller.apply(app())
        for _ in range(20):  # turns in which it would act
            await asyncio.sleep(0)
        # Callers are told nothing yet, so nothing is done that they had to be told first.
        assert not cluster.launches
        assert controller.snapshots.value is None
        controller.grant(grants)
        await snapshot_that(controller, lambda table: table.grants == grants)
        controller.grant({})
        last = controller.snapshots.value
        assert last is not None
        assert not last.grants
        await controller.granted()  # no gateway follows
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_uses_of_tokens_are_told_and_none_is_in_the_future() -> None:
    used: list[tuple[bytes, float]] = []

    async def main() -> None:
        clocks = Clocks()
        async with measured(PaperCluster(), clocks) as controller:
            controller.when_used(lambda digest, at: used.append((digest, at)))
            wall = clocks()
            controller.report(Report("gateway/1", 1.0, uses={b"a": wall - 5.0, b"b": wall + 5.0}))
            assert used == [(b"a", wall - 5.0), (b"b", wall)]

    asyncio.run(main())


def test_what_is_used_is_written_down_when_all_is_ended() -> None:
    async def main() -> None:
        cluster, clocks, store = PaperCluster(), Clocks(), MemoryStore()
        async with measured(cluster, clocks, store) as controller:
            await controller.apply(app(replicas=2))
            await snapshot_with(controller, "Main-1", "Main-2")
            await controller.keep_use()
            clocks.now += 7.0
            (version,) = controller.current("d").versions.values()
            controller.report(Report("gateway", outcomes={("d", version): Outcomes(9, 2)}))
            await controller.end()
            (found,) = await store.journal.used(0.0, 9e12)
            assert found.replica_seconds == 14.0
            assert (found.requests, found.errors) == (9, 2)

    asyncio.run(main())


def test_what_is_used_is_not_lost_with_a_store_that_is_away_for_a_while() -> None:
    class Away(MemoryCatalogue):
        is_away = True

        async def add_used(self, *used: Used) -> None:
            if self.is_away:
                raise Unavailable("the store is away")
            await super().add_used(*used)

    async def main() -> None:
        clocks, store, journal = Clocks(), MemoryStore(), Away()
        store.journal = journal
        async with measured(PaperCluster(), clocks, store) as controller:
            await controller.apply(app(replicas=1))
            await snapshot_with(controller, "Main-1")
            await controller.keep_use()
            clocks.now += 7.0
            await controller.keep_use()
            journal.is_away = False
            await controller.keep_use()
            await controller.keep_use()
            (found,) = await journal.used(0.0, 9e12)
            assert found.replica_seconds == 7.0

    asyncio.run(main())


def test_what_is_used_is_written_down_and_outlives_the_controller() -> None:
    async def main() -> None:
        cluster, store = PaperCluster(), MemoryStore()
        now = 7200.0

        def metering(kept: MemoryStore) -> Controller:
            return Controller(
                store=kept,
                cluster=cluster,
                epoch=7,
                clock=lambda: now,
                wall=lambda: now,
                new_id=lambda launch: f"{launch.service}-{next(cluster.numbers)}",
                tick=60.0,
            )

        async def step(controller: Controller, seconds: float) -> None:
            nonlocal now
            now += seconds
            await controller._weigh()

        controller = metering(store)
        task = asyncio.create_task(controller.run())
        try:
            typed = app(replicas=2, services={"Main": {"instance_type": "cpu.1"}})
            await controller.apply(typed, organization="acme")
            await snapshot_with(controller, "Main-1", "Main-2")
            await step(controller, 60.0)
            await step(controller, 60.0)
            (version,) = controller.current("d").versions.values()
            controller.report(Report("gateway", outcomes={("d", version): Outcomes(9, 2)}))
            await step(controller, 60.0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        found = await store.reopened().journal.used(0.0, 9e9)
        assert {each.organization for each in found} == {"acme"}
        by_type = {each.instance_type: each for each in found}
        assert by_type["cpu.1"].replica_seconds == 240.0
        assert (by_type[""].requests, by_type[""].errors) == (9, 2)

    asyncio.run(main())
