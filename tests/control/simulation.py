"""A cluster on paper: takes the controller's actions, lets time pass, fails on demand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mesh.control.desired import (
    Desired,
    DesiredDeployment,
    DesiredService,
    DesiredVersion,
    Serving,
)
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.publish import publish
from mesh.control.reconcile import (
    Action,
    DrainReplica,
    Forget,
    StartReplica,
    StopReplica,
    reconcile,
)
from mesh.launch import Source
from mesh.traffic.snapshot import Snapshot


def version(
    identity: str, name: str = "main", weight: int = 100, **replicas: int
) -> DesiredVersion:
    """A version whose services are named by keywords, with their numbers of replicas."""
    replicas = replicas or {"A": 1}
    services = {service: DesiredService(service, number) for service, number in replicas.items()}
    return DesiredVersion(identity, name, weight, next(iter(services)), services, Source("m:A"))


def desired(*versions: DesiredVersion, name: str = "d", revision: int = 1) -> Desired:
    return Desired({name: DesiredDeployment(name, revision, versions)})


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
        identity, deployment, version_id, service, phase, address, reason, since, lived
    )


@dataclass
class Simulation:
    """What runs, what is published, and the clock."""

    desired: Desired
    replicas: dict[str, ObservedReplica] = field(default_factory=dict)
    serving: Serving = field(default_factory=Serving)
    snapshot: Snapshot = field(default_factory=Snapshot)
    now: float = 0.0
    started: int = 0
    broken: frozenset[str] = frozenset()  # version ids that cannot start

    def step(self) -> list[Action]:
        """What the controller does when it looks once."""
        observed = tuple(self.replicas.values())
        self.snapshot, self.serving = publish(self.desired, observed, self.serving)
        actions = reconcile(self.desired, observed, self.serving, self.now)
        for action in actions:
            self._do(action)
        return actions

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
                assert identity not in published(self.snapshot), "drained while it had traffic"
                self._enter(identity, Phase.DRAINING)
            case StopReplica(identity):
                assert identity not in published(self.snapshot), "stopped while it had traffic"
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
            elif each.phase is Phase.STARTING:
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

    def count(self) -> Mapping[tuple[str, str, str, Phase], int]:
        counts: dict[tuple[str, str, str, Phase], int] = {}
        for each in self.replicas.values():
            key = (each.deployment, each.version_id, each.service, each.phase)
            counts[key] = counts.get(key, 0) + 1
        return counts


def published(snapshot: Snapshot, deployment: str | None = None) -> set[str]:
    """Ids of the replicas in a snapshot."""
    return {
        each.id
        for entry in snapshot.deployments.values()
        if deployment in (None, entry.name)
        for one in entry.versions
        for service in one.services.values()
        for each in service.replicas
    }
