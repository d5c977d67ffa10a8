"""Who did what: `/api/v1/current_org/events`."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request

from mesh.access.principal import Area, Verb
from mesh.control.store.catalogue import Deeds
from mesh.errors import InvalidArgument
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import COUNT, Paged, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import Wanted, wanted
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.journal import EventView, event

DAY = 86_400.0
MOST = 1_000
"""Events in one reply."""
READ = may(Verb.READ, Area.ORGANIZATION)
BESIDES = (
    ("deployment", "rolled back"),
    ("deployment", "restarted"),
    ("deployment", "started"),
    ("deployment", "weighted"),
    ("deployment", "promoted"),
    ("deployment", "aborted"),
    ("deployment", "deployed"),
    ("deployment", "given up"),
    ("secret_key", "renewed"),
)
"""Resource types and words for what is done to them through other APIs of the control plane."""
BY_PERSONS = (("user", "created"), ("user", "updated"), ("user", "logged in"))
"""The same for what people do who have no token: it is known late who they are."""


def events(backing: Backing) -> APIRouter:
    """The routes of what was done."""
    routes = APIRouter(tags=["events"])

    @routes.get("/api/v1/current_org/events")
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[EventView]:
        """What was done in the organization, the newest first.

        `q` knows creator, resource_type, operation_name, status, started_at and ended_at (days, as
        2026-01-31, both included) and sort:created_at-asc; other words are looked for in names.
        """
        which = deeds(wanted(asked.q, asker.user), asked.search, asker.organization)
        begin, most = asked.begin, COUNT if asked.count is None else min(asked.count, MOST)
        found = await backing.journal.deeds(which, begin, most)
        return Listed(
            start=begin,
            count=most,
            total=await backing.journal.count_deeds(which),
            items=tuple(event(each, backing.access.person(each.user)) for each in found),
        )

    @routes.get("/api/v1/current_org/event_operation_names")
    async def operation_names(
        request: Request, resource_type: Text = "", asker: Asker = READ
    ) -> tuple[str, ...]:
        """The words for what can be done, to anything or to one type of resource."""
        del asker  # is let in
        known: set[tuple[str, str]] = {*request.app.state.operations, *BESIDES, *BY_PERSONS}
        return tuple(sorted({word for kind, word in known if resource_type in ("", kind)}))

    return routes


def deeds(query: Wanted, search: str, organization: str) -> Deeds:
    """Which deeds a query means. Raises InvalidArgument for a day that is none."""
    since = max((day(each) for each in query.terms.get("started_at", ())), default=None)
    until = min((day(each) for each in query.terms.get("ended_at", ())), default=None)
    return Deeds(
        organization=organization,
        users=query.terms.get("creator", ()),
        resource_types=query.terms.get("resource_type", ()),
        operations=query.terms.get("operation_name", ()),
        statuses=query.terms.get("status", ()),
        words=(*query.words, *([search] if search else ())),
        since=0.0 if since is None else since.timestamp(),
        until=float("inf") if until is None else until.timestamp() + DAY,
        oldest_first=query.ascending,
    )


def day(text: str) -> datetime:
    """When a day such as 2026-01-31 begins, in UTC. Raises InvalidArgument."""
    try:
        return datetime.strptime(text[:40], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidArgument(f"{text[:40]!r} is no day such as 2026-01-31") from None
