"""What is used adds up by hour, in virtual time."""

import pytest
from hypothesis import given, strategies as st

from mesh.control.store.catalogue import Used
from mesh.control.usage import HOUR, Meter

D, GPU = ("default", "d", ""), ("default", "d", "gpu.1")


def test_replicas_count_from_one_look_to_the_next_in_their_hours() -> None:
    meter = Meter()
    meter.look({D: 2, GPU: 1}, HOUR - 30)
    meter.look({D: 1}, HOUR + 10)
    meter.look({}, HOUR + 30)
    assert meter.take() == (
        Used(0.0, *D, 60.0),
        Used(0.0, *GPU, 30.0),
        Used(HOUR, *D, 40.0),
        Used(HOUR, *GPU, 10.0),
    )
    assert meter.take() == ()


def test_nothing_is_counted_of_a_time_that_nobody_saw() -> None:
    meter = Meter(longest=60.0)
    meter.look({D: 5}, 0.0)
    meter.look({D: 5}, 61.0)
    meter.look({D: 5}, 50.0)
    assert meter.take() == ()
    meter.look({D: 5}, 60.0)
    assert meter.take() == (Used(0.0, *D, 50.0),)


def test_requests_count_in_the_hour_in_which_they_were_reported() -> None:
    meter = Meter()
    meter.count("default", "d", 10, 1, HOUR - 1)
    meter.count("default", "d", 5, 2, HOUR - 1)
    meter.count("default", "d", 7, 0, HOUR)
    assert meter.take() == (Used(0.0, *D, 0.0, 15, 3), Used(HOUR, *D, 0.0, 7, 0))


def test_what_could_not_be_written_down_is_taken_up_again() -> None:
    meter = Meter()
    meter.look({D: 1}, 0.0)
    meter.look({D: 1}, 10.0)
    meter.count("default", "d", 3, 1, 10.0)
    taken = meter.take()
    meter.look({}, 15.0)
    meter.put_back(taken)
    assert meter.take() == (Used(0.0, *D, 15.0, 3, 1),)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120)), max_size=60))
def test_all_that_was_seen_is_told_once_however_it_falls_into_hours(
    looks: list[tuple[int, int]],
) -> None:
    meter = Meter(longest=120.0)
    now, before, expected = HOUR - 100, 0, 0.0
    meter.look({}, now)
    told = 0.0
    for replicas, after in looks:
        now += after
        expected += before * after
        meter.look({D: replicas}, now)
        before = replicas
        if replicas == 9:
            told += sum(each.replica_seconds for each in meter.take())
    assert told + sum(each.replica_seconds for each in meter.take()) == pytest.approx(expected)
