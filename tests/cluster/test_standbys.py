"""Standbys on a real Ray: replicas take them over, and they make way."""

import asyncio
import re

import pytest
import ray
import ray.util

from mesh.cluster.ray_actors import NAMESPACE, PREFIX
from mesh.cluster.ray_cluster import RayCluster
from mesh.cluster.standbys import NAME
from mesh.control.observed import Phase
from mesh.control.standby import Warm
from tests.cluster.contract_checks import end_all, launch, until, until_warm
from tests.cluster.hosts import TELLS

pytestmark = pytest.mark.usefixtures("ray_session")


def cluster() -> RayCluster:
    return RayCluster(bind_host="127.0.0.1", host="tests.cluster.hosts:FakeHost")


def standbys() -> dict[str, int]:
    """The processes of those that there are, by name."""
    found = {}
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["name"].startswith(PREFIX + NAME):
            place = ray.get(ray.get_actor(actor["name"], namespace=NAMESPACE).where.remote())
            found[actor["name"]] = int(place.path.rsplit("-", 1)[1].removesuffix(".err"))
    return found


async def told(cluster: RayCluster, replica_id: str) -> tuple[int, str]:
    """The process of a replica, and its variable MODE."""
    text = (await cluster.logs(replica_id)).text
    found = re.fullmatch(r"the replica starts [^\n]*\nprocess (\d+), mode (\w+)\n", text)
    assert found, text
    return int(found[1]), found[2]


def test_a_replica_becomes_the_process_of_a_standby_and_another_follows() -> None:
    async def main() -> None:
        ours = cluster()
        await ours.keep_warm({"one": Warm(1, cpu=1.0, gpu=0.5)})
        await until_warm(ours, one=1)
        (before,) = standbys().items()
        one = launch(TELLS, cpu=1.0, gpu=0.5, envs={"MODE": "fast"})
        await ours.start(one)
        ready = await until(ours, one.replica_id, Phase.READY)
        assert ready.node
        assert await told(ours, one.replica_id) == (before[1], "fast")
        await until_warm(ours, one=1)
        assert len(standbys()) == 2  # one of them has that name still
        await ours.stop(one.replica_id)
        await until(ours, one.replica_id, Phase.GONE)
        assert before[0] not in standbys()
        await end_all(ours)
        assert not standbys()

    asyncio.run(main())


def test_what_does_not_fit_a_standby_has_a_process_of_its_own_and_its_room() -> None:
    async def main() -> None:
        ours = cluster()
        wanted = {"one": Warm(4, cpu=1.0)}
        await ours.keep_warm(wanted)
        await until_warm(ours, one=4)
        before = standbys()
        other = launch(TELLS, cpu=2.0, envs={"MODE": "other"})
        early = launch(TELLS, cpu=1.0, envs={"MODE": "early", "OMP_NUM_THREADS": "1"})
        for each in (other, early):
            await ours.start(each)
            await until(ours, each.replica_id, Phase.READY)
            process, mode = await told(ours, each.replica_id)
            assert process not in before.values()
            assert mode == each.envs["MODE"]
        await until_warm(ours, one=1)
        await end_all(ours)

    asyncio.run(main())


def test_a_new_controller_takes_over_standbys_and_the_replicas_that_were_some() -> None:
    async def crash(ours: RayCluster) -> str:
        await ours.keep_warm({"one": Warm(1, cpu=1.0)})
        await until_warm(ours, one=1)
        one = launch(TELLS, cpu=1.0, envs={"MODE": "fast"})
        await ours.start(one)
        await until(ours, one.replica_id, Phase.READY)
        await until_warm(ours, one=1)
        return one.replica_id

    async def main() -> None:
        # In a loop of its own, whose end leaves what runs as it is.
        replica_id = await asyncio.to_thread(lambda: asyncio.run(crash(cluster())))
        before = standbys()
        after = cluster()
        await after.adopt()
        (adopted,) = after.observe()
        assert (adopted.id, adopted.phase) == (replica_id, Phase.READY)
        await after.keep_warm({"one": Warm(1, cpu=1.0)})
        await until_warm(after, one=1)
        assert standbys() == before
        two = launch(TELLS, cpu=1.0, envs={"MODE": "two"})
        await after.start(two)
        await until(after, two.replica_id, Phase.READY)
        assert (await told(after, two.replica_id))[0] in before.values()
        await end_all(after)
        assert not standbys()

    asyncio.run(main())


def test_a_standby_whose_process_dies_is_no_hindrance() -> None:
    async def main() -> None:
        ours = cluster()
        await ours.keep_warm({"one": Warm(1, cpu=1.0)})
        await until_warm(ours, one=1)
        (name,) = standbys()
        ray.kill(ray.get_actor(name, namespace=NAMESPACE))
        one = launch(cpu=1.0)
        await ours.start(one)
        await until(ours, one.replica_id, Phase.READY)
        await end_all(ours)

    asyncio.run(main())
