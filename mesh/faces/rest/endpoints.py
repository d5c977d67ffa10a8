"""Endpoints over HTTP."""

from fastapi import APIRouter

from mesh.client.control.values import EndpointView
from mesh.config import EndpointConfig, Name
from mesh.faces.rest import views
from mesh.faces.rest.verbs import Verbs


def endpoints(verbs: Verbs) -> APIRouter:
    """The routes below `/endpoints`."""
    routes = APIRouter(prefix="/endpoints", tags=["endpoints"])

    @routes.get("")
    async def listed() -> tuple[EndpointView, ...]:
        """All endpoints, by name."""
        return tuple(map(views.endpoint, sorted(verbs.endpoints(), key=lambda each: each.name)))

    @routes.get("/{name}")
    async def get(name: str) -> EndpointView:
        """One endpoint."""
        return views.endpoint(verbs.endpoint(name))

    @routes.put("/{name}")
    async def put(name: Name, config: EndpointConfig) -> EndpointView:
        """Makes an endpoint what the config says.

        An upstream that says nothing of `api_key` keeps the one that it has.
        """
        await verbs.apply_endpoint(name, config)
        return views.endpoint(verbs.endpoint(name))

    @routes.delete("/{name}", status_code=204)
    async def delete(name: str) -> None:
        """Forgets it; its deployments stay."""
        await verbs.delete_endpoint(name)

    @routes.post("/{name}/start")
    async def start(name: str) -> EndpointView:
        """Has it take requests again."""
        await verbs.start_endpoint(name)
        return views.endpoint(verbs.endpoint(name))

    @routes.post("/{name}/terminate")
    async def terminate(name: str) -> EndpointView:
        """Has it take no requests, and keeps what it is set to."""
        await verbs.terminate_endpoint(name)
        return views.endpoint(verbs.endpoint(name))

    return routes
