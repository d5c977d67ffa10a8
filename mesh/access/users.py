"""Users: who is known, by name or email."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.access.people import (
    Invitation,
    Member,
    User,
    checked_email,
    checked_name,
    checked_text,
)
from mesh.access.principal import Principal, Role
from mesh.access.roll import Roll
from mesh.access.tokens import digest_of, new_text
from mesh.control.records import DELETED, Document
from mesh.errors import AlreadyExists, InvalidArgument, NotFound

INVITED = 7 * 24 * 3600.0
"""Seconds in which an invitation is good."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who is to be made known. With an `organization` they are a member of it from the start."""

    name: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    is_super_admin: bool = False
    organization: str = ""
    role: Role = Role.DEVELOPER
    creator: str = ""
    credentials: Document = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Invited:
    """Who is to be invited, and what they will be."""

    email: str
    role: Role = Role.DEVELOPER
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True, slots=True)
class Users:
    """All users of a mesh."""

    _roll: Roll
    _wall: Callable[[], float]
    _new_uid: Callable[[], str]

    def all(self) -> tuple[User, ...]:
        """The newest first."""
        found = self._roll.users.values()
        return tuple(sorted(found, key=lambda each: (each.created_at, each.uid), reverse=True))

    def user(self, name: str) -> User:
        """One by name. Raises NotFound."""
        found = self._roll.users.get(name)
        if found is None:
            raise NotFound(f"there is no user {name!r}")
        return found

    def find(self, name_or_email: str) -> User | None:
        """One by name, or by email in any case; None if there is none."""
        found = self._roll.users.get(name_or_email)
        return found or self._of_email(name_or_email)

    async def make(self, wanted: NewUser) -> User:
        """A new user, and what they are in their first organization.

        Raises:
            AlreadyExists: there is one of this name or email.
            InvalidArgument: a name or email is none.
            NotFound: there is no such organization.
        """
        async with self._roll.changing():
            return await self._make(wanted)

    async def invite(self, asker: Principal, wanted: Invited) -> tuple[Invitation, str]:
        """Lets somebody become a user and member; the code that proves it is told only now.

        Raises:
            AlreadyExists: a user has this email.
            InvalidArgument: it is no email.
        """
        if not checked_email(wanted.email):
            raise InvalidArgument("an invitation needs an email")
        async with self._roll.changing():
            if self.find(wanted.email) is not None:
                raise AlreadyExists(f"there is a user with email {wanted.email!r} already")
            code, now = new_text(), self._wall()
            made = Invitation(
                digest_of(code),
                self._new_uid(),
                now,
                now,
                asker.organization,
                wanted.email,
                now + INVITED,
                wanted.role,
                checked_text("the first name", wanted.first_name),
                checked_text("the last name", wanted.last_name),
                asker.user,
            )
            stale = [each for each in self._roll.invitations.values() if each.expires_at <= now]
            await self._roll.write(new=(made,), removed=tuple(stale))
            return made, code

    def invited(self, code: str) -> Invitation:
        """Who was sent this code. Raises NotFound for one that is not good (any more)."""
        found = self._roll.invitations.get(digest_of(code))
        if found is None or found.expires_at <= self._wall():
            raise NotFound("there is no such invitation, or not any more")
        return found

    async def accept(self, code: str, name: str, credentials: Document, **names: str) -> User:
        """Makes a user of whoever was sent the code, which is good no more then.

        `first_name` and `last_name` take the place of those of the invitation.

        Raises:
            NotFound: the code is not good (any more).
            AlreadyExists: there is a user of this name or email.
            InvalidArgument: the name is none.
        """
        async with self._roll.changing():
            found = self.invited(code)
            wanted = NewUser(
                name,
                found.email,
                names.get("first_name") or found.first_name,
                names.get("last_name") or found.last_name,
                organization=found.organization,
                role=found.role,
                creator=found.creator,
                credentials=credentials,
            )
            return await self._make(wanted, found)

    async def _make(self, wanted: NewUser, *used: Invitation) -> User:
        name = checked_name(wanted.name)
        email = checked_email(wanted.email)
        self._require_free(name, email)
        now = self._wall()
        user = User(
            name,
            self._new_uid(),
            now,
            now,
            email=email,
            first_name=checked_text("the first name", wanted.first_name),
            last_name=checked_text("the last name", wanted.last_name),
            is_super_admin=wanted.is_super_admin,
            credentials=wanted.credentials,
        )
        member = (self._first_membership(wanted, now),) if wanted.organization else ()
        await self._roll.write(new=(user, *member), removed=used)
        return user

    async def change(self, name: str, **changes: Any) -> User:
        """Gives fields of `User` other values: email, names, credentials, `is_super_admin`.

        Raises:
            NotFound: there is no such user.
            AlreadyExists: another user has this email.
            InvalidArgument: a value is wrong.
        """
        for each in {"first_name", "last_name"} & set(changes):
            checked_text(each, changes[each])
        async with self._roll.changing():
            before = self.user(name)
            email = checked_email(changes.get("email", before.email))
            other = self._of_email(email)
            if other is not None and other.name != name:
                raise AlreadyExists(f"there is a user with email {email!r} already")
            after = replace(before, **changes, updated_at=self._wall())
            await self._roll.write(after)
            return after

    def _require_free(self, name: str, email: str) -> None:
        # Who looks for a user by name or email finds one of them only.
        if self.find(name) is not None:
            raise AlreadyExists(f"there is a user {name!r} already")
        if email and self.find(email) is not None:
            raise AlreadyExists(f"there is a user with email {email!r} already")

    def _of_email(self, email: str) -> User | None:
        if not email:
            return None
        wanted = email.casefold()
        found = (each for each in self._roll.users.values() if each.email.casefold() == wanted)
        return next(found, None)

    def _first_membership(self, wanted: NewUser, now: float) -> Member:
        found = self._roll.organizations.get(wanted.organization)
        if found is None or found.status == DELETED:
            raise NotFound(f"there is no organization {wanted.organization!r}")
        return Member(
            wanted.name,
            wanted.role,
            self._new_uid(),
            now,
            now,
            wanted.organization,
            creator=wanted.creator,
        )
