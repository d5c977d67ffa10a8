"""Which releases stand under the names of a deployment, and what callers see of it. Pure.

A version stands under its name once each of its services had a ready replica; until then the
release that stood there before goes on serving. So a release that never becomes ready takes
nothing away.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from mesh.control.desired import (
    DesiredDeployment,
    DesiredService,
    DesiredVersion,
    Scale,
    Standing,
)
from mesh.control.fleet import BUSY, Groups, Numbers, ReplicaKey, count, ready
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.reconcile import STABLE
from mesh.control.records import Intent
from mesh.control.rollout import has_ended, is_recreated, progress, sizes_of
from mesh.traffic.snapshot import Deployment, Replica, Service, Version

Ready = Mapping[ReplicaKey, Sequence[ObservedReplica]]


def standing_now(
    deployment: DesiredDeployment, before: Standing, scale: Scale, groups: Groups
) -> dict[str, tuple[DesiredVersion, ...]]:
    """The releases that stand under each name now, and those that stood there and have calls."""
    wanted = {version.name: version for version in deployment.wanted}
    ids = {version.id for version in wanted.values()}
    found = {}
    for name in {**before, **wanted}:
        new = wanted.get(name)
        stood = before.get(name, ())
        if new is None:
            kept = [each for each in stood if each.id not in ids and _has_calls(each, groups)]
        else:
            kept = _predecessors(new, stood, ids, scale, groups)
            if any(each.id == new.id for each in stood) or _is_complete(new, scale, groups):
                kept.append(new)
        if kept:
            found[name] = tuple(kept)
    return found


def _predecessors(
    new: DesiredVersion,
    stood: Sequence[DesiredVersion],
    wanted: Container[str],
    scale: Scale,
    groups: Groups,
) -> list[DesiredVersion]:
    is_over = progress(new, sizes_of(new, scale), groups) >= 1
    has_begun = _is_complete(new, scale, groups)

    def stays(release: DesiredVersion) -> bool:
        if release.id == new.id:
            return False
        if release.id in wanted:  # under another name, where it has calls for ever
            return not is_over
        if is_recreated(new):
            return not has_ended(release, groups)
        return not has_begun or _has_calls(release, groups)

    return [each for each in stood if stays(each)]


def _has_calls(release: DesiredVersion, groups: Groups) -> bool:
    return count(groups, (release.id, release.entry), BUSY) > 0


def _is_complete(version: DesiredVersion, scale: Scale, groups: Groups) -> bool:
    return all(
        count(groups, (version.id, service), (Phase.READY,))
        for service, size in sizes_of(version, scale).items()
        if size
    )


def publish(
    deployment: DesiredDeployment, standing: Standing, numbers: Numbers, groups: Groups
) -> Deployment | None:
    """What callers should see of the deployment now; None if there is nothing to see.

    A replica that is not wanted any more is not in it, though it still runs: draining it is safe
    once the table is out.
    """
    able = ready(groups, numbers)
    versions = [
        row
        for version in deployment.wanted
        for row in _rows(version, standing.get(version.name, ()), able, groups)
    ]
    known = {version.id for version in versions}
    names = {version.name for version in deployment.wanted}
    for name, releases in standing.items():
        for release in releases:
            if name not in names and release.id not in known and len(release.services) > 1:
                versions.append(_unnamed(release, able, groups))
                known.add(release.id)
    if deployment.intent is Intent.DELETE and not versions:
        return None
    return Deployment(
        deployment.name,
        tuple(versions),
        deployment.split_by,
        deployment.split_key,
        deployment.spills,
        deployment.protected,
        deployment.uid,
        deployment.organization,
    )


def replicas_of(deployment: Deployment | None) -> frozenset[str]:
    """The ids of all replicas that callers see."""
    return frozenset(
        replica.id
        for version in (deployment.versions if deployment is not None else ())
        for service in version.services.values()
        for replica in service.replicas
    )


def _rows(
    version: DesiredVersion, releases: Sequence[DesiredVersion], able: Ready, groups: Groups
) -> Iterator[Version]:
    """The releases that callers see for one name, those that take requests first."""
    shares = {each.id: len(able.get((each.id, each.entry), ())) for each in releases}
    face = next(
        (each for each in reversed(releases) if shares[each.id]),
        releases[-1] if releases else version,
    )
    others = []
    for release in releases:
        if shares[release.id] or release.id == face.id:
            named = replace(release, name=version.name, weight=version.weight)
            yield _version(named, max(shares[release.id], release.id == face.id), able, groups)
        elif len(release.services) > 1:
            others.append(release)
    if not releases:
        # A version that never was ready is known, so that callers hear "not now" and not "no
        # such thing"; but it takes no calls that half of its graph could not finish.
        yield _version(version, 1, _below(version, able), groups)
    elif version.id not in shares and len(version.services) > 1:
        others.append(version)
    for release in others:
        yield _unnamed(release, able, groups)


def _unnamed(release: DesiredVersion, able: Ready, groups: Groups) -> Version:
    """A graph that nobody is sent to: what is below its entry is called by its own replicas.

    They call while they are made, and while the entry's last ones finish.
    """
    named = replace(release, name=release.id, weight=0)
    return _version(named, 1, _below(release, able), groups)


def _below(version: DesiredVersion, able: Ready) -> Ready:
    return {key: found for key, found in able.items() if key != (version.id, version.entry)}


def _version(release: DesiredVersion, share: int, able: Ready, groups: Groups) -> Version:
    services = {
        service.name: _service(service, able.get((release.id, service.name), ()), groups, release)
        for service in release.services.values()
    }
    return Version(release.id, release.name, release.entry, services, release.weight, share)


def _service(
    service: DesiredService,
    replicas: Sequence[ObservedReplica],
    groups: Groups,
    release: DesiredVersion,
) -> Service:
    found = tuple(
        Replica(replica.id, replica.address)
        for replica in sorted(replicas, key=lambda replica: replica.id)
    )
    return Service(
        name=service.name,
        methods=service.methods,
        replicas=found,
        timeout=service.timeout,
        max_concurrency=service.max_concurrency,
        concurrency=service.concurrency,
        queue_limit=service.queue_limit,
        cold_start=service.cold_start
        if _may_come(groups.get((release.id, service.name), ()))
        else 0,
        max_request_bytes=service.max_request_bytes,
        schema_json=service.schema_json,
        docs=service.docs,
        rpc_service=service.rpc_service,
        descriptors=service.descriptors,
        models=service.models,
        edge=service.edge,
    )


def _may_come(group: Sequence[ObservedReplica]) -> bool:
    """Whether it is worth to wait for a replica: not while they fail as soon as they start."""
    return not any(each.phase is Phase.FAILED and each.lived < STABLE for each in group)
