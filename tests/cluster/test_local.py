"""The cluster in this process."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from mesh.cluster.contract import Cluster, Failed, LogChunk, Started
from mesh.cluster.lives import Lives, Process, Running
from mesh.cluster.local import LocalCluster
from mesh.control.observed import Phase
from mesh.control.standby import Warm
from mesh.errors import FailedPrecondition, Unavailable
from mesh.launch import Launch, Source
from tests.cluster import contract_checks
from tests.cluster.contract_checks import find, launch, until

HOST = "tests.cluster.hosts:FakeHost"


@pytest.mark.parametrize("check", contract_checks.CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(check: Callable[[Cluster], Awaitable[None]]) -> None:
    contract_checks.run(lambda: LocalCluster(host=HOST), check)


def test_it_refuses_standbys_and_keeps_none() -> None:
    async def main() -> None:
        ours = LocalCluster(host=HOST)
        with pytest.raises(FailedPrecondition, match="there is none to keep"):
            await ours.keep_warm({"cpu.1": Warm(1, cpu=1.0)})
        await ours.keep_warm({})
        assert ours.warm() == {}
        await ours.close()

    asyncio.run(main())


class Scripted(Process):
    """A process whose every step the test takes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.place: asyncio.Future[str] = loop.create_future()
        self.outcome: asyncio.Future[Started | Failed] = loop.create_future()
        self.reason: asyncio.Future[str] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self.lacks = ""
        self.ended: list[bool] = []

    async def placed(self) -> str:
        return await self.place

    async def missing(self) -> str:
        return self.lacks

    async def start(self) -> Started | Failed:
        return await self.outcome

    async def watch(self) -> str:
        return await self.reason

    async def drain(self, timeout_s: float) -> None:
        await self.drained

    async def logs(self, after: int, limit: int) -> LogChunk:
        return LogChunk("", 0)

    async def end(self, *, gently: bool) -> None:
        self.ended.append(gently)


class ScriptedCluster(Lives):
    """Lives over scripted processes. `now` is its clock."""

    def __init__(self, *running: Launch, outcome: Started | Failed | None = None) -> None:
        super().__init__(clock=lambda: self.now)
        self.now = 0.0
        self.process = Scripted()
        self._left = running
        self._outcome = outcome

    def _spawn(self, launch: Launch) -> Process:
        return self.process

    async def _running(self) -> list[Running]:
        return [(each, self.process, self._outcome) for each in self._left]


def test_what_is_missing_is_told_until_the_replica_has_its_place() -> None:
    async def main() -> None:
        cluster = ScriptedCluster()
        one = launch()
        cluster.process.lacks = "needs 1 gpu, the cluster has 0"
        await cluster.start(one)
        while not (found := find(cluster, one.replica_id)) or not found.reason:
            await cluster.changed()
        assert (found.phase, found.reason) == (Phase.STARTING, "needs 1 gpu, the cluster has 0")
        assert found.since == 0.0
        cluster.process.place.set_result("node-a")
        cluster.process.outcome.set_result(Started("h:1"))
        ready = await until(cluster, one.replica_id, Phase.READY)
        assert (ready.reason, ready.node) == ("", "node-a")
        await cluster.close()

    asyncio.run(main())


def test_a_process_that_dies_fails_with_how_long_it_was_ready() -> None:
    async def main() -> None:
        cluster = ScriptedCluster()
        one = launch()
        await cluster.start(one)
        cluster.process.place.set_result("node-a")
        cluster.process.outcome.set_result(Started("h:1"))
        await until(cluster, one.replica_id, Phase.READY)
        cluster.now = 12.0
        cluster.process.reason.set_exception(Unavailable("the process died: killed"))
        failed = await until(cluster, one.replica_id, Phase.FAILED)
        assert (failed.reason, failed.lived) == ("the process died: killed", 12.0)
        assert cluster.process.ended == [False]
        await cluster.close()

    asyncio.run(main())


def test_a_process_that_dies_while_it_drains_has_failed() -> None:
    async def main() -> None:
        cluster = ScriptedCluster()
        one = launch()
        await cluster.start(one)
        cluster.process.place.set_result("node-a")
        cluster.process.outcome.set_result(Started("h:1"))
        await until(cluster, one.replica_id, Phase.READY)
        await cluster.drain(one.replica_id)
        cluster.process.drained.set_exception(Unavailable("died"))
        cluster.process.reason.set_exception(Unavailable("died"))
        await until(cluster, one.replica_id, Phase.FAILED)
        await cluster.close()

    asyncio.run(main())


def test_an_unhealthy_replica_fails_and_is_ended() -> None:
    async def main() -> None:
        cluster = ScriptedCluster()
        one = launch()
        await cluster.start(one)
        cluster.process.place.set_result("node-a")
        cluster.process.outcome.set_result(Started("h:1"))
        cluster.process.reason.set_result("unhealthy: the event loop does not answer")
        failed = await until(cluster, one.replica_id, Phase.FAILED)
        assert failed.reason == "unhealthy: the event loop does not answer"
        await cluster.close()

    asyncio.run(main())


def test_what_takes_calls_is_ready_as_soon_as_it_is_adopted() -> None:
    async def main() -> None:
        up = Started("h:1")
        cluster = ScriptedCluster(launch(), outcome=up)
        await cluster.adopt()
        (adopted,) = cluster.observe()
        assert (adopted.phase, adopted.address) == (Phase.READY, "h:1")
        cluster.process.outcome.set_result(up)
        cluster.process.place.set_result("node-a")
        while not (found := find(cluster, adopted.id)) or not found.node:
            await cluster.changed()
        assert found.phase is Phase.READY
        await cluster.close()

    asyncio.run(main())


def test_what_was_draining_goes_on_with_that_when_it_is_adopted() -> None:
    async def main() -> None:
        draining = Started("h:1", draining=True)
        cluster = ScriptedCluster(launch(), outcome=draining)
        await cluster.adopt()
        (adopted,) = cluster.observe()
        assert adopted.phase is Phase.DRAINING
        cluster.process.place.set_result("node-a")
        cluster.process.outcome.set_result(draining)
        cluster.process.drained.set_result(None)
        await until(cluster, adopted.id, Phase.DRAINED)
        await cluster.close()

    asyncio.run(main())


def test_what_starts_is_adopted_and_becomes_ready() -> None:
    async def main() -> None:
        one = launch()
        cluster = ScriptedCluster(one)
        await cluster.adopt()
        cluster.process.place.set_result("node-a")
        cluster.process.outcome.set_result(Started("h:1"))
        assert (await until(cluster, one.replica_id, Phase.READY)).address == "h:1"
        await cluster.close()
        assert cluster.process.ended == []

    asyncio.run(main())


def test_a_release_is_refused_where_replicas_share_a_process() -> None:
    async def main() -> None:
        ours = LocalCluster(host=HOST)
        released = replace(launch(), source=Source(release="sha256:00"))
        for one in (released, replace(launch(), secret_names=("db",))):
            await ours.start(one)
            failed = await until(ours, one.replica_id, Phase.FAILED)
            assert failed.reason.startswith("releases and secrets need a process of their own")
        await ours.close()

    asyncio.run(main())
