"""How far a deployment is, and why not further."""

from mesh.control.desired import Desired, Serving
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.status import DeploymentPhase, DeploymentStatus, statuses
from tests.control.simulation import Simulation, desired, replica, version


def status_of(*observed: ObservedReplica, number: int = 1) -> DeploymentStatus:
    want = desired(version("v1", A=number))
    serving = Serving({("d", "main"): version("v1", A=number)})
    (found,) = statuses(want, observed, serving)
    return found


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


def test_a_release_that_is_not_published_yet_is_not_running() -> None:
    (found,) = statuses(desired(version("v1")), (replica("a"),), Serving())
    assert found.phase is DeploymentPhase.DEPLOYING


def test_a_deleted_deployment_is_terminating_until_its_replicas_are_gone() -> None:
    retired = Desired(retired=frozenset({"d"}))
    (found,) = statuses(retired, (replica("a"),), Serving())
    assert (found.name, found.phase) == ("d", DeploymentPhase.TERMINATING)
    assert statuses(retired, (), Serving()) == ()


def test_a_release_that_cannot_start_shows_its_error_while_the_old_one_serves() -> None:
    world = Simulation(desired(version("v1")))
    world.settle()
    world.desired = desired(version("v2"), revision=2)
    world.broken = frozenset({"v2"})
    world.settle()
    (found,) = statuses(world.desired, tuple(world.replicas.values()), world.serving)
    assert found.phase is DeploymentPhase.FAILED
    assert found.revision == 2
