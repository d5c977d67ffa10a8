"""Scenarios on a Ray cluster of four nodes. A program: a process is in one cluster at most.

Prints one JSON object: for each scenario `ok`, or how it failed.
"""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import ray
import ray.util

from mesh.cluster.ray_actors import NAMESPACE
from mesh.cluster.ray_cluster import RayCluster
from mesh.cluster.ray_nodes import rather_on
from mesh.cluster.ray_release import Origin
from mesh.control.observed import ObservedReplica, Phase
from mesh.launch import Launch, Source
from mesh.nodes.settings import NodeSettings
from tests.cluster import contract_checks
from tests.cluster.archive_actor import ArchiveActor
from tests.cluster.contract_checks import end_all, find, until
from tests.cluster.nodes import NODES, Lose, four_nodes
from tests.nodes.bentos import Archives, own

HOST = "tests.cluster.hosts:FakeHost"
_versions = count(1)


def launches(number: int, **settings: object) -> list[Launch]:
    """Replicas of one service of a release of their own."""
    release = f"release-{next(_versions)}"
    return [replace(contract_checks.launch(**settings), version_id=release) for _ in range(number)]


async def ready(cluster: RayCluster, *wanted: Launch) -> list[ObservedReplica]:
    """Starts replicas, one after the other, and waits for all."""
    for one in wanted:
        await cluster.start(one)
    return [await until(cluster, one.replica_id, Phase.READY) for one in wanted]


async def reason(cluster: RayCluster, one: Launch) -> str:
    """Starts a replica that has no place, and waits until it says why."""
    await cluster.start(one)
    async with asyncio.timeout(30):
        while not (found := find(cluster, one.replica_id)) or not found.reason:
            await cluster.changed()
    assert found.phase is Phase.STARTING
    return found.reason


async def gone(cluster: RayCluster, one: Launch) -> None:
    await cluster.stop(one.replica_id)
    await until(cluster, one.replica_id, Phase.GONE)


async def a_packed_graph_lies_on_one_node_until_it_is_full(cluster: RayCluster) -> None:
    found = await ready(cluster, *launches(3, cpu=1.0, placement="pack"))
    assert [each.node for each in found[:2]] == ["node-c"] * 2  # it has no GPUs to waste
    assert found[2].node in {"node-a", "node-b"}


async def a_spread_graph_lies_on_all_nodes_and_then_shares_them(cluster: RayCluster) -> None:
    found = await ready(cluster, *launches(4, cpu=1.0, placement="spread"))
    assert {each.node for each in found[:3]} == set(NODES)
    assert found[3].node in NODES


async def replicas_that_reserve_nothing_go_where_it_was_chosen(cluster: RayCluster) -> None:
    found = await ready(cluster, *launches(6, placement="pack"))
    assert len({each.node for each in found}) == 1, found


async def replicas_of_one_service_of_a_release_are_kept_apart(cluster: RayCluster) -> None:
    *three, fourth = launches(4, cpu=1.0, placement="strict_spread")
    found = await ready(cluster, *three)
    assert {each.node for each in found} == set(NODES)
    said = await reason(cluster, fourth)
    assert said == "waits for a node without a replica of A: 3 nodes, all have one"
    await gone(cluster, three[1])
    freed = await until(cluster, fourth.replica_id, Phase.READY)
    assert freed.node == found[1].node
    (beside,) = await ready(cluster, *launches(1, cpu=1.0, placement="strict_spread"))
    assert beside.node in NODES


async def a_replica_that_waits_for_a_node_can_be_stopped(cluster: RayCluster) -> None:
    one, two = launches(2, custom={"nvme": 0.1}, placement="strict_spread")
    await ready(cluster, one)
    assert "1 node, it has one" in await reason(cluster, two)
    await gone(cluster, two)


async def a_gpu_of_a_type_is_found_by_resource_and_by_label(cluster: RayCluster) -> None:
    for placement in ("", "strict_spread"):
        (l4,) = launches(1, gpu=0.5, gpu_type="L4", placement=placement)
        (a100,) = launches(1, gpu=0.5, gpu_type="A100", placement=placement)
        found = await ready(cluster, l4, a100)
        assert [each.node for each in found] == ["node-a", "node-b"], placement
        await gone(cluster, l4)
        await gone(cluster, a100)


