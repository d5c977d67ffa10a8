"""A cluster on paper: takes the controller's actions, lets time pass, fails on demand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mesh.control.advance import Step, advance
from mesh.control.desired import (
    DesiredDeployment,
    DesiredService,
    DesiredVersion,
    Standing,
    Strategy,
)
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.reconcile import Action, DrainReplica, Forget, StartReplica, StopReplica
from mesh.control.records import Intent
from mesh.launch import Source
from mesh.traffic.snapshot import Deployment


def version(
    identity: str,
    name: str = "main",
    weight: int = 100,
    strategy: Strategy = Strategy.ROLLING,
    cold_start: float = 0.0,
    **replicas: int,
) -> DesiredVersion:
    """A version whose services are named by keywords, with their numbers of replicas."""
    replicas = replicas or {"A": 1}
    services = {
        service: DesiredService(service, number, number, strategy=strategy, cold_start=cold_start)
        for service, number in replicas.items()
    }
    return DesiredVersion(identity, name, weight, next(iter(services)), services, Source("m:A"))


def desired(
    *versions: DesiredVersion, revision: int = 1, intent: Intent = Intent.RUN
) -> DesiredDeployment:
    return DesiredDeployment("d", revision, versions, intent=intent)


def replica(
    identity: str,
    version_id: str = "v1",
    phase: Phase = Phase.READY,
    *,
    service: str = "A",
    deployment: str = "d",
    since: float = 0.0,
    reason: str = "",
    lived: float = 0.0,
) -> ObservedReplica:
    address = "" if phase is Phase.STARTING else f"{identity}:1"
    return ObservedReplica(
        identity,
        deployment,
        version_id,
        service,
        phase,
        address,
        reason=reason,
        since=since,
        lived=lived,
    )


@dataclass
class Simulation:
    """What runs of one deployment, what is published, and the clock."""

    desired: DesiredDeployment
    replicas: dict[str, ObservedReplica] = field(default_factory=dict)
    standing: Standing = field(default_factory=dict)
    scale: dict[tuple[str, str], int] = field(default_factory=dict)
    traffic: Deployment | None = None
    now: float = 0.0
    started: int = 0
    broken: frozenset[str] = frozenset()  # version ids that cannot start
    slow: frozenset[str] = frozenset()  # version ids that never become ready

    def step(self) -> list[Action]:
        """What the controller does when it looks once."""
        step = self.look()
        for action in step.actions:
            self._do(action)
        return list(step.actions)

    def look(self) -> Step:
        """What follows from the state now, before any action is taken."""
        observed = tuple(self.replicas.values())
        step = advance(self.desired, self.standing, self.scale, observed, self.now)
        self.standing, self.traffic = step.standing, step.traffic
        return step

    def _do(self, action: Action) -> None:
        match action:
            case StartReplica(launch):
                self.started += 1
                name = f"new-{self.started:04}"
                self.replicas[name] = replica(
                    name,
                    launch.version_id,
                    Phase.STARTING,
                    service=launch.service,
                    deployment=launch.deployment,
                    since=self.now,
                )
            case DrainReplica(identity):
                assert self.replicas[identity].phase is Phase.READY
                assert identity not in self.published(), "drained while it had traffic"
                self._enter(identity, Phase.DRAINING)
            case StopReplica(identity):
                assert identity not in self.published(), "stopped while it had traffic"
                self._enter(identity, Phase.GONE)
            case Forget(identity):
                assert self.replicas.pop(identity).phase in (Phase.FAILED, Phase.GONE)

    def _enter(self, identity: str, phase: Phase) -> None:
        self.replicas[identity] = replace(self.replicas[identity], phase=phase, since=self.now)

    def progress(self) -> None:
        """Everything that is under way comes to its end."""
        for identity, each in self.replicas.items():
            if each.phase is Phase.STARTING and each.version_id in self.broken:
                self._enter(identity, Phase.FAILED)
            elif each.phase is Phase.STARTING and each.version_id not in self.slow:
                self.ready(identity)
            elif each.phase is Phase.DRAINING:
                self._enter(identity, Phase.DRAINED)

    def ready(self, identity: str) -> None:
        self._enter(identity, Phase.READY)
        self.replicas[identity] = replace(self.replicas[identity], address=f"{identity}:1")

    def die(self, identity: str) -> None:
        lived = self.now - self.replicas[identity].since
        self._enter(identity, Phase.FAILED)
        self.replicas[identity] = replace(self.replicas[identity], lived=lived, reason="died")

    def settle(self, rounds: int = 60, seconds: float = 10.0) -> None:
        """Lets the controller look and time pass, again and again."""
        for _ in range(rounds):
            self.step()
            self.progress()
            self.now += seconds

    def count(self) -> Mapping[tuple[str, str, Phase], int]:
        counts: dict[tuple[str, str, Phase], int] = {}
        for each in self.replicas.values():
            key = (each.version_id, each.service, each.phase)
            counts[key] = counts.get(key, 0) + 1
        return counts

    def published(self, *, entry: bool = False) -> set[str]:
        """Ids of the replicas that callers see, or those that requests from outside reach."""
        return {
            each.id
            for one in (self.traffic.versions if self.traffic else ())
            for service in one.services.values()
            if not entry or (service.name == one.entry and one.weight)
            for each in service.replicas
        }

    def ids(self, version_id: str, *phases: Phase) -> set[str]:
        """Ids of the replicas of a release that are in one of `phases` (none given: in any)."""
        return {
            each.id
            for each in self.replicas.values()
            if each.version_id == version_id and (not phases or each.phase in phases)
        }
