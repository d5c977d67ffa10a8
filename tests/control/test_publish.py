"""Desired and observed → the routing table."""

from dataclasses import replace

from mesh.control.desired import Desired, DesiredEndpoint, Serving
from mesh.control.observed import Phase
from mesh.control.publish import publish
from mesh.traffic.snapshot import WeightedDeployment
from tests.control.simulation import Simulation, desired, published, replica, version


def test_ready_replicas_are_published_with_their_addresses() -> None:
    snapshot, serving = publish(desired(version("v1")), (replica("a"),), Serving())
    (found,) = snapshot.deployments["d"].versions
    assert [(r.id, r.address) for r in found.services["A"].replicas] == [("a", "a:1")]
    assert serving.replicas == {"a"}


def test_replicas_that_start_drain_or_ended_are_not_published() -> None:
    observed = tuple(replica(p.value, phase=p) for p in Phase)
    snapshot, _ = publish(desired(version("v1", A=9)), observed, Serving())
    assert published(snapshot) == {"ready"}


def test_a_version_takes_no_calls_before_its_whole_graph_is_ready() -> None:
    graph = desired(version("v1", A=1, B=1))
    snapshot, serving = publish(graph, (replica("a"),), Serving())
    assert "d" in snapshot.deployments
    assert published(snapshot) == set()
    assert serving.versions == {}


def test_services_below_the_entry_can_be_called_while_the_entry_is_made() -> None:
    graph = desired(version("v1", A=1, B=1))
    snapshot, serving = publish(graph, (replica("b", service="B"),), Serving())
    assert published(snapshot) == {"b"}
    assert serving.replicas == {"b"}
    assert serving.versions == {}


def test_services_of_a_new_release_can_be_called_by_each_other_before_it_stands() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)))
    world.settle()
    old = published(world.snapshot)
    world.desired = desired(version("v2", A=1, B=1), revision=2)
    observed = (*world.replicas.values(), replica("b2", "v2", service="B"))
    snapshot, serving = publish(world.desired, observed, world.serving)
    assert published(snapshot) == old | {"b2"}
    standing, arriving = snapshot.deployments["d"].versions
    assert (standing.name, standing.id) == ("main", "v1")
    assert (arriving.name, arriving.id, arriving.weight) == ("v2", "v2", 0)
    assert arriving.services["A"].replicas == ()
    assert serving.versions["d", "main"].id == "v1"


def test_a_version_that_was_ready_stays_published_when_part_of_its_graph_dies() -> None:
    world = Simulation(desired(version("v1", A=1, B=1)))
    world.settle()
    world.die(next(k for k, v in world.replicas.items() if v.service == "B"))
    world.step()
    assert len(published(world.snapshot)) == 1


def test_the_old_release_serves_until_the_new_one_is_ready() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    (old,) = published(world.snapshot)
    world.desired = desired(version("v2"), revision=2)
    world.step()
    assert published(world.snapshot) == {old}
    world.progress()
    world.step()
    assert published(world.snapshot) == {"new-0002"}
    assert world.replicas[old].phase is Phase.DRAINING


def test_a_release_that_cannot_start_leaves_the_old_one_serving() -> None:
    world = Simulation(desired(version("v1", A=2)))
    world.settle()
    old = published(world.snapshot)
    world.desired = desired(version("v2", A=2), revision=2)
    world.broken = frozenset({"v2"})
    world.settle()
    assert published(world.snapshot) == old
    assert world.serving.versions["d", "main"].id == "v1"


def test_a_dead_replica_of_a_release_that_still_stands_in_is_replaced() -> None:
    world = Simulation(desired(version("v1", A=2)))
    world.settle()
    world.desired = desired(version("v2", A=2), revision=2)
    world.broken = frozenset({"v2"})
    world.die(min(published(world.snapshot)))
    world.settle()
    assert len(published(world.snapshot)) == 2


def test_a_promotion_keeps_the_replicas_of_the_canary() -> None:
    before = desired(version("v1", weight=80, A=2), version("v2", "next", 20, A=1))
    world = Simulation(before)
    world.settle()
    canary = {k for k, v in world.replicas.items() if v.version_id == "v2"}
    world.desired = desired(version("v2", A=2), revision=2)
    world.step()
    assert published(world.snapshot) == canary
    world.settle()
    assert canary < published(world.snapshot)
    assert {v.version_id for v in world.replicas.values()} == {"v2"}


def test_new_weights_hold_at_once_even_for_a_release_that_stands_in() -> None:
    world = Simulation(desired(version("v1"), version("c1", "next", 0)))
    world.settle()
    world.desired = desired(version("v2", weight=70), version("c1", "next", 30), revision=2)
    world.step()
    found = world.snapshot.deployments["d"].versions
    assert [(v.name, v.id, v.weight) for v in found] == [("main", "v1", 70), ("next", "c1", 30)]


def test_every_deployment_without_an_endpoint_has_one_of_its_name() -> None:
    two = Desired(
        {**desired(version("v1")).deployments, **desired(version("w1"), name="e").deployments},
        {"public": DesiredEndpoint("public", {"e": 3})},
    )
    snapshot, _ = publish(two, (), Serving())
    assert snapshot.endpoints["public"].deployments == (WeightedDeployment("e", 3),)
    assert snapshot.endpoints["d"].deployments == (WeightedDeployment("d", 1),)
    assert "e" not in snapshot.endpoints
    assert snapshot.default_endpoint == "public"


def test_a_deleted_deployment_is_not_published() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = replace(Desired(), retired=frozenset({"d"}))
    world.step()
    assert world.snapshot.deployments == {}
    world.settle()
    assert world.replicas == {}


def test_a_graph_that_is_replaced_keeps_what_is_below_its_entry_until_the_entry_has_drained() -> (
    None
):
    sim = Simulation(desired(version("v1", A=1, B=2)))
    sim.settle()
    sim.desired = desired(version("v2", A=1, B=1), revision=2)
    sim.step()  # starts v2
    sim.progress()
    sim.step()  # v2 stands; v1's entry drains
    left = {version.id: version for version in sim.snapshot.deployments["d"].versions}
    assert left["v2"].weight == 100
    assert left["v1"].weight == 0
    assert left["v1"].services["A"].replicas == ()
    assert len(left["v1"].services["B"].replicas) == 2
    assert {key[2:] for key in sim.count() if key[1] == "v1"} == {
        ("A", Phase.DRAINING),
        ("B", Phase.READY),
    }
    sim.progress()
    sim.step()  # the entry has drained
    assert [version.id for version in sim.snapshot.deployments["d"].versions] == ["v2"]
    sim.settle()
    assert {key[1] for key in sim.count()} == {"v2"}


def test_the_graph_of_a_deleted_deployment_goes_in_the_same_order() -> None:
    sim = Simulation(desired(version("v1", A=1, B=1)))
    sim.settle()
    sim.desired = Desired(retired=frozenset({"d"}))
    sim.step()
    assert not sim.snapshot.endpoints
    (left,) = sim.snapshot.deployments["d"].versions
    assert left.services["A"].replicas == ()
    assert len(left.services["B"].replicas) == 1
    sim.settle()
    assert not sim.count()
    assert not sim.snapshot.deployments
