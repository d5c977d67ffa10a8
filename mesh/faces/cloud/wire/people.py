"""Users and members."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from mesh.access.contract import Person
from mesh.access.people import EMAIL, NAME, Member
from mesh.access.principal import Role
from mesh.faces.cloud.wire.auth import NewPassword
from mesh.faces.cloud.wire.base import (
    ClusterView,
    OrganizationView,
    Sent,
    UserView,
    Wire,
    at,
    said,
    user,
)

Some = Annotated[str, Field(max_length=1000)]


class UserSent(Sent):
    """A new user."""

    name: Annotated[Some, said(NAME)]
    email: Annotated[Some, said(pattern=f"^({EMAIL.pattern})?$")] = ""
    password: NewPassword
    role: Role | None = None


class InvitationSent(Sent):
    """Somebody to invite."""

    email: Annotated[Some, said(EMAIL)]
    first_name: Some | None = None
    last_name: Some | None = None
    role: Role | None = None


class InvitationView(Wire):
    """What somebody needs who is invited: no mail is sent."""

    invitation_code: str
    url: str


class CurrentChange(Sent):
    """What a user says of themselves; what is absent stays as it is."""

    first_name: Some | None = None
    last_name: Some | None = None


class MembersSent(Sent):
    """Users that become members, or get another role."""

    usernames: tuple[Some, ...]
    role: Role | None = None


class MemberChange(Sent):
    """Another role for a member."""

    username: Some
    role: Role


class MemberNamed(Sent):
    """A member."""

    username: Some


class CurrentMember(Wire):
    """What whoever asks is."""

    role: Role
    username: str


class _OfSomebody(Wire):
    uid: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    role: Role
    user: UserView
    creator: UserView


class MemberView(_OfSomebody):
    """A member of an organization."""

    organization: OrganizationView


class ClusterMemberView(_OfSomebody):
    """A member of a cluster."""

    cluster: ClusterView


def member(
    found: Member, who: Person, creator: Person, organization: OrganizationView
) -> MemberView:
    """A member of an organization as replies have it."""
    return MemberView(
        uid=found.uid,
        created_at=at(found.created_at),
        updated_at=at(found.updated_at),
        role=found.role,
        user=user(who),
        creator=user(creator),
        organization=organization,
    )


def cluster_member(
    found: Member, who: Person, creator: Person, cluster: ClusterView
) -> ClusterMemberView:
    """A member of a cluster as replies have it."""
    return ClusterMemberView(
        uid=found.uid,
        created_at=at(found.created_at),
        updated_at=at(found.updated_at),
        role=found.role,
        user=user(who),
        creator=user(creator),
        cluster=cluster,
    )
