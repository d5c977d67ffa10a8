"""What stands, and what callers see."""

from dataclasses import replace

from mesh.control.advance import advance
from mesh.control.desired import Strategy
from mesh.control.observed import Phase
from mesh.control.records import Intent
from tests.control.simulation import Simulation, desired, replica, version


def seen(world: Simulation) -> list[tuple[str, str, int, int]]:
    world.look()
    assert world.traffic is not None
    return [(v.name, v.id, v.weight, v.share) for v in world.traffic.versions]


def test_ready_replicas_are_published_with_their_addresses() -> None:
    step = advance(desired(version("v1")), {}, {}, (replica("a"),), 0.0)
    assert step.traffic is not None
    (found,) = step.traffic.versions
    assert [(r.id, r.address) for r in found.services["A"].replicas] == [("a", "a:1")]


def test_replicas_that_start_drain_or_ended_are_not_published() -> None:
    world = Simulation(desired(version("v1", A=9)), {p: replica(p, phase=p) for p in Phase})
    world.look()
    assert world.published() == {"ready"}


def test_a_version_takes_no_calls_before_its_whole_graph_is_ready() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)), {"a": replica("a")})
    world.look()
    assert world.traffic is not None
    assert world.published() == set()
    assert world.standing == {}


def test_services_below_the_entry_can_be_called_while_the_entry_is_made() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)), {"b": replica("b", service="B")})
    world.look()
    assert world.published() == {"b"}
    assert world.standing == {}


def test_services_of_a_new_release_can_be_called_by_each_other_before_it_stands() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)))
    world.settle()
    old = world.published()
    world.desired = desired(version("v2", A=1, B=1), revision=2)
    world.replicas["b2"] = replica("b2", "v2", service="B")
    assert seen(world) == [("main", "v1", 100, 1), ("v2", "v2", 0, 1)]
    assert world.published() == old | {"b2"}
    assert world.traffic is not None
    assert world.traffic.versions[1].services["A"].replicas == ()
    assert [each.id for each in world.standing["main"]] == ["v1"]


def test_a_version_that_was_ready_stays_published_when_part_of_its_graph_dies() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)))
    world.settle()
    world.die(next(k for k, v in world.replicas.items() if v.service == "B"))
    world.step()
    assert len(world.published()) == 1


def test_the_old_release_serves_until_the_new_one_is_ready() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    (old,) = world.published()
    world.desired = desired(version("v2"), revision=2)
    world.step()
    assert world.published() == {old}
    world.progress()
    world.step()
    assert world.published() == {"new-0002"}
    assert world.replicas[old].phase is Phase.DRAINING


def test_a_release_that_cannot_start_leaves_the_old_one_serving() -> None:
    world = Simulation(desired(version("v1", A=2)))
    world.settle()
    old = world.published()
    world.desired = desired(version("v2", A=2), revision=2)
    world.broken = frozenset({"v2"})
    world.settle()
    assert world.published() == old
    assert [each.id for each in world.standing["main"]] == ["v1"]


def test_a_dead_replica_of_a_release_that_still_stands_in_is_replaced() -> None:
    world = Simulation(desired(version("v1", A=2)))
    world.settle()
    world.desired = desired(version("v2", A=2), revision=2)
    world.broken = frozenset({"v2"})
    world.die(min(world.published()))
    world.settle()
    assert len(world.published()) == 2


def test_a_promotion_keeps_the_replicas_of_the_canary() -> None:
    before = desired(version("v1", weight=80, A=2), version("v2", "next", 20, A=1))
    world = Simulation(before)
    world.settle()
    canary = world.ids("v2")
    world.desired = desired(version("v2", A=2), revision=2)
    world.step()
    assert canary < world.published()
    world.settle()
    assert canary < world.published()
    assert len(world.published()) == 2
    assert {v.version_id for v in world.replicas.values()} == {"v2"}


def test_new_weights_hold_at_once_even_for_a_release_that_stands_in() -> None:
    world = Simulation(desired(version("v1"), version("c1", "next", 0)))
    world.settle()
    world.desired = desired(version("v2", weight=70), version("c1", "next", 30), revision=2)
    assert seen(world) == [("main", "v1", 70, 1), ("next", "c1", 30, 1)]


