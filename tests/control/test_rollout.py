"""How many replicas of the old and of the new there are during a rollout."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from mesh.control.desired import Strategy
from mesh.control.observed import Phase
from mesh.control.rollout import room
from tests.control.simulation import Simulation, desired, version

BUSY = (Phase.STARTING, Phase.READY)


def rolled(strategy: Strategy, size: int, rng: Random) -> tuple[int, int, int]:
    """Most replicas, fewest replicas that take requests, and looks, in a rollout to its end.

    Replicas start and drain one at a time, in an order by chance.
    """
    world = Simulation(desired(version("v1", strategy=strategy, A=size)))
    world.settle()
    world.desired = desired(version("v2", strategy=strategy, A=size), revision=2)
    most, fewest, looks = size, size, 0
    while world.step() or len(world.ids("v2", Phase.READY)) < size or len(world.replicas) > size:
        looks += 1
        assert looks < 1000, "the rollout does not end"
        most = max(most, len(world.ids("v1", *BUSY) | world.ids("v2", *BUSY)))
        fewest = min(fewest, len(world.published(entry=True)))
        under_way = sorted(
            k for k, v in world.replicas.items() if v.phase in (Phase.STARTING, Phase.DRAINING)
        )
        if under_way:
            identity = rng.choice(under_way)
            if world.replicas[identity].phase is Phase.STARTING:
                world.ready(identity)
            else:
                others = {k: v for k, v in world.replicas.items() if k != identity}
                one, world.replicas = world.replicas[identity], {}
                world.replicas[identity] = one
                world.progress()
                world.replicas |= others
    return most, fewest, looks


@given(
    st.sampled_from([each for each in Strategy if each is not Strategy.RECREATE]),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_a_rollout_stays_within_the_room_of_its_strategy(
    strategy: Strategy, size: int, rng: Random
) -> None:
    more, fewer = room(strategy, size)
    most, fewest, _ = rolled(strategy, size, rng)
    assert most <= size + more
    assert fewest >= size - fewer


def test_the_slow_one_adds_one_and_takes_one_away() -> None:
    assert room(Strategy.RAMPED, 10) == (1, 0)
    most, fewest, _ = rolled(Strategy.RAMPED, 10, Random(1))
    assert (most, fewest) == (11, 10)


def test_the_controlled_one_needs_no_room_and_misses_a_fifth() -> None:
    assert room(Strategy.BEST_EFFORT, 10) == (0, 2)
    most, fewest, _ = rolled(Strategy.BEST_EFFORT, 10, Random(1))
    assert (most, fewest) == (10, 8)
    assert room(Strategy.BEST_EFFORT, 4) == (1, 0)


def test_recreate_ends_all_that_is_old_before_anything_new_begins() -> None:
    world = Simulation(desired(version("v1", strategy=Strategy.RECREATE, A=3, B=1)))
    world.settle()
    world.desired = desired(version("v2", strategy=Strategy.RECREATE, A=3, B=1), revision=2)
    for _ in range(20):
        world.step()
        assert not (world.ids("v2") and world.ids("v1", *BUSY, Phase.DRAINING, Phase.DRAINED))
        world.progress()
    assert len(world.ids("v2", Phase.READY)) == 4
    assert not world.ids("v1")


@pytest.mark.parametrize("strategy", [each for each in Strategy if each is not Strategy.RECREATE])
@pytest.mark.parametrize("fault", ["broken", "slow"])
def test_a_release_that_never_becomes_ready_leaves_the_old_one_to_serve(
    strategy: Strategy, fault: str
) -> None:
    world = Simulation(desired(version("v1", strategy=strategy, A=4, B=2)))
    world.settle()
    old = world.published(entry=True)
    world.desired = desired(version("v2", strategy=strategy, A=4, B=2), revision=2)
    setattr(world, fault, frozenset({"v2"}))
    world.settle()
    assert world.published(entry=True) == old
    world.desired = desired(version("v1", strategy=strategy, A=4, B=2), revision=3)
    world.settle()
    assert world.published(entry=True) == old
    assert not world.ids("v2")


def test_a_third_release_replaces_both_of_an_unfinished_rollout() -> None:
    world = Simulation(desired(version("v1", A=4)))
    world.settle()
    world.desired = desired(version("v2", A=4), revision=2)
    world.step()
    world.progress()
    world.step()
    assert {each.id for each in world.standing["main"]} == {"v1", "v2"}
    world.desired = desired(version("v3", A=4), revision=3)
    for _ in range(20):
        world.step()
        assert len(world.published(entry=True)) >= 3
        world.progress()
    assert {each.version_id for each in world.replicas.values()} == {"v3"}
    assert len(world.published()) == 4


def test_a_graph_takes_requests_only_as_far_as_its_least_ready_service() -> None:
    world = Simulation(desired(version("v1", A=4, B=4)))
    world.settle()
    world.desired = desired(version("v2", A=4, B=4), revision=2)
    world.step()
    for identity in world.ids("v2"):
        if world.replicas[identity].service == "A":
            world.ready(identity)
    world.step()
    old = {k for k in world.published(entry=True) if world.replicas[k].version_id == "v1"}
    assert len(old) == 4
    assert world.published(entry=True) == old


def test_an_old_release_never_grows_again_once_the_new_one_has_begun() -> None:
    world = Simulation(desired(version("v1", A=4)))
    world.settle()
    world.desired = desired(version("v2", A=4), revision=2)
    for _ in range(2):
        world.step()
        world.progress()
    world.step()
    left = len(world.ids("v1", *BUSY))
    for identity in world.ids("v2", Phase.READY):
        world.die(identity)
    world.step()
    assert len(world.ids("v1", *BUSY)) <= left
