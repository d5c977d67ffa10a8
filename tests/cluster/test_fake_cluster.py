"""The cluster in memory."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mesh.cluster.contract import Cluster
from mesh.control.observed import Phase
from mesh.launch import Launch
from tests import virtual_time
from tests.cluster import contract_checks
from tests.cluster.contract_checks import find, launch, until
from tests.cluster.fake_cluster import Behaviour, FakeCluster, World
from tests.cluster.hosts import BUSY, EXITS, FAILS

BEHAVIOURS = {
    FAILS: Behaviour(fails="ModuleNotFoundError: No module named 'numbat'"),
    EXITS: Behaviour(fails="SystemExit: the model is missing"),
    BUSY: Behaviour(drains=float("inf")),
}


def behave(launch: Launch) -> Behaviour:
    return BEHAVIOURS.get(launch.source.target, Behaviour(starts=1.0, drains=1.0))


class OnePort(World):
    def address(self, node: str) -> str:
        return f"{node}:1"


@pytest.mark.parametrize(
    "check", contract_checks.CHECKS + contract_checks.WARM_CHECKS, ids=lambda check: check.__name__
)
def test_it_keeps_the_contract(check: Callable[[Cluster], Awaitable[None]]) -> None:
    virtual_time.run(contract_checks.checked(lambda: FakeCluster(OnePort(behave=behave)), check))


def test_time_passes_at_once_in_a_virtual_loop() -> None:
    async def main() -> float:
        first = asyncio.get_running_loop().time()
        await asyncio.sleep(86_400)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time() - first

    assert virtual_time.run(main()) == pytest.approx(90_000)


def test_a_replica_without_room_waits_until_another_has_ended() -> None:
    async def main() -> None:
        cluster = FakeCluster(World(resources={"CPU": 1.5}))
        one, two = launch(cpu=1.0), launch(cpu=1.0)
        await cluster.start(one)
        await until(cluster, one.replica_id, Phase.READY)
        await cluster.start(two)
        while not (found := find(cluster, two.replica_id)) or not found.reason:
            await cluster.changed()
        assert found.reason == "no node has room for it"
        await cluster.stop(one.replica_id)
        await until(cluster, two.replica_id, Phase.READY)
        await cluster.close()

    virtual_time.run(main())


def test_replicas_of_a_lost_node_fail_and_others_go_on() -> None:
    async def main() -> None:
        world = World(2)
        cluster = FakeCluster(world)
        launches = [launch() for _ in range(4)]
        for each in launches:
            await cluster.start(each)
            await until(cluster, each.replica_id, Phase.READY)
        lost = world.nodes[0]
        ids = world.on(lost)
        assert len(ids) == 2
        world.lose_node(lost)
        for each in ids:
            failed = await until(cluster, each, Phase.FAILED)
            assert failed.reason == f"node {lost} was lost"
        assert [e.phase for e in cluster.observe() if e.id not in ids] == [Phase.READY] * 2
        await cluster.close()

    virtual_time.run(main())


def test_the_next_cluster_finds_what_runs() -> None:
    async def main() -> None:
        world = World(behave=behave)
        first, one = FakeCluster(world), launch()
        await first.start(one)
        address = (await until(first, one.replica_id, Phase.READY)).address
        await first.close()
        second = FakeCluster(world)
        await second.adopt()
        found = find(second, one.replica_id)
        assert found is not None
        assert (found.phase, found.address) == (Phase.READY, address)
        await second.close()

    virtual_time.run(main())


def test_what_still_starts_is_not_waited_for() -> None:
    async def main() -> None:
        world = World(behave=lambda _: Behaviour(starts=3600.0))
        first, one = FakeCluster(world), launch()
        await first.start(one)
        await until_placed(first, one.replica_id)
        await first.close()
        second = FakeCluster(world)
        await second.adopt()
        assert asyncio.get_running_loop().time() < 10
        found = find(second, one.replica_id)
        assert found is not None
        assert found.phase is Phase.STARTING
        await second.close()

    virtual_time.run(main())


async def until_placed(cluster: Cluster, replica_id: str) -> None:
    while not (found := find(cluster, replica_id)) or not found.node:
        await cluster.changed()
