"""How many replicas a service should have, from its load. Pure; the controller does the rest.

What the load asks for (its wish) is `ceil(calls / concurrency)`, where the calls are those in all
replicas and those that wait, on average over 10 s, or for a metric
`ceil(replicas x value / target)`; the largest wish counts. A wish passes four gates on its way to a
number of replicas:

1. bounds: `min_replicas` and `max_replicas` hold at once, whatever else is said;
2. window: replicas are added up to the lowest wish of the up window, and taken away down to the
   highest of the down window. That one looks at each report as well as at the average: near the
   point where one replica more is needed, a noisy load adds it once and does not give it back;
3. rate: in any 15 s at most so many are added. 100 % may be taken away, so that has no limit;
4. zero: the last replica goes after a time without any load, and the first comes at once when a
   call waits, even where adding is disabled: waking is not scaling.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite
from typing import Literal, NamedTuple

from mesh.control.loads import ReplicaLoad, ServiceLoad

PERIOD = 15.0
"""Seconds for which a rate of change is given."""
AVERAGED = 10.0
"""Seconds over which calls are averaged. What is averaged are reports, themselves averages."""
FAST_STEP = 4
"""Replicas that `fast` may add in a period, if that is more than 100 %."""
CPU_TARGET = 80.0
"""Percent of the reserved cores that is aimed at where neither concurrency nor metrics are set."""
TOLERANCE = 0.1
"""A metric whose wish is this close to what runs (a fraction of it) changes nothing."""
LEAST_IDLE = 30.0
"""Seconds without load before the last replica goes, where nothing is said and the down window is
shorter."""
_ROUNDING = 1e-6
"""Of a replica: sums of averages are not exact, and 2.0000001 is meant to be 2."""

Kind = Literal["fast", "stable", "disabled"]
Metric = Literal["cpu", "gpu", "memory", "qps"]


@dataclass(frozen=True, slots=True)
class Direction:
    """How quickly replicas are added, or taken away; `window` is in seconds."""

    kind: Kind
    window: float


@dataclass(frozen=True, slots=True)
class ScaleRule:
    """What the number of replicas of a service follows.

    `concurrency` is in calls per replica (0: not followed). `external_queue` says that calls above
    it wait outside of replicas; those are counted either way. `metrics` have the most that a
    replica should use on average, in the units of ReplicaLoad. `idle` is for how many seconds
    there must be no load before the last replica goes; None: the down window, LEAST_IDLE at least.
    """

    min_replicas: int
    max_replicas: int
    concurrency: int = 0
    external_queue: bool = False
    metrics: tuple[tuple[Metric, float], ...] = ()
    up: Direction = Direction("fast", 0.0)
    down: Direction = Direction("stable", 300.0)
    idle: float | None = None

    @property
    def least_idle(self) -> float:
        """Seconds without load before the last replica goes."""
        return max(self.down.window, LEAST_IDLE) if self.idle is None else self.idle


@dataclass(frozen=True, slots=True)
class History:
    """What a decision needs of those before it. Times are on the clock of `now`.

    `calls` are the last reports: when, in flight, queued; none while no replica takes calls.
    `peaks` are the wishes of the down window that no later one exceeds, falling; `dips` those of
    the up window that no later one undercuts, rising. `added` are the additions of the last
    period. `idle_since` is when the service was first seen without load, None while it has some.
    """

    calls: tuple[tuple[float, float, float], ...] = ()
    peaks: tuple[tuple[float, int], ...] = ()
    dips: tuple[tuple[float, int], ...] = ()
    added: tuple[tuple[float, int], ...] = ()
    idle_since: float | None = None
    is_new: bool = True


class Decision(NamedTuple):
    """How many replicas there should be, what the next decision needs, and one line that says why.

    The line is such as `in flight 100 of 64: 2 -> 4`.
    """

    replicas: int
    history: History
    reason: str


class _Wish(NamedTuple):
    """What is needed on average, what by the last report if that is more, and why."""

    replicas: int
    most: int
    why: str


def decide(
    rule: ScaleRule, load: ServiceLoad, current: int, history: History, now: float
) -> Decision:
    """How many replicas a service should have that has been told to have `current`.

    `now` is in seconds and never less than that of `history`. Without any report of a replica
    nothing is known: the number stays, or grows if more calls wait than it can hold.
    """
    load = _known(load)
    base = min(max(current, rule.min_replicas), rule.max_replicas)
    history = _remembered(rule, load, base, history, now)
    if base != current:
        bound = "min_replicas" if base > current else "max_replicas"
        return _decided(rule, current, base, f"{bound} {base}", history, now)
    wish = _wish(rule, load, base, history, now)
    if wish is None:
        return Decision(base, history, f"no report of a replica: {base}")
    wished = min(max(wish.replicas, rule.min_replicas), rule.max_replicas)
    most = min(max(wish.most, rule.min_replicas), rule.max_replicas)
    history = replace(
        history,
        peaks=(*(peak for peak in history.peaks if peak[1] > most), (now, most)),
        dips=(*(dip for dip in history.dips if dip[1] < wished), (now, wished)),
    )
    steady = _stabilised(wished, base, history)
    allowed = _allowed(rule, steady, base, history)
    why = wish.why if allowed == wished else f"{wish.why} asks for {wished}"
    return _decided(rule, current, allowed, why, history, now)


def sum_up(
    loads: Mapping[str, ReplicaLoad],
    ready: Sequence[str],
    queued: float,
    now: float,
    stale_after: float,
    new_for: float = 0.0,
    leaving: Iterable[str] = (),
) -> ServiceLoad:
    """The load of a service whose replicas `ready` (ids) are those that take calls.

    A report that is older than `stale_after` seconds is not believed: its replica counts as the
    average of the others. A replica that has never reported counts as not there. One that reported
    for the first time less than `new_for` seconds ago is new: others may still count its calls.
    `leaving` are replicas that took calls a moment ago: others may count theirs already.
    """
    reports = number = new = 0
    in_flight = cpu = gpu = memory = qps = moved = 0.0
    oldest, known = now - stale_after, now - new_for
    # One loop, because a controller sums up all replicas of a mesh each second.
    for replica in ready:
        each = loads.get(replica)
        if each is None:
            continue
        reports += 1
        if each.at >= oldest:
            number += 1
            in_flight += each.in_flight
            cpu += each.cpu
            gpu += each.gpu
            memory += each.memory
            qps += each.qps
            if each.since > known:
                new += 1
                moved += each.in_flight
    if not number:
        return ServiceLoad(queued=queued)
    left = [loads[each] for each in leaving if each in loads]
    return ServiceLoad(
        replicas=reports,
        in_flight=in_flight * reports / number,
        queued=queued,
        cpu=cpu / number,
        gpu=gpu / number,
        memory=memory / number,
        qps=qps / number,
        moved=moved if left or new < number else 0.0,
        gone=sum(each.in_flight for each in left if each.at >= oldest),
    )


def _known(load: ServiceLoad) -> ServiceLoad:
    """The load; only its queue if one of its numbers is none."""
    queued = load.queued if 0 <= load.queued < inf else 0.0
    levels = (load.in_flight, load.cpu, load.gpu, load.memory, load.qps, load.moved, load.gone)
    if load.replicas > 0 and all(isfinite(level) and level >= 0 for level in levels):
        return load if queued == load.queued else replace(load, queued=queued)
    return ServiceLoad(queued=queued)


def _remembered(
    rule: ScaleRule, load: ServiceLoad, base: int, history: History, now: float
) -> History:
    """What of the history still counts, with whether there is load now."""
    if history.is_new:  # what runs was wished once
        history = History(peaks=((now, base),), dips=((now, base),), is_new=False)
    is_idle = load.replicas > 0 and not (load.in_flight or load.queued or load.qps or load.gone)
    since = (now if history.idle_since is None else history.idle_since) if is_idle else None
    calls = [each for each in history.calls if each[0] > now - AVERAGED]
    in_flight = load.in_flight
    if calls:  # what only moves is as much as before; a call in two reports is not two
        in_flight = min(max(calls[-1][1], in_flight - load.moved), in_flight + load.gone)
    return History(
        calls=(*calls, (now, in_flight, load.queued)) if load.replicas else (),
        peaks=tuple(peak for peak in history.peaks if peak[0] > now - rule.down.window),
        dips=tuple(dip for dip in history.dips if dip[0] > now - rule.up.window),
        added=tuple(each for each in history.added if each[0] > now - PERIOD),
        idle_since=since,
        is_new=False,
    )


def _wish(
    rule: ScaleRule, load: ServiceLoad, base: int, history: History, now: float
) -> _Wish | None:
    """What the load asks for, before any gate; None if nothing is known."""
    if load.replicas == 0 and base > 0 and not load.queued:
        return None
    if load.replicas == 0:
        return _of_queue(rule, load, base)
    if rule.min_replicas == 0 and history.idle_since is not None:
        idle = now - history.idle_since
        if idle >= rule.least_idle:
            return _Wish(0, 0, f"no load for {idle:.0f} s")
    wishes = [_of_metric(kind, target, load, base, rule) for kind, target in _metrics(rule)]
    if rule.concurrency:
        wishes.append(_of_calls(rule, history, base))
    best = max(wishes, key=lambda wish: wish.replicas)
    most = max(wish.most for wish in wishes)
    return _Wish(max(best.replicas, 1), max(most, 1), best.why)


def _metrics(rule: ScaleRule) -> tuple[tuple[Metric, float], ...]:
    return rule.metrics or (() if rule.concurrency else (("cpu", CPU_TARGET),))


def _of_queue(rule: ScaleRule, load: ServiceLoad, base: int) -> _Wish:
    """No replica takes calls yet: what waits can only ask for more of them."""
    if not load.queued:
        return _Wish(0, 0, "queued 0")
    needed = _replicas(load.queued / rule.concurrency, rule) if rule.concurrency else 1
    needed = max(needed, base, 1)
    return _Wish(needed, needed, f"queued {_number(load.queued)}")


def _of_calls(rule: ScaleRule, history: History, base: int) -> _Wish:
    reports = len(history.calls)
    in_flight = sum(each[1] for each in history.calls) / reports
    queued = sum(each[2] for each in history.calls) / reports
    queue = f" and queued {_number(queued)}" if queued else ""
    why = f"in flight {_number(in_flight)}{queue} of {base * rule.concurrency}"
    needed = _replicas((in_flight + queued) / rule.concurrency, rule)
    latest = _replicas(sum(history.calls[-1][1:]) / rule.concurrency, rule)
    return _Wish(needed, max(needed, latest), why)


def _of_metric(kind: Metric, target: float, load: ServiceLoad, base: int, rule: ScaleRule) -> _Wish:
    value: float = getattr(load, kind)
    # Of those that report: what a replica that only starts will take off them is not known yet.
    needed = load.replicas * (value / target)
    is_close = abs(needed - base) <= TOLERANCE * base
    why = f"{kind} {_shown(kind, value)} of {_shown(kind, target)}"
    replicas = base if is_close else _replicas(needed, rule)
    return _Wish(replicas, replicas, why)


def _shown(kind: Metric, value: float) -> str:
    match kind:
        case "cpu" | "gpu":
            return f"{_number(value)} %"
        case "memory":
            return f"{_number(value / 2**20)} MiB"
        case "qps":
            return f"{_number(value)}/s"


def _number(value: float) -> str:
    """Three digits at least, as people write them."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _replicas(amount: float, rule: ScaleRule) -> int:
    return ceil(min(amount, rule.max_replicas) - _ROUNDING)


