"""One deployment while a controller follows it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from mesh.control.advance import Step, advance
from mesh.control.desired import DesiredDeployment, Standing
from mesh.control.fleet import LIVE
from mesh.control.observed import ObservedReplica
from mesh.control.records import Event, Intent
from mesh.control.status import DeploymentStatus, status_of


@dataclass(slots=True)
class Course:
    """What a controller knows of one deployment besides its records.

    `scale` has the number of replicas of each service by version name. `step` is what the last
    look gave.
    """

    desired: DesiredDeployment
    standing: Standing = field(default_factory=dict)
    scale: dict[tuple[str, str], int] = field(default_factory=dict)
    step: Step | None = None
    told: tuple[str, str] = ("", "")

    def want(self, desired: DesiredDeployment, observed: Sequence[ObservedReplica]) -> None:
        """Makes `desired` what shall run; of services that are new it wants what is there already.

        One that never ran begins with one replica at least, so that what cannot start shows.
        """
        if desired.intent is not Intent.RUN:
            self.scale = {}
        self.scale = {**self._held(observed), **self._wanted(desired, observed)}
        self.desired = desired

    def _held(self, observed: Sequence[ObservedReplica]) -> dict[tuple[str, str], int]:
        """The numbers that releases had which have to make way now."""
        last = {version.name: version.id for version in self.desired.versions}
        held = {}
        for name, releases in self.standing.items():
            for release in releases:
                was = name if last.get(name) == release.id else release.id
                for each in release.services:
                    there = self.scale.get((was, each))
                    if there is None:
                        there = self._running({release.id}, each, observed)
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
                    there = max(1, self._running(ids, service.name, observed))
                wanted[key] = min(max(there, service.min_replicas), service.max_replicas)
        return wanted

    @staticmethod
    def _running(ids: Container[str], service: str, observed: Sequence[ObservedReplica]) -> int:
        return sum(
            each.version_id in ids and each.service == service and each.phase in LIVE
            for each in observed
        )

    def look(self, observed: Sequence[ObservedReplica], now: float) -> Step:
        """Looks at the replicas once; the caller takes the actions."""
        self.step = advance(self.desired, self.standing, self.scale, observed, now)
        self.standing = self.step.standing
        return self.step

    def status(self, observed: Sequence[ObservedReplica], wall: float) -> DeploymentStatus:
        """How far the deployment is."""
        return status_of(self.desired, self.standing, self.scale, observed, wall)

    def news(self, observed: Sequence[ObservedReplica], wall: float) -> Event | None:
        """The event of a status that has changed since this was last asked."""
        status = self.status(observed, wall)
        told = (status.phase.label, status.reason)
        if told == self.told:
            return None
        self.told = told
        return Event(wall, "status", status.name, "", status.revision, *told)

    def standing_ids(self) -> Mapping[str, tuple[str, ...]]:
        """What a record keeps of `standing`."""
        return {name: tuple(each.id for each in found) for name, found in self.standing.items()}
