"""Tokens that were given out: made, changed, revoked, and when each was last used."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mesh.access.people import checked_text
from mesh.access.principal import Principal
from mesh.access.roll import Roll
from mesh.access.tokens import (
    Token,
    Wish,
    checked_scopes,
    digest_of,
    new_text,
    require_no_more,
    scopes_of,
)
from mesh.errors import FailedPrecondition, InvalidArgument, NotFound


@dataclass(slots=True)
class Issued:
    """All tokens of a mesh but the owner's."""

    _roll: Roll
    _wall: Callable[[], float]
    _new_uid: Callable[[], str]
    _used: dict[str, float] = field(default_factory=dict, repr=False)
    """When tokens were last used, by digest: those of which it is not kept yet."""

    def of(self, organization: str) -> tuple[Token, ...]:
        """Those of an organization, the newest first."""
        found = [each for each in self._roll.tokens.values() if each.organization == organization]
        found.sort(key=lambda each: (each.created_at, each.uid), reverse=True)
        return tuple(map(self._as_used, found))

    def token(self, organization: str, uid: str) -> Token:
        """One of these. Raises NotFound."""
        for each in self._roll.tokens.values():
            if (each.organization, each.uid) == (organization, uid):
                return self._as_used(each)
        raise NotFound(f"there is no token with uid {uid!r}")

    async def make(self, asker: Principal, wish: Wish) -> tuple[Token, str]:
        """A new token of the asker or of their organization, and its text, told only now.

        Raises:
            InvalidArgument: a scope is none, the name is empty, or it would be good for nothing.
            PermissionDenied: it would be good for more than the token that the asker has shown.
            FailedPrecondition: the asker is no member of the organization.
        """
        scopes = scopes_of(wish)
        require_no_more(asker, scopes, opens=wish.is_for_calls)
        if not wish.name.strip():
            raise InvalidArgument("a token needs a name")
        async with self._roll.changing():
            here = (asker.organization, "", asker.user)
            if not wish.is_of_organization and here not in self._roll.members:
                where = f"organization {asker.organization!r}"
                raise FailedPrecondition(f"{asker.user!r} is no member of {where}")
            text, now = new_text(), self._wall()
            made = Token(
                digest_of(text),
                self._new_uid(),
                now,
                now,
                asker.organization,
                asker.user,
                checked_text("the name", wish.name),
                checked_text("the description", wish.description),
                scopes,
                wish.expires_at,
                is_of_organization=wish.is_of_organization,
                opens_all=wish.opens_all,
                opens_endpoints=wish.opens_endpoints,
                opens=wish.opens,
            )
            await self._roll.write(new=(made,))
            return made, text

    async def change(
        self,
        asker: Principal,
        uid: str,
        *,
        description: str | None = None,
        scopes: tuple[str, ...] | None = None,
        expires_at: float | None = None,
    ) -> Token:
        """Changes what is not None. Raises NotFound, and as `make`."""
        checked_text("the description", description or "")
        async with self._roll.changing():
            before = self.token(asker.organization, uid)
            then = before.scopes if scopes is None else checked_scopes(scopes)
            if not then and not before.is_for_calls:
                raise InvalidArgument("a token needs a scope, or deployments that it opens")
            longer = expires_at is not None and expires_at > before.expires_at
            gained = then if longer else then - before.scopes
            require_no_more(asker, gained, opens=longer and before.is_for_calls)
            after = replace(
                before,
                description=before.description if description is None else description,
                scopes=then,
                expires_at=before.expires_at if expires_at is None else expires_at,
                updated_at=self._wall(),
            )
            await self._roll.write(after)
            return after

    async def revoke(self, organization: str, uid: str) -> Token:
        """Ends a token: when this returns it opens nothing any more. Raises NotFound."""
        async with self._roll.changing():
            found = self.token(organization, uid)
            await self._roll.write(removed=(found,))
            self._used.pop(found.digest, None)
            return found

    def note_use(self, digest: str, at: float) -> None:
        """Remembers that a token was used then; of one that is not known it means nothing."""
        token = self._roll.tokens.get(digest)
        if token is not None and at > self._used.get(digest, token.last_used_at):
            self._used[digest] = at

    async def keep_uses(self) -> None:
        """Writes down when tokens were last used; for a call once in a while.

        Raises what `Catalogue.write` raises; what was not written is tried again next time.
        """
        async with self._roll.changing():
            used = dict(self._used)
            found = (self._roll.tokens.get(each) for each in used)
            await self._roll.keep(
                *(
                    replace(each, last_used_at=used[each.digest])
                    for each in found
                    if each is not None
                )
            )
            for digest, at in used.items():
                if self._used.get(digest) == at:
                    del self._used[digest]

    def _as_used(self, token: Token) -> Token:
        at = self._used.get(token.digest)
        return token if at is None else replace(token, last_used_at=at)
