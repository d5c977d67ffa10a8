"""What BentoCloud has and a mesh of one's own has not: each answers in one line.

Billing, the vendor's own site and the agents of Kubernetes. A client that asks for one of these
learns what it is that is not here, instead of that a path is not known.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from mesh.errors import MeshError, Unimplemented
from mesh.faces.cloud.backing import Backing

_LEGACY = "/api/v1/clusters/{clusterName}/namespaces/{kubeNamespace}/deployments/{deploymentName}"
_TENANT = "/api/admin/v1/orgs/{orgName}"
_RELEASE = "/api/v1/bento_repositories/{bentoRepositoryName}/bentos/{version}"

ABSENT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "billing is": {
            "/api/v1/lago/billable_metrics": "GET POST",
            "/api/v1/lago/billable_metrics/{billableMetricCode}": "PUT",
            "/api/v1/lago/customers": "GET POST",
            "/api/v1/lago/customers/{customerId}": "PUT",
            "/api/v1/lago/plans": "GET POST",
            "/api/v1/lago/plans/{planName}": "PUT",
            "/api/v1/customers": "GET",
            "/api/v1/customers/{customerName}": "GET PATCH",
            "/api/v1/plans": "GET",
            "/api/v1/usage/{usageId}": "GET POST",
            "/api/v1/current_org/payment": "GET",
            "/api/v1/current_org/plan": "PUT",
            "/api/v1/current_org/current_credit": "GET",
            "/api/v1/current_org/current_price": "GET",
            "/api/v1/current_org/current_usage": "GET",
            "/api/v1/current_org/customer_portal_url": "GET",
            "/api/v2/requestquota": "POST",
        },
        "the site of a vendor is": {
            "/api/v1/news": "GET",
            "/api/v1/auth/airtable_event": "POST",
            "/api/v1/auth/firebase_info": "GET",
            "/api/v1/certified_bento_repositories": "GET",
            "/api/v1/model_endpoints": "GET",
            "/api/v1/model_endpoints/{modelName}": "GET",
        },
        "login through a marketplace is": {
            "/api/v1/auth/sso": "POST",
            "/api/v1/sso": "POST",
        },
        "building images is": {
            "/api/v1/image_build_status_unsynced_bentos": "GET",
            f"{_RELEASE}/update_image_build_status": "PATCH",
            f"{_RELEASE}/update_image_build_status_syncing_at": "PATCH",
        },
        "management of Kubernetes clusters is": {
            "/api/v1/tolerations_json_schema": "GET",
            "/api/admin/v1/host_clusters": "GET POST",
            "/api/admin/v1/host_clusters/{hostClusterName}": "GET PATCH DELETE",
            "/api/admin/v1/sync_all_tenant_resources": "PUT",
            f"{_TENANT}/clusters/{{clusterName}}/migrate_deployments": "POST",
            f"{_TENANT}/clusters/{{clusterName}}/sync_tenant_kubeconfig": "PUT",
            f"{_TENANT}/clusters/{{clusterName}}/sync_tenant_resources": "PUT",
            f"{_TENANT}/sync_s3_credentials": "POST",
        },
        "a terminal in a replica is": {
            "/api/v1/terminal_records/{uid}": "GET",
            "/api/v1/terminal_records/{uid}/download": "GET",
            "/api/v2/deployments/{deploymentName}/terminal_records": "GET",
            f"{_LEGACY}/terminal_records": "GET",
        },
        "the first version of deployments (use /api/v2/deployments) is": {
            "/api/v1/clusters/{clusterName}/deployments": "GET POST",
            _LEGACY: "GET PATCH DELETE",
            f"{_LEGACY}/revisions": "GET",
            f"{_LEGACY}/revisions/{{revisionUid}}": "GET",
            f"{_LEGACY}/sync_status": "POST",
            f"{_LEGACY}/terminate": "POST",
        },
    }
)
"""The methods of each path, by what they belong to."""
_OF_KUBERNETES = "/ws/v1/clusters/{clusterName}/namespaces/{kubeNamespace}"
ABSENT_STREAMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "the events of Kubernetes are": (
            "/ws/v1/clusters/{clusterName}/kube_events",
            f"{_OF_KUBERNETES}/deployments/{{deploymentName}}/kube_events",
            "/ws/v2/deployments/{deploymentName}/kube_events",
        ),
        "a terminal in a replica is": (
            "/ws/v1/clusters/{clusterName}/terminal",
            f"{_OF_KUBERNETES}/deployments/{{deploymentName}}/terminal",
        ),
        "the first version of deployments (use /ws/v2/deployments) is": (
            f"{_OF_KUBERNETES}/deployments/{{deploymentName}}/pods",
            f"{_OF_KUBERNETES}/deployments/{{deploymentName}}/tail",
        ),
    }
)
"""WebSockets, by what they belong to."""
CLOSED = 4501
"""The code with which such a WebSocket is closed: 501 in the range of applications."""


def absent(_: Backing) -> APIRouter:
    """The routes of what is not there; none is in the document of the API."""
    routes = APIRouter(include_in_schema=False)
    for what, paths in ABSENT.items():
        for path, methods in paths.items():
            routes.add_api_route(path, _refusing(what), methods=methods.split())
    for what, streams in ABSENT_STREAMS.items():
        for path in streams:
            routes.add_api_route(path, _refusing(what), methods=["GET"])
            routes.add_api_websocket_route(path, _closing(what))
    return routes


def _error(what: str) -> MeshError:
    return Unimplemented(f"{what} not part of a self-hosted mesh", http_status=501)


def _refusing(what: str) -> Callable[[HTTPConnection], Awaitable[None]]:
    async def refuse(_: HTTPConnection) -> None:
        raise _error(what)

    return refuse


def _closing(what: str) -> Callable[[WebSocket], Awaitable[None]]:
    async def close(socket: WebSocket) -> None:
        message = _error(what).message
        # A reason reaches only those whose socket was accepted.
        await socket.accept()
        await socket.send_json({"type": "error", "message": message, "payload": None})
        await socket.close(CLOSED, message)

    return close
