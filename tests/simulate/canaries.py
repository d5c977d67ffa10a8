"""How soon bad canaries are taken back, and how seldom good ones."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from mesh.control.canary import State
from tests.control.canary_runs import DEFAULT, Version, progression
from tests.simulate.rows import Row, Say

GOOD = Version(0.001)
PER_SECOND = 400
"""Requests, of which the first step of a minute gives the canary 5 %."""
BAD_RUNS, GOOD_RUNS = 40, 300
QUICK = replace(DEFAULT, wait=10)
PATIENT = replace(DEFAULT, min_requests=10_000)
"""What it takes to find few errors: `min_requests` says how bad a canary can pass a step."""


def rows(say: Say) -> Iterator[Row]:
    """Requests that a canary gets before it is taken back; shares of runs that end well."""
    for fails, most, heaviest in ((1.0, 30, 5), (0.1, 500, 5), (0.02, 20_000, 50)):
        say(f"canaries that fail {fails:.0%} of calls")
        plan = PATIENT if fails < 0.05 else DEFAULT
        ends = [
            progression(seed, GOOD, Version(fails), plan, per_second=PER_SECOND)
            for seed in range(BAD_RUNS)
        ]
        aborted = [end for end in ends if end.state is State.ABORTED]
        title = f"{fails:.0%} of calls fail, main 0.1 %, min_requests {plan.min_requests}"
        least = 0.9 if fails < 0.05 else 1.0
        caught = len(aborted) / BAD_RUNS
        yield Row("canaries", f"{title}: taken back", caught, least, is_least=True)
        requests = median(end.requests for end in aborted)
        yield Row("canaries", f"{title}: requests till then, median", requests, most)
        weight = max(end.weight for end in aborted)
        yield Row("canaries", f"{title}: largest weight till then", weight, heaviest, "%")
    say("canaries that are as good as main")
    for fails in (0.001, 0.05):
        ends = [
            progression(seed, Version(fails), Version(fails), QUICK, per_second=20)
            for seed in range(GOOD_RUNS)
        ]
        wrong = sum(end.state is State.ABORTED for end in ends) / GOOD_RUNS
        title = f"as good as main ({fails:.1%} fail): taken back"
        yield Row("canaries", title, wrong, QUICK.risk)
