"""Releases over the cloud API: `/api/v1/bento_repositories` and what is in them."""

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.chosen import chosen
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may
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
    RepositoryChange,
    RepositorySent,
    changed,
    repository_said,
    said_of,
)
from mesh.releases.packages import BENTOS, Package

ALL = "/api/v1/bento_repositories"
ONE = ALL + "/{repository}"
VERSION = ONE + "/bentos/{version}"
READ = may(Verb.READ, Area.RELEASES)


def bentos(backing: Backing) -> APIRouter:
    """The routes of releases."""
    routes = APIRouter(tags=["bentos"])
    _add_repositories(routes, backing)
    _add_lists(routes, backing)
    _add_versions(routes, backing)

    async def show(asker: Asker, package: Package) -> BentoView:
        return await Shelves(backing, asker.organization).bento(package)

    add_transfer(routes, backing, BENTOS, VERSION, BentoView, show)
    return routes


def _add_repositories(routes: APIRouter, backing: Backing) -> None:
    @routes.post(ALL)
    async def create(
        sent: RepositorySent,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "bento_repository", "created"),
    ) -> BentoRepositoryView:
        """Makes a repository."""
        asker.doing.name = sent.name
        made = await registry_of(backing).create_repository(
            BENTOS, asker.organization, sent.name, repository_said(sent), asker.user
        )
        return await Shelves(backing, asker.organization).shown_bentos(made)

    @routes.get(ONE)
    async def get(repository: str, asker: Asker = READ) -> BentoRepositoryView:
        """One repository."""
        return await Shelves(backing, asker.organization).bento_repository(repository)

    @routes.patch(ONE)
    async def change(
        repository: str,
        sent: RepositoryChange,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "bento_repository", "updated"),
    ) -> BentoRepositoryView:
        """Changes what is said of a repository."""
        made = await registry_of(backing).change_repository(
            BENTOS, asker.organization, repository, sent.of
        )
        return await Shelves(backing, asker.organization).shown_bentos(made)


def _add_lists(routes: APIRouter, backing: Backing) -> None:
    @routes.get(ALL)
    async def repositories(asked: Paged, asker: Asker = READ) -> Listed[BentoRepositoryView]:
        """Repositories, the newest first."""
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        found, total = await shelves.repositories(BENTOS, which)
        return which.listed([await shelves.shown_bentos(each) for each in found], total)

    @routes.get("/api/v1/slim_bento_repositories")
    async def slim(asked: Paged, asker: Asker = READ) -> Listed[BentoRepositoryView]:
        """Repositories, the newest first."""
        return await repositories(asked, asker)

    @routes.get("/api/v1/bento_repositories_stats")
    async def stats(asked: Paged, asker: Asker = READ) -> Listed[BentoRepositoryStats]:
        """Repositories with who pushed to them, the newest first."""
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        found, total = await shelves.repositories(BENTOS, which)
        return which.listed([await shelves.stats(each) for each in found], total)

    @routes.get("/api/v1/bentos")
    async def every(asked: Paged, asker: Asker = READ) -> Listed[BentoWithRepository]:
        """Releases of all repositories, the newest first."""
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        found, total = await shelves.packages(BENTOS, None, which)
        return which.listed([await shelves.bento_in(each) for each in found], total)

    @routes.get(ONE + "/bentos")
    async def versions(
        repository: str, asked: Paged, asker: Asker = READ
    ) -> Listed[BentoWithRepository]:
        """Releases of a repository, the newest first."""
        which = chosen(asked, asker.user)
        shelves = Shelves(backing, asker.organization)
        await shelves.bento_repository(repository)
        found, total = await shelves.packages(BENTOS, repository, which)
        return which.listed([await shelves.bento_in(each) for each in found], total)


def _add_versions(routes: APIRouter, backing: Backing) -> None:
    async def package(asker: Asker, repository: str, version: str) -> Package:
        asker.doing.name = f"{repository}:{version}"
        return await registry_of(backing).package(BENTOS, asker.organization, repository, version)

    @routes.post(ONE + "/bentos")
    async def create(
        repository: str,
        sent: BentoSent,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "bento", "created"),
    ) -> BentoView:
        """Registers a release, whose archive is to be uploaded."""
        asker.doing.name = f"{repository}:{sent.version}"
        said = said_of(sent, backing.wall())
        made = await registry_of(backing).create(
            BENTOS, asker.organization, repository, sent.version, said, asker.user
        )
        return await Shelves(backing, asker.organization).bento(made)

    @routes.get(VERSION)
    async def get(repository: str, version: str, asker: Asker = READ) -> BentoFull:
        """One release; `latest` is the newest that was uploaded."""
        found = await package(asker, repository, version)
        return await Shelves(backing, asker.organization).bento_full(found)

    @routes.patch(VERSION)
    async def change(
        repository: str,
        version: str,
        sent: BentoChange,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, "bento", "updated"),
    ) -> BentoView:
        """Changes what is said of a release."""
        found = await package(asker, repository, version)
        made = await registry_of(backing).update(found, lambda said: changed(sent, said))
        return await Shelves(backing, asker.organization).bento(made)

    @routes.delete(VERSION)
    async def delete(
        repository: str,
        version: str,
        asker: Asker = may(Verb.OPERATE, Area.RELEASES, "bento", "deleted"),
    ) -> BentoView:
        """Deletes a release and its archive, unless a deployment uses it."""
        found = await package(asker, repository, version)
        shown = await Shelves(backing, asker.organization).bento(found)
        await registry_of(backing).delete(found)
        return shown

    @routes.get(VERSION + "/models")
    async def models(
        repository: str, version: str, asker: Asker = READ
    ) -> tuple[ModelWithRepository, ...]:
        """The models that a release names."""
        found = await package(asker, repository, version)
        shelves = Shelves(backing, asker.organization)
        inside = await registry_of(backing).models_of(found)
        return tuple([await shelves.model_in(each) for each in inside])
