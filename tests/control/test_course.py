"""A deployment whose number of replicas follows what is reported."""

from dataclasses import replace

from mesh.control.autoscale import Direction, ScaleRule
from mesh.control.course import Course
from mesh.control.desired import DesiredDeployment, DesiredService, DesiredVersion
from mesh.control.gauges import Gauges
from mesh.control.loads import ReplicaLoad, Report
from mesh.control.observed import ObservedReplica, Phase
from mesh.launch import Source
from tests.control.simulation import replica

RULE = ScaleRule(1, 8, concurrency=2, down=Direction("fast", 0.0))
SERVICE = DesiredService("Main", 1, 8, rule=RULE)
VERSION = DesiredVersion("main-1", "main", 100, "Main", {"Main": SERVICE}, Source(target="a:B"))
DESIRED = DesiredDeployment("d", 1, (VERSION,))


def running(*ids: str, phase: Phase = Phase.READY) -> list[ObservedReplica]:
    return [replica(each, "main-1", phase, service="Main", deployment="d") for each in ids]


def adopted(*ids: str) -> Course:
    """What a new controller makes of replicas that run."""
    course = Course(DESIRED, {"main": (VERSION,)}, patient_until=10.0)
    course.want(DESIRED, running(*ids, phase=Phase.STARTING))
    return course


def report(gauges: Gauges, at: float, **in_flight: float) -> None:
    loads = {each: ReplicaLoad(calls, at=at) for each, calls in in_flight.items()}
    gauges.take(Report("someone", 1.0, loads), at)


def number(course: Course) -> int:
    return course.scale["main", "Main"]


def test_a_new_controller_begins_with_what_runs_and_waits_for_all_of_its_reports() -> None:
    course, gauges = adopted("a", "b", "c"), Gauges()
    there = running("a", "b", "c")
    assert number(course) == 3
    report(gauges, 1.0, a=2)
    list(course.rescale(gauges, there, 1.0))
    assert number(course) == 3, "two have yet to report"
    report(gauges, 2.0, b=2, c=1)
    list(course.rescale(gauges, there, 2.0))
    assert number(course) == 3
    for second in range(3, 20):
        report(gauges, second, a=1, b=0, c=0)
        list(course.rescale(gauges, there, float(second)))
    assert number(course) == 1


def test_a_new_controller_does_not_wait_for_ever() -> None:
    course, gauges = adopted("a", "b", "c"), Gauges()
    report(gauges, 9.0, a=1)
    assert list(course.rescale(gauges, running("a", "b", "c"), 9.0)) == []
    (told,) = course.rescale(gauges, running("a", "b", "c"), 10.0)
    assert told == "main: Main: in flight 1 of 6: 3 -> 1"


def test_a_replica_that_drains_keeps_its_calls_in_the_sum_until_it_is_gone() -> None:
    course, gauges = adopted("a", "b", "c"), Gauges()
    report(gauges, 10.0, a=2, b=2, c=2)
    list(course.rescale(gauges, running("a", "b", "c"), 10.0))
    draining = running("c", phase=Phase.DRAINING)
    for second in range(11, 30):
        report(gauges, second, a=2, b=2, c=2)
        list(course.rescale(gauges, [*running("a", "b"), *draining], float(second)))
        assert number(course) == 3
    for second in range(30, 50):
        report(gauges, second, a=2, b=2)
        list(course.rescale(gauges, running("a", "b"), float(second)))
    assert number(course) == 2


def test_a_service_that_sleeps_goes_on_to_sleep_under_a_new_controller() -> None:
    service = replace(SERVICE, min_replicas=0, rule=replace(RULE, min_replicas=0))
    version = replace(VERSION, services={"Main": service})
    desired = replace(DESIRED, versions=(version,))
    stood = Course(desired, {"main": (version,)})
    stood.want(desired, [])
    assert number(stood) == 0
    new = Course(desired)
    new.want(desired, [])
    assert number(new) == 1, "one that never ran has yet to show that it can"
