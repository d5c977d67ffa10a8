"""Models over the cloud API: `/api/v1/model_repositories` and what is in them."""

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.chosen import chosen
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may, over_all
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
    RepositoryChange,
    RepositorySent,
    changed,
    repository_said,
    said_of,
)
from mesh.releases.packages import MODELS, Package

ALL = "/api/v1/model_repositories"
ONE = ALL + "/{repository}"
VERSION = ONE + "/models/{version}"
READ = may(Verb.READ, Area.RELEASES)


def models(backing: Backing) -> APIRouter:
    """The routes of models."""
    routes = APIRouter(tags=["models"])
    _add_repositories(routes, backing)
    _add_lists(routes, backing)
    _add_versions(routes, backing)

    async def show(asker: Asker, package: Package) -> ModelView:
        return Shelves(backing, asker.organization).model(package)

    add_transfer(routes, backing, MODELS, VERSION, ModelView, show)
    return routes


def _add_repositories(routes: APIRouter, backing: Backing) -> None:
    @routes.post(ALL)
    async def create(
        sent: RepositorySent,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "model_repository", "created"),
    ) -> ModelRepositoryView:
        """Makes a repository."""
        asker.doing.name = sent.name
        made = await registry_of(backing).create_repository(
            MODELS, asker.organization, sent.name, repository_said(sent), asker.user
        )
        return await Shelves(backing, asker.organization).shown_models(made)

    @routes.get(ONE)
    async def get(repository: str, asker: Asker = READ) -> ModelRepositoryView:
        """One repository."""
        return await Shelves(backing, asker.organization).model_repository(repository)

    @routes.patch(ONE)
    async def change(
        repository: str,
        sent: RepositoryChange,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "model_repository", "updated"),
    ) -> ModelRepositoryView:
        """Changes what is said of a repository."""
        made = await registry_of(backing).change_repository(
            MODELS, asker.organization, repository, sent.of
        )
        return await Shelves(backing, asker.organization).shown_models(made)


def _add_lists(routes: APIRouter, backing: Backing) -> None:
    @routes.get(ALL)
    async def repositories(asked: Paged, asker: Asker = READ) -> Listed[ModelRepositoryView]:
        """Repositories, the newest first."""
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        found, total = await shelves.repositories(MODELS, which)
        return which.listed([await shelves.shown_models(each) for each in found], total)

    @routes.get("/api/v1/models")
    async def every(asked: Paged, asker: Asker = READ) -> Listed[ModelWithRepository]:
        """Models of all repositories, the newest first."""
        which = chosen(asked, asker.user)
        return await Shelves(backing, asker.organization).every_model(which)

    @routes.get("/api/admin/v1/orgs/{organization}/models")
    async def every_of(
        organization: str, asked: Paged, asker: Asker = over_all("", "model")
    ) -> Listed[ModelWithRepository]:
        """The same of any organization."""
        backing.access.organizations.organization(organization)
        which = chosen(asked, asker.user)
        return await Shelves(backing, organization).every_model(which)

    @routes.get(ONE + "/models")
    async def versions(
        repository: str, asked: Paged, asker: Asker = READ
    ) -> Listed[ModelWithRepository]:
        """Models of a repository, the newest first."""
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        await shelves.model_repository(repository)
        found, total = await shelves.packages(MODELS, repository, which)
        return which.listed([await shelves.model_in(each) for each in found], total)

    @routes.get("/api/v1/current_org/model_modules")
    async def modules(asker: Asker = READ) -> tuple[str, ...]:
        """What models are of, as they say themselves: `sklearn`, `torch` and so on."""
        every = await registry_of(backing).packages(MODELS, asker.organization)
        found = {str(each.manifest.get("module") or "") for each in every}
        return tuple(sorted(found - {""}))


def _add_versions(routes: APIRouter, backing: Backing) -> None:
    async def package(asker: Asker, repository: str, version: str) -> Package:
        asker.doing.name = f"{repository}:{version}"
        return await registry_of(backing).package(MODELS, asker.organization, repository, version)

    @routes.post(ONE + "/models")
    async def create(
        repository: str,
        sent: ModelSent,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "model", "created"),
    ) -> ModelView:
        """Registers a model, whose archive is to be uploaded unless it is kept elsewhere."""
        asker.doing.name = f"{repository}:{sent.version}"
        said = said_of(sent, backing.wall())
        made = await registry_of(backing).create(
            MODELS, asker.organization, repository, sent.version, said, asker.user
        )
        return Shelves(backing, asker.organization).model(made)

    @routes.get(VERSION)
    async def get(repository: str, version: str, asker: Asker = READ) -> ModelFull:
        """One model; `latest` is the newest that was uploaded."""
        found = await package(asker, repository, version)
        return await Shelves(backing, asker.organization).model_full(found)

    @routes.patch(VERSION)
    async def change(
        repository: str,
        version: str,
        sent: ModelChange,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "model", "updated"),
    ) -> ModelView:
        """Changes what is said of a model."""
        found = await package(asker, repository, version)
        made = await registry_of(backing).update(found, lambda said: changed(sent, said))
        return Shelves(backing, asker.organization).model(made)

    @routes.delete(VERSION)
    async def delete(
        repository: str,
        version: str,
        asker: Asker = may(Verb.OPERATE, Area.RELEASES, "model", "deleted"),
    ) -> ModelView:
        """Deletes a model and its archive, unless a deployment or a release uses it."""
        found = await package(asker, repository, version)
        await registry_of(backing).delete(found)
        return Shelves(backing, asker.organization).model(found)

    @routes.get(VERSION + "/bentos")
    async def bentos(
        repository: str, version: str, asked: Paged, asker: Asker = READ
    ) -> Listed[BentoWithRepository]:
        """The releases that name a model."""
        found = await package(asker, repository, version)
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        inside, total = which.of(await registry_of(backing).releases_of(found))
        return which.listed([await shelves.bento_in(each) for each in inside], total)
