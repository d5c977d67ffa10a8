"""How far a deployment is, and why not further."""

from dataclasses import replace

from mesh.control.observed import ObservedReplica, Phase
from mesh.control.records import Intent
from mesh.control.status import DeploymentPhase, DeploymentStatus, status_of as status_now
from tests.control.simulation import Simulation, desired, replica, version


def status_of(*observed: ObservedReplica, number: int = 1, wall: float = 0.0) -> DeploymentStatus:
    want = version("v1", A=number)
    return status_now(desired(want), {"main": (want,)}, {}, observed, wall)


def status_in(world: Simulation, wall: float = 0.0) -> DeploymentStatus:
    observed = tuple(world.replicas.values())
    return status_now(world.desired, world.standing, world.scale, observed, wall)


def test_all_ready_is_running_without_a_reason() -> None:
    found = status_of(replica("a"))
    assert (found.phase, found.reason) == (DeploymentPhase.RUNNING, "")
    assert (found.versions[0].services[0].desired, found.versions[0].services[0].ready) == (1, 1)


def test_nothing_yet_is_deploying() -> None:
    assert status_of().phase is DeploymentPhase.DEPLOYING


def test_waiting_for_a_resource_is_deploying_and_says_so() -> None:
    found = status_of(replica("a", phase=Phase.STARTING, reason="needs 1 gpu, the cluster has 0"))
    assert found.phase is DeploymentPhase.DEPLOYING
    assert found.reason == "main: A: needs 1 gpu, the cluster has 0"


def test_what_never_started_has_failed_and_says_why_while_it_is_tried_again() -> None:
    failed = replica("a", phase=Phase.FAILED, since=1.0, reason="No module named 'x'")
    found = status_of(failed, replica("b", phase=Phase.STARTING, since=2.0))
    assert found.phase is DeploymentPhase.FAILED
    assert found.reason == "main: A: No module named 'x'"


def test_the_latest_of_several_failures_is_told() -> None:
    failures = [
        replica(str(n), phase=Phase.FAILED, since=float(n), reason=f"r{n}") for n in (2, 3, 1)
    ]
    assert status_of(*failures).reason == "main: A: r3"


def test_a_replica_that_was_ready_and_is_not_makes_it_unhealthy() -> None:
    died = replica("a", phase=Phase.FAILED, reason="the process died", lived=9.0)
    assert status_of(died).phase is DeploymentPhase.UNHEALTHY
    assert status_of(died, replica("b"), number=2).phase is DeploymentPhase.UNHEALTHY


def test_an_old_failure_does_not_matter_once_all_are_ready() -> None:
    found = status_of(replica("a", phase=Phase.FAILED, reason="x"), replica("b"))
    assert (found.phase, found.reason) == (DeploymentPhase.RUNNING, "")


def test_a_deleted_deployment_is_terminating_and_a_terminated_one_comes_to_an_end() -> None:
    for intent in (Intent.DELETE, Intent.TERMINATE):
        want = desired(version("v1"), intent=intent)
        found = status_now(want, {}, {}, (replica("a"),), 0.0)
        assert found.phase is DeploymentPhase.TERMINATING
    assert status_now(want, {}, {}, (), 0.0).phase is DeploymentPhase.TERMINATED


def test_a_release_that_cannot_start_shows_its_error_while_the_old_one_serves() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = desired(version("v2"), revision=2)
    world.broken = frozenset({"v2"})
    world.settle()
    found = status_in(world)
    assert found.phase is DeploymentPhase.FAILED
    assert found.revision == 2
    assert len(world.published()) == 1


def test_a_rollout_is_deploying_until_the_old_release_has_no_calls_left() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = desired(version("v2"), revision=2)
    world.step()
    assert status_in(world).phase is DeploymentPhase.DEPLOYING
    world.progress()
    world.step()
    assert status_in(world).phase is DeploymentPhase.DEPLOYING
    assert status_in(world).versions[0].replacing == ("v1",)
    world.settle()
    assert status_in(world).phase is DeploymentPhase.RUNNING


def test_a_rollout_that_never_becomes_ready_has_failed_after_its_deadline() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = replace(desired(version("v2"), revision=2), since=1000.0)
    world.slow = frozenset({"v2"})
    world.settle()
    assert status_in(world, wall=1600.0).phase is DeploymentPhase.DEPLOYING
    late = status_in(world, wall=1601.0)
    assert (late.phase, late.reason) == (DeploymentPhase.FAILED, "not ready within 600 s")
    assert len(world.published()) == 1


def test_a_deployment_without_replicas_is_scaled_to_zero_and_then_deploys() -> None:
    world = Simulation(desired(version("v1", A=0)))
    world.step()
    assert status_in(world).phase is DeploymentPhase.SCALED_TO_ZERO
    assert status_in(world).phase.label == "scaled-to-zero"
    world.scale["main", "A"] = 1
    world.step()
    assert status_in(world).phase is DeploymentPhase.DEPLOYING
