"""Groups of limits."""

from typing import Annotated, Any

from pydantic import Field

from mesh.config.names import TypeName
from mesh.control.store.catalogue import Entry
from mesh.faces.cloud.wire.base import Resource, Sent, Wire, at
from mesh.faces.cloud.wire.instance_types import InstanceTypeView

Text = Annotated[str, Field(max_length=4096)]


class LimitGroupSent(Sent):
    """A new group of limits; what `config` may say is in `mesh.config.limits`."""

    name: TypeName
    display_name: Text | None = None
    description: Text | None = None
    plan_code: Text | None = None
    visible: bool | None = None
    config: dict[str, Any] | None = None


class LimitGroupChange(Sent):
    """What shall be otherwise of one; a config is replaced as a whole."""

    display_name: Text | None = None
    description: Text | None = None
    plan_code: Text | None = None
    visible: bool | None = None
    config: dict[str, Any] | None = None


class TypeAllowed(Wire):
    """An instance type, and whether the group allows it."""

    active: bool
    resource_instance: InstanceTypeView


class LimitGroupView(Resource):
    """A group of limits."""

    resource_type: str = "limit_group"
    display_name: str
    description: str
    plan_code: str
    visible: bool | None
    config: dict[str, Any]
    resource_instance_list: tuple[TypeAllowed, ...]


def limit_group(entry: Entry, types: tuple[TypeAllowed, ...]) -> LimitGroupView:
    """A group as replies have it."""
    found = entry.document
    return LimitGroupView(
        uid=entry.uid,
        created_at=at(entry.created_at),
        updated_at=at(entry.updated_at),
        name=entry.name,
        display_name=found.get("display_name") or entry.name,
        description=found.get("description", ""),
        plan_code=found.get("plan_code", ""),
        visible=found.get("visible"),
        config=dict(found.get("config") or {}),
        resource_instance_list=types,
    )
