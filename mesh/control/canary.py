"""How a canary gets its weight by itself, and what takes it away. Pure.

A progression is a state machine; the controller keeps its `Progress` and goes by `weight`.

| state | weight | what may follow |
|---|---|---|
| running | that of its step | the next step, done, aborted |
| done | that of the last step; at 100 the canary is to become `main` | nothing |
| aborted | 0 | nothing |

At each step the canary is compared with main over the requests of this step alone. Shares of
traffic differ between steps, so that over all of them an hour that was bad for both would count
against the one that had more requests in it. Where main gets no requests, as at a step of 100,
it is what main has shown since the beginning that counts. If 100 is the only step there is
nothing to compare with: then main counts as free of errors, and latencies decide nothing.

The comparisons are sequential tests (see `mesh.control.sequential`), so `judge` may be asked at any
time. A canary that is not worse is taken back with probability `Plan.risk` at most by both of them
over all steps: the risk is shared out evenly among the comparisons that are asked for, in each of
these among canary and main, then among the bounds that can be needed of it: one a step, and of
main one more for all steps together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import Any

from mesh.control.loads import Outcomes
from mesh.control.outcomes import together
from mesh.control.sequential import (
    Count,
    exceeds,
    is_above,
    quantile_at_least,
    quantile_at_most,
)
from mesh.traffic.latency import edge, quantile

WHOLE = 100
"""The weight at which a canary has all requests."""
HOPELESS = 10
"""So many requests that all failed are enough for a limit of the rate of errors."""
WARM = 50
"""From so many requests at a step on latencies decide: the first ones of a canary may be slow."""
_SILENT = 500
# At a weight below 100 main has at least one request in 99, but for other canaries. What has fewer
# than one in 500 only ends what it began before the step.
_TAIL = 0.99


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of a progression; they mean what `mesh.config.Progression` says.

    `version` is the name of the canary. `steps` are percentages in ascending order, `wait` is in
    seconds. None leaves a condition out.
    """

    version: str
    steps: tuple[int, ...]
    wait: float
    min_requests: int
    max_error_increase: float | None
    risk: float
    max_error_rate: float | None
    max_latency_ratio: float | None


class State(StrEnum):
    """Whether a progression goes on."""

    RUNNING = "running"
    DONE = "done"
    """Its last step was passed."""
    ABORTED = "aborted"
    """The canary was worse."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a progression is.

    `step` is an index into `Plan.steps`, `since` when that step began in seconds since the Unix
    epoch. `main` and `canary` are what ended since then, `total_main` and `total_canary` what ended
    since the progression began. `reason` says why it was aborted.
    """

    step: int
    since: float
    main: Outcomes = field(default_factory=Outcomes)
    canary: Outcomes = field(default_factory=Outcomes)
    total_main: Outcomes = field(default_factory=Outcomes)
    total_canary: Outcomes = field(default_factory=Outcomes)
    state: State = State.RUNNING
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As a JSON value, for `read`."""
        return {
            "step": self.step,
            "since": self.since,
            "main": _outcomes_document(self.main),
            "canary": _outcomes_document(self.canary),
            "total_main": _outcomes_document(self.total_main),
            "total_canary": _outcomes_document(self.total_canary),
            "state": self.state.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Hold:
    """The weight stays; `reason` says for people what is waited for, or how it ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """The canary's weight is now `weight` per cent."""

    weight: int


@dataclass(frozen=True, slots=True)
class Promote:
    """The canary is to become `main`."""


@dataclass(frozen=True, slots=True)
class Abort:
    """The canary's weight is now 0; `reason` is one line for people."""

    reason: str


Verdict = Hold | Step | Promote | Abort


def read(document: Mapping[str, Any]) -> Progress:
    """The progress that `Progress.document` wrote. KeyError or ValueError if it is none."""
    return Progress(
        step=int(document["step"]),
        since=float(document["since"]),
        main=_read_outcomes(document["main"]),
        canary=_read_outcomes(document["canary"]),
        total_main=_read_outcomes(document["total_main"]),
        total_canary=_read_outcomes(document["total_canary"]),
        state=State(document["state"]),
        reason=str(document["reason"]),
    )


def begin(plan: Plan, now: float) -> tuple[Progress, Step]:
    """The first step, from `now` on (seconds since the Unix epoch)."""
    return Progress(0, now), Step(plan.steps[0])


def weight(plan: Plan, progress: Progress) -> int:
    """The canary's weight in per cent."""
    return 0 if progress.state is State.ABORTED else plan.steps[progress.step]


def observe(progress: Progress, main: Outcomes, canary: Outcomes) -> Progress:
    """With what ended since the last time at either version; an ended progression stays as it is.

    `main` has nothing of other canaries.
    """
    if progress.state is not State.RUNNING:
        return progress
    return replace(
        progress,
        main=together(progress.main, main),
        canary=together(progress.canary, canary),
        total_main=together(progress.total_main, main),
        total_canary=together(progress.total_canary, canary),
    )


def judge(plan: Plan, progress: Progress, now: float) -> tuple[Progress, Verdict]:
    """What is to happen, and the progress when it has. `now` in seconds since the Unix epoch.

    A worse canary is taken back at any time. A good one goes on when its step has lasted `wait`
    seconds and has brought it `min_requests` requests; without them it stays where it is for as
    long as it takes.
    """
    if progress.state is not State.RUNNING:
        return progress, Hold(progress.reason or f"done at {_held(plan, progress)}")
    for fault in _faults(plan, progress):
        return replace(progress, state=State.ABORTED, reason=fault), Abort(fault)
    left = plan.wait - (now - progress.since)
    if left > 0:
        return progress, Hold(f"{_held(plan, progress)} for {ceil(left)} s more")
    had = progress.canary.requests
    if had < plan.min_requests:
        wanted = f"{_number(had)} of {_number(plan.min_requests)} requests"
        return progress, Hold(f"{_held(plan, progress)}, has had {wanted}")
    return _advanced(plan, progress, now)


