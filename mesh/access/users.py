"""Users: who is known, by name or email."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.access.people import (
    Member,
    User,
    checked_email,
    checked_name,
    checked_text,
)
from mesh.access.principal import Role
from mesh.access.roll import Roll
from mesh.control.records import Document
from mesh.errors import AlreadyExists, NotFound


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
        name = checked_name(wanted.name)
        email = checked_email(wanted.email)
        async with self._roll.changing():
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
            new: list[User | Member] = [user]
            if wanted.organization:
                new.append(self._first_membership(wanted, now))
            await self._roll.write(new=tuple(new))
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
        if wanted.organization not in self._roll.organizations:
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
