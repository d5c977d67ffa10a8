"""Loads that scaling has to take well, and how well at least."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mesh.control.autoscale import AVERAGED, PERIOD, ScaleRule
from mesh.simulate.run import simulate
from mesh.simulate.setup import Setup
from mesh.simulate.summary import Figures, figures
from mesh.simulate.trace import Trace

TAKEN = 0.2
"""Seconds that a call takes."""
# Replicas that are as full as they are meant to be have places left; those of FULL have none.
SETUP = Setup(ScaleRule(1, 40, concurrency=8), parallel=16, start_time=5.0)
FULL = replace(SETUP, rule=replace(SETUP.rule, external_queue=True), parallel=8)


def calls(number: float) -> float:
    """The rate at which so many calls are in flight."""
    return number / TAKEN


def load(*stretches: tuple[int, float]) -> Trace:
    """So many seconds at so many requests per second, one after the other."""
    rates = np.concatenate([np.full(length, float(rate)) for length, rate in stretches])
    return Trace(rates, np.full(len(rates), TAKEN))


@dataclass(frozen=True)
class Case:
    """A load; `limits` are the most that each of its figures may be."""

    name: str
    trace: Trace
    setup: Setup
    limits: Mapping[str, float]

    def __str__(self) -> str:
        return self.name

    def run(self) -> Figures:
        return figures(simulate(self.trace, self.setup))


_STILL = {"reversals": 0, "scale_events": 2, "overshoot": 1}
CASES = (
    *(
        Case(f"plateau of {level} calls, two hours", load((7200, calls(level))), SETUP, _STILL)
        for level in (4, 20, 23, 24, 50, 64)
    ),
    Case(
        "step from 3 to 6 replicas",
        load((300, calls(20)), (300, calls(44))),
        SETUP,
        {"reaction": AVERAGED + SETUP.report_interval, "overshoot": 2, "reversals": 0},
    ),
    Case(
        "step from 2 to 15 replicas",
        load((300, calls(12)), (300, calls(120))),
        SETUP,
        # What has piled up meanwhile is load too: at most as many again are added for it.
        {"reaction": 2 * PERIOD + AVERAGED, "overshoot": 15, "reversals": 0},
    ),
    Case(
        "from zero and back",
        load((60, 20), (600, 0), (600, 20)),
        replace(SETUP, rule=replace(SETUP.rule, min_replicas=0)),
        {"reaction": SETUP.report_interval, "p99": 3 * SETUP.start_time, "refused": 0},
    ),
)
