"""What was done in an organization, and what it used."""

from datetime import datetime
from typing import Any

from pydantic import Field

from mesh.access.contract import Person
from mesh.control.store.catalogue import Deed
from mesh.faces.cloud.wire.base import UserView, Wire, at, user


class EventView(Wire):
    """Something that somebody did. `reason` is why it failed, where that is known."""

    uid: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    name: str
    operation_name: str
    status: str
    reason: str
    api_token_name: str
    creator: UserView
    resource_type: str
    resource: dict[str, Any]
    resource_deleted: bool


class UsageView(Wire):
    """What was used, by metric: a value as a text for each step of time from the start on."""

    start_time: str = Field(serialization_alias="startTime")
    end_time: str = Field(serialization_alias="endTime")
    granularity: str
    data: dict[str, tuple[str, ...]]
    debug: bool = False
    debug_info: Any = Field(default=None, serialization_alias="debugInfo")
    raw_lago_response: Any = Field(default=None, serialization_alias="rawLagoResponse")


def event(deed: Deed, person: Person) -> EventView:
    """A deed of a person."""
    return EventView(
        uid=deed.uid,
        created_at=at(deed.at),
        updated_at=at(deed.at),
        name=deed.name,
        operation_name=deed.operation,
        status=deed.status,
        reason=deed.reason,
        api_token_name=deed.token,
        creator=user(person),
        resource_type=deed.resource_type,
        resource={"resource_type": deed.resource_type, "name": deed.name, **deed.resource},
        resource_deleted=deed.operation == "deleted" and deed.status == "success",
    )
