"""Who asks, and whether they may: roles of users, scopes of tokens. Pure.

The roles and what they may are those of BentoCloud's documentation; scopes are those of its tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.errors import PermissionDenied


class Role(StrEnum):
    """What a member of an organization is."""

    ADMIN = "admin"
    """Everything."""
    DEVELOPER = "developer"
    """Everything but members, users, quotas, the catalogue of instance types and standby."""
    API_USER = "api_user"
    """An endpoint user: calls, tokens that open protected deployments, reads of releases."""
    GUEST = "guest"
    """Reads."""


class Verb(StrEnum):
    """What is done, from the least: each includes those before it."""

    READ = "read"
    WRITE = "write"
    OPERATE = "operate"


class Area(StrEnum):
    """What it is done to, as far as rights go."""

    DEPLOYMENTS = "deployments"
    """Deployments and endpoints."""
    RELEASES = "releases"
    """Repositories of bentos and models."""
    SECRETS = "secrets"
    TOKENS = "tokens"
    """Tokens of one's own."""
    ORGANIZATION = "organization"
    """The organization itself: its settings, labels, events, usage."""
    MEMBERS = "members"
    """Members, users and tokens of the organization."""
    CLUSTERS = "clusters"
    """Clusters, the catalogue of instance types, standby instances, quotas.

    They are of all organizations of a mesh: only administrators of all of them, and of the
    organization that is there from the start, change them.
    """


_ALL: Mapping[Area, Verb] = MappingProxyType(dict.fromkeys(Area, Verb.OPERATE))
_READS: Mapping[Area, Verb] = MappingProxyType(dict.fromkeys(Area, Verb.READ))
RIGHTS: Mapping[Role, Mapping[Area, Verb]] = MappingProxyType(
    {
        Role.ADMIN: _ALL,
        Role.DEVELOPER: {**_ALL, Area.MEMBERS: Verb.READ, Area.CLUSTERS: Verb.READ},
        Role.API_USER: {
            Area.DEPLOYMENTS: Verb.READ,
            Area.RELEASES: Verb.READ,
            Area.TOKENS: Verb.OPERATE,
            Area.ORGANIZATION: Verb.READ,
            Area.CLUSTERS: Verb.READ,
        },
        Role.GUEST: {area: verb for area, verb in _READS.items() if area is not Area.SECRETS},
    }
)
"""The most that each role may do to each area."""

API = "api"
"""The scope of tokens that may do all that their user may."""
_OF_CLUSTER = frozenset({Area.DEPLOYMENTS, Area.CLUSTERS})
_ORDER = tuple(Verb)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has shown who they are.

    `token` is the name of the token that was shown and `token_uid` its uid (empty: a session, or
    the owner's token). `is_super_admin` is an administrator of all organizations. A role in the
    cluster takes the place of `role` for what is done to deployments and clusters.
    """

    user: str
    role: Role
    organization: str = DEFAULT_ORGANIZATION
    scopes: frozenset[str] = frozenset({API})
    token: str = ""
    token_uid: str = ""
    is_super_admin: bool = False
    cluster_role: Role | None = None

    def may(self, verb: Verb, area: Area) -> bool:
        """Whether the organization, the role and the token's scopes all allow it."""
        return (
            self._by_organization(verb, area)
            and self._by_role(verb, area)
            and self._by_scope(verb, area)
        )

    def require(self, verb: Verb, area: Area) -> None:
        """Raises PermissionDenied, saying what is missing."""
        if not self._by_organization(verb, area):
            raise PermissionDenied(
                f"organization {self.organization!r} may not {verb} {area}, which all share:"
                f" that is for administrators of all organizations, or of {DEFAULT_ORGANIZATION!r}"
            )
        if not self._by_role(verb, area):
            raise PermissionDenied(f"{self.user}: a {self.role_for(area)} may not {verb} {area}")
        self.require_scope(verb, area)

    def require_scope(self, verb: Verb, area: Area) -> None:
        """Raises PermissionDenied if the token may not, whatever the role."""
        if not self._by_scope(verb, area):
            raise PermissionDenied(
                f"the token {self.token!r} has no scope to {verb} {area}:"
                f" it needs {API} or {verb}_{_target(area)}"
            )

    def role_for(self, area: Area) -> Role:
        """The role that counts there."""
        if self.cluster_role is not None and area in _OF_CLUSTER:
            return self.cluster_role
        return self.role

    def _by_organization(self, verb: Verb, area: Area) -> bool:
        is_shared = area is Area.CLUSTERS and verb is not Verb.READ
        is_owner = self.is_super_admin or self.organization == DEFAULT_ORGANIZATION
        return is_owner or not is_shared

    def _by_role(self, verb: Verb, area: Area) -> bool:
        most = RIGHTS[self.role_for(area)].get(area)
        return most is not None and _ORDER.index(verb) <= _ORDER.index(most)

    def _by_scope(self, verb: Verb, area: Area) -> bool:
        if API in self.scopes:
            return True
        enough = _ORDER[_ORDER.index(verb) :]
        return any(f"{each}_{_target(area)}" in self.scopes for each in enough)


def _a(role: Role) -> str:
    return f"an {role}" if role.value[0] in "aeiou" else f"a {role}"


def _target(area: Area) -> str:
    return "cluster" if area in _OF_CLUSTER else "organization"


OWNER = Principal("owner", Role.ADMIN, is_super_admin=True)
"""Who has the state folder of the mesh, or its control token."""
