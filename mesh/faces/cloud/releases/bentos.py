"""Releases over the cloud API: `/api/v1/bento_repositories` and what is in them."""

from fastapi import APIRouter

from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.chosen import chosen
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker
from mesh.faces.cloud.releases.family import READ, FamilyFace, add_repositories, add_versions
from mesh.faces.cloud.releases.shelves import Shelves, registry_of
from mesh.faces.cloud.releases.transfer import add_transfer
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.packages import (
    BentoChange,
    BentoFull,
    BentoRepositoryStats,
    BentoRepositoryView,
    BentoSent,
    BentoView,
    BentoWithRepository,
    ModelWithRepository,
)
from mesh.releases.packages import BENTOS

FACE = FamilyFace(
    BENTOS,
    sent=BentoSent,
    change=BentoChange,
    repository=BentoRepositoryView,
    view=BentoView,
    placed=BentoWithRepository,
    full=BentoFull,
    show_repository=Shelves.shown_bentos,
    show=Shelves.bento,
    show_placed=Shelves.bento_in,
    show_full=Shelves.bento_full,
)


def bentos(backing: Backing) -> APIRouter:
    """The routes of releases."""
    routes = APIRouter(tags=["bentos"])
    add_repositories(routes, backing, FACE)
    add_versions(routes, backing, FACE)
    add_transfer(routes, backing, FACE)

    @routes.get("/api/v1/slim_bento_repositories")
    async def slim(asked: Paged, asker: Asker = READ) -> Listed[BentoRepositoryView]:
        """Repositories, the newest first."""
        shelves, which = Shelves(backing, asker.organization), chosen(asked, asker.user)
        return await shelves.repositories(BENTOS, which, Shelves.shown_bentos)

    @routes.get("/api/v1/bento_repositories_stats")
    async def stats(asked: Paged, asker: Asker = READ) -> Listed[BentoRepositoryStats]:
        """Repositories with who pushed to them, the newest first."""
        shelves, which = Shelves(backing, asker.organization), chosen(asked, asker.user)
        return await shelves.repositories(BENTOS, which, Shelves.stats)

    @routes.get(f"{FACE.version}/models")
    async def models(
        repository: str, version: str, asker: Asker = READ
    ) -> tuple[ModelWithRepository, ...]:
        """The models that a release names."""
        found = await FACE.found(backing, asker, repository, version)
        shelves = Shelves(backing, asker.organization)
        inside = await registry_of(backing).models_of(found)
        return tuple([await shelves.model_in(each) for each in inside])

    return routes
