"""Many time limits share a timer."""

import asyncio
from collections.abc import Callable

from hypothesis import given, strategies as st

from mesh.alarms import EXACT, GRAIN, SPARE, Alarm, Alarms, Grain
from tests.link.rig import run


class Loop:
    """A clock that is moved by hand, and what is to be called when."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[..., object], tuple[object, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> Alarm:
        self.timers.append((when, callback, args))
        return Alarm(Grain(Alarms(lambda: self), 0), callback, args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Alarm:
        return self.call_at(self.now + delay, callback, *args)

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [each for each in self.timers if each[0] <= self.now]
        self.timers = [each for each in self.timers if each[0] > self.now]
        for _, callback, args in sorted(due, key=lambda each: each[0]):
            callback(*args)


@given(st.lists(st.floats(EXACT, 100), max_size=20), st.integers(0, 3))
def test_each_alarm_rings_in_its_grain_unless_it_is_cancelled(
    delays: list[float], every: int
) -> None:
    loop = Loop()
    alarms = Alarms(lambda: loop)
    rung: dict[int, float] = {}
    start = loop.now
    set_ = [alarms.set(d, lambda n=n: rung.setdefault(n, loop.now)) for n, d in enumerate(delays)]
    cancelled = {n for n in range(len(delays)) if every and n % every == 0}
    for number in cancelled:
        set_[number].cancel()
    for _ in range(int(101 / GRAIN)):
        loop.move(GRAIN / 2)
        loop.move(GRAIN / 2)
    assert set(rung) == set(range(len(delays))) - cancelled
    for number, when in rung.items():
        assert delays[number] <= when - start + 1e-6
        assert when - start <= delays[number] + 2 * GRAIN
    assert repr(alarms) == "<Alarms 0 set in 0 grains>"


def test_callers_that_choose_far_times_leave_little_behind() -> None:
    loop = Loop()
    alarms = Alarms(lambda: loop)
    for number in range(5 * SPARE):
        alarms.set(60 + number, list).cancel()
    assert repr(alarms) == f"<Alarms 0 set in {SPARE} grains>"
    kept = alarms.set(10**6, list)
    assert repr(alarms) == f"<Alarms 1 set in {SPARE + 1} grains>"
    kept.cancel()
    assert repr(alarms) == f"<Alarms 0 set in {SPARE} grains>"


def test_alarms_of_one_grain_share_a_timer() -> None:
    loop = Loop()
    alarms = Alarms(lambda: loop)
    for _ in range(100):
        alarms.set(60, list)
    assert len(loop.timers) == 1


def test_an_alarm_that_cancels_others_or_fails_keeps_none_from_ringing() -> None:
    loop = Loop()
    alarms = Alarms(lambda: loop)
    rung: list[int] = []
    later: list[Alarm] = []

    def ring(number: int) -> None:
        rung.append(number)
        for each in later:
            each.cancel()
        if number % 2:
            raise ValueError(number)

    for number in range(6):
        alarms.set(60, ring, number)
    victim = alarms.set(60, rung.append, 99)
    assert isinstance(victim, Alarm)
    later.append(victim)
    loop.move(61)
    assert sorted(set(rung) - {99}) == list(range(6))
    assert rung.count(99) <= 1
    victim.cancel()  # once more is no fault


def test_on_a_real_loop_they_ring_too() -> None:
    async def main() -> None:
        alarms = Alarms()
        loop = asyncio.get_running_loop()
        early, late = loop.create_future(), loop.create_future()
        handle = alarms.set(0.001, early.set_result, "early")
        assert not isinstance(handle, Alarm), "a short one has a timer of its own"
        alarms.set(EXACT, late.set_result, "late")
        assert [await early, await late] == ["early", "late"]

    run(main())
