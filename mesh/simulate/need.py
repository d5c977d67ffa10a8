"""How many replicas a load needs in the long run."""

import numpy as np
import numpy.typing as npt

from mesh.control.autoscale import CPU_TARGET
from mesh.simulate.setup import Setup
from mesh.simulate.trace import Trace

Ints = npt.NDArray[np.int64]


def needed(setup: Setup, trace: Trace, fraction: float = 1.0) -> Ints:
    """For each second the replicas that `fraction` of its mean load needs, within the bounds.

    What waits is no part of it: replicas that are enough in the long run have no queue to speak of.
    """
    rule = setup.rule
    rates = trace.rates * fraction
    calls = rates * trace.service_times
    wishes = [np.zeros_like(calls)]
    if rule.concurrency:
        wishes.append(calls / rule.concurrency)
    for kind, value in rule.metrics or (() if rule.concurrency else (("cpu", CPU_TARGET),)):
        if kind == "qps":
            wishes.append(rates / value)
        elif kind != "memory":
            wishes.append(calls / (setup.parallel * value / 100))
    needs = np.ceil(np.maximum.reduce(wishes) - 1e-6)
    least = np.maximum(rule.min_replicas, np.where(calls > 0, 1, 0))
    found: Ints = np.clip(needs, least, rule.max_replicas).astype(np.int64)
    return found
