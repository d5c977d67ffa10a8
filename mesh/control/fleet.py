"""Which replicas there should be, and which of those that run are the ones to keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mesh.control.desired import Desired, DesiredVersion, Serving, launch_of
from mesh.control.observed import ObservedReplica, Phase
from mesh.launch import Launch

ReplicaKey = tuple[str, str, str]
"""Deployment, version id, service: replicas with one key are interchangeable."""

LIVE = (Phase.STARTING, Phase.READY)
"""Phases of replicas that count towards the number that should run."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many replicas of one key there should be, and what starts one."""

    launch: Launch
    replicas: int


def key_of(replica: ObservedReplica) -> ReplicaKey:
    """The key of a replica that runs."""
    return (replica.deployment, replica.version_id, replica.service)


def grouped(observed: Iterable[ObservedReplica]) -> dict[ReplicaKey, list[ObservedReplica]]:
    """Replicas by key."""
    groups: dict[ReplicaKey, list[ObservedReplica]] = {}
    for replica in observed:
        groups.setdefault(key_of(replica), []).append(replica)
    return groups


def wanted(desired: Desired, serving: Serving) -> dict[ReplicaKey, Wanted]:
    """What should run: the desired versions, and the predecessors that still stand in for them."""
    fleet: dict[ReplicaKey, Wanted] = {}
    for deployment in desired.deployments.values():
        for version in deployment.versions:
            _add(fleet, deployment.name, version)
            standing = serving.versions.get((deployment.name, version.name))
            if standing is not None and standing.id != version.id:
                _add(fleet, deployment.name, standing)
    return fleet


def _add(fleet: dict[ReplicaKey, Wanted], deployment: str, version: DesiredVersion) -> None:
    for service in version.services.values():
        key = (deployment, version.id, service.name)
        # Names that share a release share its replicas: each asks for a number, the largest holds.
        if key not in fleet or fleet[key].replicas < service.replicas:
            fleet[key] = Wanted(launch_of(deployment, version, service), service.replicas)


def live(replicas: Iterable[ObservedReplica]) -> list[ObservedReplica]:
    """Those that run or will, in the order in which to keep them: ready before not, then by age."""
    return sorted(
        (replica for replica in replicas if replica.phase in LIVE),
        key=lambda replica: (replica.phase is not Phase.READY, replica.since, replica.id),
    )


def ready(
    fleet: Mapping[ReplicaKey, Wanted], groups: Mapping[ReplicaKey, Sequence[ObservedReplica]]
) -> dict[ReplicaKey, list[ObservedReplica]]:
    """Per key the replicas that should take calls: ready, and not more than are wanted."""
    return {
        key: [
            replica
            for replica in live(groups.get(key, ()))[: want.replicas]
            if replica.phase is Phase.READY
        ]
        for key, want in fleet.items()
    }
