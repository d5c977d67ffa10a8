"""Desired and observed → the routing table. Pure.

A version stands under its name once each of its services had a ready replica; until then the
release that stood there before goes on serving. So a release that never becomes ready takes
nothing away.
"""

from collections.abc import Mapping

from mesh.control.desired import Desired, DesiredDeployment, DesiredVersion, Serving
from mesh.control.fleet import ReplicaKey, grouped, ready, wanted
from mesh.control.observed import ObservedReplica
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


def publish(
    desired: Desired, observed: tuple[ObservedReplica, ...], serving: Serving
) -> tuple[Snapshot, Serving]:
    """The table that callers should have now, unnumbered, and what it serves.

    A replica that is not wanted any more is not in it, though it still runs: draining it is safe
    once the table is out.
    """
    able = ready(wanted(desired, serving), grouped(observed))
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
    endpoints = _endpoints(desired)
    snapshot = Snapshot(
        endpoints=endpoints,
        deployments=deployments,
        default_endpoint=next(iter(endpoints), ""),
    )
    return snapshot, Serving(standing, _replicas(snapshot))


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
        replicas = able if release is not None else {}
        versions.append(_version(deployment.name, version, release or version, replicas))
    return Deployment(deployment.name, tuple(versions), deployment.split_by, deployment.split_key)


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
