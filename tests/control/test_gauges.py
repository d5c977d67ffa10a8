"""What was reported last, and by whom."""

from mesh.control.gauges import INTERVAL, PER_SECOND, Gauges
from mesh.control.loads import ReplicaLoad, Report

KEY = ("d", "v1", "A")


def waiting(reporter: str, calls: int) -> Report:
    return Report(reporter, 1.0, waiting={KEY: calls} if calls else {})


def test_the_load_of_a_service_is_that_of_its_ready_replicas_and_of_all_that_wait() -> None:
    gauges = Gauges()
    loads = {name: ReplicaLoad(in_flight=number, at=1.0) for name, number in (("a", 3), ("b", 5))}
    gauges.take(Report("a", 1.0, replicas=loads), 1.0)
    gauges.take(waiting("gateway/1", 4), 1.0)
    gauges.take(waiting("gateway/2", 2), 1.0)
    load = gauges.load("d", ["v0", "v1"], "A", ["a", "b", "new"], 1.0)
    assert (load.replicas, load.in_flight, load.queued) == (2, 8, 6)
    assert gauges.load("d", ["v0"], "A", [], 1.0).queued == 0


def test_a_report_replaces_the_one_before_and_says_where_calls_wait() -> None:
    gauges = Gauges()
    assert gauges.take(waiting("g", 4), 1.0) == {"d"}
    assert gauges.take(waiting("g", 0), 2.0) == frozenset()
    assert gauges.load("d", ["v1"], "A", [], 2.0).queued == 0


def test_who_is_silent_is_forgotten() -> None:
    gauges = Gauges()
    gauges.take(waiting("g", 4), 1.0)
    gauges.take(Report("a", 1.0, replicas={"a": ReplicaLoad(at=1.0)}), 1.0)
    gauges.keep({"a"}, 1.0 + gauges.patience)
    gauges.expire(1.0 + gauges.patience)
    assert gauges.load("d", ["v1"], "A", ["a"], 1.0).queued == 4
    gauges.keep(set(), 2.0 + gauges.patience)
    gauges.expire(2.0 + gauges.patience)
    assert gauges.load("d", ["v1"], "A", ["a"], 1.0) == gauges.load("x", [], "", [], 1.0)
    assert repr(gauges) == "<Gauges of 0 replicas, 0 reporters>"


def test_many_reporters_report_less_often() -> None:
    gauges = Gauges()
    assert gauges.interval == INTERVAL
    for number in range(3 * PER_SECOND):
        gauges.take(Report(f"r{number}"), 0.0)
    assert gauges.interval == 3.0
