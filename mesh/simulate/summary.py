"""What a simulation comes to, in a few figures."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mesh.control.autoscale import PERIOD
from mesh.simulate.need import Ints, needed
from mesh.simulate.run import Result
from mesh.simulate.setup import Setup

SLACK = 0.9
"""A load counts as carried where replicas are wanted for this fraction of it at least."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the whole trace. Times are in seconds, latencies those of served requests.

    `overshoot` is the most replicas that were wanted beyond the highest need of the last down
    window. `reaction` is the longest time for which too few were wanted, as far as `max_replicas`
    allowed more. `reversals` counts the times that the number turned from rising to falling or
    back, within twice the down window.
    """

    requests: int
    served: int
    refused: int
    timed_out: int
    cold_start_timeouts: int
    p50: float
    p99: float
    longest_queue: float
    peak_replicas: int
    replica_hours: float
    utilisation: float
    scale_events: int
    reversals: int
    overshoot: int
    reaction: int


def figures(result: Result) -> Figures:
    """The figures of a result."""
    seconds, setup = result.seconds, result.setup
    needs = needed(setup, result.trace)
    lost = [seconds.refused, seconds.timed_out, seconds.cold_start_timeouts]
    gone = [int(counts.sum()) for counts in lost]
    places = float(seconds.ready.sum()) * setup.parallel
    return Figures(
        requests=result.requests,
        served=int(seconds.served.sum()),
        refused=gone[0],
        timed_out=gone[1],
        cold_start_timeouts=gone[2],
        p50=result.latencies.of(0.5),
        p99=result.latencies.of(0.99),
        longest_queue=float(seconds.queued.max()),
        peak_replicas=int(seconds.target.max()),
        replica_hours=float(seconds.target.sum()) / 3600,
        utilisation=float(seconds.in_flight.sum()) / places if places else 0.0,
        scale_events=len(result.events),
        reversals=_reversals(result),
        overshoot=_overshoot(seconds.target, needs, setup),
        reaction=_longest(seconds.target < needed(setup, result.trace, SLACK)),
    )


def _overshoot(target: Ints, needs: Ints, setup: Setup) -> int:
    window = int(setup.rule.down.window + PERIOD + setup.report_interval)
    highest: deque[tuple[int, int]] = deque()  # need falls from left to right
    most = 0
    for second, (wanted, need) in enumerate(zip(target.tolist(), needs.tolist(), strict=True)):
        while highest and highest[-1][1] <= need:
            highest.pop()
        highest.append((second, need))
        while highest[0][0] < second - window:
            highest.popleft()
        most = max(most, wanted - highest[0][1])
    return most


def _longest(is_short: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_short.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _reversals(result: Result) -> int:
    near = 2 * max(result.setup.rule.down.window, PERIOD)
    return sum(
        (one.after > one.before) != (other.after > other.before) and other.at - one.at <= near
        for one, other in pairwise(result.events)
    )
