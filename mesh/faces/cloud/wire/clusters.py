"""Clusters, and the parts that a mesh is made of."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from mesh.control.standby import MOST
from mesh.faces.cloud.wire.base import (
    ClusterView,
    OrganizationView,
    Resource,
    Sent,
    Wire,
)
from mesh.faces.cloud.wire.instance_types import InstanceTypeView


class ClusterSent(Sent):
    """A cluster to add."""

    name: Annotated[str, Field(max_length=255)] | None = None


class ClusterChange(Sent):
    """What shall be otherwise of the cluster."""

    description: Annotated[str, Field(max_length=4096)] | None = None


class StandbySent(Sent):
    """How many standbys there shall be, by instance type."""

    standby_instances: dict[str, Annotated[int, Field(ge=0, le=MOST)] | None] | None = None


class TypeName(Wire):
    """An instance type by its name."""

    name: str
    display_name: str


class ClusterListed(ClusterView):
    """A cluster in a list."""

    resource_instance_names: tuple[TypeName, ...]
    standby_instances: dict[str, int] = {}


class ClusterFull(ClusterView):
    """A cluster with all of it: `config` has its nodes and what they offer."""

    organization: OrganizationView
    config: dict[str, Any]
    kube_config: str | None = None
    resource_instances: tuple[InstanceTypeView, ...]


class HostView(Resource):
    """The cluster that a part runs on."""

    resource_type: str = "host_cluster"
    display_name: str
    default: bool = True
    description: str = ""
    grafana_root_path: str = ""
    config: dict[str, Any] | None = None
    kube_config: str | None = None
    resource_instances: tuple[InstanceTypeView, ...] = ()


class PartManifest(Wire):
    """What is said of a part in the terms of Kubernetes."""

    enable_envoy_gateway_ingress: bool = False
    latest_crd_version: str = ""
    selector_labels: dict[str, str] = {}


class PartView(Resource):
    """A part of a mesh; `description` says how it is."""

    resource_type: str = "yatai_component"
    description: str
    version: str
    kube_namespace: str
    manifest: PartManifest = PartManifest()
    cluster: HostView
    latest_heartbeat_at: datetime | None
    latest_installed_at: datetime | None = None
