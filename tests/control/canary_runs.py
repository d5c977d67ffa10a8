"""Whole progressions of canaries in virtual time, with requests by chance."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from mesh.config import Progression
from mesh.control.canary import Plan, State, begin, judge, observe, weight
from mesh.control.loads import Outcomes
from mesh.traffic.latency import bucket

DEFAULT = Plan(**Progression(version="v2").model_dump())
T0 = 1_800_000_000.0


@dataclass(frozen=True)
class Version:
    """Fails with the probability `fails`; a latency is `slower` times what is usual."""

    fails: float
    slower: float = 1.0


@dataclass(frozen=True)
class End:
    """How a progression ended: at which weight, after how many requests of the canary."""

    state: State
    weight: int
    requests: int
    reason: str


def binomial(random: Random, number: int, probability: float) -> int:
    return sum(random.random() < probability for _ in range(number))


def serve(random: Random, number: int, version: Version, usual: list[int]) -> Outcomes:
    shift = bucket(version.slower) - bucket(1.0)
    taken = Counter(each + shift for each in random.choices(usual, k=number))
    return Outcomes(number, binomial(random, number, version.fails), taken)


def progression(
    seed: int, main: Version, canary: Version, plan: Plan = DEFAULT, per_second: int = 20
) -> End:
    """From begin to end; the controller looks every second of virtual time."""
    random = Random(seed)
    usual = [bucket(random.lognormvariate(-3, 0.7)) for _ in range(2_000)]
    progress, _ = begin(plan, T0)
    now = T0
    while True:
        now += 1
        held = weight(plan, progress)
        taken = binomial(random, per_second, held / 100)
        mains = serve(random, per_second - taken, main, usual)
        progress = observe(progress, mains, serve(random, taken, canary, usual))
        progress, _ = judge(plan, progress, now)
        if progress.state is not State.RUNNING:
            return End(progress.state, held, progress.total_canary.requests, progress.reason)
