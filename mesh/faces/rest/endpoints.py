"""Endpoints over HTTP."""

from fastapi import APIRouter

from mesh.client.control.values import EndpointView
from mesh.config import EndpointConfig, Name
from mesh.control.endpoint_warnings import versions_in, warnings
from mesh.control.records import EndpointRecord
from mesh.errors import NotFound
from mesh.faces.cloud.permission import Asker
from mesh.faces.rest import views
from mesh.faces.rest.access import Mine
from mesh.faces.rest.parameters import changes
from mesh.faces.rest.within import Within


def endpoints() -> APIRouter:
    """The routes below `/endpoints`."""
    routes = APIRouter(prefix="/endpoints", tags=["endpoints"])

    @routes.get("")
    async def listed(verbs: Mine) -> tuple[EndpointView, ...]:
        """All endpoints, by name."""
        found = sorted(verbs.endpoints(), key=lambda each: each.name)
        return tuple(_shown(verbs, each) for each in found)

    @routes.get("/{name}")
    async def get(verbs: Mine, name: str) -> EndpointView:
        """One endpoint."""
        return _shown(verbs, verbs.endpoint(name))

    @routes.put("/{name}")
    async def put(
        verbs: Mine,
        name: Name,
        config: EndpointConfig,
        asker: Asker = changes("endpoint", "updated"),
    ) -> EndpointView:
        """Makes an endpoint what the config says.

        An upstream that says nothing of `api_key` keeps the one that it has.
        """
        is_there = any(record.name == name for record in verbs.endpoints())
        asker.doing.operation = "updated" if is_there else "created"
        await verbs.apply_endpoint(name, config)
        return _shown(verbs, verbs.endpoint(name))

    @routes.delete("/{name}", status_code=204, dependencies=[changes("endpoint", "deleted")])
    async def delete(verbs: Mine, name: str) -> None:
        """Forgets it; its deployments stay."""
        await verbs.delete_endpoint(name)

    @routes.post("/{name}/start", dependencies=[changes("endpoint", "started")])
    async def start(verbs: Mine, name: str) -> EndpointView:
        """Has it take requests again."""
        await verbs.start_endpoint(name)
        return _shown(verbs, verbs.endpoint(name))

    @routes.post("/{name}/terminate", dependencies=[changes("endpoint", "terminated")])
    async def terminate(verbs: Mine, name: str) -> EndpointView:
        """Has it take no requests, and keeps what it is set to."""
        await verbs.terminate_endpoint(name)
        return _shown(verbs, verbs.endpoint(name))

    return routes


def _shown(verbs: Within, record: EndpointRecord) -> EndpointView:
    """An endpoint, with warnings of what it names that is not there."""

    def versions(deployment: str) -> frozenset[str] | None:
        try:
            found = verbs.deployment(deployment)
        except NotFound:
            return None
        if found.organization != record.organization:
            return None
        return versions_in(verbs.current(deployment).config)

    return views.endpoint(record, warnings(record, versions))
