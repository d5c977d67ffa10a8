"""Instance types and kinds of GPUs."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from mesh.config.names import TypeName
from mesh.control.instance_types import InstanceType
from mesh.control.store.catalogue import Entry
from mesh.faces.cloud.wire.base import Resource, Sent, Wire, at

Description = Annotated[str, Field(max_length=4096)]
Amount = str | float | None


class AmountsSent(Sent):
    """Amounts, as numbers or as quantities of Kubernetes."""

    cpu: Amount = None
    memory: Amount = None
    gpu: Amount = None
    custom: dict[str, str | float] | None = None


class ResourcesSent(Sent):
    """What a replica reserves; limits count where nothing is requested."""

    requests: AmountsSent | None = None
    limits: AmountsSent | None = None


class GpuSent(Sent):
    """Which GPU it is."""

    type: str | None = None
    memory: str | None = None


class ConfigSent(Sent):
    """What an instance type is; selectors and tolerations are kept, and mean nothing here."""

    group: str | None = None
    price: str | None = None
    resources: ResourcesSent | None = None
    node_selectors: dict[str, str] | None = None
    tolerations: tuple[dict[str, Any], ...] | None = None
    gpu_config: GpuSent | None = None


class InstanceTypeSent(Sent):
    """A new instance type."""

    name: TypeName
    display_name: str | None = None
    description: Description | None = None
    config: ConfigSent


class InstanceTypeChange(Sent):
    """What shall be otherwise of one."""

    display_name: str | None = None
    description: Description | None = None
    config: ConfigSent | None = None


class InstanceTypeView(Resource):
    """An instance type; `active` if a node of the cluster can hold a replica of it."""

    resource_type: str = "resource_instance"
    display_name: str
    description: str = ""
    lago_id: str = ""
    config: dict[str, Any]
    active: bool


class GpuConfigSent(Sent):
    """A new kind of GPU."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$")]
    vendor: Annotated[str, Field(max_length=255)] | None = None
    memory: Annotated[str, Field(max_length=63)] | None = None


class GpuConfigChange(Sent):
    """What shall be otherwise of one."""

    vendor: Annotated[str, Field(max_length=255)] | None = None
    memory: Annotated[str, Field(max_length=63)] | None = None


class GpuConfigView(Wire):
    """A kind of GPU."""

    uid: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    name: str
    vendor: str
    memory: str


def instance_type(found: InstanceType, *, active: bool) -> InstanceTypeView:
    """An instance type as replies have it. Its name is what deployments name, and is shown."""
    entry = found.entry
    return InstanceTypeView(
        uid=entry.uid if entry else found.name,
        created_at=at(entry.created_at if entry else 0.0),
        updated_at=at(entry.updated_at if entry else 0.0),
        name=found.name,
        display_name=found.name,
        description=found.description,
        config=dict(found.config),
        active=active,
    )


def gpu_config(entry: Entry) -> GpuConfigView:
    """A kind of GPU as replies have it."""
    return GpuConfigView(
        uid=entry.uid,
        created_at=at(entry.created_at),
        updated_at=at(entry.updated_at),
        name=entry.name,
        vendor=entry.document.get("vendor", ""),
        memory=entry.document.get("memory", ""),
    )
