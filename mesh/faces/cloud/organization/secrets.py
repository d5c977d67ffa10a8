"""Secrets over the cloud API: `/api/v1/org_secrets`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.admission import admit_owner
from mesh.control.records import CLUSTER, DeploymentRecord, Intent
from mesh.control.secrets import TEMPLATES, Content, check_unused, names_in
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.using import using
from mesh.faces.cloud.parameters import COUNT, Flag, Paged, Paging, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed, cluster, user
from mesh.faces.cloud.wire.secrets import (
    NamesSent,
    SecretChange,
    SecretsChecked,
    SecretSent,
    SecretView,
    TemplateView,
    secret,
    template,
)

READ = may(Verb.READ, Area.SECRETS)


def check_cluster(name: str) -> None:
    """Raises NotFound unless this is the cluster, or none is named."""
    if name not in ("", CLUSTER):
        raise NotFound(f"there is no cluster {name!r}")


def secrets(backing: Backing) -> APIRouter:
    """The routes of secrets."""
    routes = APIRouter(tags=["secrets"])
    kept = Secrets(backing)

    @routes.get("/api/v1/org_secrets")
    async def listed(
        asked: Paged,
        asker: Asker = READ,
        cluster: Text = "",
        all: Flag = None,  # noqa: A002  # the name of the parameter
    ) -> Listed[SecretView]:
        """Secrets, the newest first; never their values."""
        check_cluster(cluster)
        found = await kept.listed(asker, asked)
        # The official client asks for ten of all, and never for more.
        part = replace(asked, count=None) if all and asked.count == COUNT else asked
        return part.page(found, kept.views(found))

    @routes.post("/api/v1/org_secrets")
    async def create(
        sent: SecretSent,
        cluster: Text = "",
        asker: Asker = may(Verb.WRITE, Area.SECRETS, "secret", "created"),
    ) -> SecretView:
        """Keeps a new secret."""
        check_cluster(cluster)
        asker.doing.name = sent.name
        made = await kept.create(asker, sent)
        return kept.view(made)

    @routes.get("/api/v1/org_secrets/{name}")
    async def get(name: str, cluster: Text = "", asker: Asker = READ) -> SecretView:
        """One secret, without its values."""
        check_cluster(cluster)
        return kept.view(await kept.found(asker, name))

    @routes.patch("/api/v1/org_secrets/{name}")
    async def change(
        name: str,
        sent: SecretChange,
        cluster: Text = "",
        asker: Asker = may(Verb.WRITE, Area.SECRETS, "secret", "updated"),
    ) -> SecretView:
        """Replaces the content of a secret as a whole; replicas get it when they start anew."""
        check_cluster(cluster)
        return kept.view(await kept.change(asker, name, sent))

    @routes.delete("/api/v1/org_secrets/{name}")
    async def delete(
        name: str,
        cluster: Text = "",
        asker: Asker = may(Verb.WRITE, Area.SECRETS, "secret", "deleted"),
    ) -> SecretView:
        """Forgets a secret that no deployment uses which runs."""
        check_cluster(cluster)
        return kept.view(await kept.delete(asker, name))

    _add_aids(routes, kept)
    return routes


def _add_aids(routes: APIRouter, kept: "Secrets") -> None:
    @routes.post("/api/v1/org_secrets_check")
    async def check(sent: NamesSent, cluster: Text = "", asker: Asker = READ) -> SecretsChecked:
        """Which of these secrets there are."""
        check_cluster(cluster)
        found = {each.name: each for each in await kept.listed(asker, Paging())}
        names = tuple(dict.fromkeys(sent.names or ()))
        there = [found[name] for name in names if name in found]
        return SecretsChecked(
            items=tuple(map(kept.views(there), there)),
            message=tuple(_missing(name) for name in names if name not in found),
        )

    @routes.get("/api/v1/org_secrets_template")
    async def templates(asker: Asker = READ) -> tuple[TemplateView, ...]:
        """The keys that well-known services want."""
        del asker  # is let in
        return tuple(map(template, TEMPLATES))


def _missing(name: str) -> str:
    return f"there is no secret {name!r}"


class Secrets:
    """The secrets of a mesh, and who uses them."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def listed(self, asker: Asker, asked: Paging) -> list[Entry]:
        """Those that are meant, the newest first."""
        query = wanted(asked.q, asker.user)
        found = await self._backing.catalogue.entries(
            Kind.SECRET, scope="", organization=asker.organization, search=asked.search
        )
        return [
            entry
            for entry in found
            if query.words_allow(entry.name)
            and query.term_allows("creator", entry.document.get("creator", ""))
        ]

    async def found(self, asker: Asker, name: str) -> Entry:
        """One secret. Raises NotFound."""
        entry = await self._backing.catalogue.entry(
            Kind.SECRET, name, organization=asker.organization
        )
        if entry is None:
            raise NotFound(_missing(name))
        return entry

    async def create(self, asker: Asker, sent: SecretSent) -> Entry:
        """Keeps a new one.

        Raises ConfigError, AlreadyExists, and PermissionDenied if the organization was deleted.
        """
        content = sent.content.settled()
        now = self._backing.wall()
        document = {
            **content.document(),
            "description": sent.description or "",
            "creator": asker.user,
            "cluster": CLUSTER,
        }
        entry = Entry(
            kind=Kind.SECRET,
            name=sent.name,
            uid=self._backing.new_uid(),
            created_at=now,
            updated_at=now,
            document=document,
            organization=asker.organization,
            secret=content.values(),
        )
        asker.doing.resource = _noted(content)
        async with self._backing.changing:  # an organization that is there stays there
            await admit_owner(self._backing.catalogue, asker.organization)
            await self._backing.catalogue.write(Put(entry, is_new=True))
        return entry

    async def change(self, asker: Asker, name: str, sent: SecretChange) -> Entry:
        """Replaces what is said. Raises NotFound, ConfigError."""
        async with self._backing.changing:
            entry = await self.found(asker, name)
            document, values = dict(entry.document), entry.secret
            if sent.description is not None:
                document["description"] = sent.description
            if sent.content is not None:
                content = sent.content.settled()
                document.update(content.document())
                values = content.values()
                asker.doing.resource = _noted(content)
            changed = replace(
                entry, document=document, secret=values, updated_at=self._backing.wall()
            )
            await self._backing.catalogue.write(Put(changed))
        return changed

    async def delete(self, asker: Asker, name: str) -> Entry:
        """Forgets it. Raises NotFound, and FailedPrecondition while something runs with it."""
        async with self._backing.changing, self._backing.verbs.unchanged():
            entry = await self.found(asker, name)
            check_unused(
                name,
                (
                    each
                    for each in self._users(asker.organization).get(name, ())
                    if each.intent is Intent.RUN
                ),
            )
            await self._backing.catalogue.write(Remove(entry))
        return entry

    def view(self, entry: Entry) -> SecretView:
        """It as replies have it."""
        return self.views([entry])(entry)

    def views(self, entries: Iterable[Entry]) -> Callable[[Entry], SecretView]:
        """A function that shows these: who uses them is looked up once."""
        users = {each: self._users(each) for each in {entry.organization for entry in entries}}

        def shown(entry: Entry) -> SecretView:
            creator = self._backing.access.person(entry.document.get("creator", ""))
            where = cluster(creator)
            named = users[entry.organization].get(entry.name, ())
            found = tuple(using(self._backing, each, where) for each in named)
            return secret(entry, user(creator), where, found)

        return shown

    def _users(self, organization: str) -> Mapping[str, list[DeploymentRecord]]:
        """The deployments of an organization by the secrets that they name."""
        found: dict[str, list[DeploymentRecord]] = {}
        for record in self._backing.verbs.deployments():
            if record.organization == organization:
                for name in names_in(self._backing.verbs.current(record.name).config):
                    found.setdefault(name, []).append(record)
        return found


def _noted(content: Content) -> dict[str, Any]:
    """What the journal keeps of a secret: the names of its keys, and no value."""
    return {"content": dict(content.document())}
