"""Tokens: what they are, what they open, and how each is kept as an entry. Pure.

Of a token's text only its SHA-256 is kept. A text is 32 random bytes, so nobody can try them all,
and none can be found from its digest.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mesh.access.contract import Grant
from mesh.access.principal import API, Area, Principal, Role, Verb
from mesh.control.store.catalogue import Entry, Kind
from mesh.errors import InvalidArgument, PermissionDenied

PREFIX = "mesh_"
"""What texts of tokens begin with, so that they are known for what they are where they leak."""
NEVER = float("inf")
"""When a token expires that does not."""
_LAST = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
_TARGETS = ("organization", "cluster")
SCOPES = (API, *(f"{verb}_{target}" for target in _TARGETS for verb in Verb))


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants a new token to be; see `Token`.

    `scopes` that are None are `api`, or none for a token that only opens deployments.
    """

    name: str
    description: str = ""
    scopes: Collection[str] | None = None
    expires_at: float = NEVER
    is_of_organization: bool = False
    opens_all: bool = False
    opens_endpoints: bool = False
    opens: frozenset[str] = frozenset()

    @property
    def is_for_calls(self) -> bool:
        """Whether it is to open something."""
        return bool(self.opens_all or self.opens_endpoints or self.opens)


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its text. Times are in seconds since the Unix epoch.

    `digest` is the SHA-256 of the text, in hex. `user` is whose it is, or, of one that is
    `is_of_organization`, who made it. Of protected deployments it opens those whose uids are in
    `opens`, or all of its organization (`opens_all`), or all endpoints (`opens_endpoints`).
    """

    digest: str
    uid: str
    created_at: float
    updated_at: float
    organization: str
    user: str
    name: str
    description: str = ""
    scopes: frozenset[str] = frozenset({API})
    expires_at: float = NEVER
    last_used_at: float = 0.0
    is_of_organization: bool = False
    opens_all: bool = False
    opens_endpoints: bool = False
    opens: frozenset[str] = frozenset()

    @property
    def is_for_calls(self) -> bool:
        """Whether it was made to open something."""
        return bool(self.opens_all or self.opens_endpoints or self.opens)

    def has_expired(self, now: float) -> bool:
        """Whether it is good no more."""
        return now >= self.expires_at


MONITORS = frozenset({"read_organization", "read_cluster"})
"""The scopes of a token for those who watch: it reads, `/metrics` among the rest, and no more."""


def new_text() -> str:
    """The text of a new token."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(text: str) -> str:
    """What a token is kept and found by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def checked_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Scopes that there are. Raises InvalidArgument, naming one that is none."""
    found = frozenset(scopes)
    for each in sorted(found.difference(SCOPES)):
        raise InvalidArgument(f"{each[:80]!r} is no scope: there are {', '.join(SCOPES)}")
    return found


def scopes_of(wish: Wish) -> frozenset[str]:
    """The scopes of a new token. Raises InvalidArgument."""
    if wish.scopes is None:
        return frozenset() if wish.is_for_calls else frozenset({API})
    scopes = checked_scopes(wish.scopes)
    if not scopes and not wish.is_for_calls:
        raise InvalidArgument("a token needs a scope, or deployments that it opens")
    return scopes


def require_no_more(asker: Principal, scopes: Iterable[str], *, opens: bool) -> None:
    """Raises PermissionDenied if a token would be good for more than what made it.

    Roles are not compared: the rights of a token are those of its user, now and later.
    """
    if API in asker.scopes:
        return
    for each in sorted(scopes):
        verb, _, target = each.partition("_")
        enough = {f"{other}_{target}" for other in _at_least(verb)}
        if not enough & asker.scopes:
            raise PermissionDenied(f"the token {asker.token!r} may not make one with scope {each}")
    if opens:
        raise PermissionDenied(
            f"the token {asker.token!r} may not make one that opens deployments: it needs {API}"
        )


def _at_least(verb: str) -> Iterable[str]:
    order = tuple(Verb)
    return order[order.index(Verb(verb)) :] if verb in order else ()


def principal_of(
    token: Token, role: Role, *, is_super_admin: bool = False, cluster_role: Role | None = None
) -> Principal:
    """Who shows a token that is good.

    One of an organization is nobody's: it goes by its own name, which is that of no user.
    """
    return Principal(
        f"token:{token.name}" if token.is_of_organization else token.user,
        role,
        token.organization,
        token.scopes,
        token.name,
        token.uid,
        is_super_admin,
        cluster_role,
    )


def grant_of(token: Token, who: Principal) -> Grant | None:
    """What a token opens of protected deployments; None for nothing.

    Its user must be one who may change deployments, or who is there to call them. Tokens of scope
    `api`, the only ones that BentoML's own client can make, open all that their organization has.
    So do those for its endpoints: a grant does not say by which way a call comes, and an endpoint
    may lead to any deployment, tomorrow to another one.
    """
    role = who.role_for(Area.DEPLOYMENTS)
    if role is not Role.API_USER and not Principal("", role).may(Verb.WRITE, Area.DEPLOYMENTS):
        return None
    everything = token.opens_all or token.opens_endpoints or API in token.scopes
    if not everything and not token.opens:
        return None
    return Grant(token.organization, everything, token.opens, token.expires_at)


def time_of(text: str) -> float:
    """A time as clients send it, in seconds since the Unix epoch.

    ISO 8601, with `T` or a space; one without a zone is taken as UTC, as the clients of BentoCloud
    send nearly all of theirs. (`bentoml api-token create --expires 30d` sends the local time of its
    machine, without saying so: there a token expires early or late by its distance from UTC.)

    Raises InvalidArgument.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        seconds = -1
    if not 0 <= seconds < _LAST:
        raise InvalidArgument(f"{text[:80]!r} is no time: 2026-01-31T23:59:59Z is")
    return seconds


def of_token(token: Token) -> Entry:
    """As it is kept."""
    document = {
        "name": token.name,
        "description": token.description,
        "user": token.user,
        "scopes": sorted(token.scopes),
        "expires_at": None if token.expires_at == NEVER else token.expires_at,
        "last_used_at": token.last_used_at,
        "is_of_organization": token.is_of_organization,
        "opens_all": token.opens_all,
        "opens_endpoints": token.opens_endpoints,
        "opens": sorted(token.opens),
    }
    return Entry(
        Kind.TOKEN,
        token.digest,
        token.uid,
        token.created_at,
        token.updated_at,
        document,
        organization=token.organization,
    )


def token_of(entry: Entry) -> Token:
    """As it was kept."""
    found = entry.document
    expires_at = found.get("expires_at")
    return Token(
        entry.name,
        entry.uid,
        entry.created_at,
        entry.updated_at,
        entry.organization,
        found["user"],
        found["name"],
        description=found.get("description", ""),
        scopes=frozenset(found.get("scopes", ())),
        expires_at=NEVER if expires_at is None else expires_at,
        last_used_at=found.get("last_used_at", 0.0),
        is_of_organization=bool(found.get("is_of_organization")),
        opens_all=bool(found.get("opens_all")),
        opens_endpoints=bool(found.get("opens_endpoints")),
        opens=frozenset(found.get("opens", ())),
    )
