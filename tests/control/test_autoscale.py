"""Load → number of replicas."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, strategies as st

from mesh.config import Policy, Scaling, Traffic, parse
from mesh.control.autoscale import (
    AVERAGED,
    FAST_STEP,
    LEAST_IDLE,
    PERIOD,
    Decision,
    Direction,
    History,
    Kind,
    ScaleRule,
    decide,
    sum_up,
)
from mesh.control.loads import ReplicaLoad, ServiceLoad
from mesh.control.scale_rule import rule_of

AT_ONCE = Direction("fast", 0.0)
DISABLED = Direction("disabled", 0.0)
RULE = ScaleRule(1, 10, concurrency=32, down=AT_ONCE)
TICK = 2.0


def calls(in_flight: float, replicas: int = 2, queued: float = 0.0) -> ServiceLoad:
    return ServiceLoad(replicas, in_flight, queued, qps=in_flight)


def first(rule: ScaleRule, load: ServiceLoad, current: int) -> int:
    """The number after the first decision ever."""
    return decide(rule, load, current, History(), 0.0).replicas


class Service:
    """A service in virtual time, whose replicas are there as soon as they are wanted."""

    def __init__(self, rule: ScaleRule, replicas: int) -> None:
        self.rule = rule
        self.replicas = replicas
        self.history = History()
        self.now = 1000.0
        self.numbers = [(self.now, replicas)]
        self.reasons: list[str] = []

    def take(self, in_flight: float, queued: float = 0.0) -> int:
        load = ServiceLoad(self.replicas, in_flight if self.replicas else 0.0, queued)
        return self.take_load(load)

    def take_load(self, load: ServiceLoad) -> int:
        decision = decide(self.rule, load, self.replicas, self.history, self.now)
        self.replicas, self.history = decision.replicas, decision.history
        self.reasons.append(decision.reason)
        self.now += TICK
        self.numbers.append((self.now, self.replicas))
        return self.replicas

    def hold(self, in_flight: float, seconds: float) -> int:
        for _ in range(round(seconds / TICK)):
            self.take(in_flight)
        return self.replicas

    @property
    def changes(self) -> list[int]:
        return [b - a for (_, a), (_, b) in pairwise(self.numbers) if a != b]


# Concurrency.


def test_a_hundred_calls_in_two_replicas_of_thirty_two_ask_for_four() -> None:
    assert first(RULE, calls(100), 2) == 4


def test_below_the_concurrency_of_one_replica_one_is_enough() -> None:
    assert first(RULE, calls(31), 2) == 1
    assert first(RULE, calls(33), 1) == 2


def test_exactly_full_replicas_are_as_many_as_are_needed() -> None:
    assert first(RULE, calls(64), 2) == 2
    assert first(RULE, calls(sum([6.4] * 10)), 2) == 2


def test_the_number_stays_within_its_bounds() -> None:
    rule = replace(RULE, min_replicas=2, max_replicas=5)
    assert first(rule, calls(1000), 3) == 5
    assert first(rule, calls(0), 3) == 2


def test_bounds_hold_at_once_whatever_the_behavior() -> None:
    rule = ScaleRule(3, 5, 32, up=DISABLED, down=DISABLED)
    below = decide(rule, calls(0), 1, History(), 0.0)
    assert (below.replicas, below.reason) == (3, "min_replicas 3: 1 -> 3")
    above = decide(rule, calls(0), 9, History(), 0.0)
    assert (above.replicas, above.reason) == (5, "max_replicas 5: 9 -> 5")


def test_calls_that_wait_outside_count_as_those_in_replicas() -> None:
    rule = replace(RULE, external_queue=True)
    decision = decide(rule, calls(64, queued=36), 2, History(), 0.0)
    assert decision.replicas == 4
    assert decision.reason == "in flight 64 and queued 36 of 64: 2 -> 4"


def test_a_decision_says_why_in_one_line() -> None:
    assert decide(RULE, calls(100), 2, History(), 0.0).reason == "in flight 100 of 64: 2 -> 4"
    assert decide(RULE, calls(60), 2, History(), 0.0).reason == "in flight 60 of 64: 2"
    held = decide(replace(RULE, max_replicas=99), calls(3200), 2, History(), 0.0)
    assert held.reason == "in flight 3200 of 64 asks for 99: 2 -> 6"


# Metrics.


@pytest.mark.parametrize("kind", ["cpu", "gpu", "memory", "qps"])
def test_a_metric_keeps_its_average_at_its_target(kind: str) -> None:
    rule = ScaleRule(1, 10, metrics=((kind, 50.0),), down=AT_ONCE)  # type: ignore[arg-type]  # one of them
    for value, wanted in ((100.0, 4), (75.0, 3), (50.0, 2), (25.0, 1)):
        assert first(rule, ServiceLoad(2, 1.0, **{kind: value}), 2) == wanted


def test_a_metric_within_a_tenth_of_its_target_changes_nothing() -> None:
    rule = ScaleRule(1, 10, metrics=(("cpu", 50.0),), down=AT_ONCE)
    assert first(rule, ServiceLoad(4, 1.0, cpu=54.9), 4) == 4
    assert first(rule, ServiceLoad(4, 1.0, cpu=55.1), 4) == 5
    assert first(rule, ServiceLoad(10, 1.0, cpu=45.1), 10) == 10
    assert first(rule, ServiceLoad(10, 1.0, cpu=44.9), 10) == 9


def test_the_largest_wish_counts() -> None:
    rule = replace(RULE, metrics=(("cpu", 50.0), ("qps", 10.0)))
    assert first(rule, ServiceLoad(2, 70.0, cpu=50.0, qps=10.0), 2) == 3
    assert first(rule, ServiceLoad(2, 70.0, cpu=100.0, qps=10.0), 2) == 4
    assert first(rule, ServiceLoad(2, 70.0, cpu=100.0, qps=25.0), 2) == 5


def test_without_concurrency_and_metrics_the_cores_are_followed() -> None:
    rule = ScaleRule(1, 10)
    decision = decide(rule, ServiceLoad(2, 500.0, cpu=100.0), 2, History(), 0.0)
    assert (decision.replicas, decision.reason) == (3, "cpu 100 % of 80 %: 2 -> 3")


def test_with_concurrency_alone_the_cores_are_not_followed() -> None:
    assert first(RULE, ServiceLoad(2, 60.0, cpu=100.0), 2) == 2


def test_replicas_that_only_start_do_not_multiply_the_wish() -> None:
    rule = ScaleRule(1, 100, metrics=(("cpu", 50.0),))
    busy = ServiceLoad(2, 1.0, cpu=100.0)  # two take calls, two more were told to start
    assert first(rule, busy, 4) == 4


# What is not known.


def test_without_reports_the_number_stays() -> None:
    for current in (0, 1, 5):
        rule = replace(RULE, min_replicas=0)
        assert first(rule, ServiceLoad(), current) == current


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_number_that_is_none_counts_as_no_report(value: float) -> None:
    for name in ("in_flight", "cpu", "gpu", "memory", "qps", "queued"):
        load = replace(ServiceLoad(2, 64.0, 0.0), **{name: value})
        assert first(RULE, load, 2) == 2


def test_a_queue_alone_asks_only_for_more() -> None:
    assert first(RULE, ServiceLoad(queued=1), 3) == 3
    assert first(RULE, ServiceLoad(queued=200), 3) == 7


# Behaviors.


def test_fast_adds_four_or_as_many_as_there_are_in_any_period() -> None:
    service = Service(replace(RULE, max_replicas=100), 1)
    assert service.hold(3200, PERIOD - TICK) == 5
    assert service.hold(3200, PERIOD) == 10
    assert service.hold(3200, PERIOD) == 20


def test_stable_adds_as_many_as_there_are_in_a_period_once_its_window_is_over() -> None:
    rule = replace(RULE, max_replicas=100, up=Direction("stable", 60.0))
    service = Service(rule, 1)
    assert service.hold(3200, 60.0) == 1
    assert service.take(3200) == 2
    assert service.hold(3200, PERIOD - TICK) == 2
    assert service.hold(3200, TICK * 2) == 4


def test_an_up_window_passes_over_a_short_peak() -> None:
    service = Service(replace(RULE, up=Direction("fast", 30.0)), 1)
    service.hold(20, 60.0)
    service.hold(320, 20.0)
    assert service.hold(20, 60.0) == 1
    assert service.changes == []


def test_stable_takes_away_when_nothing_in_the_window_wanted_more() -> None:
    service = Service(replace(RULE, down=Direction("stable", 300.0)), 4)
    service.hold(128, 60.0)
    assert service.hold(20, 298.0) == 4
    assert service.hold(20, AVERAGED + TICK) == 1


def test_the_window_follows_the_highest_wish_in_it() -> None:
    service = Service(replace(RULE, down=Direction("stable", 100.0)), 8)
    service.hold(250, 20.0)
    service.hold(90, 60.0)
    service.hold(150, AVERAGED)  # five
    assert service.hold(20, 80.0) == 5
    assert service.hold(20, 40.0) == 1
    assert all(change < 0 for change in service.changes)


def test_a_new_history_waits_for_its_window() -> None:
    service = Service(replace(RULE, down=Direction("stable", 300.0)), 4)
    assert service.hold(0, 298.0) == 4


def test_disabled_never_moves_in_its_direction() -> None:
    up = Service(replace(RULE, up=DISABLED), 2)
    assert up.hold(3000, 600.0) == 2
    assert up.hold(10, 10.0) == 1
    down = Service(replace(RULE, min_replicas=0, down=DISABLED), 2)
    assert down.hold(0, 1200.0) == 2
    assert down.hold(100, 10.0) == 4


def test_fast_takes_away_at_once() -> None:
    service = Service(RULE, 10)
    assert service.take(20) == 1


# Zero.

TO_ZERO = ScaleRule(0, 10, concurrency=32)


def test_the_last_replica_goes_after_a_whole_window_without_load() -> None:
    service = Service(TO_ZERO, 3)
    service.hold(90, 20.0)
    assert service.hold(0, 300.0) > 0
    assert service.take(0) == 0
    assert service.reasons[-1] == "no load for 300 s: 3 -> 0"


def test_one_call_in_the_window_keeps_the_last_replica() -> None:
    service = Service(TO_ZERO, 1)
    service.hold(0, 280.0)
    service.take(0.01)
    assert service.hold(0, 298.0) == 1
    assert service.hold(0, 2 * TICK) == 0


def test_with_a_short_window_the_last_replica_still_waits_a_little() -> None:
    service = Service(replace(TO_ZERO, down=AT_ONCE), 5)
    assert service.hold(0, LEAST_IDLE) == 1
    assert service.take(0) == 0


def test_calls_that_end_between_reports_are_load() -> None:
    service = Service(replace(TO_ZERO, down=AT_ONCE), 1)
    for _ in range(60):
        service.take_load(ServiceLoad(1, qps=0.2))
    assert service.replicas == 1


def test_what_a_replica_uses_while_nobody_calls_does_not_keep_it() -> None:
    rule = ScaleRule(0, 4, metrics=(("memory", 1e6), ("cpu", 50.0)), down=AT_ONCE)
    service = Service(rule, 1)
    for _ in range(30):
        service.take_load(ServiceLoad(1, memory=9e5, cpu=3.0))
    assert service.replicas == 0


def test_a_minimum_of_one_never_goes_to_zero() -> None:
    service = Service(replace(TO_ZERO, min_replicas=1, down=AT_ONCE), 1)
    assert service.hold(0, 600.0) == 1


@pytest.mark.parametrize("kind", ["fast", "stable", "disabled"])
@pytest.mark.parametrize("window", [0.0, 3600.0])
def test_a_call_that_waits_wakes_the_service_at_once(kind: Kind, window: float) -> None:
    service = Service(replace(TO_ZERO, up=Direction(kind, window)), 0)
    service.hold(0, 100.0)
    assert service.take(0, queued=1) == 1
    assert service.reasons[-1] == "queued 1: 0 -> 1"


def test_many_calls_that_wait_wake_as_many_replicas_as_the_rate_allows() -> None:
    service = Service(TO_ZERO, 0)
    service.hold(0, 20.0)
    assert service.take(0, queued=70) == 3
    other = Service(TO_ZERO, 0)
    assert other.take(0, queued=1000) == FAST_STEP


def test_a_service_that_wakes_does_not_fall_asleep_before_it_has_served() -> None:
    service = Service(replace(TO_ZERO, down=AT_ONCE), 0)
    service.take(0, queued=1)
    for _ in range(100):  # it takes long to start, and the caller has given up
        service.take_load(ServiceLoad())
    assert service.replicas == 1
    assert service.hold(0, LEAST_IDLE + TICK) == 0


# Reports of replicas.


def test_reports_of_ready_replicas_are_summed_up() -> None:
    loads = {
        "a": ReplicaLoad(10, cpu=50, gpu=20, memory=100, qps=4, at=9.0),
        "b": ReplicaLoad(20, cpu=70, gpu=40, memory=300, qps=8, at=9.0),
        "gone": ReplicaLoad(99, cpu=99, gpu=99, memory=999, qps=99, at=9.0),
    }
    found = sum_up(loads, ["a", "b", "new"], 5, now=10.0, stale_after=5.0)
    assert found == ServiceLoad(2, 30, 5, cpu=60, gpu=30, memory=200, qps=6)


def test_a_replica_whose_report_is_old_counts_as_the_others_do() -> None:
    loads = {
        "a": ReplicaLoad(10, cpu=50, at=9.0),
        "b": ReplicaLoad(20, cpu=70, at=9.0),
        "silent": ReplicaLoad(90, cpu=99, at=1.0),
    }
    found = sum_up(loads, list(loads), 0, now=10.0, stale_after=5.0)
    assert found == ServiceLoad(3, 45, 0, cpu=60)


def test_where_all_reports_are_old_only_the_queue_is_known() -> None:
    loads = {"a": ReplicaLoad(10, at=1.0)}
    assert sum_up(loads, ["a"], 7, now=10.0, stale_after=5.0) == ServiceLoad(queued=7)
    assert sum_up({}, [], 7, now=10.0, stale_after=5.0) == ServiceLoad(queued=7)


def test_calls_of_a_replica_that_is_new_may_be_those_of_the_others() -> None:
    loads = {
        "old": ReplicaLoad(6, at=9.5, since=0.0),
        "new": ReplicaLoad(2, at=9.8, since=9.0),
    }
    found = sum_up(loads, list(loads), 0, now=10.0, stale_after=5.0, new_for=2.0)
    assert (found.in_flight, found.moved) == (8, 2)
    later = sum_up(loads, list(loads), 0, now=11.0, stale_after=5.0, new_for=2.0)
    assert (later.in_flight, later.moved) == (8, 0)
    alone = sum_up(loads, ["new"], 0, now=10.0, stale_after=5.0, new_for=2.0)
    assert (alone.in_flight, alone.moved) == (2, 0), "nobody else can have them"


def test_calls_that_move_to_new_replicas_are_not_counted_twice() -> None:
    service = Service(replace(RULE, concurrency=2), 1)
    assert service.take(6) == 3
    for _ in range(3):  # the first replica's report is from before the others came
        assert service.take_load(ServiceLoad(3, 10, moved=4)) == 3
    assert service.take_load(ServiceLoad(3, 6)) == 3


def test_a_load_that_grows_while_replicas_come_is_seen_in_the_old_ones() -> None:
    service = Service(replace(RULE, concurrency=4), 3)
    service.take(12)
    for _ in range(5):
        service.take_load(ServiceLoad(3, 24, moved=4))
    assert service.replicas == 5  # 20 for sure


def test_calls_of_a_replica_that_has_left_count_until_others_have_reported() -> None:
    loads = {"a": ReplicaLoad(2, at=9.5), "left": ReplicaLoad(3, at=9.0)}
    found = sum_up(loads, ["a"], 0, now=10.0, stale_after=5.0, leaving=["left", "unknown"])
    assert found == ServiceLoad(1, 2, gone=3)


def test_replicas_that_leave_one_after_the_other_take_no_load_with_them() -> None:
    service = Service(replace(RULE, concurrency=2), 1)
    assert service.take(6) == 3
    for _ in range(20):  # as in a rollout: one drains, a new one has begun, one stays
        assert service.take_load(ServiceLoad(2, 4, moved=2, gone=2)) == 3
    assert service.hold(2, 2 * AVERAGED) == 1


def test_how_long_the_last_replica_waits_can_be_said() -> None:
    to_zero = {"min_replicas": 0, "max_replicas": 2}
    assert rule(to_zero).least_idle == 300.0
    at_once = {"scale_down_stabilization_window": 0}
    assert rule({**to_zero, "policy": at_once}).least_idle == LEAST_IDLE
    said = rule({**to_zero, "policy": at_once, "scale_to_zero_after": 4})
    service = Service(said, 1)
    assert service.hold(0, 4.0) == 1
    assert service.take(0) == 0


# Settings.


def rule(scaling: object, traffic: object = None) -> ScaleRule:
    return rule_of(
        parse(Scaling, scaling, what="scaling"), parse(Traffic, traffic or {}, what="traffic")
    )


def test_by_default_replicas_are_added_fast_and_taken_away_slowly() -> None:
    assert rule({}) == ScaleRule(
        1, 1, 0, external_queue=False, up=Direction("fast", 0.0), down=Direction("stable", 300.0)
    )


def test_a_window_that_is_given_replaces_that_of_its_behavior() -> None:
    policy = {
        "scale_up_behavior": "stable",
        "scale_up_stabilization_window": 0,
        "scale_down_behavior": "fast",
        "scale_down_stabilization_window": 45,
    }
    found = rule({"min_replicas": 0, "max_replicas": 3, "policy": policy})
    assert (found.up, found.down) == (Direction("stable", 0.0), Direction("fast", 45.0))


def test_concurrency_and_the_queue_come_from_the_traffic_settings() -> None:
    policy = {"metrics": [{"type": "cpu", "value": "70%"}, {"type": "memory", "value": "1Ki"}]}
    found = rule({"max_replicas": 9, "policy": policy}, {"concurrency": 8, "external_queue": True})
    assert (found.concurrency, found.external_queue) == (8, True)
    assert found.metrics == (("cpu", 70.0), ("memory", 1024.0))
    assert Policy().metrics == ()


# Properties.

levels = st.one_of(st.floats(0, 2000), st.sampled_from([0.0, 1e-9, 1e300]))
directions = st.builds(
    Direction, st.sampled_from(["fast", "stable", "disabled"]), st.sampled_from([0.0, 20.0, 300.0])
)


@st.composite
def rules(draw: st.DrawFn) -> ScaleRule:
    least = draw(st.integers(0, 5))
    metrics = draw(
        st.dictionaries(
            st.sampled_from(["cpu", "gpu", "memory", "qps"]), st.sampled_from([5e-324, 1.0, 80.0])
        )
    )
    return ScaleRule(
        least,
        draw(st.integers(max(least, 1), 60)),
        draw(st.sampled_from([0, 1, 32])),
        metrics=tuple(metrics.items()),  # type: ignore[arg-type]  # keys are of the kinds
        up=draw(directions),
        down=draw(directions),
    )


loads = st.builds(ServiceLoad, st.integers(0, 60), *[levels] * 6)
ticks = st.lists(st.tuples(st.sampled_from([0.5, 2.0, 20.0, 400.0]), loads), max_size=30)


def run(rule: ScaleRule, steps: Sequence[tuple[float, ServiceLoad]]) -> list[tuple[float, int]]:
    """The number of replicas after each step, with its time."""
    now, current, history = 0.0, max(rule.min_replicas, 0), History()
    found = [(now, current)]
    for wait, load in steps:
        now += wait
        current, history, _ = decide(rule, load, current, history, now)
        found.append((now, current))
    return found


@given(rules(), ticks)
def test_whatever_happens_the_number_is_within_its_bounds(
    rule: ScaleRule, steps: list[tuple[float, ServiceLoad]]
) -> None:
    for _, number in run(rule, steps):
        assert rule.min_replicas <= number <= rule.max_replicas


@given(rules(), ticks)
def test_in_any_period_no_more_are_added_than_its_behavior_allows(
    rule: ScaleRule, steps: list[tuple[float, ServiceLoad]]
) -> None:
    numbers = run(rule, steps)
    for index, (start, before) in enumerate(numbers):
        most = 2 * max(before, 1)
        if rule.up.kind == "fast":
            most = max(most, before + FAST_STEP)
        if rule.up.kind == "disabled":
            most = max(before, 1)
        for _, after in (each for each in numbers[index:] if each[0] - start < PERIOD):
            assert after <= most


@given(rules(), ticks)
def test_a_disabled_direction_is_not_taken_except_to_wake(
    rule: ScaleRule, steps: list[tuple[float, ServiceLoad]]
) -> None:
    for (_, before), (_, after) in pairwise(run(rule, steps)):
        if rule.up.kind == "disabled":
            assert after <= before or (before, after) == (0, 1)
        if rule.down.kind == "disabled":
            assert after >= before


@given(rules(), ticks, loads, st.sampled_from(["in_flight", "queued", "cpu", "memory", "qps"]))
def test_more_load_never_means_fewer_replicas(
    rule: ScaleRule, steps: list[tuple[float, ServiceLoad]], load: ServiceLoad, name: str
) -> None:
    load = replace(load, replicas=max(load.replicas, 1))
    now, current, history = 0.0, rule.min_replicas, History()
    for wait, each in steps:
        now += wait
        current, history, _ = decide(rule, each, current, history, now)
    more = replace(load, **{name: getattr(load, name) * 1.5 + 1})

    def after(load: ServiceLoad) -> Decision:
        return decide(rule, load, current, history, now + TICK)

    assert after(load).replicas <= after(more).replicas


@given(rules(), ticks)
def test_a_history_stays_small(rule: ScaleRule, steps: list[tuple[float, ServiceLoad]]) -> None:
    now, current, history = 0.0, rule.min_replicas, History()
    for wait, load in steps * 3:
        now += wait
        current, history, _ = decide(rule, load, current, history, now)
    assert len(history.peaks) <= rule.max_replicas + 1
    assert len(history.dips) <= rule.max_replicas + 1


# Over time.


@pytest.mark.parametrize("level", [40.0, 64.0, 100.0, 160.0])
@pytest.mark.parametrize("seed", range(3))
def test_on_a_noisy_plateau_the_number_rises_to_its_place_and_stays(
    level: float, seed: int
) -> None:
    rng = Random(seed)
    service = Service(ScaleRule(1, 50, concurrency=32), 1)
    for _ in range(1800):
        service.take(max(0.0, rng.gauss(level, level**0.5)))
    assert all(change > 0 for change in service.changes[:-1])
    assert sum(change < 0 for change in service.changes) <= 1
    settled = [number for at, number in service.numbers if at > service.numbers[0][0] + 900]
    assert max(settled) - min(settled) <= 1


def test_after_a_step_the_number_is_what_the_load_needs_and_no_more() -> None:
    for height in (100, 500, 1500):
        service = Service(ScaleRule(1, 100, concurrency=32), 1)
        service.hold(20, 60.0)
        service.hold(height, 120.0)
        needed = -(-height // 32)
        assert service.replicas == needed
        assert max(number for _, number in service.numbers) == needed


def test_a_step_within_the_rate_is_followed_within_the_time_of_an_average() -> None:
    service = Service(ScaleRule(1, 100, concurrency=32), 4)
    service.hold(120, 60.0)
    assert service.take(250) == 5
    assert service.hold(250, AVERAGED - TICK) == 8


def test_calls_are_averaged_over_the_last_reports() -> None:
    service = Service(RULE, 2)
    service.hold(60, 60.0)
    assert service.take(70) == 2
    assert service.take(60) == 2
    assert service.hold(70, AVERAGED) == 3


def test_a_load_that_falls_is_followed_when_the_window_is_over() -> None:
    service = Service(ScaleRule(1, 100, concurrency=32), 8)
    service.hold(250, 60.0)
    fell = service.now
    service.hold(40, 400.0)
    reached = next(at for at, number in service.numbers if number == 2)
    assert 300.0 <= reached - fell <= 300.0 + AVERAGED + TICK


@pytest.mark.parametrize("level", [94.0, 96.0, 98.0])
def test_a_noisy_load_at_the_edge_of_a_step_adds_one_replica_once(level: float) -> None:
    rng = Random(1)
    service = Service(ScaleRule(1, 50, concurrency=32), 3)
    for _ in range(1800):
        service.take(rng.gauss(level, 6))
    assert service.changes == [1]


def test_noise_inside_one_step_moves_nothing_even_where_no_window_damps_it() -> None:
    rng = Random(7)
    service = Service(RULE, 4)
    for _ in range(1800):
        service.take(rng.gauss(112, 8))
    assert service.changes == []
