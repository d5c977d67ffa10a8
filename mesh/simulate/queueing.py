"""Calls, the places where they are worked on, and the queue before those; in virtual time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import inf

import numpy as np

from mesh.simulate.setup import Setup
from mesh.simulate.trace import Floats

MOST_WAITING = 1_000_000
"""Calls that wait in replicas without a limit of their own; memory ends somewhere."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one step, or in several added up.

    `busy` and `queued` are calls on average over the step: in a place, and waiting for one.
    `latencies`, in seconds from arrival to end, are of the calls whose work began in the step.
    """

    busy: float
    queued: float
    latencies: Floats
    refused: int = 0
    timed_out: int = 0
    cold_start_timeouts: int = 0


class Station:
    """All replicas of a service, as places in which calls are worked on in order of arrival.

    A replica has `setup.parallel` places. Balancing is taken to be perfect, so a call takes any
    place that is free. Exact to the call within a step; replicas come when they are ready, and go,
    and calls give up, between two steps.
    """

    def __init__(self, setup: Setup, ready: int) -> None:
        self.ready = ready
        """Replicas that take calls."""
        self._setup = setup
        self._starting: list[float] = []  # when each is ready, in order
        self._busy: Floats = np.empty(0)  # when each call that has a place ends
        self._queue: deque[tuple[float, float]] = deque()  # arrival, service time
        self._up_since = -inf if ready else inf

    def __repr__(self) -> str:
        return (
            f"Station(ready={self.ready}, starting={len(self._starting)},"
            f" busy={len(self._busy)}, queue={len(self._queue)})"
        )

    def scale(self, target: int, now: float) -> None:
        """Starts replicas, or takes away those that are the least far; calls in them are ended."""
        running = self.ready + len(self._starting)
        if target > running:
            self._starting += [now + self._setup.start_time] * (target - running)
            self._welcome(now)
            return
        for _ in range(running - target):
            if self._starting:
                self._starting.pop()
            else:
                self.ready -= 1
        # Idle places go first, then those that are idle next: their calls end as they would have.
        places = self.ready * self._setup.parallel
        if len(self._busy) > places:
            self._busy = np.sort(self._busy)[len(self._busy) - places :]

    def step(self, start: float, end: float, arrivals: Floats, service_times: Floats) -> Step:
        """Lives from `start` to `end`. `arrivals` are in order; each has its service time."""
        self._welcome(start)
        cold, late = self._give_up(start)
        self._busy = self._busy[self._busy > start]
        carried = float(np.minimum(self._busy, end).sum()) - start * len(self._busy)
        if not self._queue and len(self._busy) + len(arrivals) <= self._places:
            # Nobody waits, whatever the order in which calls end.
            ends = arrivals + service_times
            self._busy = np.concatenate([self._busy, ends])
            worked = float((np.minimum(ends, end) - arrivals).sum())
            return Step((carried + worked) / (end - start), 0.0, service_times, 0, late, cold)
        already = len(self._queue) * (end - start)
        passed = _Passage(self._queue, self._all_places(start, end), end)
        passed.go(arrivals, service_times, self._room)
        self._busy = np.array([each for each in passed.places if each > end])
        begun, ends = np.array(passed.begun), np.array(passed.ends)
        worked = float((np.minimum(ends, end) - begun).sum())
        return Step(
            (carried + worked) / (end - start),
            (already + passed.waited) / (end - start),
            ends - np.array(passed.came),
            passed.refused,
            late,
            cold,
        )

    @property
    def _places(self) -> int:
        return self.ready * self._setup.parallel

    @property
    def _room(self) -> int:
        """How many calls may wait."""
        setup = self._setup
        if setup.rule.external_queue or not self.ready:
            return setup.queue_limit
        if not setup.max_concurrency:
            return MOST_WAITING
        return max(setup.max_concurrency - setup.parallel, 0) * self.ready

    def _welcome(self, now: float) -> None:
        """Replicas that have started by now take calls."""
        come = [at for at in self._starting if at <= now]
        if come:
            self._up_since = come[0] if not self.ready else self._up_since
            self.ready += len(come)
            del self._starting[: len(come)]

    def _give_up(self, now: float) -> tuple[int, int]:
        """Calls that have waited too long: for a first replica, and since there is one."""
        counts = [0, 0]
        is_up = self.ready > 0
        limit = self._setup.timeout if is_up else self._setup.cold_start_timeout
        while self._queue and limit is not None:
            arrival = self._queue[0][0]
            since = max(arrival, self._up_since) if is_up else arrival
            if now - since <= limit:
                break
            self._queue.popleft()
            counts[is_up] += 1
        return counts[0], counts[1]

    def _all_places(self, start: float, end: float) -> list[float]:
        """When each place is free for the first time, for those that are before `end`."""
        places: list[float] = self._busy.tolist()
        places += [start] * (self._places - len(places))
        for at in self._starting:
            if at < end:
                places += [at] * self._setup.parallel
        return places


class _Passage:
    """Calls of one step on their way from the queue into places."""

    def __init__(self, queue: deque[tuple[float, float]], places: list[float], end: float) -> None:
        self.queue = queue
        self.places = places
        self.came: list[float] = []
        self.begun: list[float] = []
        self.ends: list[float] = []
        self.waited = 0.0
        """Seconds of waiting in the step beyond those if the queue had stayed as it was."""
        self.refused = 0
        self._end = end
        heapify(places)

    def go(self, arrivals: Floats, service_times: Floats, room: int) -> None:
        queue, places, end = self.queue, self.places, self._end
        for arrival, taken in zip(arrivals.tolist(), service_times.tolist(), strict=True):
            if queue:
                self._drain(arrival)
            if not queue and places and places[0] <= arrival:
                heapreplace(places, arrival + taken)
                self.came.append(arrival)
                self.begun.append(arrival)
                self.ends.append(arrival + taken)
            elif len(queue) >= room:
                self.refused += 1
            else:
                queue.append((arrival, taken))
                self.waited += end - arrival
        self._drain(end)

    def _drain(self, until: float) -> None:
        """Begins what has waited, where a place is free before then."""
        queue, places = self.queue, self.places
        while queue and places and places[0] < until:
            arrival, taken = queue.popleft()
            begin = max(arrival, places[0])
            heapreplace(places, begin + taken)
            self.came.append(arrival)
            self.begun.append(begin)
            self.ends.append(begin + taken)
            self.waited -= self._end - begin


def arrivals_of(rates: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """For each second the times of its requests, in order: a Poisson process."""
    for second, count in enumerate(rng.poisson(rates).tolist()):
        yield second + np.sort(rng.random(count))


VARIATION = 0.5
"""Standard deviation of service times, as a fraction of their mean."""
_SIGMA = float(np.sqrt(np.log1p(VARIATION**2)))


def service_times_of(mean: float, number: int, rng: np.random.Generator) -> Floats:
    """So many service times with this mean in seconds: log-normal, as those of models are."""
    return mean * np.exp(_SIGMA * rng.standard_normal(number) - _SIGMA**2 / 2)
