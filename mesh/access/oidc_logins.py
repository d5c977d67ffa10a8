"""Users who log in with a provider of OpenID Connect."""

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from mesh.access.codes import Codes
from mesh.access.directory import Directory
from mesh.access.login_config import LoginConfig, OidcConfig
from mesh.access.oidc import Flow, Identity, authorization_url, identity, role_of
from mesh.access.oidc_client import OidcClient
from mesh.access.people import User
from mesh.access.principal import Role
from mesh.access.throttle import Throttle
from mesh.access.users import NewUser
from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.errors import AlreadyExists, Overloaded, Unauthenticated

OIDC = "oidc"
"""What a provider's name for a user is called among their credentials."""
MOST = 10_000
"""People who are at the provider at one time."""
_STRANGE = re.compile(r"[^A-Za-z0-9._@+-]+")
_EDGES = "._@+-"


@dataclass(slots=True)
class OidcLogins:
    """For one event loop. `wall` gives seconds since the Unix epoch."""

    directory: Directory
    wall: Callable[[], float]
    login: LoginConfig
    config: OidcConfig
    client: OidcClient
    _flows: Codes[Flow] = field(default_factory=lambda: Codes(MOST))
    _failed: Throttle = field(default_factory=Throttle)

    async def begin(self, redirect_url: str, leads_to: str) -> tuple[str, str]:
        """Where a browser is to go, and a secret that it is to keep meanwhile.

        Raises Unavailable where the provider is not there.
        """
        provider = await self.client.provider()
        flow = Flow(
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(48),
            secrets.token_urlsafe(32),
            self.config.redirect_url or redirect_url,
            leads_to,
        )
        state = self._flows.make(self.wall())
        self._flows.bind(state, flow, self.wall())
        return authorization_url(provider, self.config, state, flow), flow.binding

    async def identified(self, code: str, state: str, binding: str) -> tuple[Identity, str]:
        """Whom the provider names who has come back, and the path that they wanted.

        Raises:
            NotFound: nobody was sent there with this state, or too long ago, or they are back.
            Unauthenticated: it is another browser, or the provider's answer does not hold.
            Unavailable: the provider does not answer.
        """
        flow = self._flows.take(state, self.wall())
        if not hmac.compare_digest(flow.binding.encode(), binding.encode()):
            raise Unauthenticated("this login was begun in another browser: start again")
        token = await self.client.id_token(code, flow)
        provider, keys = await self.client.provider(), await self.client.keys(token)
        found = identity(token, keys, provider, self.config, flow.nonce, self.wall())
        return found, flow.leads_to

    def is_worth_a_note(self, address: str) -> bool:
        """Whether a login from there that has failed is noted.

        Those that come too soon after others are not: anybody can have as many as they like fail,
        and would push out all else.
        """
        try:
            self._failed.begin(self.wall(), address)
        except Overloaded:
            return False
        return True

    async def user(self, found: Identity) -> User:
        """The user whom a provider names: made when they come first.

        One who was made with this email and cannot log in yet is meant as well. Raises
        AlreadyExists if the email is that of a user who logs in otherwise.
        """
        known = self._known(found)
        role = role_of(found, self.config, self.login.role)
        credentials = {OIDC: {"issuer": found.issuer, "subject": found.subject}}
        users = self.directory.users
        if known is None:
            wanted = NewUser(
                self._free_name(found.name),
                found.email,
                found.first_name[:200],
                found.last_name[:200],
                organization=DEFAULT_ORGANIZATION,
                role=role,
                creator="",
                credentials=credentials,
            )
            return await users.make(wanted)
        if not known.credentials:
            known = await users.change(known.name, credentials=credentials)
        if self.config.role_claim:
            await self._give(known.name, role)
        return known

    async def _give(self, user: str, role: Role) -> None:
        """What the provider says that a member is, they are."""
        members = self.directory.members
        for member in members.of(DEFAULT_ORGANIZATION):
            if member.user == user and member.role != role:
                await members.change(DEFAULT_ORGANIZATION, user, role)

    def _known(self, found: Identity) -> User | None:
        wanted = {"issuer": found.issuer, "subject": found.subject}
        users = self.directory.users
        for each in users.all():
            if each.credentials.get(OIDC) == wanted:
                return each
        same = users.find(found.email) if found.email else None
        if same is not None and same.credentials:
            raise AlreadyExists(f"a user with email {found.email!r} is there and logs in otherwise")
        return same

    def _free_name(self, wanted: str) -> str:
        name = _STRANGE.sub("-", wanted)[:100].strip(_EDGES) or "user"
        users, number, free = self.directory.users, 1, name
        while users.find(free) is not None:
            number += 1
            free = f"{name}-{number}"
        return free