async def two_halves_of_a_gpu_are_one_device(cluster: RayCluster) -> None:
    halves = launches(2, gpu=0.5, gpu_type="A100")
    await ready(cluster, *halves)
    for half in halves:
        assert "with the devices 0\n" in (await cluster.logs(half.replica_id)).text
    (whole,) = launches(1, gpu=1.0, gpu_type="A100")
    assert await reason(cluster, whole) == "waits for 1 gpu of type A100: node-b 0 of 1 free"


async def a_type_that_no_node_has_is_named_with_those_there_are(cluster: RayCluster) -> None:
    (one,) = launches(1, gpu=1.0, gpu_type="H100")
    assert await reason(cluster, one) == (
        "needs 1 gpu of type H100: "
        "head has none, node-a has 2 L4, node-b has 1 A100, node-c has none"
    )


async def custom_resources_lead_to_the_node_that_has_them(cluster: RayCluster) -> None:
    (found,) = await ready(cluster, *launches(1, custom={"nvme": 1.0}))
    assert found.node == "node-c"


async def a_replica_listens_on_the_address_of_its_node(cluster: RayCluster) -> None:
    (found,) = await ready(cluster, *launches(1))
    assert found.address == f"{ray.util.get_node_ip_address()}:1"


async def a_node_that_cannot_take_a_replica_after_all_is_left(cluster: RayCluster) -> None:
    await ready(cluster, *launches(2, gpu=0.6, gpu_type="L4"))
    (one,) = launches(1, gpu=0.8, placement="pack")  # node-a has 0.8 free, 0.4 on each device
    (found,) = await ready(cluster, one)
    assert found.node == "node-b"


async def a_new_controller_knows_where_replicas_are(cluster: RayCluster) -> None:
    one, two = launches(2, custom={"nvme": 0.1}, placement="strict_spread")
    (before,) = await ready(cluster, one)
    await cluster.close()
    after = RayCluster(host=HOST)
    await after.adopt()
    found = await until(after, one.replica_id, Phase.READY)
    while not found.node:  # which its process tells a moment later
        await after.changed()
        found = await until(after, one.replica_id, Phase.READY)
    assert found.node == before.node == "node-c"
    assert "1 node, it has one" in await reason(after, two)
    await end_all(after)


