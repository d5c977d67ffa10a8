"""Endpoints over the cloud API: `/api/v1/endpoints`."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.config import EndpointConfig, parse
from mesh.control.endpoint_wish import EndpointWish, settled, status_word
from mesh.control.records import DeploymentRecord, EndpointRecord
from mesh.errors import AlreadyExists, ConfigError, FailedPrecondition, MeshError, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.using import using
from mesh.faces.cloud.organization.secrets import check_cluster
from mesh.faces.cloud.parameters import Paged, Paging, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.wire.base import Listed, cluster, user
from mesh.faces.cloud.wire.endpoints import (
    EndpointChange,
    EndpointSent,
    EndpointView,
    endpoint,
    manifest,
)
from mesh.faces.cloud.wire.organizations import organization

KIND = "endpoint"
HERE = "/api/v1/endpoints"
READ = may(Verb.READ, Area.DEPLOYMENTS)


def endpoints(backing: Backing) -> APIRouter:
    """The routes of endpoints."""
    routes = APIRouter(tags=["endpoints"])
    kept = Endpoints(backing)

    @routes.get(HERE)
    async def listed(asked: Paged, asker: Asker = READ) -> Listed[EndpointView]:
        """Endpoints, the newest first."""
        return asked.page(kept.meant(asker, asked), kept.views())

    @routes.post(HERE)
    async def create(
        sent: EndpointSent, asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "created")
    ) -> EndpointView:
        """Makes an endpoint."""
        return kept.view(await kept.create(asker, sent.name, sent.wish()))

    @routes.get(f"{HERE}/{{uid}}")
    async def get(uid: str, asker: Asker = READ) -> EndpointView:
        """One endpoint."""
        return kept.view(kept.found(asker, uid))

    @routes.patch(f"{HERE}/{{uid}}")
    async def change(
        uid: str,
        sent: EndpointChange,
        asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "updated"),
    ) -> EndpointView:
        """Changes what is said; an upstream without a key keeps the one that it has."""
        return kept.view(await kept.change(asker, uid, sent.wish()))

    @routes.delete(f"{HERE}/{{uid}}")
    async def delete(
        uid: str, asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "deleted")
    ) -> EndpointView:
        """Forgets it; its deployments stay."""
        view = kept.view(found := kept.changeable(asker, uid))
        await backing.verbs.delete_endpoint(found.name, by=asker.user)
        return view

    @routes.post(f"{HERE}/{{uid}}/start")
    async def start(
        uid: str, asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "started")
    ) -> EndpointView:
        """Has it take requests again."""
        found = kept.changeable(asker, uid)
        await backing.verbs.start_endpoint(found.name, by=asker.user)
        return kept.view(backing.verbs.endpoint(found.name))

    @routes.post(f"{HERE}/{{uid}}/terminate")
    async def terminate(
        uid: str, asker: Asker = may(Verb.WRITE, Area.DEPLOYMENTS, KIND, "terminated")
    ) -> EndpointView:
        """Has it take no requests, and keeps what it is set to."""
        found = kept.changeable(asker, uid)
        await backing.verbs.terminate_endpoint(found.name, by=asker.user)
        return kept.view(backing.verbs.endpoint(found.name))

    @routes.get("/api/v2/deployments/{name}/endpoints")
    async def of_deployment(
        name: str, asked: Paged, cluster: Text = "", asker: Asker = READ
    ) -> Listed[EndpointView]:
        """Those that lead to a deployment: by its weight, its rank, a rule or as a mirror."""
        check_cluster(cluster)
        found = kept.that_name(asker, name, kept.meant(asker, asked))
        return asked.page(found, kept.views())

    return routes


class Endpoints:
    """The endpoints of a mesh, as far as whoever asks has to do with them."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing
        self._verbs = backing.verbs
        self._changing = asyncio.Lock()

    def meant(self, asker: Asker, asked: Paging) -> list[EndpointRecord]:
        """Those that are meant, the newest first."""
        query = wanted(asked.q, asker.user)
        found = [
            each
            for each in self._verbs.endpoints()
            if each.organization == asker.organization
            and asked.search in each.name
            and query.words_allow(each.name)
            and query.term_allows("creator", each.creator)
            and ("status" not in query.terms or query.term_allows("status", self._status(each)))
        ]
        return sorted(found, key=lambda each: (each.created_at, each.name), reverse=True)

    def that_name(
        self, asker: Asker, deployment: str, among: Iterable[EndpointRecord]
    ) -> list[EndpointRecord]:
        """Those that name a deployment. Raises NotFound if there is no such one."""
        record = self._verbs.deployment(deployment)
        if record.organization != asker.organization:
            raise NotFound(f"there is no deployment {deployment!r}")
        return [each for each in among if deployment in _understood(each).named_deployments()]

    def found(self, asker: Asker, uid: str) -> EndpointRecord:
        """One, by its uid or its name. Raises NotFound."""
        mine = [e for e in self._verbs.endpoints() if e.organization == asker.organization]
        known = {**{each.name: each for each in mine}, **{each.uid: each for each in mine}}
        if uid in known:
            return known[uid]
        for deployment in self._deployments(asker.organization):
            if uid in (deployment.uid, deployment.name):
                raise NotFound(
                    f"the endpoint of deployment {deployment.name!r} is there as long as that is:"
                    " terminate or delete the deployment"
                )
        raise NotFound(f"there is no endpoint with uid {uid!r}")

    def changeable(self, asker: Asker, uid: str) -> EndpointRecord:
        """One that is to be changed. Raises NotFound."""
        found = self.found(asker, uid)
        asker.doing.name = found.name
        return found

    async def create(self, asker: Asker, name: str, wish: EndpointWish) -> EndpointRecord:
        """Makes one. Raises AlreadyExists, and as `settled`."""
        asker.doing.name = name
        async with self._changing:
            if any(each.name == name for each in self._verbs.endpoints()):
                raise AlreadyExists(f"there is an endpoint {name!r} already")
            for each in self._verbs.deployments():
                if each.name == name and each.organization != asker.organization:
                    raise AlreadyExists(f"the name {name!r} is taken")
            return await self._apply(asker, name, wish, None)

    async def change(self, asker: Asker, uid: str, wish: EndpointWish) -> EndpointRecord:
        """Changes what is said. Raises NotFound, and as `settled`."""
        async with self._changing:
            found = self.changeable(asker, uid)
            try:
                before = _config(found)
            except ConfigError as error:
                raise FailedPrecondition(f"it is not understood here: {error.message}") from None
            return await self._apply(asker, found.name, wish, before)

    async def _apply(
        self, asker: Asker, name: str, wish: EndpointWish, before: EndpointConfig | None
    ) -> EndpointRecord:
        known = self._known(asker.organization)
        config = settled(name, wish, before, known)
        asker.doing.resource = {
            "deployments": dict(config.deployments),
            "load_balance": config.load_balance,
        }
        await self._verbs.apply_endpoint(
            name, config, by=asker.user, organization=asker.organization
        )
        return self._verbs.endpoint(name)

    def _deployments(self, organization: str) -> Sequence[DeploymentRecord]:
        return [each for each in self._verbs.deployments() if each.organization == organization]

    def _known(self, organization: str) -> dict[str, str]:
        """The names of deployments by all that they go by; a name goes before a uid."""
        found = self._deployments(organization)
        return {
            **{each.uid: each.name for each in found},
            **{each.name: each.name for each in found},
        }

    def view(self, record: EndpointRecord) -> EndpointView:
        """It as replies have it."""
        return self.views()(record)

    def views(self) -> Callable[[EndpointRecord], EndpointView]:
        """A function that shows endpoints: people, and what they lead to, are looked up once."""
        backing, access = self._backing, self._backing.access
        theirs: dict[str, dict[str, DeploymentRecord]] = {}
        for each in self._verbs.deployments():
            theirs.setdefault(each.organization, {})[each.name] = each
        applied = backing.applied()
        where = cluster(access.person(""))

        def view(record: EndpointRecord) -> EndpointView:
            config = _understood(record)
            # What it names may have been deleted, and the name be another organization's now.
            records = theirs.get(record.organization, {})
            there = [records[name] for name in config.deployments if name in records]
            of = access.organizations.organization(record.organization)
            return endpoint(
                record,
                config,
                url=_url(backing.gateway_url, record.name),
                status=self._status(record),
                manifest=manifest(config, {each.name: each.uid for each in there}, applied),
                deployments=tuple(using(backing, each, where) for each in there),
                organization=organization(of, access.person(of.creator)),
                creator=user(access.person(record.creator)),
            )

        return view

    def _status(self, record: EndpointRecord) -> str:
        config = _understood(record)
        statuses = []
        for name in config.deployments:
            with suppress(MeshError):  # gone, or not understood
                if self._verbs.deployment(name).organization == record.organization:
                    statuses += [each.phase.label for each in self._verbs.status(name)]
        return status_word(record.intent, leads_outside=bool(config.upstreams), statuses=statuses)


def _url(gateways: str, name: str) -> str:
    """Where an endpoint is called. A `*` in the URL of the gateways stands for its name."""
    return gateways.replace("*", name) if "*" in gateways else f"{gateways}/e/{name}"


def _config(record: EndpointRecord) -> EndpointConfig:
    return parse(EndpointConfig, record.config, what=f"endpoint {record.name}")


def _understood(record: EndpointRecord) -> EndpointConfig:
    """Its settings; those of another release of the mesh are shown as an endpoint to nowhere."""
    try:
        return _config(record)
    except ConfigError:
        return EndpointConfig.model_construct()
