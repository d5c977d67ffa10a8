"""Models over the cloud API: `/api/v1/model_repositories` and what is in them."""

from fastapi import APIRouter

from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.chosen import chosen
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, over_all
from mesh.faces.cloud.releases.family import READ, FamilyFace, add_repositories, add_versions
from mesh.faces.cloud.releases.shelves import Shelves, registry_of
from mesh.faces.cloud.releases.transfer import add_transfer
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.packages import (
    BentoWithRepository,
    ModelChange,
    ModelFull,
    ModelRepositoryView,
    ModelSent,
    ModelView,
    ModelWithRepository,
)
from mesh.releases.packages import MODELS

FACE = FamilyFace(
    MODELS,
    sent=ModelSent,
    change=ModelChange,
    repository=ModelRepositoryView,
    view=ModelView,
    placed=ModelWithRepository,
    full=ModelFull,
    show_repository=Shelves.shown_models,
    show=Shelves.model,
    show_placed=Shelves.model_in,
    show_full=Shelves.model_full,
)


def models(backing: Backing) -> APIRouter:
    """The routes of models."""
    routes = APIRouter(tags=["models"])
    add_repositories(routes, backing, FACE)
    add_versions(routes, backing, FACE)
    add_transfer(routes, backing, FACE)

    @routes.get("/api/admin/v1/orgs/{organization}/models")
    async def every_of(
        organization: str, asked: Paged, asker: Asker = over_all("", "model")
    ) -> Listed[ModelWithRepository]:
        """Models of any organization, the newest first."""
        backing.access.organizations.organization(organization)
        shelves, which = Shelves(backing, organization), chosen(asked, asker.user)
        return await shelves.packages(MODELS, None, which, Shelves.model_in)

    @routes.get("/api/v1/current_org/model_modules")
    async def modules(asker: Asker = READ) -> tuple[str, ...]:
        """What models are of, as they say themselves: `sklearn`, `torch` and so on."""
        every = await registry_of(backing).packages(MODELS, asker.organization)
        found = {str(each.manifest.get("module") or "") for each in every}
        return tuple(sorted(found - {""}))

    @routes.get(f"{FACE.version}/bentos")
    async def bentos(
        repository: str, version: str, asked: Paged, asker: Asker = READ
    ) -> Listed[BentoWithRepository]:
        """The releases that name a model."""
        found = await FACE.found(backing, asker, repository, version)
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        inside, total = which.of(await registry_of(backing).releases_of(found))
        return which.listed([await shelves.bento_in(each) for each in inside], total)

    return routes
