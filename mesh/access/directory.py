"""Who gets into a mesh: its users, organizations, members, tokens and sessions."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import uuid4

from mesh.access.contract import WANTED, WRONG, Grant, Person
from mesh.access.issued import Issued
from mesh.access.membership import Membership
from mesh.access.organizations import Organizations
from mesh.access.people import ACTIVE, INACTIVE, Member, Organization, User
from mesh.access.principal import OWNER, Principal, Role
from mesh.access.roll import Roll
from mesh.access.sessions import Sessions
from mesh.access.tokens import NEVER, Token, digest_of, grant_of, principal_of
from mesh.access.users import Users
from mesh.control.records import CLUSTER, DEFAULT_ORGANIZATION
from mesh.control.store.catalogue import Catalogue
from mesh.errors import PermissionDenied, Unauthenticated


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _uid() -> str:
    return uuid4().hex


@dataclass(slots=True)
class Directory:
    """See contract.Access. For one event loop; made by `opened`.

    Without an `owner_token` whoever shows none is the owner; with one, whoever shows that.
    """

    roll: Roll
    users: Users
    organizations: Organizations
    members: Membership
    tokens: Issued
    sessions: Sessions
    owner_token: bytes = field(default=b"", repr=False)
    wall: Callable[[], float] = time.time
    _opened: asyncio.Event = field(default_factory=asyncio.Event)
    _told: list[Callable[[Mapping[bytes, Grant]], None]] = field(default_factory=list)

    @classmethod
    async def opened(
        cls,
        catalogue: Catalogue,
        owner_token: str = "",
        wall: Callable[[], float] = time.time,
        new_uid: Callable[[], str] = _uid,
    ) -> "Directory":
        """With all that is kept. Raises what the methods of `Catalogue` raise."""
        made = cls.closed(catalogue, owner_token, wall, new_uid)
        await made.open()
        return made

    @classmethod
    def closed(
        cls,
        catalogue: Catalogue,
        owner_token: str = "",
        wall: Callable[[], float] = time.time,
        new_uid: Callable[[], str] = _uid,
    ) -> "Directory":
        """One that knows only the owner, until `open`."""
        roll = Roll(catalogue)
        made = cls(
            roll,
            Users(roll, wall, new_uid),
            Organizations(roll, wall, new_uid),
            Membership(roll, wall, new_uid),
            Issued(roll, wall, new_uid),
            Sessions(catalogue),
            _bytes(owner_token),
            wall,
        )
        roll.changed = made.tell
        return made

    async def open(self) -> None:
        """Reads all that is kept; makes the owner and the organization `default` at first."""
        await self.roll.load()
        now = self.wall()
        put: list[User | Organization | Member] = []
        if DEFAULT_ORGANIZATION not in self.roll.organizations:
            put.append(
                Organization(
                    DEFAULT_ORGANIZATION,
                    DEFAULT_ORGANIZATION,
                    now,
                    now,
                    creator=OWNER.user,
                    clusters={CLUSTER: ""},
                )
            )
        if OWNER.user not in self.roll.users:
            put.append(User(OWNER.user, OWNER.user, now, now, is_super_admin=True))
        if (DEFAULT_ORGANIZATION, "", OWNER.user) not in self.roll.members:
            put.append(Member(OWNER.user, Role.ADMIN, OWNER.user, now, now))
        if put:
            await self.roll.write(*put)
        await self.sessions.load(now)
        self._opened.set()
        self.tell()

    @property
    def is_open(self) -> bool:
        """Whether what is kept has been read."""
        return self._opened.is_set()

    async def until_opened(self) -> None:
        """As of Access."""
        await self._opened.wait()

    async def admit(self, token: str) -> Principal:
        """As of Access."""
        if token and not self._is_owner(token):
            await self._opened.wait()
        return self.authenticate(token)

    def authenticate(self, token: str) -> Principal:
        """As of Access.

        Raises:
            Unauthenticated: it is missing, unknown or expired.
            PermissionDenied: the organization of the token is inactive.
        """
        if not token:
            if self.owner_token:
                raise Unauthenticated(WANTED)
            return OWNER
        if self._is_owner(token):
            return OWNER
        # Others are looked up by their digest. How long that takes may tell something of digests,
        # from which nobody finds a token; so it need not be in constant time.
        found = self.roll.tokens.get(digest_of(token))
        principal = None if found is None else self.who_shows(found)
        if found is None or principal is None:
            raise Unauthenticated(WRONG)
        if found.has_expired(self.wall()):
            raise Unauthenticated(f"the token {found.name!r} has expired")
        if not self._is_active(found.organization):
            raise PermissionDenied(f"organization {found.organization!r} is {INACTIVE}")
        self.tokens.note_use(found.digest, self.wall())
        return principal

    def principal(self, user: str, organization: str = "") -> Principal:
        """A user who has shown otherwise who they are, in one of their organizations.

        Without `organization` it is `default`, or else the first (by name) that they are in.

        Raises:
            Unauthenticated: there is no such user (any more).
            PermissionDenied: they are no member, or it is inactive.
        """
        known = self.roll.users.get(user)
        if known is None:
            raise Unauthenticated(f"there is no user {user!r} any more")
        theirs = self.members.organizations_of(user)
        chosen = organization or next(
            (each for each in theirs if each == DEFAULT_ORGANIZATION), theirs[0] if theirs else ""
        )
        member = self.roll.members.get((chosen, "", user))
        if member is None:
            where = f"organization {chosen!r}" if chosen else "any organization"
            raise PermissionDenied(f"{user} is no member of {where}")
        if not self._is_active(chosen):
            raise PermissionDenied(f"organization {chosen!r} is {INACTIVE}")
        return Principal(
            user,
            member.role,
            chosen,
            is_super_admin=known.is_super_admin,
            cluster_role=self._cluster_role(chosen, user),
        )

    def elsewhere(self, asker: Principal, organization: str) -> Principal:
        """The same asker in the organization that they name: what administrators of all may.

        Raises:
            PermissionDenied: others name one that is not theirs.
            NotFound: there is none (any more).
        """
        if organization == asker.organization:
            return asker
        if not asker.is_super_admin:
            raise PermissionDenied(f"this token is of organization {asker.organization!r}")
        self.organizations.organization(organization)
        return replace(asker, organization=organization, role=Role.ADMIN, cluster_role=None)

    def who_shows(self, token: Token) -> Principal | None:
        """Who shows the token, be it expired or not; None for one whose user has left.

        A token of the organization belongs to no person, so it manages no people: it is a
        developer.
        """
        if token.is_of_organization:
            return principal_of(token, Role.DEVELOPER)
        member = self.roll.members.get((token.organization, "", token.user))
        if member is None:
            return None
        user = self.roll.users.get(token.user)
        return principal_of(
            token,
            member.role,
            is_super_admin=user is not None and user.is_super_admin,
            cluster_role=self._cluster_role(token.organization, token.user),
        )

    def opens(self, token: Token) -> Grant | None:
        """What it opens of protected deployments; None for nothing."""
        who = self.who_shows(token)
        if who is None or not self._is_active(token.organization):
            return None
        return grant_of(token, who)

    def person(self, name: str) -> Person:
        """As of Access."""
        return self.roll.users.get(name) or Person(name, name, 0.0, 0.0)

    def when_granted(self, tell: Callable[[Mapping[bytes, Grant]], None]) -> None:
        """As of Access."""
        self._told.append(tell)
        tell(self.grants())

    def used(self, digest: bytes, at: float) -> None:
        """As of Access."""
        self.tokens.note_use(digest.hex(), at)

    def tell(self) -> None:
        """Tells everyone what opens protected deployments now."""
        grants = self.grants() if self._told else {}
        for tell in self._told:
            tell(grants)

    def grants(self) -> Mapping[bytes, Grant]:
        """What opens protected deployments; the owner's token opens all of them."""
        found: dict[bytes, Grant] = {}
        if self.owner_token:
            found[hashlib.sha256(self.owner_token).digest()] = Grant(
                "", everything=True, expires_at=NEVER
            )
        for token in self.roll.tokens.values():
            grant = self.opens(token)
            if grant is not None:
                found[bytes.fromhex(token.digest)] = grant
        return found

    def _is_owner(self, token: str) -> bool:
        # In constant time, so that how long it takes tells nothing of the token.
        return bool(self.owner_token) and hmac.compare_digest(_bytes(token), self.owner_token)

    def _is_active(self, organization: str) -> bool:
        found = self.roll.organizations.get(organization)
        return found is not None and found.status == ACTIVE

    def _cluster_role(self, organization: str, user: str) -> Role | None:
        member = self.roll.members.get((organization, CLUSTER, user))
        return None if member is None else member.role
