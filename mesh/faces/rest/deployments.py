"""Deployments over HTTP: what is wanted of them, what they were, what runs of them."""

from typing import Annotated

from fastapi import APIRouter, Query

from mesh.client.control.values import (
    DeploymentPage,
    DeploymentView,
    EventView,
    ReplicaView,
    RevisionView,
)
from mesh.control.plan import Application
from mesh.control.status import DeploymentStatus
from mesh.errors import ConfigError, NotFound
from mesh.faces.cloud.permission import Asker
from mesh.faces.rest import views
from mesh.faces.rest.access import Mine
from mesh.faces.rest.parameters import Count, LabelsBody, RollbackBody, Start, changes
from mesh.faces.rest.within import Within

Search = Annotated[str, Query(description="Part of the name.")]
Labels = Annotated[tuple[str, ...], Query(description="key=value or key; all must hold.")]
Cause = Annotated[str, Query(max_length=200, description="Kept with the revision.")]


def shown(verbs: Within, name: str) -> DeploymentView:
    """A deployment as it is now. Raises NotFound."""
    record = verbs.deployment(name)
    return views.deployment(record, verbs.current(name), _status(verbs, name))


async def _apply(
    verbs: Within, application: Application, cause: str, asker: Asker
) -> DeploymentView:
    name = application.config.name
    is_there = any(record.name == name for record in verbs.deployments())
    asker.doing.name = name
    asker.doing.operation = "updated" if is_there else "created"
    asker.doing.resource["cause"] = cause
    await verbs.apply(application, cause=cause)
    return shown(verbs, name)


def _status(verbs: Within, name: str) -> DeploymentStatus | None:
    """None for what is kept, but is not understood any more."""
    try:
        (status,) = verbs.status(name)
    except NotFound:
        return None
    return status


def deployments() -> APIRouter:
    """The routes below `/deployments`."""
    routes = APIRouter(prefix="/deployments", tags=["deployments"])

    @routes.get("")
    async def listed(
        verbs: Mine,
        search: Search = "",
        label: Labels = (),
        start: Start = 0,
        count: Count = 100,
    ) -> DeploymentPage:
        """Deployments by name."""
        found = sorted(
            record.name
            for record in verbs.deployments()
            if search in record.name
            and (not label or views.has_labels(verbs.current(record.name), label))
        )
        # Of thousands only those that are shown are looked at.
        page = tuple(shown(verbs, name) for name in found[start : start + count])
        return DeploymentPage(page, len(found), start, count)

    @routes.post("")
    async def create(
        verbs: Mine,
        application: Application,
        cause: Cause = "",
        asker: Asker = changes("deployment", "created"),
    ) -> DeploymentView:
        """Makes a deployment what the application says: a new one, or a new revision."""
        return await _apply(verbs, application, cause, asker)

    @routes.put("/{name}")
    async def update(
        verbs: Mine,
        name: str,
        application: Application,
        cause: Cause = "",
        asker: Asker = changes("deployment", "updated"),
    ) -> DeploymentView:
        """The same, for a deployment of this name."""
        if application.config.name != name:
            raise ConfigError(f"config.name: {application.config.name!r} is not {name!r}")
        return await _apply(verbs, application, cause, asker)

    @routes.get("/{name}")
    async def get(verbs: Mine, name: str) -> DeploymentView:
        """One deployment."""
        return shown(verbs, name)

    @routes.delete("/{name}", status_code=204, dependencies=[changes("deployment", "deleted")])
    async def delete(verbs: Mine, name: str) -> None:
        """Stops it, and forgets it with all its revisions."""
        await verbs.delete(name)

    @routes.get("/{name}/revisions")
    async def revisions(
        verbs: Mine, name: str, start: Start = 0, count: Count = 100
    ) -> tuple[RevisionView, ...]:
        """What it was set to, the newest first."""
        current = verbs.deployment(name).revision
        found = await verbs.revisions(name, start, count)
        return tuple(views.revision(each, current) for each in found)

    @routes.get("/{name}/revisions/{number}")
    async def revision(verbs: Mine, name: str, number: int) -> RevisionView:
        """One revision."""
        current = verbs.deployment(name).revision
        return views.revision(await verbs.revision(name, number), current)

    @routes.post("/{name}/rollback")
    async def rollback(
        verbs: Mine,
        name: str,
        body: RollbackBody,
        asker: Asker = changes("deployment", "rolled back"),
    ) -> DeploymentView:
        """Sets it to what an earlier revision said, as a new revision."""
        asker.doing.resource["revision"] = body.revision
        await verbs.rollback(name, body.revision or 0)
        return shown(verbs, name)

    @routes.post("/{name}/terminate", dependencies=[changes("deployment", "terminated")])
    async def terminate(verbs: Mine, name: str) -> DeploymentView:
        """Stops all of it, and keeps what it is set to."""
        await verbs.terminate(name)
        return shown(verbs, name)

    @routes.post("/{name}/start", dependencies=[changes("deployment", "started")])
    async def start(verbs: Mine, name: str) -> DeploymentView:
        """Starts what was terminated."""
        await verbs.start(name)
        return shown(verbs, name)

    @routes.post("/{name}/restart", dependencies=[changes("deployment", "restarted")])
    async def restart(verbs: Mine, name: str) -> DeploymentView:
        """Replaces all its replicas by new ones of the same, as a new revision."""
        await verbs.restart(name)
        return shown(verbs, name)

    @routes.put("/{name}/labels")
    async def labels(
        verbs: Mine,
        name: str,
        body: LabelsBody,
        asker: Asker = changes("deployment", "labelled"),
    ) -> DeploymentView:
        """Replaces its labels."""
        asker.doing.resource["labels"] = body.labels
        await verbs.set_labels(name, body.labels)
        return shown(verbs, name)

    @routes.get("/{name}/events")
    async def events(
        verbs: Mine, name: str, start: Start = 0, count: Count = 100
    ) -> tuple[EventView, ...]:
        """What happened to it, the newest first."""
        found = await verbs.events(name, start, count)
        if not found:
            verbs.deployment(name)  # what is deleted has left events; what never was has not
        return tuple(map(views.event, found))

    @routes.get("/{name}/replicas")
    async def replicas(verbs: Mine, name: str) -> tuple[ReplicaView, ...]:
        """What runs of it."""
        return tuple(map(views.replica, verbs.replicas(name)))

    return routes
