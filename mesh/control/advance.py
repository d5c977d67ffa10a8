"""One deployment, looked at once: what stands, what callers see, what is to be done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from mesh.control.desired import DesiredDeployment, Scale, Standing, launch_of
from mesh.control.fleet import Numbers, ReplicaKey, grouped
from mesh.control.observed import ObservedReplica
from mesh.control.publish import publish, replicas_of, standing_now
from mesh.control.reconcile import Action, next_try, reconcile
from mesh.control.rollout import numbers as numbers_of
from mesh.launch import Launch
from mesh.traffic.snapshot import Deployment


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from the state of one deployment.

    `traffic` goes out before `actions` are taken; None: callers should not know of it. `again` is
    when to look again though nothing has changed, on the clock of the replicas.
    """

    standing: Standing
    numbers: Numbers
    traffic: Deployment | None
    actions: Sequence[Action]
    again: float


def advance(
    deployment: DesiredDeployment,
    standing: Standing,
    scale: Scale,
    observed: Sequence[ObservedReplica],
    now: float,
) -> Step:
    """The next step of `deployment`, of which `observed` are the replicas."""
    groups = grouped(observed)
    standing = standing_now(deployment, standing, scale, groups)
    numbers = numbers_of(deployment, standing, scale, groups)
    traffic = publish(deployment, standing, numbers, groups)
    launches = _launches(deployment, standing)
    actions = reconcile(numbers, launches, groups, replicas_of(traffic), now)
    return Step(standing, numbers, traffic, actions, next_try(numbers, groups, now))


def _launches(deployment: DesiredDeployment, standing: Standing) -> dict[ReplicaKey, Launch]:
    releases = [release for each in standing.values() for release in each]
    return {
        (version.id, service.name): launch_of(deployment.name, version, service)
        for version in [*releases, *deployment.wanted]
        for service in version.services.values()
    }
