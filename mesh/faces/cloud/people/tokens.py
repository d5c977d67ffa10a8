"""Tokens over the cloud API: `/api/v1/api_tokens`."""

from collections.abc import Iterable

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.access.tokens import Token, time_of
from mesh.control.records import DeploymentRecord
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.parameters import Paged, Paging, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.organizations import organization
from mesh.faces.cloud.wire.tokens import TokenChange, TokenSent, TokenView, token

READ = may(Verb.READ, Area.TOKENS)
HERE = "/api/v1/api_tokens"


def tokens(backing: Backing) -> APIRouter:
    """The routes of tokens."""
    routes = APIRouter(tags=["api_tokens"])
    kept = Tokens(backing)

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[TokenView]:
        """One's own tokens and those of the organization; an administrator sees all of it."""
        return asked.page(kept.meant(asker, asked), kept.view)

    @routes.post(HERE)
    async def create(
        sent: TokenSent, asker: Asker = may(Verb.WRITE, Area.TOKENS, "api_token", "created")
    ) -> TokenView:
        """Makes a token, whose text is in this reply only; with a code it is whose that is."""
        if sent.code:
            backing.logins.codes.require(sent.code, backing.wall())
        made, text = await kept.make(asker, sent)
        view = kept.view(made).model_copy(update={"token": text})
        if not sent.code:
            return view
        backing.logins.codes.bind(sent.code, view.model_dump(mode="json"), backing.wall())
        return kept.view(made)

    @routes.get(f"{HERE}/{{uid}}")
    async def get(uid: str, asker: Asker = READ) -> TokenView:
        """One token, without its text."""
        return kept.view(kept.visible(asker, uid))

    @routes.patch(f"{HERE}/{{uid}}")
    async def change(
        uid: str,
        sent: TokenChange,
        asker: Asker = may(Verb.WRITE, Area.TOKENS, "api_token", "updated"),
    ) -> TokenView:
        """Changes what is said of a token, what it may, or when it expires."""
        return kept.view(await kept.change(asker, uid, sent))

    @routes.delete(f"{HERE}/{{uid}}")
    async def revoke(
        uid: str, asker: Asker = may(Verb.WRITE, Area.TOKENS, "api_token", "deleted")
    ) -> TokenView:
        """Revokes a token: from now on it opens nothing."""
        return kept.view(await kept.revoke(asker, uid))

    @routes.get("/api/v2/deployments/{name}/api_tokens")
    async def of_deployment(
        name: str, asked: Paged, cluster: Text = "", asker: Asker = READ
    ) -> Listed[TokenView]:
        """Those of the tokens that one sees with which a deployment can be called."""
        check_cluster(cluster)
        asker.principal.require(Verb.READ, Area.DEPLOYMENTS)
        found = kept.that_open(asker, name, kept.meant(asker, asked))
        return asked.page(found, kept.view)

    return routes


class Tokens:
    """The tokens of a mesh, as far as whoever asks has to do with them."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._access = backing.access

    def meant(self, asker: Asker, asked: Paging) -> list[Token]:
        """Those that the asker sees and means, the newest first."""
        query = wanted(asked.q, asker.user)
        return [
            each
            for each in self._access.tokens.of(asker.organization)
            if _is_seen(asker, each)
            and asked.search in each.name
            and query.words_allow(each.name, each.description)
            and query.term_allows("creator", each.user)
        ]

    def visible(self, asker: Asker, uid: str) -> Token:
        """One that the asker sees. Raises NotFound."""
        found = self._access.tokens.token(asker.organization, uid)
        if not _is_seen(asker, found):
            raise NotFound(f"there is no token with uid {uid!r}")
        return found

    def changeable(self, asker: Asker, uid: str) -> Token:
        """One that is the asker's. Raises NotFound, PermissionDenied."""
        found = self.visible(asker, uid)
        asker.doing.name = found.name
        asker.doing.resource = _noted(found)
        if found.is_of_organization or found.user != asker.user:
            asker.principal.require(Verb.WRITE, Area.MEMBERS)
        return found

    async def make(self, asker: Asker, sent: TokenSent) -> tuple[Token, str]:
        """A new one, and its text. Raises NotFound for a deployment, and as `Issued.make`."""
        asker.doing.name = sent.name
        wish = sent.wish()
        if wish.is_of_organization:
            asker.principal.require(Verb.WRITE, Area.MEMBERS)
        known = {each.uid for each in self._deployments(asker.organization)}
        for uid in sorted(wish.opens - known):
            raise NotFound(f"there is no deployment with uid {uid!r}")
        made, text = await self._access.tokens.make(asker.principal, wish)
        await self._backing.granted()
        asker.doing.resource = _noted(made)
        return made, text

    async def change(self, asker: Asker, uid: str, sent: TokenChange) -> Token:
        """Changes what is said. Raises as `changeable` and `Issued.change`."""
        found = self.changeable(asker, uid)
        changed = await self._access.tokens.change(
            asker.principal,
            found.uid,
            description=sent.description,
            scopes=sent.scopes,
            expires_at=time_of(sent.expired_at) if sent.expired_at else None,
        )
        asker.doing.resource = _noted(changed)
        await self._backing.granted()
        return changed

    async def revoke(self, asker: Asker, uid: str) -> Token:
        """Revokes one: what it opened is closed when this returns. Raises as `changeable`."""
        found = self.changeable(asker, uid)
        revoked = await self._access.tokens.revoke(asker.organization, found.uid)
        await self._backing.granted()
        return revoked

    def that_open(self, asker: Asker, name: str, among: Iterable[Token]) -> list[Token]:
        """Those with which a deployment can be called. Raises NotFound."""
        record = self._backing.verbs.deployment(name)
        if record.organization != asker.organization:
            raise NotFound(f"there is no deployment {name!r}")
        grants = ((each, self._access.opens(each)) for each in among)
        return [
            each
            for each, grant in grants
            if grant is not None and (grant.everything or record.uid in grant.deployments)
        ]

    def view(self, found: Token) -> TokenView:
        """It as replies have it."""
        access = self._access
        of = access.organizations.organization(found.organization)
        known = self._deployments(found.organization) if found.opens else ()
        return token(
            found,
            self._backing.wall(),
            access.person(found.user),
            organization(of, access.person(of.creator)),
            sorted(each.name for each in known if each.uid in found.opens),
        )

    def _deployments(self, organization: str) -> tuple[DeploymentRecord, ...]:
        found = self._backing.verbs.deployments()
        return tuple(each for each in found if each.organization == organization)


def _is_seen(asker: Asker, found: Token) -> bool:
    mine = found.is_of_organization or found.user == asker.user
    return mine or asker.principal.may(Verb.WRITE, Area.MEMBERS)


def _noted(found: Token) -> dict[str, object]:
    """What the journal keeps of a token."""
    return {"uid": found.uid, "user": found.user, "scopes": sorted(found.scopes)}