@asynccontextmanager
async def releasing() -> AsyncIterator[tuple[RayCluster, Callable[..., list[Launch]]]]:
    """A cluster that runs releases, and launches of one."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("archives", "own"):
            (folder / each).mkdir()
        release = own(folder / "own", Archives(folder / "archives"))
        origin = Origin(f"archives-{uuid4().hex}", NAMESPACE)
        actor = ray.remote(ArchiveActor).options(name=origin.actor, namespace=NAMESPACE, num_cpus=0)
        holder = actor.remote(str(folder / "archives"))
        settings = NodeSettings(str(folder / "cache"))
        ours = RayCluster(host=HOST, reconsider=2.0, nodes=settings, origin=origin)
        source = Source("app:Counter", ("src",), release=release.digest)

        def released(number: int, **settings: object) -> list[Launch]:
            return [replace(each, source=source) for each in launches(number, **settings)]

        try:
            yield ours, released
        finally:
            await end_together(ours)
            ray.kill(holder)
            await all_free()


async def all_free() -> None:
    """Returns when Ray says of all nodes that nothing is taken.

    A cluster that has started replicas knows better than Ray for a while; another one does not.
    """
    async with asyncio.timeout(30):
        while True:
            free = await asyncio.to_thread(ray._private.state.available_resources_per_node)
            nodes = [each for each in await asyncio.to_thread(ray.nodes) if each["Alive"]]
            if all(
                free.get(each["NodeID"], {}).get("CPU", 0.0) >= each["Resources"].get("CPU", 0.0)
                for each in nodes
            ):
                return
            await asyncio.sleep(0.05)


async def a_release_gets_ready_on_the_nodes_that_its_replicas_go_to(_: RayCluster) -> None:
    async with releasing() as (ours, released):
        (found,) = await ready(ours, *released(1, custom={"nvme": 1.0}))
        assert found.node == "node-c"
        three = await ready(ours, *released(3, cpu=0.1))
        assert len({each.node for each in three}) == 3


async def a_release_without_room_waits_and_says_what_for(_: RayCluster) -> None:
    async with releasing() as (ours, released):
        first, *others = released(4, cpu=2.0)
        *_, last = others
        await ready(ours, first, *others[:2])
        said = await reason(ours, last)
        assert said.startswith("waits for 2 cpu: node-a 0 of 2 free, node-b 0 of 2 free"), said
        await gone(ours, first)
        await until(ours, last.replica_id, Phase.READY)


SCENARIOS: tuple[Callable[[RayCluster], Awaitable[None]], ...] = (
    a_packed_graph_lies_on_one_node_until_it_is_full,
    a_spread_graph_lies_on_all_nodes_and_then_shares_them,
    replicas_that_reserve_nothing_go_where_it_was_chosen,
    replicas_of_one_service_of_a_release_are_kept_apart,
    a_replica_that_waits_for_a_node_can_be_stopped,
    a_gpu_of_a_type_is_found_by_resource_and_by_label,
    two_halves_of_a_gpu_are_one_device,
    a_type_that_no_node_has_is_named_with_those_there_are,
    custom_resources_lead_to_the_node_that_has_them,
    a_replica_listens_on_the_address_of_its_node,
    a_node_that_cannot_take_a_replica_after_all_is_left,
    a_new_controller_knows_where_replicas_are,
    a_release_gets_ready_on_the_nodes_that_its_replicas_go_to,
    a_release_without_room_waits_and_says_what_for,
)


class Wanderer:
    """Says where it is."""

    def where(self) -> str:
        return str(ray.get_runtime_context().get_node_id())


async def the_replicas_of_a_lost_node_are_replaced_elsewhere(
    cluster: RayCluster, lose: Lose
) -> None:
    """The last: `lose` takes a node away for good."""
    three = launches(3, cpu=1.0, placement="spread")
    (node_b,) = [each["NodeID"] for each in ray.nodes() if each["NodeName"] == "node-b"]
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, **rather_on(node_b)}
    wanderer = ray.remote(Wanderer).options(**options).remote()
    assert await wanderer.where.remote() == node_b
    before = {each.id: each for each in await ready(cluster, *three)}
    (lost,) = [each for each in before.values() if each.node == "node-b"]
    await asyncio.to_thread(lose, "node-b")
    failed = await until(cluster, lost.id, Phase.FAILED)
    assert failed.reason == "its node died"
    (another,) = await ready(cluster, replace(three[0], replica_id="another"))
    assert another.node in {"node-a", "node-c"}
    others = [find(cluster, each) for each in before if each != lost.id]
    assert all(each is not None and each.phase is Phase.READY for each in others)
    assert "the replica starts" in (await cluster.logs(lost.id)).text
    assert await wanderer.where.remote() != node_b


LOSS = the_replicas_of_a_lost_node_are_replaced_elsewhere
NAMES = [*(scenario.__name__ for scenario in SCENARIOS), LOSS.__name__]


async def end_together(cluster: RayCluster) -> None:
    """Stops what a scenario has left, all at once."""
    for each in cluster.observe():
        await cluster.stop(each.id)
    await end_all(cluster)


async def outcome(cluster: RayCluster, scenario: Callable[[RayCluster], Awaitable[None]]) -> str:
    try:
        await scenario(cluster)
    except Exception:  # noqa: BLE001  # whatever it is, it is the outcome
        return traceback.format_exc()
    finally:
        await end_together(cluster)
    return "ok"


async def outcomes(lose: Lose) -> dict[str, str]:
    """One cluster for all: what has just ended still looks taken to those that know no better."""
    cluster = RayCluster(host=HOST, reconsider=2.0)
    told = {each.__name__: await outcome(cluster, each) for each in SCENARIOS}
    return told | {LOSS.__name__: await outcome(cluster, lambda ours: LOSS(ours, lose))}


@contextmanager
def member(address: str) -> Iterator[None]:
    """This process is one of the cluster while the block lasts."""
    ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def main() -> None:
    with four_nodes(member) as (_, lose):
        told = asyncio.run(outcomes(lose))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