def _advanced(plan: Plan, progress: Progress, now: float) -> tuple[Progress, Verdict]:
    following = progress.step + 1
    if following < len(plan.steps):
        after = replace(progress, step=following, since=now, main=Outcomes(), canary=Outcomes())
        return after, Step(plan.steps[following])
    after = replace(progress, state=State.DONE)
    if plan.steps[-1] == WHOLE:
        return after, Promote()
    return after, Hold(f"done at {_held(plan, progress)}")


def _held(plan: Plan, progress: Progress) -> str:
    return f"{plan.steps[progress.step]} %"


def _faults(plan: Plan, progress: Progress) -> Iterator[str]:
    """In what the canary is worse than it may be, a line each."""
    comparisons = [plan.max_error_increase, plan.max_latency_ratio]
    risk = plan.risk / max(1, sum(limit is not None for limit in comparisons))
    risks = _Risks(canary=risk / 2 / len(plan.steps), main=risk / 2 / (len(plan.steps) + 1))
    if plan.max_error_increase is not None:
        yield from _more_errors(plan, progress, plan.max_error_increase, risks)
    if plan.max_error_rate is not None:
        yield from _too_many_errors(plan, progress.canary, plan.max_error_rate)
    if plan.max_latency_ratio is not None:
        yield from _slower(plan, progress, plan.max_latency_ratio, risks)


@dataclass(frozen=True, slots=True)
class _Risks:
    """Risk of each bound, of what is known of the canary and of main."""

    canary: float
    main: float


def _is_silent(plan: Plan, progress: Progress) -> bool:
    """Whether main gets no requests at this step."""
    is_whole = plan.steps[progress.step] == WHOLE
    return is_whole or progress.main.requests * _SILENT <= progress.canary.requests


def _more_errors(plan: Plan, progress: Progress, margin: float, risks: _Risks) -> Iterator[str]:
    """By the sequential test."""
    tested = _errors(progress.canary)
    limit = f"by more than {_percent(margin)}, risk {_percent(plan.risk)}"
    if plan.steps == (WHOLE,):
        if is_above(tested, margin, risks.canary):
            yield f"error rate {_rate(tested)}: worse than without errors {limit}"
        return
    silent = _is_silent(plan, progress)
    base = _errors(progress.total_main if silent else progress.main)
    if exceeds(tested, base, margin, tested_risk=risks.canary, base_risk=risks.main):
        when = " since the beginning" if silent else ""
        yield f"error rate {_rate(tested)}, main {_rate(base, noun=False)}{when}: worse {limit}"


def _too_many_errors(plan: Plan, canary: Outcomes, limit: float) -> Iterator[str]:
    """By a fixed limit: no test, so a rate close to it passes it by chance now and then.

    It takes `min_requests` requests (1 at least), or HOPELESS if all of them failed.
    """
    count = _errors(canary)
    enough = max(1, plan.min_requests)
    if count.hits == count.trials:
        enough = min(enough, HOPELESS)
    if count.trials >= enough and count.rate > limit:
        yield f"error rate {_rate(count)}: more than {_percent(limit)}"


def _slower(plan: Plan, progress: Progress, ratio: float, risks: _Risks) -> Iterator[str]:
    """By bounds of both quantiles that are more than `ratio` apart, the buckets' width left out.

    A bound takes requests that are not in the slowest hundredth: about 1 200 of main, by the
    settings' defaults. If main has not had so many at this step, those since the beginning have to
    do; but then what it has shown at this step must not contradict, for both may be slower now.
    """
    if progress.canary.requests < max(plan.min_requests, WARM):
        return
    low = quantile_at_least(progress.canary.latencies, _TAIL, risks.canary)
    if low is None:
        return
    silent = _is_silent(plan, progress)
    main = progress.total_main if silent else progress.main
    high = quantile_at_most(main.latencies, _TAIL, risks.main)
    if high is None and not silent:
        main = progress.total_main
        high = quantile_at_most(main.latencies, _TAIL, risks.main)
    if high is None or edge(low - 1) <= ratio * edge(high):
        return
    canary_p99 = quantile(progress.canary.latencies, _TAIL)
    if not silent and canary_p99 <= ratio * quantile(progress.main.latencies, _TAIL):
        return
    when = "" if main is progress.main else " since the beginning"
    yield (
        f"p99 latency {_duration(canary_p99)} of {_number(progress.canary.requests)} requests, main"
        f" {_duration(quantile(main.latencies, _TAIL))} of {_number(main.requests)}{when}:"
        f" more than {ratio:g} times as long, risk {_percent(plan.risk)}"
    )


def _errors(outcomes: Outcomes) -> Count:
    return Count(min(outcomes.errors, outcomes.requests), outcomes.requests)


def _rate(count: Count, *, noun: bool = True) -> str:
    return f"{_percent(count.rate)} of {_number(count.trials)}{' requests' if noun else ''}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _outcomes_document(outcomes: Outcomes) -> dict[str, Any]:
    # Names in JSON are text.
    latencies = {str(number): count for number, count in outcomes.latencies.items()}
    return {"requests": outcomes.requests, "errors": outcomes.errors, "latencies": latencies}


def _read_outcomes(document: Mapping[str, Any]) -> Outcomes:
    latencies = {int(number): int(count) for number, count in document["latencies"].items()}
    return Outcomes(int(document["requests"]), int(document["errors"]), latencies)
