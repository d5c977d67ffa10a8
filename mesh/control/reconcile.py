"""What should run and what does → the next steps. Pure and deterministic."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from mesh.control.fleet import Groups, Numbers, ReplicaKey, live
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
    numbers: Numbers,
    launches: Mapping[ReplicaKey, Launch],
    groups: Groups,
    published: Collection[str],
    now: float,
) -> list[Action]:
    """The steps that bring the replicas of one deployment closer to `numbers`; none at the goal.

    `launches` has what starts a replica, for each key with a number. `published` are the replicas
    in the snapshot in force: none of them is drained. `now` is on the clock of the replicas'
    `since`.
    """
    actions: list[Action] = []
    for key in sorted(numbers.keys() | groups.keys()):
        launch = launches.get(key)
        actions += _settle(launch, numbers.get(key, 0), groups.get(key, ()), published, now)
    return actions


def next_try(numbers: Numbers, groups: Groups, now: float) -> float:
    """When to look again though nothing has changed: at the next start, or when all is stable."""
    times = [float("inf")]
    for key, group in groups.items():
        number = numbers.get(key, 0)
        failed = [replica for replica in group if replica.phase is Phase.FAILED]
        if failed:
            running = live(group)
            times.append(
                retry_at(failed, number)
                if len(running) < number
                else max((replica.since for replica in running), default=now) + STABLE
            )
    return max(min(times), now)


def _settle(
    launch: Launch | None,
    number: int,
    group: Sequence[ObservedReplica],
    published: Collection[str],
    now: float,
) -> list[Action]:
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
        elif replica.id not in published:
            actions.append(DrainReplica(replica.id))
    failed = sorted(
        (replica for replica in group if replica.phase is Phase.FAILED),
        key=lambda replica: (replica.since, replica.id),
    )
    actions += [Forget(replica.id) for replica in _forgettable(failed, running, number, now)]
    if launch and len(running) < number and now >= retry_at(failed, number):
        actions += [StartReplica(launch)] * (number - len(running))
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
