"""Reports as bytes and back."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from mesh.control.loads import Outcomes, ReplicaLoad, Report
from mesh.link.load_wire import from_proto, to_proto
from mesh.v1 import load_pb2

NOW = 77.0
names = st.text(max_size=8)
levels = st.floats(0, 1e12)
counts = st.integers(0, 2**32 - 1)
loads = st.builds(
    ReplicaLoad,
    in_flight=levels,
    cpu=levels,
    gpu=levels,
    memory=st.integers(0, 2**50).map(float),
    qps=st.integers(0, 10**6).map(float),  # of reports that cover a second
    at=st.just(NOW),
)
outcomes = st.builds(
    Outcomes,
    requests=counts,
    errors=counts,
    latencies=st.dictionaries(st.integers(-200, 200), counts, max_size=5),
)
reports = st.builds(
    Report,
    reporter=names,
    seconds=st.just(1.0),
    replicas=st.dictionaries(names, loads, max_size=3),
    waiting=st.dictionaries(st.tuples(names, names, names), st.integers(1, 2**32 - 1), max_size=3),
    outcomes=st.dictionaries(st.tuples(names, names), outcomes, max_size=3),
    uses=st.dictionaries(st.binary(max_size=32), st.floats(1, 1e12), max_size=3),
)


@given(reports)
def test_a_report_arrives_as_it_was_sent(report: Report) -> None:
    sent = to_proto(report).SerializeToString()
    assert from_proto(load_pb2.LoadReport.FromString(sent), NOW) == report


@given(st.floats(0.001, 1000), st.integers(0, 10**6))
def test_calls_that_ended_are_counted_as_whole_ones(seconds: float, ended: int) -> None:
    report = Report(seconds=seconds, replicas={"r": ReplicaLoad(qps=ended / seconds)})
    proto = to_proto(report)
    assert proto.replicas[0].ended == ended
    assert from_proto(proto, 0.0).replicas["r"].qps == ended / seconds


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_levels_that_cannot_be_count_as_nothing(wrong: float) -> None:
    proto = to_proto(Report(seconds=1.0, replicas={"r": ReplicaLoad(in_flight=1.0, qps=3.0)}))
    proto.replicas[0].in_flight = wrong
    proto.replicas[0].cpu = wrong
    assert from_proto(proto, 0.0).replicas["r"] == ReplicaLoad(qps=3.0)
    proto.seconds = wrong
    assert from_proto(proto, 0.0).replicas["r"] == ReplicaLoad()


def test_services_for_which_no_call_waits_are_not_among_those_that_wait() -> None:
    report = Report(waiting={("d", "v", "s"): 0, ("d", "v", "t"): 2})
    assert from_proto(to_proto(report), 0.0) == replace(report, waiting={("d", "v", "t"): 2})
