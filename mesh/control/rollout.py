"""How many replicas each release of a deployment should have now. Pure.

A rollout is a graph's: a call stays inside one release, so requests move from the old graph to the
new one only as far as each service of the new graph has replicas. How many more, or fewer, than
are wanted may run meanwhile is each service's strategy.
"""

from collections.abc import Container, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor

from mesh.control.desired import DesiredDeployment, DesiredVersion, Scale, Standing, Strategy
from mesh.control.fleet import BUSY, LIVE, Groups, Numbers, ReplicaKey, count
from mesh.control.observed import Phase


def room(strategy: Strategy, wanted: int) -> tuple[int, int]:
    """How many replicas more, and how many fewer, than `wanted` a rollout may have.

    RollingUpdate has the bounds that Kubernetes gives it by default, 25 % each. The controlled
    one takes down 20 % and needs no room for more; where that is less than one, it needs one.
    """
    match strategy:
        case Strategy.ROLLING:
            return ceil(wanted / 4), wanted // 4
        case Strategy.RAMPED:
            return 1, 0
        case Strategy.BEST_EFFORT:
            fewer = wanted // 5
            return (0 if fewer else 1), fewer
        case Strategy.RECREATE:
            return 0, wanted


def sizes_of(version: DesiredVersion, scale: Scale) -> dict[str, int]:
    """How many replicas each service of a version is to have when it stands alone."""
    return {
        name: scale.get((version.name, name), service.min_replicas)
        for name, service in version.services.items()
    }


def is_recreated(version: DesiredVersion) -> bool:
    """Whether its predecessors end before it begins: a graph does if one service of it has to."""
    return any(service.strategy is Strategy.RECREATE for service in version.services.values())


def numbers(
    deployment: DesiredDeployment, standing: Standing, scale: Scale, groups: Groups
) -> dict[ReplicaKey, int]:
    """The number of replicas of each key; a key that is not there should have none.

    Names that share a release share its replicas: each asks for a number, the largest holds.
    """
    found: dict[ReplicaKey, int] = {}

    def ask(wanted: Numbers) -> None:
        for key, number in wanted.items():
            found[key] = max(found.get(key, 0), number)

    names = {version.name for version in deployment.wanted}
    ids = {version.id for version in deployment.wanted}
    for version in deployment.wanted:
        old = [each for each in standing.get(version.name, ()) if each.id != version.id]
        has_begun = len(old) < len(standing.get(version.name, ()))
        sizes = sizes_of(version, scale)
        ask(_moved(version, old, sizes, scale, groups, has_begun=has_begun, shared=ids))
    for name, releases in standing.items():
        if name not in names:
            for release in releases:
                ask(_leaving(release, {}, groups))
    return found


def _moved(
    new: DesiredVersion,
    old: Sequence[DesiredVersion],
    sizes: Mapping[str, int],
    scale: Scale,
    groups: Groups,
    *,
    has_begun: bool,
    shared: Container[str],
) -> dict[ReplicaKey, int]:
    """The numbers of a release and of its predecessors, oldest first.

    `has_begun` says that the release takes requests; a predecessor never grows again then.
    `shared` are the ids that versions want.
    """

    def running_of(release: DesiredVersion, service: str) -> int:
        return count(groups, (release.id, service), LIVE)

    if not old:
        return {(new.id, service): size for service, size in sizes.items()}
    if is_recreated(new):
        return _recreated(new, [each for each in old if each.id not in shared], sizes, groups)
    done = progress(new, sizes, groups)
    kept: dict[ReplicaKey, int] = {}
    left: dict[str, int] = {}
    for service, size in sizes.items():
        more, fewer = room(new.services[service].strategy, size)
        # A release that has shown nothing yet takes nothing away, unless it needs the room.
        tolerated = fewer if has_begun or not more else 0
        left[service] = max(0, size - floor(size * done) - tolerated) if done < 1 else 0
    for release in reversed(old):
        share = {}
        for service in release.services:
            running = running_of(release, service)
            # What nothing takes the place of stays as it is until the old graph is gone.
            place = _successor(service, release, new)
            wanted = left.get(place, running)
            if release is not old[0]:
                # What only starts is not worth more than what is ready in an older release.
                ready = count(groups, (release.id, service), (Phase.READY,))
                wanted = min(wanted, ready)
            else:
                most = running if has_begun else scale.get((release.id, service), wanted)
                wanted = min(wanted, most)
            share[service] = wanted
            if place in left:
                left[place] -= wanted
        kept |= _leaving(release, share, groups)
    found = {}
    for service, size in sizes.items():
        more, _ = room(new.services[service].strategy, size)
        taken = sum(
            # What another version wants as well does not go, and takes no room of this one.
            max(kept[each.id, name], 0 if each.id in shared else running_of(each, name))
            for each in old
            for name in each.services
            if _successor(name, each, new) == service
        )
        found[new.id, service] = min(size, max(running_of(new, service), size + more - taken))
    return kept | found


def _successor(service: str, old: DesiredVersion, new: DesiredVersion) -> str:
    """The service of `new` that takes the place of one of `old`; empty: none does.

    Entries take each other's place, whatever they are called.
    """
    if service == old.entry:
        return new.entry
    return service if service in new.services and service != new.entry else ""


def progress(version: DesiredVersion, sizes: Mapping[str, int], groups: Groups) -> Fraction:
    """How much of the requests a graph can take, 0 to 1: as much as its least ready service."""
    return min(
        (
            Fraction(min(size, count(groups, (version.id, service), (Phase.READY,))), size)
            for service, size in sizes.items()
            if size
        ),
        default=Fraction(1),
    )


def _recreated(
    new: DesiredVersion,
    old: Sequence[DesiredVersion],
    sizes: Mapping[str, int],
    groups: Groups,
) -> dict[ReplicaKey, int]:
    found: dict[ReplicaKey, int] = {}
    for release in old:
        found |= _leaving(release, {}, groups)
    ended = all(has_ended(release, groups) for release in old)
    return found | {(new.id, service): size if ended else 0 for service, size in sizes.items()}


def has_ended(release: DesiredVersion, groups: Groups) -> bool:
    """Whether no replica of a graph runs any more."""
    return not any(
        count(groups, (release.id, service), (*BUSY, Phase.DRAINED)) for service in release.services
    )


def _leaving(
    release: DesiredVersion, kept: Mapping[str, int], groups: Groups
) -> dict[ReplicaKey, int]:
    """The numbers of a release that is to have `kept` replicas by service, in the end none.

    All calls of a graph come through its entry. So what is below the entry is there as long as
    the entry may have calls.
    """
    entry = kept.get(release.entry, 0)
    found = {(release.id, release.entry): entry}
    has_calls = bool(entry or count(groups, (release.id, release.entry), BUSY))
    for service, desired in release.services.items():
        if service == release.entry:
            continue
        running = count(groups, (release.id, service), LIVE)
        wanted = kept.get(service, 0)
        if entry:
            # What may sleep is not woken by a rollout.
            wanted = max(wanted, 1 if desired.min_replicas else min(1, running))
        elif has_calls:
            wanted = max(wanted, running)
        found[release.id, service] = wanted
    return found
