"""A trace → what happens second by second, and each decision on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mesh.control.autoscale import History, decide
from mesh.control.loads import ServiceLoad
from mesh.simulate.need import Ints, needed
from mesh.simulate.quantiles import Quantiles, quantile
from mesh.simulate.queueing import Station, Step, arrivals_of, service_times_of
from mesh.simulate.setup import Setup
from mesh.simulate.trace import Floats, Trace

_TOLD_EVERY = 600
"""Seconds of virtual time between two words about progress."""


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A decision that changed the number, `at` seconds after the start."""

    at: float
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True)
class Seconds:
    """What was in each second; `p50` and `p99` in seconds, NaN where no work began.

    `target` is how many replicas were wanted, `ready` how many took calls; `in_flight` and
    `queued` are calls on average; the others count requests.
    """

    target: Ints
    ready: Ints
    in_flight: Floats
    queued: Floats
    p50: Floats
    p99: Floats
    served: Ints
    refused: Ints
    timed_out: Ints
    cold_start_timeouts: Ints

    @classmethod
    def blank(cls, length: int) -> "Seconds":
        """Of a time in which nothing has happened yet."""
        ints, floats = np.zeros((6, length), np.int64), np.full((4, length), np.nan)
        return cls(ints[0], ints[1], *floats, *ints[2:])


@dataclass(frozen=True, slots=True)
class Result:
    """All that a simulation found. `requests` are those that came, served or not."""

    trace: Trace
    setup: Setup
    seconds: Seconds
    requests: int
    latencies: Quantiles
    events: tuple[ScaleEvent, ...] = field(repr=False)


def simulate(trace: Trace, setup: Setup, told: Callable[[int], None] = lambda _: None) -> Result:
    """Runs a trace in virtual time, beginning with the replicas that its first second needs.

    `told` hears now and then how many seconds are done. Equal arguments give equal results.
    """
    rng = np.random.default_rng(setup.seed)
    target = int(needed(setup, trace)[0])
    station = Station(setup, target)
    history = History()
    seconds, latencies = Seconds.blank(len(trace)), Quantiles()
    events: list[ScaleEvent] = []
    since = requests = 0
    for second, arrivals in enumerate(arrivals_of(trace.rates, rng)):
        if second - since == setup.report_interval:
            load = _load(setup, seconds, since, second, station.ready)
            decision = decide(setup.rule, load, target, history, float(second))
            if decision.replicas != target:
                event = ScaleEvent(second, target, decision.replicas, decision.reason)
                events.append(event)
            target, history, since = decision.replicas, decision.history, second
            station.scale(target, float(second))
        requests += len(arrivals)
        mean = float(trace.service_times[second])
        taken = service_times_of(mean, len(arrivals), rng)
        step = station.step(float(second), second + 1.0, arrivals, taken)
        _write(seconds, second, target, station.ready, step)
        latencies.add(step.latencies)
        if second % _TOLD_EVERY == 0:
            told(second)
    told(len(trace))
    return Result(trace, setup, seconds, requests, latencies, tuple(events))


def _write(seconds: Seconds, second: int, target: int, ready: int, step: Step) -> None:
    seconds.target[second] = target
    seconds.ready[second] = ready
    seconds.in_flight[second] = step.busy
    seconds.queued[second] = step.queued
    seconds.served[second] = len(step.latencies)
    seconds.refused[second] = step.refused
    seconds.timed_out[second] = step.timed_out
    seconds.cold_start_timeouts[second] = step.cold_start_timeouts
    if len(step.latencies):
        ordered = np.sort(step.latencies)
        seconds.p50[second] = quantile(ordered, 0.5)
        seconds.p99[second] = quantile(ordered, 0.99)


def _load(setup: Setup, seconds: Seconds, since: int, now: int, ready: int) -> ServiceLoad:
    """What replicas and callers would have reported of the seconds from `since` to `now`."""
    busy = float(seconds.in_flight[since:now].mean())
    queued = float(seconds.queued[since:now].mean())
    if not ready:
        return ServiceLoad(queued=queued)
    in_flight = busy
    if not setup.rule.external_queue:  # calls wait inside of replicas, as far as they may
        most = ready * setup.max_concurrency if setup.max_concurrency else busy + queued
        in_flight = max(busy, min(busy + queued, most))
        queued = busy + queued - in_flight
    level = 100.0 * busy / (ready * setup.parallel)
    qps = float(seconds.served[since:now].mean()) / ready
    return ServiceLoad(ready, in_flight, queued, cpu=level, gpu=level, qps=qps)
