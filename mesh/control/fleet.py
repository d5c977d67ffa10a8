"""The replicas of one deployment by what they run, and which of them are the ones to keep."""

from collections.abc import Iterable, Mapping, Sequence

from mesh.control.observed import ObservedReplica, Phase

ReplicaKey = tuple[str, str]
"""Version id, service: replicas of a deployment with one key are interchangeable."""
Groups = Mapping[ReplicaKey, Sequence[ObservedReplica]]
Numbers = Mapping[ReplicaKey, int]
"""How many replicas of each key there should be."""

LIVE = (Phase.STARTING, Phase.READY)
"""Phases of replicas that count towards the number that should run."""
BUSY = (*LIVE, Phase.DRAINING)
"""Phases of replicas that may have calls, now or later."""


def grouped(observed: Iterable[ObservedReplica]) -> dict[ReplicaKey, list[ObservedReplica]]:
    """Replicas of one deployment by key."""
    groups: dict[ReplicaKey, list[ObservedReplica]] = {}
    for replica in observed:
        groups.setdefault((replica.version_id, replica.service), []).append(replica)
    return groups


def live(replicas: Iterable[ObservedReplica]) -> list[ObservedReplica]:
    """Those that run or will, in the order in which to keep them: ready before not, then by age."""
    return sorted(
        (replica for replica in replicas if replica.phase in LIVE),
        key=lambda replica: (replica.phase is not Phase.READY, replica.since, replica.id),
    )


def ready(groups: Groups, numbers: Numbers) -> dict[ReplicaKey, list[ObservedReplica]]:
    """Per key the replicas that should take calls: ready, and not more than are wanted."""
    return {
        key: [
            replica
            for replica in live(groups.get(key, ()))[:number]
            if replica.phase is Phase.READY
        ]
        for key, number in numbers.items()
    }


def count(groups: Groups, key: ReplicaKey, phases: Iterable[Phase]) -> int:
    """How many replicas of `key` are in one of `phases`."""
    phases = tuple(phases)
    return sum(replica.phase in phases for replica in groups.get(key, ()))
