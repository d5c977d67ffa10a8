"""Organizations."""

from typing import Annotated, Any

from pydantic import Field

from mesh.access.contract import Person
from mesh.access.people import ACTIVE, INACTIVE, ORGANIZATION, Organization
from mesh.faces.cloud.wire.base import OrganizationView, Sent, at, said, user

Some = Annotated[str, Field(max_length=1000)]


class ConfigSent(Sent):
    """What is set for an organization; what a vendor's cloud needs, keys and all, is not kept."""

    gateway_domains: tuple[Some, ...] | None = None
    sso_default_role: Some | None = None
    transmission_strategy: Some | None = None
    enable_endpoints: bool | None = None
    enable_models: bool | None = None

    def said(self) -> dict[str, Any]:
        """What is said."""
        return self.model_dump(exclude_none=True, mode="json")


class OrganizationSent(Sent):
    """A new organization."""

    name: Annotated[str, said(ORGANIZATION)]
    description: Some | None = None
    limit_group_name: Some | None = None
    config: ConfigSent | None = None


class OrganizationChange(Sent):
    """What shall be otherwise; what is absent stays as it is."""

    description: Some | None = None
    limit_group_name: Some | None = None
    config: ConfigSent | None = None


class Operation(Sent):
    """Whether an organization is `active`."""

    status: Annotated[Some, said(enum=[ACTIVE, INACTIVE])]


def organization(found: Organization, creator: Person) -> OrganizationView:
    """An organization as replies have it."""
    return OrganizationView(
        uid=found.uid,
        created_at=at(found.created_at),
        updated_at=at(found.updated_at),
        name=found.name,
        description=found.description,
        creator=user(creator),
        status=found.status,
        config=dict(found.config),
        limit_group={"name": found.limit_group} if found.limit_group else None,
    )
