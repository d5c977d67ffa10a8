"""Traces → replicas, latency and figures, with the controller's own decisions."""

from dataclasses import replace

import numpy as np
import pytest

from mesh.config import ServiceOverrides
from mesh.control.autoscale import AVERAGED, FAST_STEP, PERIOD, Direction, ScaleRule
from mesh.errors import ConfigError
from mesh.simulate.quantiles import Quantiles
from mesh.simulate.run import Result, simulate
from mesh.simulate.setup import Assumed, Setup, services_in, setup_of
from mesh.simulate.summary import figures
from tests.simulate.cases import CASES, FULL, SETUP, TAKEN, Case, calls, load


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_load_is_followed_as_well_as_it_has_to_be(case: Case) -> None:
    found = case.run()
    for name, limit in case.limits.items():
        assert getattr(found, name) <= limit, name


@pytest.mark.parametrize("level", [20, 50])
def test_where_replicas_are_full_at_their_aim_queues_move_the_number_once_a_window(
    level: float,
) -> None:
    result = simulate(load((7200, calls(level))), FULL)
    falls = [event.at for event in result.events if event.after < event.before]
    rises = [event.at for event in result.events if event.after > event.before]
    for fall in falls:
        assert not any(fall - 300 < rise < fall for rise in rises)
    assert figures(result).overshoot <= 6


def test_a_step_has_a_first_answer_within_two_reports() -> None:
    result = simulate(load((300, calls(20)), (300, calls(44))), SETUP)
    first = next(event for event in result.events if event.at >= 300)
    assert first.at <= 300 + 2 * SETUP.report_interval


def test_a_large_step_is_as_slow_as_the_rate() -> None:
    result = simulate(load((300, calls(12)), (300, calls(120))), SETUP)  # from 2 to 15
    target = result.seconds.target
    for start in range(len(target) - int(PERIOD)):
        most = max(2 * target[start], target[start] + FAST_STEP)
        assert target[start : start + int(PERIOD)].max() <= most


@pytest.mark.parametrize("external", [True, False])
def test_overshoot_is_bounded_by_what_has_piled_up(external: bool) -> None:
    rule = replace(SETUP.rule, external_queue=external)
    setup = replace(FULL, rule=rule, max_concurrency=16, start_time=10.0, queue_limit=100)
    result = simulate(load((300, calls(28)), (900, calls(60))), setup)  # from 4 to 8
    piled_up = float(result.seconds.queued.max())
    assert figures(result).overshoot <= np.ceil(piled_up / 8) + 1
    assert piled_up <= (101 if external else 16 * 8)


def test_what_falls_is_followed_when_the_window_is_over() -> None:
    result = simulate(load((120, calls(60)), (700, calls(10))), SETUP)
    target = result.seconds.target
    assert target[119 + 290] == target[119]
    assert target[-1] == 2
    fell = int(np.flatnonzero(target[120:] <= 3)[0])
    assert 300 <= fell <= 300 + AVERAGED + 2 * SETUP.report_interval


def test_disabled_directions_leave_the_number_alone() -> None:
    still = Direction("disabled", 0.0)
    setup = replace(SETUP, rule=replace(SETUP.rule, up=still, down=still))
    result = simulate(load((60, calls(20)), (60, calls(100)), (600, 0)), setup)
    assert result.events == ()


def test_an_idle_service_goes_to_zero_and_wakes_for_a_call() -> None:
    rule = replace(SETUP.rule, min_replicas=0)
    result = simulate(load((60, 20), (600, 0), (60, 20)), replace(SETUP, rule=rule))
    to_zero = next(event for event in result.events if event.after == 0)
    woken = next(event for event in result.events if event.at > 660)
    assert 300 <= to_zero.at - 60 <= 310
    assert "no load for" in to_zero.reason
    assert woken.before == 0
    assert 660 <= woken.at <= 664
    found = figures(result)
    assert found.served == found.requests
    assert 5.0 < found.p99 < 9.0


def test_a_start_that_takes_too_long_loses_the_calls_that_waited() -> None:
    rule = ScaleRule(0, 1, concurrency=8)
    setup = Setup(rule, parallel=8, start_time=30.0, cold_start_timeout=10.0)
    result = simulate(load((5, 0), (60, 5)), setup)
    found = figures(result)
    assert found.cold_start_timeouts > 50
    assert found.served > 0
    waiting = int(result.seconds.queued[-1])
    lost = found.cold_start_timeouts + found.refused + found.timed_out
    assert found.requests - found.served - lost == waiting == 0


