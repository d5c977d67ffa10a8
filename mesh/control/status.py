"""How far each deployment is, and why it is not further. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from mesh.control.desired import Desired, DesiredDeployment, DesiredVersion, Serving
from mesh.control.fleet import ReplicaKey, grouped
from mesh.control.observed import ObservedReplica, Phase


class DeploymentPhase(IntEnum):
    """How far a deployment is; the numbers are those of mesh.v1.DeploymentPhase."""

    DEPLOYING = 1
    """Not every desired replica is ready yet. A reason says what holds it up, if anything does."""
    RUNNING = 2
    """Every desired replica is ready."""
    UNHEALTHY = 3
    """Some replica was ready before and is not now."""
    FAILED = 4
    """A version can't start; the reason says why. It is tried again, ever more slowly."""
    TERMINATING = 5
    """Being stopped."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service: replicas that should run, those that are ready, and why the others are not."""

    name: str
    desired: int
    ready: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version of a deployment. `id` is that of the desired release."""

    name: str
    id: str
    weight: int
    services: tuple[ServiceStatus, ...]


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """One deployment. `reason` is one line, empty if nothing is wrong."""

    name: str
    revision: int
    phase: DeploymentPhase
    reason: str = ""
    versions: tuple[VersionStatus, ...] = ()


Groups = Mapping[ReplicaKey, Sequence[ObservedReplica]]


def statuses(
    desired: Desired, observed: Sequence[ObservedReplica], serving: Serving
) -> tuple[DeploymentStatus, ...]:
    """The status of all deployments, those that are being stopped last."""
    groups = grouped(observed)
    live = [_status(deployment, groups, serving) for deployment in desired.deployments.values()]
    running = {replica.deployment for replica in observed}
    ending = [
        DeploymentStatus(name, 0, DeploymentPhase.TERMINATING)
        for name in sorted(desired.retired & running)
    ]
    return (*live, *ending)


def _status(deployment: DesiredDeployment, groups: Groups, serving: Serving) -> DeploymentStatus:
    versions = tuple(_version(deployment.name, v, groups) for v in deployment.versions)
    phase = DeploymentPhase.RUNNING
    reason = ""
    for version in deployment.versions:
        for service in version.services.values():
            group = groups.get((deployment.name, version.id, service.name), ())
            found = _phase(group, service.replicas)
            if _RANK[found] > _RANK[phase]:
                phase = found
    if phase is DeploymentPhase.RUNNING and not _stands(deployment, serving):
        phase = DeploymentPhase.DEPLOYING
    if phase is not DeploymentPhase.RUNNING:
        reason = _reason(versions)
    return DeploymentStatus(deployment.name, deployment.revision, phase, reason, versions)


_RANK = {
    DeploymentPhase.RUNNING: 0,
    DeploymentPhase.DEPLOYING: 1,
    DeploymentPhase.UNHEALTHY: 2,
    DeploymentPhase.FAILED: 3,
}


def _phase(group: Sequence[ObservedReplica], desired: int) -> DeploymentPhase:
    ready = sum(replica.phase is Phase.READY for replica in group)
    if ready >= desired:
        return DeploymentPhase.RUNNING
    failed = [replica for replica in group if replica.phase is Phase.FAILED]
    if not failed:
        return DeploymentPhase.DEPLOYING
    latest = max(failed, key=lambda replica: (replica.since, replica.id))
    if ready or latest.lived:
        return DeploymentPhase.UNHEALTHY
    return DeploymentPhase.FAILED


def _stands(deployment: DesiredDeployment, serving: Serving) -> bool:
    return all(
        (standing := serving.versions.get((deployment.name, version.name))) is not None
        and standing.id == version.id
        for version in deployment.versions
    )


def _version(deployment: str, version: DesiredVersion, groups: Groups) -> VersionStatus:
    services = []
    for service in version.services.values():
        group = groups.get((deployment, version.id, service.name), ())
        ready = sum(replica.phase is Phase.READY for replica in group)
        why = "" if ready >= service.replicas else _why(group)
        services.append(ServiceStatus(service.name, service.replicas, ready, why))
    return VersionStatus(version.name, version.id, version.weight, tuple(services))


def _why(group: Sequence[ObservedReplica]) -> str:
    told = [replica for replica in group if replica.reason]
    failed = [replica for replica in told if replica.phase is Phase.FAILED]
    waiting = [replica for replica in told if replica.phase is Phase.STARTING]
    latest = max(failed or waiting, key=lambda replica: (replica.since, replica.id), default=None)
    return latest.reason if latest else ""


def _reason(versions: Sequence[VersionStatus]) -> str:
    for version in versions:
        for service in version.services:
            if service.reason:
                return f"{version.name}: {service.name}: {service.reason}"
    return ""
