"""What is measured at full size holds at a small one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests import virtual_time
from tests.cluster.fake_cluster import Behaviour, World
from tests.simulate import size
from tests.simulate.size import Mesh, Size, controlling, filled

SMALL = Size(10, 5, 1, 8, 20)


@asynccontextmanager
async def small(*, scales: bool = False) -> AsyncIterator[Mesh]:
    """A second controller over what a first one has started."""
    store = await filled(SMALL, scales=scales)
    behave = Behaviour(starts=5.0, drains=2.0)
    world = World(SMALL.nodes, {"CPU": SMALL.on_node}, lambda _: behave)
    async with controlling(SMALL, store, world) as mesh:
        await mesh.settled()
    async with controlling(SMALL, store.reopened(), world) as mesh:
        await size.adopted(mesh)
        yield mesh


@pytest.mark.parametrize(
    "measure",
    [
        lambda mesh: size.ticks(mesh, 5, scales=False),
        lambda mesh: size.weight_changes(mesh, 3),
        lambda mesh: size.deaths(mesh, 3),
        lambda mesh: size.lost_nodes(mesh, 3),
        size.pages,
    ],
    ids=["ticks", "weight changes", "deaths", "lost nodes", "pages"],
)
def test_each_measure_finds_what_it_looks_for(
    measure: Callable[[Mesh], Awaitable[object]],
) -> None:
    async def main() -> None:
        async with small() as mesh:
            await mesh.settled()
            await asyncio.sleep(60.0)
            assert await measure(mesh)

    virtual_time.run(main())


def test_a_controller_that_takes_over_starts_and_stops_nothing() -> None:
    async def main() -> None:
        async with small() as mesh:
            before = {each.launch.replica_id for each in mesh.world.processes()}
            await asyncio.sleep(300.0)
            assert {each.launch.replica_id for each in mesh.world.processes()} == before
            assert mesh.snapshot.number == 1

    virtual_time.run(main())


def test_what_does_not_change_is_the_same_object_in_the_next_snapshot() -> None:
    async def main() -> None:
        async with small() as mesh:
            before = mesh.snapshot
            await mesh.controller.set_canary(size.name_of(3), {"next": 50})
            after = await mesh.after(before)
            assert after.endpoints is before.endpoints
            others = {name for name in after.deployments if name != size.name_of(3)}
            assert all(after.deployments[each] is before.deployments[each] for each in others)
            assert after.deployments[size.name_of(3)] is not before.deployments[size.name_of(3)]

    virtual_time.run(main())


def test_replicas_that_are_as_full_as_they_should_be_are_left_alone() -> None:
    async def main() -> None:
        async with small(scales=True) as mesh:
            await mesh.settled()
            await asyncio.sleep(60.0)
            assert len(await size.ticks(mesh, 20, scales=True)) == 20

    virtual_time.run(main())
