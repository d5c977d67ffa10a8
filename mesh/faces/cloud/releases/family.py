"""What the cloud API has of releases and models alike: repositories, and versions in them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from mesh.access.principal import Area, Verb
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.chosen import chosen
from mesh.faces.cloud.parameters import Paged
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.releases.shelves import Shelves, registry_of
from mesh.faces.cloud.wire.base import Listed
from mesh.faces.cloud.wire.packages import (
    BentoChange,
    BentoSent,
    ModelChange,
    ModelSent,
    PackageView,
    RepositoryChange,
    RepositorySent,
    RepositoryView,
    changed,
    repository_said,
    said_of,
)
from mesh.releases.packages import Family, Package, Repository

READ = may(Verb.READ, Area.RELEASES)
Show = Callable[[Shelves, Package], Awaitable[PackageView]]


@dataclass(frozen=True, slots=True)
class FamilyFace:
    """A family as the cloud API has it: the types of bodies and replies, and who makes these.

    `view` is a version by itself, `placed` one with its repository, `full` one with what belongs
    to it.
    """

    family: Family
    sent: type[BentoSent | ModelSent]
    change: type[BentoChange | ModelChange]
    repository: type[RepositoryView]
    view: type[PackageView]
    placed: type[PackageView]
    full: type[PackageView]
    show_repository: Callable[[Shelves, Repository], Awaitable[RepositoryView]]
    show: Show
    show_placed: Show
    show_full: Show

    @property
    def word(self) -> str:
        """What one of it is called."""
        return self.family.word

    @property
    def all(self) -> str:
        """The path of its repositories."""
        return f"/api/v1/{self.word}_repositories"

    @property
    def one(self) -> str:
        """The path of a repository."""
        return f"{self.all}/{{repository}}"

    @property
    def version(self) -> str:
        """The path of a version."""
        return f"{self.one}/{self.word}s/{{version}}"

    async def found(self, backing: Backing, asker: Asker, repository: str, version: str) -> Package:
        """A version, which is what the request is about. Raises NotFound."""
        asker.doing.name = f"{repository}:{version}"
        registry = registry_of(backing)
        return await registry.package(self.family, asker.organization, repository, version)


def listed(view: type[BaseModel]) -> Any:
    """The type of a page of these."""
    return Listed[view]  # type: ignore[valid-type]  # one that is known when routes are made


def add_repositories(routes: APIRouter, backing: Backing, face: FamilyFace) -> None:
    """Adds the routes of repositories."""
    family, kind = face.family, f"{face.word}_repository"

    @routes.get(face.all, response_model=listed(face.repository))
    async def repositories(asked: Paged, asker: Asker = READ) -> Listed[RepositoryView]:
        """Repositories, the newest first."""
        shelves = Shelves(backing, asker.organization)
        return await shelves.repositories(family, chosen(asked, asker.user), face.show_repository)

    @routes.post(face.all, response_model=face.repository)
    async def create(
        sent: RepositorySent, asker: Asker = may(Verb.WRITE, Area.RELEASES, kind, "created")
    ) -> RepositoryView:
        """Makes a repository."""
        asker.doing.name = sent.name
        made = await registry_of(backing).create_repository(
            family, asker.organization, sent.name, repository_said(sent), asker.user
        )
        return await face.show_repository(Shelves(backing, asker.organization), made)

    @routes.get(face.one, response_model=face.repository)
    async def get(repository: str, asker: Asker = READ) -> RepositoryView:
        """One repository."""
        found = await registry_of(backing).repository(family, asker.organization, repository)
        return await face.show_repository(Shelves(backing, asker.organization), found)

    @routes.patch(face.one, response_model=face.repository)
    async def change(
        repository: str,
        sent: RepositoryChange,
        asker: Asker = may(Verb.WRITE, Area.RELEASES, kind, "updated"),
    ) -> RepositoryView:
        """Changes what is said of a repository."""
        made = await registry_of(backing).change_repository(
            family, asker.organization, repository, sent.of
        )
        return await face.show_repository(Shelves(backing, asker.organization), made)


def add_versions(routes: APIRouter, backing: Backing, face: FamilyFace) -> None:
    """Adds the routes of versions."""
    family = face.family

    @routes.get(f"/api/v1/{face.word}s", response_model=listed(face.placed))
    async def every(asked: Paged, asker: Asker = READ) -> Listed[PackageView]:
        """Versions in all repositories, the newest first."""
        shelves = Shelves(backing, asker.organization)
        which = chosen(asked, asker.user)
        return await shelves.packages(family, None, which, face.show_placed)

    @routes.get(f"{face.one}/{face.word}s", response_model=listed(face.placed))
    async def versions(repository: str, asked: Paged, asker: Asker = READ) -> Listed[PackageView]:
        """Versions in a repository, the newest first."""
        await registry_of(backing).repository(family, asker.organization, repository)
        shelves = Shelves(backing, asker.organization)
        which = chosen(asked, asker.user)
        return await shelves.packages(family, repository, which, face.show_placed)

    @routes.post(f"{face.one}/{face.word}s", response_model=face.view)
    async def create(
        repository: str,
        sent: face.sent,  # type: ignore[name-defined]  # known when routes are made
        asker: Asker = may(Verb.WRITE, Area.RELEASES, face.word, "created"),
    ) -> PackageView:
        """Registers a version, whose archive is to be uploaded unless it is kept elsewhere."""
        asker.doing.name = f"{repository}:{sent.version}"
        said = said_of(sent, backing.wall())
        made = await registry_of(backing).create(
            family, asker.organization, repository, sent.version, said, asker.user
        )
        return await face.show(Shelves(backing, asker.organization), made)

    @routes.get(face.version, response_model=face.full)
    async def get(repository: str, version: str, asker: Asker = READ) -> PackageView:
        """One version; `latest` is the newest that was uploaded."""
        found = await face.found(backing, asker, repository, version)
        return await face.show_full(Shelves(backing, asker.organization), found)

    @routes.patch(face.version, response_model=face.view)
    async def change(
        repository: str,
        version: str,
        sent: face.change,  # type: ignore[name-defined]  # known when routes are made
        asker: Asker = may(Verb.WRITE, Area.RELEASES, face.word, "updated"),
    ) -> PackageView:
        """Changes what is said of a version."""
        found = await face.found(backing, asker, repository, version)
        made = await registry_of(backing).update(found, lambda said: changed(sent, said))
        return await face.show(Shelves(backing, asker.organization), made)

    @routes.delete(face.version, response_model=face.view)
    async def delete(
        repository: str,
        version: str,
        asker: Asker = may(Verb.OPERATE, Area.RELEASES, face.word, "deleted"),
    ) -> PackageView:
        """Deletes a version and its archive, unless a deployment or a release uses it."""
        found = await face.found(backing, asker, repository, version)
        shown = await face.show(Shelves(backing, asker.organization), found)
        await registry_of(backing).delete(found)
        return shown
