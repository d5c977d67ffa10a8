"""Which deployments run a release, releases of one name, or a model."""

from collections.abc import Collection

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.listing import Deployments
from mesh.faces.cloud.deployments.views import DeploymentViews
from mesh.faces.cloud.parameters import Number, Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.releases.shelves import registry_of
from mesh.faces.cloud.wire.base import Listed, page
from mesh.faces.cloud.wire.deployed import DeploymentView, PlainDeployment
from mesh.releases.packages import BENTOS, MODELS
from mesh.releases.uses import release_tags

READ = may(Verb.READ, Area.RELEASES)
_BENTO = "/api/v1/bento_repositories/{repository}"
_MODEL = "/api/v1/model_repositories/{repository}"
Asked = tuple[int | None, int | None, str, str]


def release_uses(backing: Backing) -> APIRouter:
    """The routes of these lists."""
    routes = APIRouter(tags=["deployments"])
    users = _Users(backing)

    @routes.get(_BENTO + "/deployments")
    async def of_repository(
        repository: str,
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
    ) -> Listed[PlainDeployment]:
        """The deployments that run any release of a repository, the newest first."""
        await registry_of(backing).repository(BENTOS, asker.organization, repository)
        asked = (start, count, f"bento_repository:{repository} {q}", search)
        return await users.plain(asker, asked)

    @routes.get(_BENTO + "/bentos/{version}/deployments")
    async def of_bento(
        repository: str,
        version: str,
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
    ) -> Listed[DeploymentView]:
        """The deployments that run a release, the newest first."""
        registry = registry_of(backing)
        found = await registry.package(BENTOS, asker.organization, repository, version)
        return await users.full(asker, (start, count, q, search), {found.tag})

    @routes.get(_MODEL + "/models/{version}/deployments")
    async def of_model(
        repository: str,
        version: str,
        asker: Asker = READ,
        start: Number = None,
        count: Number = None,
        q: Text = "",
        search: Text = "",
    ) -> Listed[DeploymentView]:
        """The deployments that run a release with a model, the newest first."""
        registry = registry_of(backing)
        found = await registry.package(MODELS, asker.organization, repository, version)
        tags = {each.tag for each in await registry.releases_of(found)}
        return await users.full(asker, (start, count, q, search), tags)

    return routes


class _Users:
    """Makes the pages."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def plain(self, asker: Asker, asked: Asked) -> Listed[PlainDeployment]:
        start, count, q, search = asked
        there = Deployments(self._backing, self._backing.ready_deploying)
        found = await there.matching(asker.organization, wanted(q, asker.user), search)
        views = DeploymentViews(self._backing.access, self._backing.gateway_url)
        return page(found, start, count, lambda held: views.plain(there.show(held)))

    async def full(
        self, asker: Asker, asked: Asked, tags: Collection[str]
    ) -> Listed[DeploymentView]:
        start, count, q, search = asked
        there = Deployments(self._backing, self._backing.ready_deploying)
        every = await there.matching(asker.organization, wanted(q, asker.user), search)
        found = [held for held in every if set(release_tags(there.config(held))) & set(tags)]
        views = DeploymentViews(self._backing.access, self._backing.gateway_url)
        return page(found, start, count, lambda held: views.full(there.show(held)))
