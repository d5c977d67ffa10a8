"""Replies about releases and models: what the registry has, with who made it and what is in it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mesh.access.people import Organization
from mesh.errors import Unavailable
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.chosen import Chosen
from mesh.faces.cloud.wire.base import Listed, OrganizationView, at, user
from mesh.faces.cloud.wire.packages import (
    BentoFull,
    BentoManifest,
    BentoRepositoryStats,
    BentoRepositoryView,
    BentoView,
    BentoWithRepository,
    ModelFull,
    ModelManifest,
    ModelRepositoryView,
    ModelView,
    ModelWithRepository,
    package_fields,
    repository_fields,
)
from mesh.releases.packages import BENTOS, MODELS, Family, Package, Repository
from mesh.releases.registry import Registry
from mesh.releases.uploads import Uploads
from mesh.releases.uses import Use, uses

_ViewT = TypeVar("_ViewT")
_NEWEST = 3
"""How many of its versions a repository shows."""


def uploads_of(backing: Backing) -> Uploads:
    """The registry's way in. Raises Unavailable where there is no registry."""
    if backing.uploads is None:
        raise Unavailable("this mesh keeps no releases")
    return backing.uploads


def registry_of(backing: Backing) -> Registry:
    """The registry. Raises Unavailable where there is none."""
    return uploads_of(backing).registry


def strategy(registry: Registry, package: Package) -> str:
    """How an archive is to be sent: through the API, or in parts to addresses of their own."""
    is_large = package.said_size >= registry.limits.multipart_from
    return "presigned_url" if is_large else "proxy"


