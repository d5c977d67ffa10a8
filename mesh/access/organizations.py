"""Organizations: made, changed and ended by administrators of all of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mesh.access.people import (
    ACTIVE,
    INACTIVE,
    Member,
    Organization,
    checked_organization,
    checked_text,
)
from mesh.access.principal import Role
from mesh.access.roll import Roll
from mesh.control.records import DEFAULT_ORGANIZATION, DELETED
from mesh.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound


@dataclass(frozen=True, slots=True)
class Organizations:
    """All organizations of a mesh."""

    _roll: Roll
    _wall: Callable[[], float]
    _new_uid: Callable[[], str]

    def all(self) -> tuple[Organization, ...]:
        """The newest first."""
        found = (each for each in self._roll.organizations.values() if each.status != DELETED)
        return tuple(sorted(found, key=lambda each: (each.created_at, each.uid), reverse=True))

    def organization(self, name: str) -> Organization:
        """One by name. Raises NotFound."""
        found = self._roll.organizations.get(name)
        if found is None or found.status == DELETED:
            raise NotFound(f"there is no organization {name!r}")
        return found

    async def make(self, name: str, creator: str, description: str = "") -> Organization:
        """A new one, whose first administrator is its creator.

        Raises:
            AlreadyExists: there is one of this name, or there was.
            InvalidArgument: the name is none.
        """
        checked_organization(name)
        checked_text("the description", description)
        async with self._roll.changing():
            if name in self._roll.organizations:
                raise AlreadyExists(f"there is or was an organization {name!r} already")
            now = self._wall()
            made = Organization(name, self._new_uid(), now, now, description, creator)
            admin = Member(creator, Role.ADMIN, self._new_uid(), now, now, name, creator=creator)
            await self._roll.write(new=(made, admin))
            return made

    async def change(self, name: str, **changes: Any) -> Organization:
        """Gives fields of `Organization` other values.

        Raises:
            NotFound: there is no such organization.
            FailedPrecondition: `default` would be inactive; it is where the owner is.
            InvalidArgument: a value is wrong.
        """
        checked_text("the description", changes.get("description", ""))
        status = changes.get("status", ACTIVE)
        if status not in (ACTIVE, INACTIVE):
            raise InvalidArgument(f"{status[:80]!r} is no status: there are {ACTIVE}, {INACTIVE}")
        if name == DEFAULT_ORGANIZATION and status == INACTIVE:
            raise FailedPrecondition(f"organization {name!r} stays {ACTIVE}: its owner is in it")
        async with self._roll.changing():
            after = replace(self.organization(name), **changes, updated_at=self._wall())
            await self._roll.write(after)
            return after

    async def remove(self, name: str) -> Organization:
        """Ends an organization, with its members and tokens; what else it has must be gone.

        Raises:
            NotFound: there is none.
            FailedPrecondition: it is `default`.
        """
        if name == DEFAULT_ORGANIZATION:
            raise FailedPrecondition(f"organization {name!r} stays: its owner is in it")
        async with self._roll.changing():
            found = self.organization(name)
            members = (each for key, each in self._roll.members.items() if key[0] == name)
            tokens = (each for each in self._roll.tokens.values() if each.organization == name)
            invitations = (
                each for each in self._roll.invitations.values() if each.organization == name
            )
            after = replace(found, status=DELETED, updated_at=self._wall())
            await self._roll.write(after, removed=(*members, *tokens, *invitations))
            return after
