"""Replicas as Ray actors."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray
import ray.util

from mesh.cluster.contract import Cluster
from mesh.cluster.ray_actors import NAMESPACE, PREFIX
from mesh.cluster.ray_cluster import RayCluster
from mesh.cluster.ray_process import read_on_node
from mesh.cluster.start import Session
from mesh.control.observed import Phase
from tests.cluster import contract_checks
from tests.cluster.contract_checks import end_all, find, launch, until
from tests.cluster.hosts import BUSY, DIES

HOST = "tests.cluster.hosts:FakeHost"

pytestmark = pytest.mark.usefixtures("ray_session")


def cluster() -> RayCluster:
    return RayCluster(bind_host="127.0.0.1", host=HOST)


@pytest.mark.parametrize(
    "check", contract_checks.CHECKS + contract_checks.WARM_CHECKS, ids=lambda check: check.__name__
)
def test_it_keeps_the_contract(check: Callable[[Cluster], Awaitable[None]]) -> None:
    contract_checks.run(cluster, check)


def test_a_replica_whose_process_dies_has_failed_and_says_so() -> None:
    async def main() -> None:
        ours = cluster()
        one = launch(DIES)
        await ours.start(one)
        failed = await until(ours, one.replica_id, Phase.FAILED)
        assert failed.reason.startswith("the process died: ")
        assert "\n" not in failed.reason
        await end_all(ours)

    asyncio.run(main())


def test_a_replica_with_no_place_says_what_is_missing_and_can_be_stopped() -> None:
    async def main() -> None:
        ours = cluster()
        one, two = launch(gpu=3.0), launch(cpu=4.0)
        three = launch(cpu=1.0)
        for each in (one, two):
            await ours.start(each)
        await until(ours, two.replica_id, Phase.READY)
        await ours.start(three)
        while not (found := find(ours, one.replica_id)) or not found.reason:
            await ours.changed()
        assert (found.phase, found.reason) == (Phase.STARTING, "needs 3 gpu, the cluster has 2")
        while not (found := find(ours, three.replica_id)) or not found.reason:
            await ours.changed()
        assert (found.phase, found.reason) == (Phase.STARTING, "waits for 1 cpu: 0 of 4 free")
        await ours.stop(one.replica_id)
        await until(ours, one.replica_id, Phase.GONE)
        await ours.stop(two.replica_id)
        await until(ours, three.replica_id, Phase.READY)
        await end_all(ours)

    asyncio.run(main())


def test_a_new_cluster_adopts_the_replicas_that_run() -> None:
    async def main() -> None:
        before = cluster()
        one = launch()
        await before.start(one)
        ready = await until(before, one.replica_id, Phase.READY)
        await before.close()
        after = cluster()
        await after.adopt()
        adopted = await until(after, one.replica_id, Phase.READY)
        assert adopted.address == ready.address
        ray.kill(ray.get_actor(PREFIX + one.replica_id, namespace=NAMESPACE))
        await until(after, one.replica_id, Phase.FAILED)
        await end_all(after)

    asyncio.run(main())


def test_a_replica_that_drains_goes_on_with_that_under_a_new_cluster() -> None:
    async def main() -> None:
        before = cluster()
        one = launch(BUSY)
        await before.start(one)
        await until(before, one.replica_id, Phase.READY)
        await before.drain(one.replica_id)
        actor = ray.get_actor(PREFIX + one.replica_id, namespace=NAMESPACE)
        while not (await actor.outcome.remote()).draining:
            pass
        await before.close()
        after = cluster()
        await after.adopt()
        (adopted,) = after.observe()
        assert adopted.phase is Phase.DRAINING
        await after.stop(one.replica_id)
        await until(after, one.replica_id, Phase.GONE)
        await end_all(after)

    asyncio.run(main())


def test_a_replica_that_does_not_answer_is_adopted_when_it_does() -> None:
    async def main() -> None:
        before = cluster()
        one = launch()
        await before.start(one)
        await until(before, one.replica_id, Phase.READY)
        await before.close()
        actor = ray.get_actor(PREFIX + one.replica_id, namespace=NAMESPACE)
        log = (await asyncio.to_thread(ray.get, actor.where.remote())).path
        process = psutil.Process(int(Path(log).stem.rpartition("-")[2]))
        after = RayCluster(bind_host="127.0.0.1", host=HOST, answer=0.2)
        process.suspend()
        try:
            await after.adopt()
            assert not after.observe()
        finally:
            process.resume()
        await until(after, one.replica_id, Phase.READY)
        await end_all(after)

    asyncio.run(main())


def test_nothing_is_left_of_replicas_that_ended() -> None:
    async def main() -> None:
        ours = cluster()
        one = launch()
        await ours.start(one)
        await until(ours, one.replica_id, Phase.READY)
        await ours.stop(one.replica_id)
        await until(ours, one.replica_id, Phase.GONE)
        names = {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}
        assert PREFIX + one.replica_id not in names
        await end_all(ours)

    asyncio.run(main())


def test_a_replica_gets_the_share_of_the_gpus_that_it_reserves(ray_session: Session) -> None:
    async def main() -> None:
        ours = cluster()
        many = [launch(gpu=0.5) for _ in range(5)]
        for each in many:
            await ours.start(each)
        for each in many[:4]:
            await until(ours, each.replica_id, *Phase)
        ready: list[str] = []
        while len(ready) < 4:
            await ours.changed()
            ready = [each.id for each in ours.observe() if each.phase is Phase.READY]
        (waits,) = [each.id for each in ours.observe() if each.phase is Phase.STARTING]
        while not (found := find(ours, waits)) or not found.reason:
            await ours.changed()
        assert found.reason == "waits for 0.5 gpu: 0 of 2 free"
        await end_all(ours)

    assert ray_session.local
    asyncio.run(main())


def test_the_last_words_of_a_replica_that_was_killed_can_be_read() -> None:
    async def main() -> None:
        ours = cluster()
        one = launch(DIES)
        await ours.start(one)
        await until(ours, one.replica_id, Phase.FAILED)
        assert (await ours.logs(one.replica_id)).text.endswith("last words\n")
        ours.forget(one.replica_id)
        assert (await ours.logs(one.replica_id)).text.endswith("last words\n")
        await end_all(ours)

    asyncio.run(main())


def test_a_log_is_told_by_the_replica_itself_and_by_its_node() -> None:
    async def main() -> None:
        ours = cluster()
        one = launch()
        await ours.start(one)
        await until(ours, one.replica_id, Phase.READY)
        here = await ours.logs(one.replica_id)
        actor = ray.get_actor(PREFIX + one.replica_id, namespace=NAMESPACE)
        assert await actor.logs.remote(-1, 1000) == here
        place = await actor.where.remote()
        assert await read_on_node(place, -1, 1000) == here
        assert await read_on_node(replace(place, path="/nowhere"), -1, 1000) is None
        await end_all(ours)

    asyncio.run(main())


def test_custom_resources_of_a_replica_are_asked_for_and_named() -> None:
    async def main() -> None:
        ours = cluster()
        one = launch(custom={"nvme": 2.0})
        await ours.start(one)
        while not (found := find(ours, one.replica_id)) or not found.reason:
            await ours.changed()
        assert found.reason == "needs 2 nvme, the cluster has 0"
        await end_all(ours)

    asyncio.run(main())


def test_replicas_that_an_earlier_controller_could_not_place_are_ended() -> None:
    async def main() -> None:
        before = cluster()
        one, two = launch(), launch(gpu=64.0)
        for each in (one, two):
            await before.start(each)
        await until(before, one.replica_id, Phase.READY)
        while not (found := find(before, two.replica_id)) or not found.reason:
            await before.changed()
        await before.close()
        after = cluster()
        await after.adopt()
        assert [each.id for each in after.observe()] == [one.replica_id]
        names = {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}
        assert PREFIX + two.replica_id not in names
        await end_all(after)

    asyncio.run(main())