def test_while_one_release_takes_anothers_place_the_weight_is_divided_by_what_is_ready() -> None:
    world = Simulation(desired(version("v1", A=4)))
    world.settle()
    world.desired = desired(version("v2", A=4), revision=2)
    world.step()
    world.progress()
    assert sorted(seen(world)) == [("main", "v1", 100, 2), ("main", "v2", 100, 1)]
    world.settle()
    assert seen(world) == [("main", "v2", 100, 4)]


def test_a_deleted_deployment_is_not_published() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = desired(version("v1"), intent=Intent.DELETE)
    world.step()
    assert world.traffic is None
    world.settle()
    assert world.replicas == {}


def test_a_terminated_deployment_is_known_and_has_no_replicas() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = desired(version("v1"), intent=Intent.TERMINATE)
    world.settle()
    assert world.traffic is not None
    assert world.traffic.versions == ()
    assert world.replicas == {}
    assert world.standing == {}
    world.desired = desired(version("v1"))
    world.settle()
    assert len(world.published()) == 1


def test_a_graph_that_is_replaced_keeps_what_is_below_its_entry_until_the_entry_has_drained() -> (
    None
):
    world = Simulation(desired(version("v1", A=1, B=2)))
    world.settle()
    world.desired = desired(version("v2", A=1, B=2), revision=2)
    has_drained = False
    for _ in range(20):
        world.step()
        entries = {
            r.phase for r in world.replicas.values() if (r.version_id, r.service) == ("v1", "A")
        }
        below = {r.id for r in world.replicas.values() if (r.version_id, r.service) == ("v1", "B")}
        if entries & {Phase.READY, Phase.DRAINING}:
            assert below & world.published()
        if Phase.DRAINING in entries:
            has_drained = True
            assert world.traffic is not None
            left = {each.id: each for each in world.traffic.versions}
            assert left["v2"].weight == 100
            assert left["v1"].weight == 0
            assert left["v1"].services["A"].replicas == ()
        world.progress()
    assert has_drained
    assert world.traffic is not None
    assert [each.id for each in world.traffic.versions] == ["v2"]
    assert {key[0] for key in world.count()} == {"v2"}


def test_the_graph_of_a_deleted_deployment_goes_in_the_same_order() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)))
    world.settle()
    world.desired = desired(version("v1", A=1, B=1), intent=Intent.DELETE)
    world.step()
    assert world.traffic is not None
    (left,) = world.traffic.versions
    assert left.weight == 0
    assert left.services["A"].replicas == ()
    assert len(left.services["B"].replicas) == 1
    world.settle()
    assert not world.count()
    assert world.traffic is None


def test_a_canary_that_is_taken_away_goes_and_takes_nothing_with_it() -> None:
    world = Simulation(desired(version("v1", weight=80), version("v2", "next", 20)))
    world.settle()
    world.desired = desired(version("v1"), revision=2)
    world.settle()
    assert seen(world) == [("main", "v1", 100, 1)]
    assert world.ids("v2") == set()


def test_calls_wait_for_a_first_replica_but_not_for_one_that_fails() -> None:
    asleep = version("v1", cold_start=60.0, A=0)
    world = Simulation(desired(asleep))
    world.look()
    assert world.traffic is not None
    assert world.traffic.versions[0].services["A"].cold_start == 60.0
    assert world.traffic.shares.members
    world.scale["main", "A"] = 1
    world.broken = frozenset({"v1"})
    world.step()
    world.progress()
    world.look()
    assert world.traffic.versions[0].services["A"].cold_start == 0.0


def test_calls_wait_while_a_graph_is_recreated() -> None:
    old = version("v1", strategy=Strategy.RECREATE, cold_start=60.0, A=2)
    world = Simulation(desired(old))
    world.settle()
    world.desired = desired(replace(old, id="v2"), revision=2)
    world.step()
    assert world.traffic is not None
    assert world.published() == set()
    face = world.traffic.versions[0]
    assert (face.name, face.weight, face.services["A"].cold_start) == ("main", 100, 60.0)


def test_what_was_deleted_is_not_met_again_under_the_same_name() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.standing = {"": world.standing["main"]}
    world.desired = desired(version("v2"))
    world.step()
    assert world.published() == set()
    world.settle()
    assert seen(world) == [("main", "v2", 100, 1)]
    assert world.ids("v1") == set()