def test_too_much_load_is_refused_by_full_replicas() -> None:
    setup = Setup(ScaleRule(1, 1, concurrency=4), parallel=4, max_concurrency=8)
    found = figures(simulate(load((60, calls(8))), setup))
    assert 0.4 < found.refused / found.requests < 0.6
    assert found.p99 < 3 * TAKEN * 2
    assert found.utilisation > 0.95


@pytest.mark.parametrize(("kind", "value"), [("cpu", 25.0), ("gpu", 25.0), ("qps", 20.0)])
def test_metrics_are_followed_too(kind: str, value: float) -> None:
    rule = ScaleRule(1, 40, metrics=((kind, value),))  # type: ignore[arg-type]  # one of the kinds
    result = simulate(load((600, calls(32))), replace(SETUP, rule=rule))
    assert result.seconds.target[-1] in (8, 9)


def test_equal_seeds_give_equal_results() -> None:
    def run(seed: int) -> Result:
        return simulate(load((120, 100)), replace(SETUP, seed=seed))

    assert figures(run(1)) == figures(run(1))
    assert figures(run(1)) != figures(run(2))


def test_progress_is_told_to_the_end() -> None:
    told: list[int] = []
    simulate(load((1300, 1)), SETUP, told.append)
    assert told == [0, 600, 1200, 1300]


def test_quantiles_are_off_by_a_hundredth_at_most() -> None:
    values = np.random.default_rng(0).lognormal(0, 2, 10000)
    found = Quantiles()
    found.add(values[:3000])
    found.add(values[3000:])
    assert found.count == 10000
    for q in (0.1, 0.5, 0.99):
        assert found.of(q) == pytest.approx(float(np.quantile(values, q)), rel=0.015)
    assert Quantiles().of(0.5) == 0.0


# Settings.


def test_a_service_of_a_deployment_file_has_the_settings_of_both() -> None:
    document = {
        "target": "gone:Gone",
        "scaling": {"max_replicas": 5},
        "services": {
            "A": {"traffic": {"concurrency": 4, "max_concurrency": 2}},
            "B": {"replicas": 3, "config_overrides": {"traffic": {"timeout": 5}}},
        },
    }
    found = services_in(document, "file")
    one = setup_of(found["A"], "file", Assumed())
    assert (one.rule.max_replicas, one.rule.concurrency) == (5, 4)
    assert (one.parallel, one.max_concurrency) == (2, 2)
    other = setup_of(found["B"], "file", Assumed(parallel=7, seed=3))
    assert (other.rule.min_replicas, other.rule.max_replicas, other.timeout) == (3, 3, 5.0)
    assert (other.parallel, other.seed) == (7, 3)


def test_a_replica_works_on_no_more_calls_than_it_gets() -> None:
    for traffic, parallel in (
        ({"concurrency": 4, "external_queue": True}, 4),
        ({"concurrency": 4, "max_concurrency": 6}, 6),
        ({"concurrency": 4}, 8),
    ):
        settings = ServiceOverrides.model_validate({"traffic": traffic})
        assert setup_of(settings, "file", Assumed(parallel=8)).parallel == parallel


def test_settings_alone_are_those_of_one_service() -> None:
    found = services_in({"scaling": {"min_replicas": 0}, "cold_start_timeout": 5}, "file")
    assert list(found) == [""]
    assert setup_of(found[""], "file", Assumed()).cold_start_timeout == 5.0


def test_services_of_several_deployments_are_named_with_them() -> None:
    deployments = [
        {"name": "one", "target": "a:A", "services": {"A": {}, "B": {}}},
        {"name": "two", "target": "c:C", "scaling": {"max_replicas": 2}},
    ]
    found = services_in({"deployments": deployments}, "file")
    assert list(found) == ["one/A", "one/B", "two"]
    assert found["two"].scaling is not None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"scaling": {"max": 3}}, "file: scaling.max: there is no such setting"),
        ({"name": "x", "scalling": {}}, "file: scalling: there is no such setting"),
        ({"traffic": {"concurency": 3}}, "file: traffic: concurency: there is no such setting"),
        ({"replicas": 0}, "file: replicas: none are to run, so nothing can be simulated"),
        ({"deployments": 3}, "file: deployments: input should be a valid list"),
    ],
)
def test_wrong_settings_are_named(document: dict[str, object], message: str) -> None:
    def read() -> None:
        for service in services_in(document, "file").values():
            setup_of(service, "file", Assumed())

    with pytest.raises(ConfigError) as caught:
        read()
    assert str(caught.value) == message


def test_a_service_without_settings_has_one_replica() -> None:
    setup = setup_of(ServiceOverrides(), "file", Assumed())
    assert (setup.rule.min_replicas, setup.rule.max_replicas, setup.parallel) == (1, 1, 1)
