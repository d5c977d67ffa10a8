"""Tokens: the text of one is told when it is made, and never again."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Annotated

from pydantic import Field

from mesh.access.contract import Person
from mesh.access.tokens import MONITORS, NEVER, SCOPES, Token, Wish, time_of
from mesh.errors import InvalidArgument
from mesh.faces.cloud.wire.base import OrganizationView, Resource, Sent, UserView, at, said, user

Some = Annotated[str, Field(max_length=1000)]
Scope = Annotated[Some, said(enum=list(SCOPES))]
Scopes = Annotated[tuple[Scope, ...], Field(max_length=100)]


class TokenSent(Sent):
    """A new token. `code` is that of a command whose user makes it in a browser.

    One that `is_monitoring_token` reads, and no more.
    """

    name: Some
    description: Some | None = None
    scopes: Scopes | None = None
    expired_at: Some | None = None
    deployment_uids: tuple[Some, ...] | None = None
    is_global_access: bool | None = None
    is_global_router_access: bool | None = None
    is_organization_token: bool | None = None
    is_monitoring_token: bool | None = None
    code: str | None = Field(default=None, repr=False)

    def wish(self) -> Wish:
        """What it is to be. Raises InvalidArgument if it says no time, or contradicts itself."""
        return Wish(
            self.name,
            self.description or "",
            self._scopes(),
            time_of(self.expired_at) if self.expired_at else NEVER,
            bool(self.is_organization_token),
            bool(self.is_global_access),
            bool(self.is_global_router_access),
            frozenset(self.deployment_uids or ()),
        )

    def _scopes(self) -> Collection[str] | None:
        if not self.is_monitoring_token:
            return self.scopes
        if self.scopes is not None and not MONITORS.issuperset(self.scopes):
            raise InvalidArgument("a monitoring token reads and no more: leave its scopes out")
        return MONITORS


class TokenChange(Sent):
    """What shall be otherwise; what is absent stays as it is."""

    description: Some | None = None
    scopes: Scopes | None = None
    expired_at: Some | None = None


class TokenView(Resource):
    """A token. `token` is its text, empty but in the reply to its making."""

    resource_type: str = "api_token"
    description: str
    scopes: tuple[str, ...]
    user: UserView
    organization: OrganizationView
    expired_at: datetime | None
    last_used_at: datetime | None
    is_expired: bool
    is_api_token: bool
    is_access_token: bool
    is_organization_token: bool
    is_global_access: bool
    is_global_router_access: bool
    is_monitoring_token: bool
    deployment_uids: tuple[str, ...]
    deployment_names: tuple[str, ...]
    token: str = Field(default="", repr=False)


def token(
    found: Token,
    now: float,
    owner: Person,
    organization: OrganizationView,
    deployments: Iterable[str],
) -> TokenView:
    """A token as replies have it; `deployments` are the names of those that it opens."""
    return TokenView(
        uid=found.uid,
        created_at=at(found.created_at),
        updated_at=at(found.updated_at),
        name=found.name,
        description=found.description,
        scopes=tuple(sorted(found.scopes)),
        user=user(owner),
        organization=organization,
        expired_at=None if found.expires_at == NEVER else at(found.expires_at),
        last_used_at=at(found.last_used_at) if found.last_used_at else None,
        is_expired=found.has_expired(now),
        is_api_token=bool(found.scopes),
        is_access_token=found.is_for_calls,
        is_organization_token=found.is_of_organization,
        is_global_access=found.opens_all,
        is_global_router_access=found.opens_endpoints,
        is_monitoring_token=found.scopes == MONITORS,
        deployment_uids=tuple(sorted(found.opens)),
        deployment_names=tuple(deployments),
    )
