"""How full a deployment is, by the calls that its entry replicas hold."""

from collections.abc import Callable, Iterator, Mapping

from mesh.traffic.snapshot import Deployment, Service, Version

ASSUMED = 16
"""Places of a replica of which nobody says how many it has, where free places are compared."""

Ready = Callable[[Version], bool]
"""Whether a version can take a request now."""


def limit(service: Service) -> int:
    """Calls at which a replica of the service is full: `concurrency`, else `max_concurrency`.

    0 if nobody says: such a replica is never full.
    """
    return service.concurrency or service.max_concurrency


def has_place(deployment: Deployment, in_flight: Mapping[str, int], ready: Ready) -> bool:
    """Whether a replica of a version that takes traffic is not full. `in_flight` is by id."""
    return any(
        not (most := limit(entry))
        or any(in_flight.get(replica.id, 0) < most for replica in entry.replicas)
        for entry in _entries(deployment, ready)
    )


def free_places(deployment: Deployment, in_flight: Mapping[str, int], ready: Ready) -> int:
    """Calls that the replicas of versions that take traffic could take on.

    A replica without a limit counts as one with ASSUMED places of which one at least is free.
    """
    free = 0
    for entry in _entries(deployment, ready):
        most = limit(entry)
        least = 0 if most else 1
        for replica in entry.replicas:
            free += max(least, (most or ASSUMED) - in_flight.get(replica.id, 0))
    return free


def is_asleep(version: Version) -> bool:
    """Whether the version has no replica, and gets one for a call that waits."""
    entry = version.services.get(version.entry)
    return entry is not None and not entry.replicas and entry.cold_start > 0


def _entries(deployment: Deployment, ready: Ready) -> Iterator[Service]:
    for version in deployment.shares.members:
        if ready(version):
            yield version.services[version.entry]
