"""Desired and observed → the next steps. Pure and deterministic; the controller takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from mesh.control.desired import Desired, Serving
from mesh.control.fleet import Wanted, grouped, live, wanted
from mesh.control.observed import ObservedReplica, Phase
from mesh.launch import Launch

STABLE = 30.0
"""Seconds after which a replica that is ready counts as one that works."""
FIRST_WAIT = 1.0
"""Seconds between a first failure and the next try; doubles with each further failure."""
LONGEST_WAIT = 60.0
"""Upper bound of that wait, in seconds."""
ROUNDS = 1 + ceil(LONGEST_WAIT / FIRST_WAIT).bit_length()
"""Failures in a row after which the wait does not grow any more; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class StartReplica:
    """Start a replica; `launch` has no id yet."""

    launch: Launch


@dataclass(frozen=True, slots=True)
class DrainReplica:
    """Let a replica finish its calls. No snapshot that is in force holds it any more."""

    id: str


@dataclass(frozen=True, slots=True)
class StopReplica:
    """End a replica that has no calls."""

    id: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the record of a replica that has ended."""

    id: str


Action = StartReplica | DrainReplica | StopReplica | Forget


def reconcile(
    desired: Desired, observed: Sequence[ObservedReplica], serving: Serving, now: float
) -> list[Action]:
    """The steps that bring what runs closer to what should; none when nothing is to be done.

    `serving` describes the snapshot in force: a replica in it is never drained. `now` is on the
    clock of the replicas' `since`.
    """
    fleet = wanted(desired, serving)
    groups = grouped(observed)
    ours = desired.deployments.keys() | desired.retired
    actions: list[Action] = []
    for key in sorted(fleet.keys() | groups.keys()):
        if key[0] in ours:
            group = groups.get(key, [])
            actions += _settle(fleet.get(key), group, serving, now)
    return actions


def _settle(
    want: Wanted | None, group: list[ObservedReplica], serving: Serving, now: float
) -> list[Action]:
    number = want.replicas if want else 0
    running = live(group)
    actions: list[Action] = []
    for replica in sorted(group, key=lambda replica: replica.id):
        if replica.phase is Phase.GONE:
            actions.append(Forget(replica.id))
        elif replica.phase is Phase.DRAINED:
            actions.append(StopReplica(replica.id))
    for replica in running[number:]:
        if replica.phase is Phase.STARTING:
            actions.append(StopReplica(replica.id))
        elif replica.id not in serving.replicas:
            actions.append(DrainReplica(replica.id))
    failed = sorted(
        (replica for replica in group if replica.phase is Phase.FAILED),
        key=lambda replica: (replica.since, replica.id),
    )
    actions += [Forget(replica.id) for replica in _forgettable(failed, running, number, now)]
    if want and len(running) < number and now >= retry_at(failed, number):
        actions += [StartReplica(want.launch)] * (number - len(running))
    return actions


def retry_at(failed: Sequence[ObservedReplica], number: int) -> float:
    """When to try again after these failures of a service with `number` replicas.

    Replicas that had worked do not count: they are replaced at once. Failures of replicas that
    were started together count as one.
    """
    early = [replica.since for replica in failed if replica.lived < STABLE]
    if not early:
        return float("-inf")
    rounds = min(ceil(len(early) / max(number, 1)), ROUNDS)
    return max(early) + min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (rounds - 1))


def _forgettable(
    failed: list[ObservedReplica], running: list[ObservedReplica], number: int, now: float
) -> list[ObservedReplica]:
    ready = [replica for replica in running[:number] if replica.phase is Phase.READY]
    if len(ready) == number:
        stable = all(now - replica.since >= STABLE for replica in ready)
        return [replica for replica in failed if stable or replica.lived >= STABLE]
    return failed[: -ROUNDS * max(number, 1)]