def _stabilised(wished: int, base: int, history: History) -> int:
    """The number closest to `base` between the lowest and the highest wish of the windows."""
    if wished == 0:  # an idle service has waited already
        return 0
    lowest = history.dips[0][1]
    highest = history.peaks[0][1]
    return max(lowest, min(base, highest))


def _allowed(rule: ScaleRule, steady: int, base: int, history: History) -> int:
    """The number as close to `steady` as directions and rates allow."""
    if steady < base:
        return base if rule.down.kind == "disabled" else steady
    woken = 1 if base == 0 and history.dips[-1][1] else base
    if rule.up.kind == "disabled":
        return woken
    # What was taken away meanwhile gives no room: a number that swings is slowed down.
    start = base - sum(number for _, number in history.added)
    limit = 2 * max(start, 1)
    if rule.up.kind == "fast":
        limit = max(limit, start + FAST_STEP)
    return max(woken, min(steady, limit))


def _decided(
    rule: ScaleRule, current: int, replicas: int, why: str, history: History, now: float
) -> Decision:
    change = replicas - current
    # What bounds ask for is no answer to load, so it leaves the rate alone.
    if change > 0 and current >= rule.min_replicas:
        history = replace(history, added=(*history.added, (now, change)))
    numbers = f"{current} -> {replicas}" if change else f"{replicas}"
    return Decision(replicas, history, f"{why}: {numbers}")
