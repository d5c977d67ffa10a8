"""What deployments use: measured at each look, and written down now and then."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping

from mesh.control.course import Course
from mesh.control.loads import Outcomes
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.records import DEFAULT_ORGANIZATION, DeploymentRecord
from mesh.control.store.catalogue import Journal, Used
from mesh.control.usage import Kind, Meter

EVERY = 60.0
"""Seconds between two times at which what is used is written down: so much a crash may cost."""


class Metering:
    """Writes to a `journal` what is used. `now` is of a clock, `wall` the Unix time, in seconds."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._meter = Meter()
        self._written_at = float("-inf")

    def count(
        self, deployment: str, record: DeploymentRecord | None, outcomes: Outcomes, wall: float
    ) -> None:
        """Takes requests that have ended, and how many of them failed."""
        organization = record.organization if record else DEFAULT_ORGANIZATION
        self._meter.count(organization, deployment, outcomes.requests, outcomes.errors, wall)

    def look(self, ready: Mapping[Kind, int], wall: float) -> None:
        """Takes how many replicas are ready now."""
        self._meter.look(ready, wall)

    async def keep_at_times(self, now: float) -> None:
        """Writes down what was used if it is time. Raises as the journal does."""
        if now - self._written_at >= EVERY:
            self._written_at = now
            await self.keep()

    async def keep(self) -> None:
        """Writes down what was used; what cannot be written is kept for another try.

        To the end, even if it is cancelled: a journal may write it all the same, and it would be
        counted twice. Raises as the journal does.
        """
        taken = self._meter.take()
        if not taken:
            return
        kept = asyncio.ensure_future(self._write(taken))
        try:
            await asyncio.shield(kept)
        except asyncio.CancelledError:
            await asyncio.wait({kept})
            raise

    async def _write(self, taken: tuple[Used, ...]) -> None:
        try:
            await self._journal.add_used(*taken)
        except BaseException:
            self._meter.put_back(taken)
            raise


def ready_of(
    record: DeploymentRecord, course: Course, replicas: Iterable[ObservedReplica]
) -> Counter[Kind]:
    """How many replicas of a deployment are ready, by what they are counted as."""
    types = {
        (release.id, service.name): service.instance_type
        for releases in (*course.standing.values(), course.desired.versions)
        for release in releases
        for service in release.services.values()
    }
    return Counter(
        (record.organization, record.name, types.get((each.version_id, each.service), ""))
        for each in replicas
        if each.phase in (Phase.READY, Phase.DRAINING)
    )
