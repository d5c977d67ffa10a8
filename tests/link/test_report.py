"""Reports to a controller over gRPC: when they are sent, and what is kept while it is away."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from mesh.control.loads import MOST_OUTCOMES, Outcomes, ReplicaLoad, Report, together
from mesh.link.report import (
    FIRST_INTERVAL,
    LONGEST_INTERVAL,
    SHORTEST_INTERVAL,
    Measure,
    Reporter,
)
from mesh.traffic.latency import bucket
from tests.link.controller import Controller
from tests.link.rig import run, until

FAST, SLOW = bucket(0.01), bucket(1.0)


class Time:
    """A clock that pauses move on, and that stands still while nothing pauses."""

    def __init__(self) -> None:
        self.now = 50.0
        self.pauses: list[float] = []
        self.shortest_only = False  # longer pauses do not end

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.shortest_only and seconds > SHORTEST_INTERVAL:
            await asyncio.get_running_loop().create_future()
        self.now += seconds
        await asyncio.sleep(0)


class Rig:
    def __init__(self, controller: Controller, measure: Measure) -> None:
        self.controller = controller
        self.time = Time()
        self.reporter = Reporter(
            f"127.0.0.1:{controller.port}",
            "gateway/1",
            measure,
            Random(1),
            self.time.clock,
            self.time.pause,
        )

    async def reported(self, number: int) -> None:
        await until(lambda: len(self.controller.reports) >= number)


def nothing(_: float) -> Report:
    return Report()


def reporting(test: Callable[[Rig], Coroutine[Any, Any, None]], measure: Measure = nothing) -> None:
    async def main() -> None:
        controller = Controller()
        await controller.start()
        rig = Rig(controller, measure)
        try:
            await test(rig)
        finally:
            await rig.reporter.close()
            await controller.stop()

    run(main())


def test_what_is_measured_is_reported_with_the_time_that_it_covers() -> None:
    asked: list[float] = []

    def measure(seconds: float) -> Report:
        asked.append(seconds)
        return Report(
            replicas={"r1": ReplicaLoad(in_flight=1.5, cpu=40.0, memory=1e6, qps=4 / seconds)},
            waiting={("d", "main-1", "s"): 3},
            outcomes={("d", "main-1"): Outcomes(5, 1, {FAST: 5})},
        )

    async def test(rig: Rig) -> None:
        rig.reporter.start()
        await rig.reported(2)
        first, second = rig.controller.reports[:2]
        assert first.reporter == "gateway/1"
        assert first.seconds == asked[0]
        load = first.replicas["r1"]
        assert (load.in_flight, load.cpu, load.memory, load.at) == (1.5, 40.0, 1e6, 9.0)
        assert load.qps * first.seconds == pytest.approx(4)
        assert first.waiting == {("d", "main-1", "s"): 3}
        assert first.outcomes == {("d", "main-1"): Outcomes(5, 1, {FAST: 5})}
        assert second.outcomes == first.outcomes  # and not those of before once more
        assert asked[0] == pytest.approx(FIRST_INTERVAL, rel=0.1)
        assert asked[1] == pytest.approx(rig.controller.interval, rel=0.1)

    reporting(test, measure)


def test_the_controller_says_how_often_within_bounds() -> None:
    async def test(rig: Rig) -> None:
        rig.reporter.start()
        for said, meant in (
            (5.0, 5.0),
            (0.0, 5.0),  # as until now
            (1e9, LONGEST_INTERVAL),
            (1e-9, SHORTEST_INTERVAL),
        ):
            rig.controller.interval = said
            await rig.reported(len(rig.controller.reports) + 1)
            number = len(rig.controller.reports)
            await rig.reported(number + 1)
            assert rig.controller.reports[number].seconds == pytest.approx(meant, rel=0.11)

    reporting(test)


def test_news_is_reported_before_the_interval_is_over_but_not_without_pause() -> None:
    async def test(rig: Rig) -> None:
        rig.time.shortest_only = True
        pauses = rig.time.pauses
        rig.reporter.start()
        for number in range(1, 4):
            await until(lambda number=number: len(pauses) == 2 * number)
            assert len(rig.controller.reports) == number - 1
            rig.reporter.wake()
            rig.reporter.wake()
            await rig.reported(number)
        await until(lambda: len(pauses) == 8)
        assert pauses[::2] == [SHORTEST_INTERVAL] * 4
        assert all(pause > SHORTEST_INTERVAL for pause in pauses[1::2])
        assert len(rig.controller.reports) == 3

    reporting(test)


def test_a_controller_that_comes_later_is_told_of_all_requests_until_then() -> None:
    ended: list[Outcomes] = []

    def measure(_: float) -> Report:
        outcome = Outcomes(2, 1, {FAST: 1, SLOW: 1})
        ended.append(outcome)
        return Report(
            replicas={"r1": ReplicaLoad(in_flight=float(len(ended)))},
            outcomes={("d", "main-1"): outcome},
            uses={b"a": float(len(ended)), b"b" if len(ended) == 1 else b"c": 1.0},
        )

    async def main() -> None:
        controller = Controller()
        await controller.start()  # for a port that nobody else has
        await controller.stop()
        rig = Rig(controller, measure)
        rig.reporter.start()
        await until(lambda: len(ended) == 3)
        assert "failures in a row" in repr(rig.reporter)
        await controller.start()
        await rig.reported(1)
        told = controller.reports[0]
        count = int(told.replicas["r1"].in_flight)  # of the last measurement only
        assert count >= 3
        assert told.outcomes == {
            ("d", "main-1"): Outcomes(2 * count, count, {FAST: count, SLOW: count})
        }
        assert told.uses == {b"a": float(count), b"b": 1.0, b"c": 1.0}
        await rig.reported(2)
        assert controller.reports[1].outcomes == {("d", "main-1"): ended[0]}
        assert repr(rig.reporter).endswith("heard>")
        await rig.reporter.close()
        await controller.stop()

    run(main())


def test_a_controller_that_takes_no_reports_and_a_fault_in_measuring_end_nothing() -> None:
    asked: list[int] = []

    def measure(_: float) -> Report:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("broken")
        return Report()

    async def main() -> None:
        controller = Controller()
        await controller.start(takes_reports=False)
        rig = Rig(controller, measure)
        rig.reporter.start()
        await until(lambda: len(asked) == 4)
        await rig.reporter.close()
        await rig.reporter.close()
        await controller.stop()

    run(main())


def test_requests_are_added_up_for_so_many_versions_at_most() -> None:
    one = {("d", str(number)): Outcomes(1) for number in range(MOST_OUTCOMES)}
    both = together(one, {("d", "0"): Outcomes(2, 1, {FAST: 2}), ("d", "new"): Outcomes(5)})
    assert len(both) == MOST_OUTCOMES
    assert both["d", "0"] == Outcomes(3, 1, {FAST: 2})
