"""What was done in an organization."""

from datetime import datetime
from typing import Any

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
