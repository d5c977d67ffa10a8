"""Desired and observed → the routing table. Pure.

A version stands under its name once each of its services had a ready replica; until then the
release that stood there before goes on serving. So a release that never becomes ready takes
nothing away.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mesh.control.desired import (
    Desired,
    DesiredDeployment,
    DesiredVersion,
    Serving,
    VersionKey,
)
from mesh.control.fleet import LIVE, ReplicaKey, grouped, ready, wanted
from mesh.control.observed import ObservedReplica, Phase
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    Replica,
    Service,
    Snapshot,
    Version,
    WeightedDeployment,
)

Ready = Mapping[ReplicaKey, list[ObservedReplica]]
Groups = Mapping[ReplicaKey, Sequence[ObservedReplica]]


def publish(
    desired: Desired, observed: tuple[ObservedReplica, ...], serving: Serving
) -> tuple[Snapshot, Serving]:
    """The table that callers should have now, unnumbered, and what it serves.

    A replica that is not wanted any more is not in it, though it still runs: draining it is safe
    once the table is out.
    """
    groups = grouped(observed)
    able = ready(wanted(desired, serving), groups)
    standing = {
        (deployment.name, version.name): release
        for deployment in desired.deployments.values()
        for version in deployment.versions
        if (release := _standing(deployment.name, version, serving, able)) is not None
    }
    deployments = {
        deployment.name: _deployment(deployment, standing, able)
        for deployment in desired.deployments.values()
    }
    kept = {(name, release.id) for (name, _), release in standing.items()} | {
        (deployment.name, version.id)
        for deployment in desired.deployments.values()
        for version in deployment.versions
    }
    leaving = dict(_leaving(serving, kept, groups))
    for (name, _), version in leaving.items():
        deployments[name] = _with_leaving(deployments.get(name), name, version, groups)
    endpoints = _endpoints(desired)
    snapshot = Snapshot(
        endpoints=endpoints,
        deployments=deployments,
        default_endpoint=next(iter(endpoints), ""),
    )
    return snapshot, Serving(standing, _replicas(snapshot), leaving)


def _leaving(
    serving: Serving, kept: Container[VersionKey], groups: Groups
) -> Iterator[tuple[VersionKey, DesiredVersion]]:
    """Graphs that stood in the last snapshot, are wanted no more, and may still have calls.

    All calls of a graph come through its entry. So what is below the entry takes calls until the
    entry's last replica has drained.
    """
    before = {(name, version.id): version for (name, _), version in serving.versions.items()}
    for (name, identity), version in {**serving.leaving, **before}.items():
        is_graph = len(version.services) > 1 and (name, identity) not in kept
        if is_graph and _has_calls(groups.get((name, identity, version.entry), ())):
            yield (name, identity), version


def _has_calls(entries: Iterable[ObservedReplica]) -> bool:
    return any(replica.phase in (*LIVE, Phase.DRAINING) for replica in entries)


def _with_leaving(
    deployment: Deployment | None, name: str, version: DesiredVersion, groups: Groups
) -> Deployment:
    """The deployment with the graph under its id, without any weight and without its entry."""
    able = {
        key: [replica for replica in replicas if replica.phase is Phase.READY]
        for key, replicas in groups.items()
    }
    named = replace(version, name=version.id, weight=0)
    left = _version(name, named, named, _below(name, version, able))
    found = deployment or Deployment(name, ())
    return replace(found, versions=(*found.versions, left))


def _standing(
    deployment: str, version: DesiredVersion, serving: Serving, able: Ready
) -> DesiredVersion | None:
    before = serving.versions.get((deployment, version.name))
    if before is not None and before.id == version.id:
        return version
    if all(
        able[deployment, version.id, service.name]
        for service in version.services.values()
        if service.replicas
    ):
        return version
    return before


def _deployment(
    deployment: DesiredDeployment,
    standing: Mapping[tuple[str, str], DesiredVersion],
    able: Ready,
) -> Deployment:
    versions = []
    for version in deployment.versions:
        release = standing.get((deployment.name, version.name))
        # A version that never was ready is known, so that callers hear "not now" and not "no
        # such thing"; but it takes no calls that half of its graph could not finish.
        replicas = able if release is not None else _below(deployment.name, version, able)
        versions.append(_version(deployment.name, version, release or version, replicas))
    versions += _arriving(deployment, {version.id for version in versions}, able)
    return Deployment(deployment.name, tuple(versions), deployment.split_by, deployment.split_key)


def _below(deployment: str, version: DesiredVersion, able: Ready) -> Ready:
    """The replicas but those of the entry: a service may call others while it is made."""
    entry = (deployment, version.id, version.entry)
    return {key: replicas for key, replicas in able.items() if key != entry}


def _arriving(
    deployment: DesiredDeployment, known: Container[str], able: Ready
) -> Iterator[Version]:
    """Graphs that a predecessor still stands for, under their ids and without any weight."""
    for version in deployment.versions:
        if version.id not in known and len(version.services) > 1:
            named = replace(version, name=version.id, weight=0)
            replicas = _below(deployment.name, version, able)
            yield _version(deployment.name, named, named, replicas)


def _version(
    deployment: str, version: DesiredVersion, release: DesiredVersion, able: Ready
) -> Version:
    services = {
        service.name: Service(
            name=service.name,
            methods=service.methods,
            replicas=tuple(
                Replica(replica.id, replica.address)
                for replica in sorted(
                    able.get((deployment, release.id, service.name), ()),
                    key=lambda replica: replica.id,
                )
            ),
            timeout=service.timeout,
            max_concurrency=service.max_concurrency,
            max_request_bytes=service.max_request_bytes,
            schema_json=service.schema_json,
            docs=service.docs,
            rpc_service=service.rpc_service,
            descriptors=service.descriptors,
            models=service.models,
            edge=service.edge,
        )
        for service in release.services.values()
    }
    return Version(release.id, version.name, release.entry, services, version.weight)


def _endpoints(desired: Desired) -> dict[str, Endpoint]:
    endpoints = {
        endpoint.name: Endpoint(
            endpoint.name,
            tuple(WeightedDeployment(*share) for share in endpoint.deployments.items()),
        )
        for endpoint in desired.endpoints.values()
    }
    named = {name for endpoint in desired.endpoints.values() for name in endpoint.deployments}
    for name in desired.deployments:
        if name not in named and name not in endpoints:
            endpoints[name] = Endpoint(name, (WeightedDeployment(name, 1),))
    return endpoints


def _replicas(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(
        replica.id
        for deployment in snapshot.deployments.values()
        for version in deployment.versions
        for service in version.services.values()
        for replica in service.replicas
    )
