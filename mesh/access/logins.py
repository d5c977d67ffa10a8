"""How people get in without a token: with a password, from then on with a session."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.access.codes import Codes
from mesh.access.directory import Directory
from mesh.access.login_config import LoginConfig
from mesh.access.passwords import USUAL, Cost, acceptable, is_it, kept_form
from mesh.access.people import User
from mesh.access.principal import OWNER, Principal, Role
from mesh.access.sessions import Sessions
from mesh.access.throttle import Throttle
from mesh.access.users import NewUser
from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.errors import FailedPrecondition, PermissionDenied, Unauthenticated

PASSWORD = "password"  # noqa: S105  # what it is called among the credentials of a user
AT_ONCE = 2
"""Passwords that are looked at at one time: each takes memory."""
WRONG = "the name or the password is wrong"
Bound = Mapping[str, Any]
"""What is bound to a code: a token as replies have it, with its text."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who wants to be a user."""

    name: str
    email: str
    password: str = field(repr=False)
    first_name: str = ""
    last_name: str = ""


@dataclass(slots=True)
class Logins:
    """For one event loop. `wall` gives seconds since the Unix epoch."""

    directory: Directory
    wall: Callable[[], float]
    config: LoginConfig = field(default_factory=LoginConfig)
    cost: Cost = USUAL
    throttle: Throttle = field(default_factory=Throttle)
    codes: Codes[Bound] = field(default_factory=Codes)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def sessions(self) -> Sessions:
        """Who is logged in."""
        return self.directory.sessions

    def principal(self, session: str) -> Principal | None:
        """Who is logged in with this session; None if nobody is (any more).

        Raises PermissionDenied for one who is in no organization (any more).
        """
        user = self.sessions.user(session, self.wall())
        return self.directory.principal(user) if user else None

    async def log_in(self, name_or_email: str, password: str, address: str) -> User:
        """The user, if the password is theirs.

        Raises:
            Unauthenticated: it is not, or there is no such user: which is not told.
            Overloaded: too many tries have failed.
        """
        user = self.directory.users.find(name_or_email)
        key = (user.name if user else name_or_email.casefold()[:200], address)
        self.throttle.begin(self.wall(), *key)
        kept = str(user.credentials.get(PASSWORD, "")) if user else ""
        if not await self._is_it(password, kept) or user is None:
            raise Unauthenticated(WRONG)
        self.throttle.succeeded(*key)
        return user

    async def change_password(
        self, name: str, current: str, new: str, address: str, session: str
    ) -> User:
        """Gives a user another password, and ends their other sessions; raises as `log_in`."""
        acceptable(new)
        user = await self.log_in(name, current, address)
        after = await self.directory.users.change(
            user.name, credentials={**user.credentials, PASSWORD: await self._kept_form(new)}
        )
        await self.sessions.end_all(user.name, but=session)
        return after

    async def set_up(self, token: str, who: Newcomer) -> User:
        """Makes the first administrator.

        Raises:
            Unauthenticated: the token is not that of the mesh's owner.
            FailedPrecondition: there is an administrator.
        """
        if self.directory.authenticate(token) != OWNER:
            raise Unauthenticated("setup needs the token of the mesh's owner")
        self._require_no_admin()
        credentials = await self._credentials(who.password)
        self._require_no_admin()  # somebody may have been quicker
        return await self._make(who, credentials, Role.ADMIN, is_super_admin=True)

    async def register(self, invitation: str, who: Newcomer) -> User:
        """Makes a user of somebody who was invited, or of anybody where that is allowed.

        Raises:
            PermissionDenied: they were not, and it is not.
            NotFound: the invitation is not good (any more).
        """
        if invitation:
            self.directory.users.invited(invitation)
            credentials = await self._credentials(who.password)
            names = {"first_name": who.first_name, "last_name": who.last_name}
            return await self.directory.users.accept(invitation, who.name, credentials, **names)
        if not self.config.is_open:
            raise PermissionDenied("this needs an invitation: an administrator can send one")
        credentials = await self._credentials(who.password)
        return await self._make(who, credentials, self.config.role)

    async def _make(
        self, who: Newcomer, credentials: Bound, role: Role, *, is_super_admin: bool = False
    ) -> User:
        return await self.directory.users.make(
            NewUser(
                who.name,
                who.email,
                who.first_name,
                who.last_name,
                is_super_admin=is_super_admin,
                organization=DEFAULT_ORGANIZATION,
                role=role,
                creator=who.name,
                credentials=credentials,
            )
        )

    def _require_no_admin(self) -> None:
        members = self.directory.members.of(DEFAULT_ORGANIZATION)
        admins = {each.user for each in members if each.role is Role.ADMIN}
        admins |= {each.name for each in self.directory.users.all() if each.is_super_admin}
        if admins - {OWNER.user}:
            raise FailedPrecondition("this mesh is set up: its administrators make users")

    async def _credentials(self, password: str) -> Bound:
        return {PASSWORD: await self._kept_form(acceptable(password))}

    async def _kept_form(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(kept_form, password, self.cost)

    async def _is_it(self, password: str, kept: str) -> bool:
        async with self._room:
            return await asyncio.to_thread(is_it, password, kept, self.cost)
