"""How far a deployment is, and why it is not further. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from mesh.control.desired import DesiredDeployment, DesiredVersion, Scale, Standing
from mesh.control.fleet import BUSY, LIVE, Groups, count, grouped
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.records import Intent
from mesh.control.rollout import sizes_of


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
    TERMINATED = 6
    """Stopped; it can be started again."""
    SCALED_TO_ZERO = 7
    """Nothing of `main` runs, because nobody calls it; the next request starts it."""

    @property
    def label(self) -> str:
        """The word for people and for the REST API, such as `scaled-to-zero`."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service: replicas that should run, those that are ready, and why the others are not."""

    name: str
    desired: int
    ready: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version of a deployment. `id` is that of the desired release.

    `replacing` are the ids of the releases that it takes the place of and that have calls still.
    """

    name: str
    id: str
    weight: int
    services: tuple[ServiceStatus, ...]
    replacing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """One deployment. `reason` is one line, empty if nothing is wrong."""

    name: str
    revision: int
    phase: DeploymentPhase
    reason: str = ""
    versions: tuple[VersionStatus, ...] = ()


def status_of(
    deployment: DesiredDeployment,
    standing: Standing,
    scale: Scale,
    observed: Sequence[ObservedReplica],
    wall: float,
) -> DeploymentStatus:
    """The status of a deployment of which `observed` are the replicas.

    `wall` is the time in seconds since the Unix epoch.
    """
    groups = grouped(observed)
    versions = tuple(
        _version(version, standing.get(version.name, ()), scale, groups)
        for version in deployment.versions
    )
    if deployment.intent is not Intent.RUN:
        is_over = not any(each.phase in (*BUSY, Phase.DRAINED) for each in observed)
        ended = is_over and deployment.intent is Intent.TERMINATE
        phase = DeploymentPhase.TERMINATED if ended else DeploymentPhase.TERMINATING
        return DeploymentStatus(deployment.name, deployment.revision, phase, "", versions)
    phase = _phase(deployment, versions, groups)
    reason = "" if phase is DeploymentPhase.RUNNING else _reason(versions)
    if phase is DeploymentPhase.DEPLOYING and _is_late(deployment, standing, wall):
        phase = DeploymentPhase.FAILED
        waited = f"not ready within {deployment.progress_deadline:g} s"
        reason = f"{waited}: {reason}" if reason else waited
    return DeploymentStatus(deployment.name, deployment.revision, phase, reason, versions)


_RANK = {
    DeploymentPhase.RUNNING: 0,
    DeploymentPhase.DEPLOYING: 1,
    DeploymentPhase.UNHEALTHY: 2,
    DeploymentPhase.FAILED: 3,
}


def _phase(
    deployment: DesiredDeployment, versions: Sequence[VersionStatus], groups: Groups
) -> DeploymentPhase:
    phase = DeploymentPhase.RUNNING
    for version in versions:
        for service in version.services:
            group = groups.get((version.id, service.name), ())
            found = _service_phase(group, service.desired)
            if _RANK[found] > _RANK[phase]:
                phase = found
        if version.replacing and phase is DeploymentPhase.RUNNING:
            phase = DeploymentPhase.DEPLOYING
    main, entry = versions[0], deployment.versions[0].entry
    asleep = not any(service.desired for service in main.services if service.name == entry)
    if phase is DeploymentPhase.RUNNING and asleep and not count(groups, (main.id, entry), LIVE):
        return DeploymentPhase.SCALED_TO_ZERO
    return phase


def _service_phase(group: Sequence[ObservedReplica], desired: int) -> DeploymentPhase:
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


def _is_late(deployment: DesiredDeployment, standing: Standing, wall: float) -> bool:
    """Whether some version has had no ready graph for too long."""
    return wall - deployment.since > deployment.progress_deadline and any(
        all(release.id != version.id for release in standing.get(version.name, ()))
        for version in deployment.versions
    )


def _version(
    version: DesiredVersion, releases: Sequence[DesiredVersion], scale: Scale, groups: Groups
) -> VersionStatus:
    services = []
    for service, size in sizes_of(version, scale).items():
        group = groups.get((version.id, service), ())
        ready = sum(replica.phase is Phase.READY for replica in group)
        why = "" if ready >= size else _why(group)
        services.append(ServiceStatus(service, size, ready, why))
    replacing = tuple(release.id for release in releases if release.id != version.id)
    return VersionStatus(version.name, version.id, version.weight, tuple(services), replacing)


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
