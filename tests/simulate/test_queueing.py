"""Calls in places and in the queue."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from mesh.control.autoscale import ScaleRule
from mesh.simulate.queueing import Station, Step, arrivals_of, service_times_of
from mesh.simulate.setup import Setup

RULE = ScaleRule(0, 10, concurrency=2)
QUEUED = Setup(replace(RULE, external_queue=True), parallel=2, queue_limit=5, start_time=3.0)
HELD = Setup(RULE, parallel=2, max_concurrency=3, start_time=3.0)


def step(station: Station, second: int, arrivals: list[float], taken: float = 0.5) -> Step:
    times = np.full(len(arrivals), taken)
    return station.step(float(second), second + 1.0, np.array(arrivals) + second, times)


def test_calls_that_find_a_place_take_their_service_time() -> None:
    found = step(Station(QUEUED, 1), 0, [0.1, 0.2])
    assert found.latencies.tolist() == pytest.approx([0.5, 0.5])
    assert found.busy == pytest.approx(1.0)
    assert found.queued == 0.0


def test_calls_wait_in_order_for_a_place() -> None:
    found = step(Station(QUEUED, 1), 0, [0.0, 0.1, 0.2, 0.3])
    assert found.latencies.tolist() == pytest.approx([0.5, 0.5, 0.8, 0.8])
    assert found.queued == pytest.approx(0.6)


def test_what_waits_goes_on_in_the_next_step() -> None:
    station = Station(QUEUED, 1)
    step(station, 0, [0.0, 0.0, 0.9], taken=2.0)
    between = step(station, 1, [])
    assert (between.busy, between.queued, len(between.latencies)) == (2.0, 1.0, 0)
    last = step(station, 2, [])
    assert last.latencies.tolist() == pytest.approx([3.1])
    assert (last.busy, last.queued) == (1.0, 0.0)


def test_a_queue_that_is_full_refuses() -> None:
    found = step(Station(QUEUED, 1), 0, [0.0] * 9, taken=5.0)
    assert found.refused == 2


def test_without_an_external_queue_a_replica_holds_max_concurrency() -> None:
    found = step(Station(HELD, 2), 0, [0.0] * 9, taken=5.0)
    assert found.refused == 3
    assert found.busy + found.queued == pytest.approx(6.0)


def test_without_any_limit_nothing_is_refused() -> None:
    station = Station(replace(HELD, max_concurrency=0), 1)
    assert step(station, 0, [0.0] * 5000, taken=5.0).refused == 0


def test_a_replica_takes_calls_from_the_moment_it_has_started() -> None:
    station = Station(QUEUED, 0)
    station.scale(1, 0.5)
    assert len(step(station, 0, [0.6]).latencies) == 0
    for second in (1, 2):
        assert len(step(station, second, []).latencies) == 0
    found = step(station, 3, [])  # it is ready at 3.5
    assert found.latencies.tolist() == pytest.approx([3.4])
    assert found.queued == pytest.approx(0.5)
    step(station, 4, [])
    assert station.ready == 1


def test_replicas_that_only_start_go_first() -> None:
    station = Station(QUEUED, 1)
    station.scale(3, 0.0)
    station.scale(1, 1.0)
    step(station, 9, [])
    assert station.ready == 1


def test_a_replica_that_leaves_ends_its_calls() -> None:
    station = Station(QUEUED, 2)
    before = step(station, 0, [0.0, 0.0, 0.0, 0.0], taken=9.0)
    assert len(before.latencies) == 4
    station.scale(1, 1.0)
    assert step(station, 1, [0.0]).queued == 1.0


def test_calls_without_a_replica_wait_as_long_as_a_cold_start_may_take() -> None:
    station = Station(replace(QUEUED, cold_start_timeout=2.0, timeout=1.0), 0)
    step(station, 0, [0.0, 0.5])
    lost = [step(station, second, []).cold_start_timeouts for second in (1, 2, 3)]
    assert lost == [0, 0, 2]


def test_the_timeout_of_a_call_starts_when_there_is_a_replica() -> None:
    setup = replace(QUEUED, cold_start_timeout=60.0, timeout=2.0, start_time=10.0)
    station = Station(setup, 0)
    station.scale(1, 0.0)
    for second in range(10):
        step(station, second, [0.0] if second < 5 else [], taken=7.0)
    lost = [step(station, second, []).timed_out for second in range(10, 16)]
    assert sum(lost) == 3
    assert lost.index(3) == 3


@given(
    st.lists(st.lists(st.floats(0, 0.999), max_size=20), min_size=1, max_size=12),
    st.integers(0, 3),
    st.booleans(),
    st.floats(0.01, 3.0),
)
def test_every_call_is_served_refused_lost_or_still_waits(
    seconds: list[list[float]], ready: int, is_external: bool, taken: float
) -> None:
    station = Station(QUEUED if is_external else HELD, ready)
    ends = 0
    for second, arrivals in enumerate(seconds):
        if second == len(seconds) // 2:
            station.scale(2, float(second))
        found = step(station, second, sorted(arrivals), taken)
        ends += found.refused + found.timed_out + found.cold_start_timeouts + len(found.latencies)
        assert (found.latencies >= taken - 1e-9).all()
        assert found.busy >= -1e-9
        assert found.queued >= -1e-9
    assert ends + len(station._queue) == sum(map(len, seconds))


def test_queues_are_as_long_as_theory_says() -> None:
    # Pollaczek and Khinchine, one place at 80 %: wait = load * taken * (1 + cv^2) / 2 / (1 - load).
    rng = np.random.default_rng(3)
    setup = Setup(ScaleRule(1, 1, 1, external_queue=True), parallel=1, queue_limit=10**6)
    station = Station(setup, 1)
    waits = []
    for second, arrivals in enumerate(arrivals_of(np.full(20000, 8.0), rng)):
        taken = service_times_of(0.1, len(arrivals), rng)
        waits.append(station.step(float(second), second + 1.0, arrivals, taken).latencies)
    expected = 0.1 + 0.8 * 0.1 * (1 + 0.5**2) / 2 / (1 - 0.8)
    assert float(np.concatenate(waits).mean()) == pytest.approx(expected, rel=0.05)
