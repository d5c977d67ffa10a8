"""Which replica of a service takes a call: the less loaded of two drawn by chance.

Knows load, nothing about weights.
"""

from collections.abc import Container, Mapping
from random import Random

from mesh.errors import Overloaded, Unavailable
from mesh.traffic.snapshot import Replica

RETRY_AFTER = 1.0
"""Seconds that a caller is told to wait when every replica is full."""


def choose_replica(
    replicas: tuple[Replica, ...],
    in_flight: Mapping[str, int],
    rng: Random,
    *,
    excluded: Container[str] = (),
    max_concurrency: int = 0,
) -> Replica:
    """One of `replicas` that is not `excluded` (ids), by power of two choices.

    `in_flight` counts the calls that each replica holds, by id; absence means none. Of two
    replicas with as many, either may be chosen. `max_concurrency` is how many calls a replica
    takes at once (0: no limit); when both that were drawn are full, the least loaded of all takes
    the call.

    Raises Unavailable if no replica is left, Overloaded if all that are left are full.
    """
    if excluded:
        replicas = tuple(replica for replica in replicas if replica.id not in excluded)
    count = len(replicas)
    if count > 1:
        chosen = _less_loaded(replicas, count, in_flight, rng)
    elif count:
        chosen = replicas[0]
    else:
        raise Unavailable("no replica can take the call")
    if max_concurrency and in_flight.get(chosen.id, 0) >= max_concurrency:
        return _with_room(replicas, in_flight, rng, max_concurrency)
    return chosen


def _less_loaded(
    replicas: tuple[Replica, ...], count: int, in_flight: Mapping[str, int], rng: Random
) -> Replica:
    # One draw for an ordered pair of different replicas; its order breaks ties by chance.
    one, other = divmod(int(rng.random() * (count * (count - 1))), count - 1)
    if other >= one:
        other += 1
    first, second = replicas[one], replicas[other]
    if in_flight.get(second.id, 0) < in_flight.get(first.id, 0):
        return second
    return first


def _with_room(
    replicas: tuple[Replica, ...], in_flight: Mapping[str, int], rng: Random, limit: int
) -> Replica:
    lowest = min(in_flight.get(replica.id, 0) for replica in replicas)
    if lowest >= limit:
        raise Overloaded("Too many requests", retry_after=RETRY_AFTER)
    return rng.choice([r for r in replicas if in_flight.get(r.id, 0) == lowest])
