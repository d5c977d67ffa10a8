"""The canaries of a deployment over HTTP."""

from fastapi import APIRouter

from mesh.client.control.values import CanaryView, DeploymentView
from mesh.faces.cloud.permission import Asker
from mesh.faces.rest import views
from mesh.faces.rest.access import Mine
from mesh.faces.rest.deployments import shown
from mesh.faces.rest.parameters import AbortBody, PromoteBody, WeightsBody, changes


def canaries() -> APIRouter:
    """The routes below `/deployments/{name}/canary`."""
    routes = APIRouter(prefix="/deployments/{name}/canary", tags=["canaries"])

    @routes.get("")
    async def get(verbs: Mine, name: str) -> CanaryView:
        """How requests are divided, how each version does, how far a progression is."""
        config = verbs.current(name).config
        return views.canary(name, verbs.canary_status(name), config)

    @routes.put("")
    async def put(
        verbs: Mine,
        name: str,
        body: WeightsBody,
        asker: Asker = changes("deployment", "weighted"),
    ) -> DeploymentView:
        """Gives canaries other percentages of the requests, as a new revision."""
        asker.doing.resource["weights"] = body.weights
        await verbs.set_canary(name, body.weights)
        return shown(verbs, name)

    @routes.post("/promote")
    async def promote(
        verbs: Mine,
        name: str,
        body: PromoteBody | None = None,
        asker: Asker = changes("deployment", "promoted"),
    ) -> DeploymentView:
        """Makes a canary, or the only one, `main`, as a new revision; its replicas stay."""
        version = asker.doing.resource["version"] = body.version if body else ""
        await verbs.promote(name, version)
        return shown(verbs, name)

    @routes.post("/abort")
    async def abort(
        verbs: Mine,
        name: str,
        body: AbortBody | None = None,
        asker: Asker = changes("deployment", "aborted"),
    ) -> DeploymentView:
        """Takes all requests from a canary, or from all, and ends a progression."""
        version = asker.doing.resource["version"] = body.version if body else ""
        await verbs.abort(name, version)
        return shown(verbs, name)

    return routes
