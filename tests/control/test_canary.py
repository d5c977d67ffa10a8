"""Canaries that progress by themselves: when they go on, when they are taken back, how surely."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
from hypothesis import given, strategies as st

from mesh.config import Progression
from mesh.control.canary import (
    HOPELESS,
    WARM,
    Abort,
    Hold,
    Plan,
    Progress,
    Promote,
    State,
    Step,
    Verdict,
    begin,
    judge,
    observe,
    read,
    weight,
)
from mesh.control.loads import Outcomes
from mesh.traffic.latency import bucket
from tests.control.canary_runs import DEFAULT, T0, Version, progression

NOTHING = Outcomes()


def requests(number: int, errors: int = 0, seconds: float = 0.1, slow: int = 0) -> Outcomes:
    """Requests that all take `seconds`, but for `slow` ones, which take 100 times as long."""
    counts = Counter({bucket(seconds): number - slow, bucket(100 * seconds): slow})
    return Outcomes(number, errors, +counts)


def at_step(step: int, main: Outcomes, canary: Outcomes, before: Outcomes = NOTHING) -> Progress:
    """At `step` with these outcomes; main has had those of `before` at earlier steps."""
    earlier = observe(Progress(step, T0), before, NOTHING)
    return observe(replace(earlier, main=NOTHING, canary=NOTHING), main, canary)


def verdict(plan: Plan, progress: Progress, after: float = 1e6) -> Verdict:
    return judge(plan, progress, T0 + after)[1]


def reason(plan: Plan, progress: Progress, after: float = 1e6) -> str:
    found = verdict(plan, progress, after)
    assert isinstance(found, Abort)
    return found.reason


def test_a_plan_has_the_settings_of_a_progression() -> None:
    assert [field.name for field in fields(Plan)] == list(Progression.model_fields)
    assert DEFAULT.steps == (5, 25, 50, 100)


# Going on


def test_a_good_canary_goes_through_all_steps_and_is_promoted() -> None:
    progress, first = begin(DEFAULT, T0)
    seen: list[Verdict] = [first]
    now = T0
    while progress.state is State.RUNNING:
        now += DEFAULT.wait
        progress = observe(progress, requests(100), requests(50))
        progress, found = judge(DEFAULT, progress, now)
        seen.append(found)
    assert seen == [Step(5), Step(25), Step(50), Step(100), Promote()]
    assert (progress.state, progress.since) == (State.DONE, T0 + 3 * DEFAULT.wait)
    assert weight(DEFAULT, progress) == 100
    assert progress.total_canary.requests == 200


def test_a_step_lasts_the_wait_however_many_requests_there_are() -> None:
    progress = at_step(1, requests(3_000), requests(1_000))
    assert judge(DEFAULT, progress, T0 + 59.5) == (progress, Hold("25 % for 1 s more"))
    assert verdict(DEFAULT, progress, 60.0) == Step(50)


def test_a_step_lasts_until_there_were_enough_requests_however_long_it_takes() -> None:
    progress = at_step(1, requests(147), requests(49))
    found = judge(DEFAULT, progress, T0 + 1e6)
    assert found == (progress, Hold("25 %, has had 49 of 50 requests"))
    assert verdict(DEFAULT, observe(progress, NOTHING, requests(1))) == Step(50)


def test_requests_of_earlier_steps_do_not_count_for_this_one() -> None:
    progress, found = judge(DEFAULT, at_step(0, requests(950), requests(50)), T0 + 60)
    assert found == Step(25)
    assert (progress.main, progress.canary, progress.since) == (NOTHING, NOTHING, T0 + 60)
    assert progress.total_main == requests(950)
    assert isinstance(verdict(DEFAULT, progress), Hold)


def test_without_any_request_a_canary_holds_for_ever_unless_none_are_asked_for() -> None:
    progress, _ = begin(DEFAULT, T0)
    assert isinstance(verdict(DEFAULT, progress, 1e9), Hold)
    assert verdict(replace(DEFAULT, min_requests=0), progress, 60) == Step(25)


def test_a_last_step_below_100_is_the_end_without_promotion() -> None:
    plan = replace(DEFAULT, steps=(5, 40))
    after, found = judge(plan, at_step(1, requests(150), requests(100)), T0 + 60)
    assert found == Hold("done at 40 %")
    assert (after.state, weight(plan, after)) == (State.DONE, 40)
    assert judge(plan, after, T0 + 1e6) == (after, Hold("done at 40 %"))


def test_a_clock_that_went_back_holds() -> None:
    assert isinstance(verdict(DEFAULT, at_step(0, requests(950), requests(50)), -9.0), Hold)


# Errors against main


def test_more_errors_than_main_abort_before_the_wait_is_over() -> None:
    progress = at_step(0, requests(7_800, 8), requests(410, 42))
    after, found = judge(DEFAULT, progress, T0 + 1)
    said = (
        "error rate 10.2 % of 410 requests, main 0.103 % of 7 800: worse by more than 1 %, risk 1 %"
    )
    assert found == Abort(said)
    assert after == replace(progress, state=State.ABORTED, reason=said)
    assert weight(DEFAULT, after) == 0


def test_a_canary_that_only_fails_is_aborted_after_a_few_requests() -> None:
    assert reason(DEFAULT, at_step(0, requests(95), requests(5, 5)), 1)


def test_as_many_errors_as_main_are_no_reason_nor_are_fewer() -> None:
    plan = replace(DEFAULT, max_error_increase=0.0)
    for errors in (0, 50, 100, 110):
        progress = at_step(1, requests(3_000, 300), requests(1_000, errors))
        assert verdict(plan, progress) == Step(50)


def test_the_margin_is_allowed() -> None:
    progress = at_step(2, requests(100_000, 0), requests(100_000, 900))
    assert verdict(DEFAULT, progress) == Step(100)
    assert reason(replace(DEFAULT, max_error_increase=0.005), progress)
    assert verdict(replace(DEFAULT, max_error_increase=None), progress) == Step(100)


def test_what_was_bad_for_both_does_not_count_against_the_canary() -> None:
    # Half of all requests fail at this step. Against all that main had before it would be clear.
    bad = at_step(2, requests(400, 200), requests(400, 204), before=requests(50_000))
    assert verdict(DEFAULT, bad) == Step(100)


def test_where_main_has_no_requests_it_counts_with_those_before() -> None:
    plan = replace(DEFAULT, max_latency_ratio=None)
    before = requests(20_000, 20)
    for step, late in ((3, NOTHING), (3, requests(40, 0)), (2, NOTHING)):
        said = reason(plan, at_step(step, late, requests(400, 40), before))
        seen = 20_000 + late.requests
        assert f" of 20 0{seen % 100:02} since the beginning: worse by" in said
        good = at_step(step, late, requests(400), before)
        assert not isinstance(verdict(plan, good), Abort)


def test_a_main_that_never_had_requests_says_nothing() -> None:
    assert not isinstance(verdict(DEFAULT, at_step(0, NOTHING, requests(90, 90))), Abort)


def test_with_100_as_the_only_step_main_counts_as_free_of_errors() -> None:
    plan = replace(DEFAULT, steps=(100,))
    said = reason(plan, at_step(0, requests(3, 3), requests(100, 15)))
    assert said == (
        "error rate 15 % of 100 requests: worse than without errors by more than 1 %, risk 1 %"
    )
    assert verdict(plan, at_step(0, NOTHING, requests(100, 1))) == Promote()


def test_more_errors_than_requests_count_as_that_many() -> None:
    assert "100 % of 90" in reason(DEFAULT, at_step(0, requests(900), requests(90, 91)))


# Errors against a fixed limit

LIMIT = replace(DEFAULT, max_error_increase=None, max_error_rate=0.2)


def test_a_rate_above_the_limit_aborts_from_the_least_number_of_requests_on() -> None:
    assert reason(LIMIT, at_step(0, NOTHING, requests(50, 11))) == (
        "error rate 22 % of 50 requests: more than 20 %"
    )
    assert isinstance(verdict(LIMIT, at_step(0, NOTHING, requests(49, 20))), Hold)
    assert verdict(LIMIT, at_step(0, NOTHING, requests(50, 10))) == Step(25)


def test_fewer_are_enough_if_all_of_them_failed() -> None:
    assert reason(LIMIT, at_step(0, NOTHING, requests(HOPELESS, HOPELESS)))
    too_few = requests(HOPELESS - 1, HOPELESS - 1)
    assert isinstance(verdict(LIMIT, at_step(0, NOTHING, too_few)), Hold)
    no_limit = replace(LIMIT, max_error_rate=1.0)
    assert verdict(no_limit, at_step(0, NOTHING, requests(50, 50))) == Step(25)


def test_at_least_one_request_is_needed_for_a_rate() -> None:
    eager = replace(LIMIT, min_requests=0)
    assert verdict(eager, at_step(0, requests(9, 9), NOTHING)) == Step(25)
    assert reason(eager, at_step(0, NOTHING, requests(1, 1)))


# Latency


def test_a_slower_99th_percentile_aborts() -> None:
    said = reason(DEFAULT, at_step(0, requests(3_000), requests(150, seconds=0.35)))
    assert said.startswith("p99 latency 3")
    assert " ms of 150 requests, main " in said
    assert said.endswith(" of 3 000: more than 2 times as long, risk 1 %")
    said = reason(DEFAULT, at_step(0, requests(3_000, slow=2), requests(300, slow=60)))
    assert said.startswith("p99 latency 10")  # 10 s, to the accuracy
    assert verdict(
        replace(DEFAULT, max_latency_ratio=None),
        at_step(0, requests(3_000), requests(150, slow=60)),
    ) == Step(25)


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.19, 0.2])
def test_up_to_the_ratio_and_the_accuracy_it_does_not(seconds: float) -> None:
    progress = at_step(2, requests(50_000), requests(50_000, seconds=seconds))
    assert verdict(DEFAULT, progress) == Step(100)


def test_the_first_requests_of_a_canary_may_be_slow() -> None:
    warming = requests(WARM - 1, slow=WARM - 1)
    assert isinstance(verdict(DEFAULT, at_step(0, requests(3_000), warming)), Hold)
    assert reason(DEFAULT, at_step(0, requests(3_000), requests(WARM, slow=WARM)))
    plan = replace(DEFAULT, min_requests=WARM + 50)
    assert isinstance(verdict(plan, at_step(0, requests(3_000), requests(WARM, slow=WARM))), Hold)
    settled = at_step(0, requests(3_000), requests(100, slow=2))
    assert verdict(DEFAULT, settled) == Step(25)


def test_too_few_requests_of_main_bound_nothing() -> None:
    progress = at_step(1, requests(300), requests(100, seconds=1.0))
    assert verdict(DEFAULT, progress) == Step(50)


def test_what_main_had_before_helps_out_if_this_step_does_not_contradict() -> None:
    slower, before = requests(100, seconds=1.0), requests(5_000)
    said = reason(DEFAULT, at_step(1, requests(300), slower, before))
    assert " of 5 300 since the beginning: more than 2 times" in said
    for both, long_before in ((300, 5_000), (60, 30_000)):  # much or little of all that main had
        slow_as_well = requests(both, seconds=0.9)
        progress = at_step(1, slow_as_well, slower, requests(long_before))
        assert verdict(DEFAULT, progress) == Step(50)


def test_at_100_a_canary_is_compared_with_what_main_had_before() -> None:
    slower, before = requests(100, seconds=3.0), requests(5_000, seconds=1.0)
    said = reason(DEFAULT, at_step(3, requests(2, seconds=3.0), slower, before))
    assert said.startswith("p99 latency 2.86 s of 100 requests, main 950 ms of 5 002 since the ")
    assert verdict(DEFAULT, at_step(3, NOTHING, requests(100), before)) == Promote()
    assert verdict(replace(DEFAULT, steps=(100,)), at_step(0, NOTHING, slower)) == Promote()


# Promises for any course of events

outcomes = st.integers(0, 3_000).flatmap(
    lambda number: st.builds(
        Outcomes,
        st.just(number),
        st.one_of(st.integers(0, number), st.integers(0, min(number, 3))),
        st.dictionaries(st.integers(-60, 20), st.integers(1, 500), max_size=4),
    )
)
plans = st.builds(
    Plan,
    version=st.just("v2"),
    steps=st.sets(st.integers(1, 100), min_size=1, max_size=5).map(lambda s: tuple(sorted(s))),
    wait=st.floats(0, 100),
    min_requests=st.integers(0, 500),
    max_error_increase=st.none() | st.floats(0, 0.5),
    risk=st.floats(1e-6, 0.4),
    max_error_rate=st.none() | st.floats(0.01, 1),
    max_latency_ratio=st.none() | st.floats(0.1, 10),
)
ticks = st.lists(st.tuples(st.floats(-5, 200), outcomes, outcomes), max_size=15)
Ticks = list[tuple[float, Outcomes, Outcomes]]


def course(plan: Plan, ticks: Ticks) -> Iterator[tuple[Progress, Verdict]]:
    progress, first = begin(plan, T0)
    yield progress, first
    now = T0
    for pause, main, canary in ticks:
        now += pause
        progress, found = judge(plan, observe(progress, main, canary), now)
        yield progress, found


@given(plans, ticks)
def test_weights_only_go_up_through_the_steps_until_they_go_to_0_for_good(
    plan: Plan, ticks: Ticks
) -> None:
    weights = [weight(plan, progress) for progress, _ in course(plan, ticks)]
    up = [each for each in weights if each]
    assert up == sorted(up)
    assert weights == up + [0] * (len(weights) - len(up))
    passed = list(dict.fromkeys(up))
    assert passed == list(plan.steps[: len(passed)])


@given(plans, ticks)
def test_a_verdict_says_what_the_weight_became(plan: Plan, ticks: Ticks) -> None:
    before = 0
    for progress, found in course(plan, ticks):
        after = weight(plan, progress)
        match found:
            case Step(to):
                assert before < after == to
                assert progress.state is State.RUNNING
            case Abort(said):
                assert after == 0 < before
                assert said == progress.reason != ""
                assert "\n" not in said
            case Promote():
                assert before == after == 100
                assert progress.state is State.DONE
            case Hold(said):
                assert before == after
                assert said
        before = after


@given(plans, ticks, ticks)
def test_an_end_is_final(plan: Plan, ticks: Ticks, more: Ticks) -> None:
    *_, (progress, _) = course(plan, ticks)
    if progress.state is State.RUNNING:
        progress = replace(progress, state=State.ABORTED, reason="too bad")
    for _, main, canary in more:
        assert observe(progress, main, canary) == progress
        after, found = judge(plan, progress, T0 + 1e9)
        assert after == progress
        assert isinstance(found, Hold)


@given(plans, ticks)
def test_a_controller_that_restarts_after_every_look_decides_the_same(
    plan: Plan, ticks: Ticks
) -> None:
    progress, _ = begin(plan, T0)
    now = T0
    for (pause, main, canary), expected in zip(ticks, list(course(plan, ticks))[1:], strict=True):
        now += pause
        kept = read(json.loads(json.dumps(progress.document())))
        assert kept == progress
        progress, found = judge(plan, observe(kept, main, canary), now)
        assert (progress, found) == expected


@pytest.mark.parametrize("broken", [{}, {"state": "odd"}, {"step": "first"}])
def test_what_is_no_progress_is_refused(broken: dict[str, object]) -> None:
    document = {**Progress(0, T0).document(), **broken} if broken else {}
    with pytest.raises((KeyError, ValueError)):
        read(document)


# Whole progressions, virtual

QUICK = replace(DEFAULT, wait=10)


def test_a_canary_that_fails_10_percent_of_calls_is_aborted_before_it_gets_a_quarter() -> None:
    # With 400 requests a second the first step of a minute brings the canary 1 200 of them.
    for seed in range(50):
        end = progression(seed, Version(0.001), Version(0.1), per_second=400)
        assert (end.state, end.weight) == (State.ABORTED, 5)
        assert end.requests < 500
        assert end.reason.startswith("error rate ")


def test_a_canary_that_only_fails_hardly_costs_a_request() -> None:
    for seed in range(200):
        end = progression(seed, Version(0.001), Version(1.0))
        assert (end.state, end.weight) == (State.ABORTED, 5)
        assert end.requests <= 15


def test_a_canary_that_is_five_times_as_slow_is_aborted() -> None:
    for seed in range(50):
        end = progression(seed, Version(0.001), Version(0.001, slower=5), per_second=100)
        assert end.state is State.ABORTED
        assert end.reason.startswith("p99 latency ")


@pytest.mark.parametrize("fails", [0.0, 0.001, 0.05])
def test_good_canaries_are_promoted_but_for_the_risk(fails: float) -> None:
    runs = 1_000
    ends = Counter(
        progression(seed, Version(fails), Version(fails), QUICK).state for seed in range(runs)
    )
    assert ends[State.ABORTED] <= QUICK.risk * runs
    assert ends[State.DONE] == runs - ends[State.ABORTED]


def test_so_are_canaries_that_are_just_as_bad_as_they_may_be() -> None:
    plan = replace(QUICK, risk=0.05, max_error_increase=0.05, max_latency_ratio=1.0)
    ends = Counter(
        progression(seed, Version(0.001), Version(0.051), plan).state for seed in range(1_000)
    )
    assert ends[State.ABORTED] <= plan.risk * 1_000
