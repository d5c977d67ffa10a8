"""Which deployments run a release, releases of one name, or a model."""

from collections.abc import Collection
from dataclasses import replace

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.listing import Deployments
from mesh.faces.cloud.deployments.views import DeploymentViews
from mesh.faces.cloud.parameters import Paged, Paging
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.query import wanted
from mesh.faces.cloud.releases.shelves import registry_of
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.deployed import DeploymentView, PlainDeployment
from mesh.releases.packages import BENTOS, MODELS
from mesh.releases.uses import release_tags

READ = may(Verb.READ, Area.RELEASES)
_BENTO = "/api/v1/bento_repositories/{repository}"
_MODEL = "/api/v1/model_repositories/{repository}"


def release_uses(backing: Backing) -> APIRouter:
    """The routes of these lists."""
    routes = APIRouter(tags=["deployments"])
    users = _Users(backing)

    @routes.get(_BENTO + "/deployments")
    async def of_repository(
        repository: str, asked: Paged, asker: Asker = READ
    ) -> Listed[PlainDeployment]:
        """The deployments that run any release of a repository, the newest first."""
        await registry_of(backing).repository(BENTOS, asker.organization, repository)
        of_it = replace(asked, q=f"bento_repository:{repository} {asked.q}")
        return await users.plain(asker, of_it)

    @routes.get(_BENTO + "/bentos/{version}/deployments")
    async def of_bento(
        repository: str, version: str, asked: Paged, asker: Asker = READ
    ) -> Listed[DeploymentView]:
        """The deployments that run a release, the newest first."""
        registry = registry_of(backing)
        found = await registry.package(BENTOS, asker.organization, repository, version)
        return await users.full(asker, asked, {found.tag})

    @routes.get(_MODEL + "/models/{version}/deployments")
    async def of_model(
        repository: str, version: str, asked: Paged, asker: Asker = READ
    ) -> Listed[DeploymentView]:
        """The deployments that run a release with a model, the newest first."""
        registry = registry_of(backing)
        found = await registry.package(MODELS, asker.organization, repository, version)
        tags = {each.tag for each in await registry.releases_of(found)}
        return await users.full(asker, asked, tags)

    return routes


class _Users:
    """Makes the pages."""

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def plain(self, asker: Asker, asked: Paging) -> Listed[PlainDeployment]:
        there = Deployments(self._backing, self._backing.ready_deploying)
        found = await there.matching(asker.organization, wanted(asked.q, asker.user), asked.search)
        views = DeploymentViews(self._backing.access, self._backing.gateway_url)
        return asked.page(found, lambda held: views.plain(there.show(held)))

    async def full(
        self, asker: Asker, asked: Paging, tags: Collection[str]
    ) -> Listed[DeploymentView]:
        there = Deployments(self._backing, self._backing.ready_deploying)
        every = await there.matching(asker.organization, wanted(asked.q, asker.user), asked.search)
        found = [held for held in every if set(release_tags(there.config(held))) & set(tags)]
        views = DeploymentViews(self._backing.access, self._backing.gateway_url)
        return asked.page(found, lambda held: views.full(there.show(held)))
