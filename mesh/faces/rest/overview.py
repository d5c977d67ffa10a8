"""A whole mesh over HTTP: in numbers, its replicas, what happened in it."""

from fastapi import APIRouter

from mesh.client.control.values import EventView, MeshView, ReplicaView
from mesh.faces.rest import views
from mesh.faces.rest.access import Mine
from mesh.faces.rest.parameters import Count, Start


def overview() -> APIRouter:
    """The routes `/status`, `/replicas` and `/events`."""
    routes = APIRouter(tags=["mesh"])

    @routes.get("/status")
    async def status(verbs: Mine) -> MeshView:
        """The mesh in numbers."""
        replicas = [views.replica(each) for each in verbs.replicas()]
        return MeshView(
            verbs.opened,
            views.counts(status.phase.label for status in verbs.status()),
            views.counts(replica.phase for replica in replicas),
            len(verbs.endpoints()),
            verbs.snapshots.value.number if verbs.snapshots.value else 0,
            verbs.snapshots.readers,
            tuple(sorted({replica.node for replica in replicas if replica.node})),
        )

    @routes.get("/replicas")
    async def replicas(verbs: Mine) -> tuple[ReplicaView, ...]:
        """All replicas."""
        return tuple(map(views.replica, verbs.replicas()))

    @routes.get("/events")
    async def events(verbs: Mine, start: Start = 0, count: Count = 100) -> tuple[EventView, ...]:
        """What happened, the newest first."""
        return tuple(map(views.event, await verbs.events("", start, count)))

    return routes
