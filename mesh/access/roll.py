"""All users, organizations, members and tokens of a mesh, in memory, written through."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mesh.access.people import (
    Invitation,
    Member,
    Organization,
    User,
    invitation_of,
    member_of,
    of_invitation,
    of_member,
    of_organization,
    of_user,
    organization_of,
    user_of,
)
from mesh.access.principal import OWNER
from mesh.access.tokens import Token, of_token, token_of
from mesh.control.store.catalogue import Catalogue, Entry, Kind, Put, Remove

Known = User | Organization | Member | Token | Invitation
KINDS = (Kind.ORGANIZATION, Kind.USER, Kind.MEMBER, Kind.TOKEN, Kind.INVITATION)


async def _admit(organization: str, more: int) -> None:
    """Nobody counts."""


@dataclass(slots=True)
class Roll:
    """What is known of people and tokens. For one event loop.

    `users` and `organizations` are by name, `members` by organization, cluster (empty: of the
    organization itself) and user, `tokens` and `invitations` by digest. They are read at
    any time and changed only through `write`, within `changing`.
    """

    catalogue: Catalogue
    users: dict[str, User] = field(default_factory=dict)
    organizations: dict[str, Organization] = field(default_factory=dict)
    members: dict[tuple[str, str, str], Member] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    changed: Callable[[], None] = lambda: None
    """Is called after each change."""
    admit: Callable[[str, int], Awaitable[None]] = _admit
    """Is asked whether an organization may have so many more members; raises if it may not."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __repr__(self) -> str:
        return (
            f"<Roll: {len(self.users)} users, {len(self.members)} members,"
            f" {len(self.tokens)} tokens>"
        )

    async def load(self) -> None:
        """Reads all that is kept. Raises what the methods of `Catalogue` raise."""
        for kind in KINDS:
            for entry in await self.catalogue.entries(kind, organization=None):
                self._take(entry)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """While the block lasts nobody else changes anything: what it has read stays true."""
        async with self._lock:
            yield

    async def write(
        self, *put: Known, new: tuple[Known, ...] = (), removed: tuple[Known, ...] = ()
    ) -> None:
        """Writes all of it or, if it raises, nothing; in memory once it is kept.

        What is `new` must not be there yet. Raises what `Catalogue.write` and `admit` raise.
        """
        for organization, more in self._joining((*put, *new)).items():
            await self.admit(organization, more)
        entries = [(entry_of(each), False) for each in put]
        entries += [(entry_of(each), True) for each in new]
        gone = [entry_of(each) for each in removed]
        await self.catalogue.write(
            *(Remove(each) for each in gone), *(Put(each, is_new) for each, is_new in entries)
        )
        for each in gone:
            self._drop(each)
        for each, _ in entries:
            self._take(each)
        self.changed()

    def _joining(self, written: tuple[Known, ...]) -> Counter[str]:
        """How many of these are members that were none, by organization; the owner counts never."""
        return Counter(
            each.organization
            for each in written
            if isinstance(each, Member)
            and not each.cluster
            and each.user != OWNER.user
            and (each.organization, "", each.user) not in self.members
        )

    async def keep(self, *tokens: Token) -> None:
        """Writes tokens of which nothing is new but when they were used: nobody is told."""
        entries = tuple(of_token(each) for each in tokens)
        if entries:
            await self.catalogue.write(*map(Put, entries))
        for each in entries:
            self._take(each)

    def _take(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.USER:
                self.users[entry.name] = user_of(entry)
            case Kind.ORGANIZATION:
                self.organizations[entry.name] = organization_of(entry)
            case Kind.MEMBER:
                self.members[entry.organization, entry.scope, entry.name] = member_of(entry)
            case Kind.INVITATION:
                self.invitations[entry.name] = invitation_of(entry)
            case _:
                self.tokens[entry.name] = token_of(entry)

    def _drop(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.USER:
                self.users.pop(entry.name, None)
            case Kind.ORGANIZATION:
                self.organizations.pop(entry.name, None)
            case Kind.MEMBER:
                self.members.pop((entry.organization, entry.scope, entry.name), None)
            case Kind.INVITATION:
                self.invitations.pop(entry.name, None)
            case _:
                self.tokens.pop(entry.name, None)


def entry_of(known: Known) -> Entry:
    """As it is kept."""
    match known:
        case User():
            return of_user(known)
        case Organization():
            return of_organization(known)
        case Member():
            return of_member(known)
        case Invitation():
            return of_invitation(known)
        case Token():
            return of_token(known)
