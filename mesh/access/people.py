"""Users, organizations and who is what in them, and how each is kept as an entry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.access.contract import Person
from mesh.access.principal import Role
from mesh.control.records import DEFAULT_ORGANIZATION, Document
from mesh.control.store.catalogue import Entry, Kind
from mesh.errors import InvalidArgument

LONGEST = 1000
"""Characters of a text that somebody gives: a description, an email."""
ACTIVE, INACTIVE = "active", "inactive"
"""What an organization can be: nobody gets into one that is inactive, and what it has stays.

One that is deleted is kept under its name, so that nobody makes another one of this name and finds
the events of the old.
"""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,126}[A-Za-z0-9])?")
EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
ORGANIZATION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class User(Person):
    """A user with what they show who they are by.

    What is in `credentials` is said by those who check them; of a password (`password`) there is
    only what `passwords` makes of it.
    """

    credentials: Document = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Organization:
    """Who works together: what one organization has, no other sees."""

    name: str
    uid: str
    created_at: float
    updated_at: float
    description: str = ""
    creator: str = ""
    status: str = ACTIVE
    limit_group: str = ""
    """The quotas that hold for it; empty: none."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """The clusters that it may use, by name, each with a description."""
    config: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """What a user is in an organization, or (with `cluster`) in a cluster of it."""

    user: str
    role: Role
    uid: str
    created_at: float
    updated_at: float
    organization: str = DEFAULT_ORGANIZATION
    cluster: str = ""
    creator: str = ""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who may become a user and a member. Times are seconds since the Unix epoch.

    `digest` is the SHA-256 of the code that they were sent, in hex.
    """

    digest: str
    uid: str
    created_at: float
    updated_at: float
    organization: str
    email: str
    expires_at: float
    role: Role = Role.DEVELOPER
    first_name: str = ""
    last_name: str = ""
    creator: str = ""


def of_user(user: User) -> Entry:
    """As it is kept; users belong to no one organization."""
    document = {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_super_admin": user.is_super_admin,
        "credentials": user.credentials,
    }
    return Entry(Kind.USER, user.name, user.uid, user.created_at, user.updated_at, document)


def user_of(entry: Entry) -> User:
    """As it was kept."""
    found = entry.document
    return User(
        entry.name,
        entry.uid,
        entry.created_at,
        entry.updated_at,
        email=found.get("email", ""),
        first_name=found.get("first_name", ""),
        last_name=found.get("last_name", ""),
        is_super_admin=bool(found.get("is_super_admin")),
        credentials=found.get("credentials", {}),
    )


def of_organization(found: Organization) -> Entry:
    """As it is kept; an organization is an entry of its own."""
    document = {
        "description": found.description,
        "creator": found.creator,
        "status": found.status,
        "limit_group": found.limit_group,
        "clusters": found.clusters,
        "config": found.config,
    }
    return Entry(
        Kind.ORGANIZATION,
        found.name,
        found.uid,
        found.created_at,
        found.updated_at,
        document,
        organization=found.name,
    )


def organization_of(entry: Entry) -> Organization:
    """As it was kept."""
    found = entry.document
    return Organization(
        entry.name,
        entry.uid,
        entry.created_at,
        entry.updated_at,
        description=found.get("description", ""),
        creator=found.get("creator", ""),
        status=found.get("status", ACTIVE),
        limit_group=found.get("limit_group", ""),
        clusters=found.get("clusters", {}),
        config=found.get("config", {}),
    )


def of_member(member: Member) -> Entry:
    """As it is kept."""
    return Entry(
        Kind.MEMBER,
        member.user,
        member.uid,
        member.created_at,
        member.updated_at,
        {"role": member.role.value, "creator": member.creator},
        scope=member.cluster,
        organization=member.organization,
    )


def member_of(entry: Entry) -> Member:
    """As it was kept."""
    return Member(
        entry.name,
        Role(entry.document["role"]),
        entry.uid,
        entry.created_at,
        entry.updated_at,
        entry.organization,
        entry.scope,
        entry.document.get("creator", ""),
    )


def of_invitation(found: Invitation) -> Entry:
    """As it is kept."""
    document = {
        "email": found.email,
        "expires_at": found.expires_at,
        "role": found.role.value,
        "first_name": found.first_name,
        "last_name": found.last_name,
        "creator": found.creator,
    }
    return Entry(
        Kind.INVITATION,
        found.digest,
        found.uid,
        found.created_at,
        found.updated_at,
        document,
        organization=found.organization,
    )


def invitation_of(entry: Entry) -> Invitation:
    """As it was kept."""
    found = entry.document
    return Invitation(
        entry.name,
        entry.uid,
        entry.created_at,
        entry.updated_at,
        entry.organization,
        found["email"],
        found["expires_at"],
        Role(found["role"]),
        found.get("first_name", ""),
        found.get("last_name", ""),
        found.get("creator", ""),
    )


def checked_name(name: str) -> str:
    """The name of a new user. Raises InvalidArgument."""
    if not NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name[:80]!r} is no name for a user: letters, digits and . _ @ + - between them,"
            " 128 at most"
        )
    return name


def checked_email(email: str) -> str:
    """An email, or nothing. Raises InvalidArgument."""
    if email and (len(email) > LONGEST or not EMAIL.fullmatch(email)):
        raise InvalidArgument(f"{email[:80]!r} is no email")
    return email


def checked_organization(name: str) -> str:
    """The name of a new organization. Raises InvalidArgument."""
    if not ORGANIZATION.fullmatch(name):
        raise InvalidArgument(
            f"{name[:80]!r} is no name for an organization:"
            " lower case letters, digits and - between them, 63 at most"
        )
    return name


def checked_text(what: str, text: Any) -> str:
    """A text that is not too long. Raises InvalidArgument, naming `what`."""
    if len(text) > LONGEST:
        raise InvalidArgument(f"{what} has more than {LONGEST} characters")
    return str(text)


def checked_role(role: str) -> Role:
    """A role by its name. Raises InvalidArgument."""
    try:
        return Role(role)
    except ValueError:
        known = ", ".join(Role)
        raise InvalidArgument(f"{role[:80]!r} is no role: there are {known}") from None
