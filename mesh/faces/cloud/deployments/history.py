"""What a deployment was set to, and how it was."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.records import CLUSTER, Event, RevisionRecord
from mesh.control.status import DeploymentPhase
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.listing import Deployments
from mesh.faces.cloud.deployments.lists import require_super_admin
from mesh.faces.cloud.deployments.shown import Shown, ShownRevision, revision_of
from mesh.faces.cloud.deployments.views import DeploymentViews
from mesh.faces.cloud.parameters import COUNT, Number, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.deployed import RevisionView, StatusRecord

READ = may(Verb.READ, Area.DEPLOYMENTS)
ITEM = "/api/v2/deployments/{name}"
OF_ANY = (
    "/api/admin/v1/organizations/{organization}/clusters/{cluster}/namespaces/{namespace}"
    "/deployments/{name}/status_records"
)
EVENTS = 5_000
"""Events that are looked through; a store keeps 1 000 of each of the five kinds."""


def deployment_history(backing: Backing) -> APIRouter:
    """The routes of revisions and of earlier statuses."""
    router = APIRouter(tags=["deployments"])
    past = History(backing)

    @router.get(f"{ITEM}/revisions")
    async def revisions(
        name: str,
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        cluster: Text = "",
    ) -> Listed[RevisionView]:
        """What a deployment was set to, the newest first."""
        shown = past.find(name, asker.organization, cluster)
        return await past.revisions(shown, start or 0, COUNT if count is None else count)

    @router.get(f"{ITEM}/revisions/{{uid}}")
    async def revision(
        name: str, uid: str, asker: Asker = READ, cluster: Text = ""
    ) -> RevisionView:
        """One of these."""
        return await past.revision(past.find(name, asker.organization, cluster), uid)

    @router.get(f"{ITEM}/status_records")
    async def statuses(
        name: str,
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        cluster: Text = "",
    ) -> Listed[StatusRecord]:
        """How a deployment was, the latest first."""
        shown = past.find(name, asker.organization, cluster)
        return await past.statuses(shown, start or 0, COUNT if count is None else count)

    @router.get(OF_ANY)
    async def statuses_of_any(
        organization: str,
        cluster: str,
        namespace: str,
        name: str,
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
    ) -> Listed[StatusRecord]:
        """The same of a deployment of any organization."""
        require_super_admin(asker)
        if namespace != CLUSTER:
            raise NotFound(f"there is no namespace {namespace!r}")
        shown = past.find(name, organization, cluster)
        return await past.statuses(shown, start or 0, COUNT if count is None else count)

    return router


def told(event: Event) -> Event | None:
    """What an event says of how a deployment was; None if it says nothing of that.

    What a release asks for and does not get is told when a revision of it begins to be deployed.
    """
    if event.kind == "status":
        return event
    if event.kind == "warning":
        status = DeploymentPhase.DEPLOYING.label
        return replace(event, status=status, reason=f"warning: {event.reason}")
    return None


class History:
    """What was of deployments."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._verbs = backing.verbs

    def find(self, name: str, organization: str, cluster: str) -> Shown:
        """One deployment. Raises NotFound."""
        there = Deployments(self._backing, self._backing.ready_deploying)
        return there.find(name, organization, cluster)

    async def revisions(self, shown: Shown, start: int, count: int) -> Listed[RevisionView]:
        """A page of revisions. One that is not the controller's yet is the first."""
        views = self._views()
        waiting = () if shown.revision.is_active else (shown.revision,)
        kept = self._number(shown)
        skipped = max(start - len(waiting), 0)
        room = count - len(waiting[start : start + count])
        records: Sequence[RevisionRecord] = ()
        if kept and room:
            records = await self._verbs.revisions(shown.name, skipped, room)
        found = [
            *waiting[start : start + count],
            *(revision_of(each, is_active=each.number == kept) for each in records),
        ]
        return Listed(
            start=start,
            count=count,
            total=kept + len(waiting),
            items=tuple(views.revision(shown, each) for each in found),
        )

    async def revision(self, shown: Shown, uid: str) -> RevisionView:
        """A revision by its uid. Raises NotFound."""
        if shown.revision.uid == uid:
            return self._views().revision(shown, shown.revision)
        kept = self._number(shown)
        for record in await self._verbs.revisions(shown.name, 0, kept) if kept else ():
            if record.uid == uid:
                revision = revision_of(record, is_active=record.number == kept)
                return self._views().revision(shown, revision)
        raise NotFound(f"deployment {shown.name!r} has no revision {uid!r}")

    async def statuses(self, shown: Shown, start: int, count: int) -> Listed[StatusRecord]:
        """A page of earlier statuses, with that of what is not the controller's yet."""
        events: list[Event] = []
        if not shown.revision.is_active:
            events.append(
                Event(shown.updated_at, "status", shown.name, "", 0, shown.status, shown.reason)
            )
        kept = self._number(shown)
        if kept:
            events += filter(None, map(told, await self._verbs.events(shown.name, 0, EVENTS)))
        some = events[start : start + count]
        of = await self._revisions_of(shown, some, kept)
        views = self._views()
        return Listed(
            start=start,
            count=count,
            total=len(events),
            items=tuple(views.status(shown, each, of.get(each.revision)) for each in some),
        )

    async def _revisions_of(
        self, shown: Shown, events: Sequence[Event], kept: int
    ) -> dict[int, ShownRevision]:
        found = {} if shown.revision.is_active else {0: shown.revision}
        for number in {each.revision for each in events} - {0}:
            try:
                record = await self._verbs.revision(shown.name, number)
            except NotFound:  # of an earlier deployment of this name
                continue
            found[number] = revision_of(record, is_active=number == kept)
        return found

    def _number(self, shown: Shown) -> int:
        """The number of the revision that the controller goes by; 0 if it has none."""
        record = self._backing.ready_deploying.record(shown.name)
        return record.revision if record is not None else 0

    def _views(self) -> DeploymentViews:
        return DeploymentViews(self._backing.access, self._backing.gateway_url)