@dataclass(slots=True)
class Shelves:
    """Makes the replies to one request, and looks up nothing twice."""

    backing: Backing
    organization: str
    _bentos: dict[str, BentoRepositoryView] = field(default_factory=dict)
    _models: dict[str, ModelRepositoryView] = field(default_factory=dict)
    _uids: dict[str, str] = field(default_factory=dict)
    _uses: tuple[Use, ...] | None = None

    @property
    def registry(self) -> Registry:
        """The registry. Raises Unavailable where there is none."""
        return registry_of(self.backing)

    def owner(self) -> OrganizationView:
        """The organization."""
        found = self.backing.access.roll.organizations.get(self.organization)
        known = found or Organization(self.organization, self.organization, 0.0, 0.0)
        return OrganizationView(
            uid=known.uid,
            created_at=at(known.created_at),
            updated_at=at(known.updated_at),
            name=known.name,
            description=known.description,
            creator=user(self.backing.access.person(known.creator)) if known.creator else None,
        )

    def uses(self) -> tuple[Use, ...]:
        """The deployments that run releases."""
        if self._uses is None:
            self._uses = uses(self.backing.verbs, self.organization)
        return self._uses

    async def bento(self, package: Package) -> BentoView:
        """A release."""
        if package.repository not in self._uids:
            found = await self.registry.repository(BENTOS, self.organization, package.repository)
            self._uids[found.name] = found.uid
        return self._bento(package)

    def _bento(self, package: Package) -> BentoView:
        return BentoView(
            **self._package(package),
            bento_repository_uid=self._uids[package.repository],
            manifest=BentoManifest.model_validate(package.manifest),
        )

    async def model(self, package: Package) -> ModelView:
        """A model."""
        return self._model(package)

    def _model(self, package: Package) -> ModelView:
        return ModelView(
            **self._package(package),
            model_uid=package.uid,
            manifest=ModelManifest.model_validate(package.manifest),
        )

    def _package(self, package: Package) -> dict[str, Any]:
        creator = self.backing.access.person(package.creator)
        return package_fields(package, creator, strategy(self.registry, package))

    async def bento_in(self, package: Package) -> BentoWithRepository:
        """A release, and where it is."""
        repository = await self.bento_repository(package.repository)
        return BentoWithRepository(
            **dict(await self.bento(package)),
            repository=repository,
            n_deployments=sum(package.tag in use.tags for use in self.uses()),
        )

    async def bento_full(self, package: Package) -> BentoFull:
        """A release with its models."""
        inside = await self.bento_in(package)
        models = [await self.model_in(each) for each in await self.registry.models_of(package)]
        return BentoFull(**dict(inside), models=tuple(models))

    async def model_in(self, package: Package) -> ModelWithRepository:
        """A model, and where it is."""
        repository = await self.model_repository(package.repository)
        return ModelWithRepository(**dict(self._model(package)), repository=repository)

    async def model_full(self, package: Package) -> ModelFull:
        """A model with the releases that name it."""
        inside = await self.model_in(package)
        found = await self.registry.releases_of(package)
        return ModelFull(
            **dict(inside), bentos=tuple([await self.bento_in(each) for each in found])
        )

    async def bento_repository(self, name: str) -> BentoRepositoryView:
        """A repository of releases. Raises NotFound."""
        if name not in self._bentos:
            found = await self.registry.repository(BENTOS, self.organization, name)
            self._bentos[name] = await self.shown_bentos(found)
        return self._bentos[name]

    async def shown_bentos(self, found: Repository) -> BentoRepositoryView:
        """A repository of releases, and what is in it."""
        self._uids[found.name] = found.uid
        latest = await self.registry.latest(BENTOS, self.organization, found.name)
        newest = await self.registry.packages(BENTOS, self.organization, found.name, count=_NEWEST)
        return BentoRepositoryView(
            **self._repository(found),
            latest_bento=self._bento(latest) if latest else None,
            latest_bentos=tuple(map(self._bento, newest)),
            n_bentos=await self.registry.count(BENTOS, self.organization, found.name),
            n_deployments=sum(found.name in use.repositories for use in self.uses()),
        )

    async def stats(self, found: Repository) -> BentoRepositoryStats:
        """A repository of releases, and who pushed to it."""
        shown = await self.shown_bentos(found)
        packages = await self.registry.packages(BENTOS, self.organization, found.name)
        names = dict.fromkeys(each.creator for each in packages)
        creators = tuple(user(self.backing.access.person(name)) for name in names)
        return BentoRepositoryStats(**dict(shown), creators=creators)

    async def model_repository(self, name: str) -> ModelRepositoryView:
        """A repository of models. Raises NotFound."""
        if name not in self._models:
            found = await self.registry.repository(MODELS, self.organization, name)
            self._models[name] = await self.shown_models(found)
        return self._models[name]

    async def shown_models(self, found: Repository) -> ModelRepositoryView:
        """A repository of models, and the newest in it."""
        latest = await self.registry.latest(MODELS, self.organization, found.name)
        return ModelRepositoryView(
            **self._repository(found), latest_model=self._model(latest) if latest else None
        )

    def _repository(self, found: Repository) -> dict[str, Any]:
        return repository_fields(found, self.backing.access.person(found.creator), self.owner())

    async def packages(
        self,
        family: Family,
        repository: str | None,
        chosen: Chosen,
        show: Callable[["Shelves", Package], Awaitable[_ViewT]],
    ) -> Listed[_ViewT]:
        """A page of the versions of a repository; None: of all of them."""
        found, total = await self._packages(family, repository, chosen)
        return chosen.listed([await show(self, each) for each in found], total)

    async def _packages(
        self, family: Family, repository: str | None, chosen: Chosen
    ) -> tuple[tuple[Package, ...], int]:
        registry, organization = self.registry, self.organization
        if chosen.q:
            every = await registry.packages(family, organization, repository, search=chosen.search)
            return chosen.of(every)
        found = await registry.packages(
            family,
            organization,
            repository,
            search=chosen.search,
            start=chosen.start,
            count=chosen.count,
        )
        return found, await registry.count(family, organization, repository, chosen.search)

    async def repositories(
        self,
        family: Family,
        chosen: Chosen,
        show: Callable[["Shelves", Repository], Awaitable[_ViewT]],
    ) -> Listed[_ViewT]:
        """A page of repositories."""
        every = await self.registry.repositories(family, self.organization, chosen.search)
        found, total = chosen.of(every)
        return chosen.listed([await show(self, each) for each in found], total)
