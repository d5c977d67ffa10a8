"""One deployment while a controller follows it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_

from mesh.control.advance import Step, advance
from mesh.control.autoscale import History, decide
from mesh.control.desired import DesiredDeployment, Standing
from mesh.control.fleet import LIVE, Groups, grouped
from mesh.control.gauges import Gauges
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.progression import Progression, overlaid
from mesh.control.records import Event, Intent
from mesh.control.status import DeploymentPhase, DeploymentStatus, status_of


@dataclass(slots=True)
class Course:
    """What a controller knows of one deployment besides its records.

    `scale` has the number of replicas of each service by version name, `seen` when its replicas
    were last seen with calls. `step` is what the last look gave. `scales` says whether the number
    of some replicas follows the load. Until `patient_until` a service some of whose replicas have
    not reported is left as it is: they run, but its controller is new. Mappings in here are
    replaced, never changed.
    """

    desired: DesiredDeployment
    standing: Standing = field(default_factory=dict)
    scale: dict[tuple[str, str], int] = field(default_factory=dict)
    step: Step | None = None
    progression: Progression | None = None
    histories: dict[tuple[str, str], History] = field(default_factory=dict)
    seen: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    scales: bool = False
    told: tuple[str, str] = ("", "")
    patient_until: float = float("-inf")
    _known: tuple[tuple[object, ...], DeploymentStatus] | None = None
    _grouped: tuple[Sequence[ObservedReplica], Groups] | None = None

    def want(
        self,
        desired: DesiredDeployment,
        observed: Sequence[ObservedReplica],
        progression: Progression | None = None,
    ) -> None:
        """Makes `desired` what shall run; of services that are new it wants what is there already.

        One that never ran begins with one replica at least, so that what cannot start shows. The
        weight of the canary is what its `progression` has reached.
        """
        self.progression = progression
        desired = overlaid(desired, progression)
        if desired.intent is not Intent.RUN:
            self.scale = {}
        self.scale = {**self._held(observed), **self._wanted(desired, observed)}
        self.histories = {key: each for key, each in self.histories.items() if key in self.scale}
        self.desired = desired
        self.scales = any(
            service.rule is not None
            for version in desired.wanted
            for service in version.services.values()
        )

    def _held(self, observed: Sequence[ObservedReplica]) -> dict[tuple[str, str], int]:
        """The numbers that releases had which have to make way now."""
        last = {version.name: version.id for version in self.desired.versions}
        held = {}
        for name, releases in self.standing.items():
            for release in releases:
                was = name if last.get(name) == release.id else release.id
                for each in release.services:
                    there = self.scale.get((was, each))
                    if there is None and observed:
                        there = self._running({release.id}, each, observed)
                    elif there is None:  # all of it was ended, and begins again
                        there = max(1, release.services[each].min_replicas)
                    held[release.id, each] = there
        return held

    def _wanted(
        self, desired: DesiredDeployment, observed: Sequence[ObservedReplica]
    ) -> dict[tuple[str, str], int]:
        wanted = {}
        for version in desired.wanted:
            ids = {release.id for release in self.standing.get(version.name, ())}
            for service in version.services.values():
                key = (version.name, service.name)
                there = self.scale.get(key)
                if there is None:
                    there = self._running(ids, service.name, observed)
                    if version.id not in ids:
                        there = max(1, there)
                wanted[key] = min(max(there, service.min_replicas), service.max_replicas)
        return wanted

    @staticmethod
    def _running(ids: Container[str], service: str, observed: Sequence[ObservedReplica]) -> int:
        return sum(
            each.version_id in ids and each.service == service and each.phase in LIVE
            for each in observed
        )

    def reach(self, progression: Progression) -> None:
        """Makes `progression` how far the canary is."""
        self.progression = progression
        self.desired = overlaid(self.desired, progression)

    def rescale(
        self, gauges: Gauges, observed: Sequence[ObservedReplica], now: float
    ) -> Iterator[str]:
        """Lets the numbers of replicas follow the load; a sentence for each that changes."""
        groups = self._groups(observed)
        for version in self.desired.wanted:
            standing = self.standing.get(version.name, ())
            ids = tuple(dict.fromkeys((*(each.id for each in standing), version.id)))
            for service in version.services.values():
                if service.rule is None:
                    continue
                key = (version.name, service.name)
                there = [each for one in ids for each in groups.get((one, service.name), ())]
                if now < self.patient_until and any(
                    each.phase in LIVE and not gauges.knows(each.id) for each in there
                ):
                    continue
                taking = [each.id for each in there if each.phase is Phase.READY]
                leaving = self._leaving(key, there, gauges.settling, now)
                load = gauges.load(self.desired.name, ids, service.name, taking, now, leaving)
                current = self.scale[key]
                history = self.histories.get(key, History())
                decision = decide(service.rule, load, current, history, now)
                self.histories[key] = decision.history
                if decision.replicas != current:
                    self.scale = {**self.scale, key: decision.replicas}
                    yield f"{version.name}: {service.name}: {decision.reason}"

    def _groups(self, observed: Sequence[ObservedReplica]) -> Groups:
        """The replicas by what they run; worked out once for the same `observed`."""
        if self._grouped is None or self._grouped[0] is not observed:
            self._grouped = observed, grouped(observed)
        return self._grouped[1]

    def _leaving(
        self,
        key: tuple[str, str],
        there: Sequence[ObservedReplica],
        settling: float,
        now: float,
    ) -> list[str]:
        """The replicas (ids) that take no more calls but did `settling` seconds ago, or drain."""
        taking = {each.id for each in there if each.phase is Phase.READY}
        draining = {each.id for each in there if each.phase is Phase.DRAINING}
        before = self.seen.get(key, {})
        seen = {each: at for each, at in before.items() if now - at <= settling}
        self.seen[key] = seen | dict.fromkeys(taking | draining, now)
        return [each for each in self.seen[key] if each not in taking]

    def look(self, observed: Sequence[ObservedReplica], now: float) -> Step:
        """Looks at the replicas once; the caller takes the actions."""
        self.step = advance(self.desired, self.standing, self.scale, observed, now)
        self.standing = self.step.standing
        return self.step

    def status(self, observed: Sequence[ObservedReplica], wall: float) -> DeploymentStatus:
        """How far the deployment is."""
        of = (self.desired, self.standing, self.scale, observed)
        if self._known is not None and all(map(is_, self._known[0], of)):
            return self._known[1]
        status = status_of(self.desired, self.standing, self.scale, observed, wall)
        # Only while a deployment comes up does its status change with nothing but time.
        self._known = (of, status) if status.phase is not DeploymentPhase.DEPLOYING else None
        return status

    def news(self, observed: Sequence[ObservedReplica], wall: float) -> Event | None:
        """The event of a status that is not the one that was `told` last; None if it is."""
        status = self.status(observed, wall)
        told = (status.phase.label, status.reason)
        if told == self.told:
            return None
        return Event(wall, "status", status.name, "", status.revision, *told)

    def standing_ids(self) -> Mapping[str, tuple[str, ...]]:
        """What a record keeps of `standing`."""
        return {name: tuple(each.id for each in found) for name, found in self.standing.items()}
