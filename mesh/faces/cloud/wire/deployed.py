"""Deployments as replies have them."""

from datetime import datetime
from typing import Any

from pydantic import Field

from mesh.control.records import CLUSTER
from mesh.faces.cloud.wire.base import ClusterView, OrganizationView, Resource, UserView, Wire


class RepositoryView(Resource):
    """The repository of the release of a target."""

    resource_type: str = "bento_repository"
    description: str = ""
    latest_bento: None = None


class TargetBento(Resource):
    """The release of a target; its name is its version."""

    resource_type: str = "bento"
    description: str = ""
    version: str
    image_build_status: str = "success"
    upload_status: str = "success"
    upload_finished_reason: str = ""
    presigned_upload_url: str = ""
    presigned_download_url: str = ""
    transmission_strategy: str = "proxy"
    upload_id: str = ""
    build_at: datetime
    manifest: dict[str, Any]
    repository: RepositoryView


class TargetView(Resource):
    """One version of a deployment: `main`, or a canary."""

    resource_type: str = "deployment_target"
    creator: UserView
    config: dict[str, Any]
    bento: TargetBento
    kubeResourceUid: str = ""  # noqa: N815  # so it is called on the wire
    kubeResourceVersion: str = ""  # noqa: N815  # so it is called on the wire


class RoutingView(Wire):
    """What divides requests among versions; weights in percent."""

    route_type: str
    route_by: str | None = None
    weights: dict[str, int]


class ManifestView(Wire):
    """What else there is to say of a deployment; `replicas` are those ready, by service."""

    dev: bool = False
    super_admin: bool = False
    replicas: dict[str, int] = Field(default_factory=dict)
    routing: RoutingView | None = None


class PlainDeployment(Resource):
    """A deployment without what it is set to."""

    resource_type: str = "deployment"
    status: str
    mode: str = "deployment"
    description: str = ""
    distributed: bool = False
    kube_namespace: str = CLUSTER
    creator: UserView
    updater: UserView
    cluster: ClusterView
    manifest: ManifestView


class RevisionOfDeployment(Resource):
    """What a deployment was set to at one time."""

    resource_type: str = "deployment_revision"
    creator: UserView
    status: str
    targets: tuple[TargetView, ...]


class RevisionView(RevisionOfDeployment):
    """The same, with the deployment."""

    deployment: PlainDeployment


class DeploymentView(PlainDeployment):
    """A deployment, as clients know it."""

    latest_revision: RevisionOfDeployment
    urls: tuple[str, ...] = ()


class AdminDeployment(DeploymentView):
    """A deployment of any organization."""

    organization: OrganizationView
    host_cluster: ClusterView


class StatusRecord(Wire):
    """A status that a deployment had, from `event_timestamp` on."""

    uid: str
    created_at: datetime
    updated_at: datetime
    event_timestamp: datetime
    status: str
    reason: str
    deployment_revision: RevisionView | None = None
