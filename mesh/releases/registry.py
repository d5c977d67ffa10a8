"""The registry: repositories of releases and models, and what is known of each version."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from mesh.control.admission import admit_archive, admit_owner, admit_release, largest
from mesh.control.records import DEFAULT_ORGANIZATION
from mesh.control.store.catalogue import Catalogue, Entry, Kind, Put, Remove
from mesh.errors import AlreadyExists, Code, FailedPrecondition, MeshError, NotFound, TooLarge
from mesh.releases.archive import ArchiveLimits
from mesh.releases.blobs import Vault
from mesh.releases.codespace import codespace_of
from mesh.releases.contract import Release
from mesh.releases.packages import (
    BENTOS,
    LATEST,
    MODELS,
    Family,
    Package,
    Repository,
    Said,
    Status,
    checked_name,
    model_tags,
    package_of,
    repository_of,
)
from mesh.releases.parts import Parts
from mesh.releases.uses import Deployed, Use, release_tags, uses

_AT_ONCE = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the registry takes.

    Archives of at least `multipart_from` bytes are uploaded in parts, of `part` bytes at most.
    What nobody has gone on with for `kept` seconds is given up.
    """

    archive: ArchiveLimits = field(default_factory=ArchiveLimits)
    multipart_from: int = 100 * 2**20
    part: int = 5 * 2**30
    kept: float = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Registry:
    """See contract.Releases, which it is. For one event loop.

    `deployed` says what may not go because it runs.
    """

    catalogue: Catalogue
    vault: Vault
    deployed: Deployed
    limits: Limits = field(default_factory=Limits)
    wall: Callable[[], float] = time.time
    new_uid: Callable[[], str] = field(default=lambda: uuid4().hex)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def create_repository(
        self, family: Family, organization: str, name: str, said: Said, creator: str
    ) -> Repository:
        """A new repository.

        Raises AlreadyExists, InvalidArgument for a wrong name, and PermissionDenied if the
        organization was deleted.
        """
        checked_name("repository", name)
        await admit_owner(self.catalogue, organization)
        now = self.wall()
        made = Repository(family, name, self.new_uid(), organization, now, now, said, creator)
        await self.catalogue.write(Put(made.entry(), is_new=True))
        return made

    async def repository(self, family: Family, organization: str, name: str) -> Repository:
        """One repository. Raises NotFound."""
        found = await self.catalogue.entry(family.repository, name, organization=organization)
        if found is None:
            raise NotFound(f"there is no {family.word} repository {name[:200]!r}")
        return repository_of(family, found)

    async def change_repository(
        self, family: Family, organization: str, name: str, change: Callable[[Said], Said]
    ) -> Repository:
        """Changes what is said of a repository. Raises NotFound."""
        async with self._lock:
            found = await self.repository(family, organization, name)
            made = replace(found, said=change(found.said), updated_at=self.wall())
            await self.catalogue.write(Put(made.entry()))
        return made

    async def repositories(
        self, family: Family, organization: str, search: str = ""
    ) -> tuple[Repository, ...]:
        """All repositories, the newest first."""
        found = await self.catalogue.entries(
            family.repository, organization=organization, search=search
        )
        return tuple(repository_of(family, each) for each in found)

    async def packages(
        self,
        family: Family,
        organization: str,
        repository: str | None = None,
        *,
        search: str = "",
        start: int = 0,
        count: int | None = None,
    ) -> tuple[Package, ...]:
        """Versions, of one repository or all, the newest first."""
        found = await self.catalogue.entries(
            family.version,
            scope=repository,
            organization=organization,
            search=search,
            start=start,
            count=count,
        )
        return tuple(package_of(family, each) for each in found)

    async def count(
        self, family: Family, organization: str, repository: str | None = None, search: str = ""
    ) -> int:
        """How many versions there are."""
        return await self.catalogue.count_entries(
            family.version, scope=repository, organization=organization, search=search
        )

    async def create(
        self,
        family: Family,
        organization: str,
        repository: str,
        version: str,
        said: Said,
        creator: str,
    ) -> Package:
        """A new version.

        Raises NotFound, AlreadyExists, TooLarge, QuotaExceeded; InvalidArgument for a name;
        PermissionDenied if the organization was deleted.
        """
        checked_name("version", version)
        if version == LATEST:
            raise AlreadyExists(f"version {LATEST!r} is the newest one that there is")
        await self.repository(family, organization, repository)
        now = self.wall()
        made = Package(
            family, repository, version, self.new_uid(), organization, now, now, said, creator
        )
        await self.admit(made, made.said_size)
        if made.is_elsewhere:
            made = made.succeeded(None, now)
        async with self._lock:  # no other comes between the count and this one
            await admit_owner(self.catalogue, organization)
            await admit_release(self.catalogue, organization, family.version)
            await self.catalogue.write(Put(made.entry(), is_new=True))
        return made

    async def admit(self, package: Package, size: int) -> None:
        """Raises TooLarge or QuotaExceeded for an archive of more bytes than may be kept."""
        if package.is_elsewhere:
            return
        if size > self.limits.archive.size:
            raise TooLarge(f"an archive holds at most {self.limits.archive.size} bytes, not {size}")
        kind = package.family.version
        await admit_archive(self.catalogue, package.organization, kind, size)

    async def most(self, package: Package) -> int:
        """Bytes that its archive may have."""
        limit = await largest(self.catalogue, package.organization, package.family.version)
        most = self.limits.archive.size
        return most if limit is None else min(limit, most)

    async def package(
        self, family: Family, organization: str, repository: str, version: str
    ) -> Package:
        """One version; `latest` is the newest that was uploaded. Raises NotFound."""
        if version == LATEST:
            found = await self.latest(family, organization, repository)
            if found is not None:
                return found
        entry = await self.catalogue.entry(
            family.version, version, scope=repository, organization=organization
        )
        if entry is None:
            raise NotFound(f"there is no {family.word} {f'{repository}:{version}'[:300]!r}")
        return package_of(family, entry)

    async def latest(self, family: Family, organization: str, repository: str) -> Package | None:
        """The newest version that was uploaded; None if there is none."""
        start = 0
        while True:
            found = await self.packages(
                family, organization, repository, start=start, count=_AT_ONCE
            )
            for each in found:
                if each.status is Status.SUCCESS:
                    return each
            if len(found) < _AT_ONCE:
                return None
            start += _AT_ONCE

    @asynccontextmanager
    async def changing(self, package: Package) -> AsyncIterator["Change"]:
        """What a version is now, and may be made for the block. Raises NotFound if it is gone."""
        async with self._lock:
            entry = await self.catalogue.entry_of(package.family.version, package.uid)
            if entry is None:
                raise NotFound(f"{package.family.word} {package.tag!r} was deleted meanwhile")
            change = Change(package_of(package.family, entry))
            yield change
            if change.changes or change.made is not change.now:
                await self.catalogue.write(Put(change.made.entry()), *change.changes)

    async def update(self, package: Package, change: Callable[[Said], Said]) -> Package:
        """Changes what is said of a version. Raises NotFound, TooLarge."""
        async with self.changing(package) as changing:
            made = replace(changing.now, said=change(changing.now.said), updated_at=self.wall())
            await self.admit(made, made.said_size)
            changing.made = made
        return made

    async def delete(self, package: Package) -> None:
        """Deletes a version, and its archive if it is of no other.

        Raises MeshError (409) while a deployment or, for a model, a release uses it.
        """
        # In this order: no deployment waits for archives that are being moved.
        async with self._lock, self.deployed.unchanged():
            await self.require_unused(package)
            upload = await self._upload_of(package)
            await self.catalogue.write(
                Remove(package.entry()), *((Remove(upload),) if upload else ())
            )
        if package.upload_id:
            await asyncio.to_thread(Parts(self.vault.incoming, package.upload_id).remove)
        await self.drop(package.digests)

    async def _upload_of(self, package: Package) -> Entry | None:
        if not package.upload_id:
            return None
        return await self.catalogue.entry_of(Kind.UPLOAD, package.upload_id)

    async def require_unused(self, package: Package) -> None:
        """Raises MeshError (409) that names what uses a version."""
        using = [f"deployment {use.deployment}" for use in await self.uses_of(package)]
        if package.family is MODELS:
            using += [f"bento {each.tag}" for each in await self.releases_of(package)]
        if using:
            named = ", ".join(using[:10]) + (", ..." if len(using) > 10 else "")
            raise MeshError(
                f"{package.family.word} {package.tag} is used by {named}",
                code=Code.FAILED_PRECONDITION,
                http_status=409,
            )

    async def uses_of(self, package: Package) -> tuple[Use, ...]:
        """The deployments that run a release, or a release with a model."""
        tags = {package.tag}
        if package.family is MODELS:
            tags = {each.tag for each in await self.releases_of(package)}
        every = (*uses(self.deployed, package.organization), *await self._waiting(package))
        found = {use.deployment: use for use in every if use.tags & tags}
        return tuple(found.values())

    async def _waiting(self, package: Package) -> tuple[Use, ...]:
        """The deployments that are to run releases once these are ready."""
        found = await self.catalogue.entries(Kind.PENDING, organization=package.organization)
        return tuple(
            Use(each.name, frozenset(release_tags(each.document.get("config") or {})))
            for each in found
        )

    async def releases_of(self, model: Package) -> tuple[Package, ...]:
        """The releases that name a model."""
        found = await self.packages(BENTOS, model.organization)
        return tuple(each for each in found if model.tag in model_tags(each.manifest))

    async def models_of(self, release: Package) -> tuple[Package, ...]:
        """The models that a release names, as far as they are registered."""
        found = []
        for tag in model_tags(release.manifest):
            name, _, version = tag.partition(":")
            entry = await self.catalogue.entry(
                Kind.MODEL, version, scope=name, organization=release.organization
            )
            if entry is not None:
                found.append(package_of(MODELS, entry))
        return tuple(found)

    async def drop(self, digests: frozenset[str]) -> None:
        """Deletes archives that nothing names any more, as far as the vault lets it."""
        if not digests:
            return
        async with self._lock:  # what comes meanwhile is named before it is kept
            for digest in digests - await self.named():
                try:
                    await self.vault.delete(digest)
                except (MeshError, OSError) as error:  # it is tried again when all is tidied
                    _log.warning("the archive %s is not deleted: %s", digest, error)

    @asynccontextmanager
    async def naming(self) -> AsyncIterator[None]:
        """Nothing is dropped in the block: what is kept in it is to be named in it."""
        async with self._lock:
            yield

    async def named(self) -> frozenset[str]:
        """The digests of all archives that are of some version, and of files of codespaces."""
        found: set[str] = set()
        for entry in await self.catalogue.entries(Kind.CODESPACE, organization=None):
            found |= codespace_of(entry).digests
        for family in (BENTOS, MODELS):
            entries = await self.catalogue.entries(family.version, organization=None)
            found.update(*(package_of(family, each).digests for each in entries))
        return frozenset(found)

    async def release(self, tag: str, organization: str = DEFAULT_ORGANIZATION) -> Release:
        """As of contract.Releases."""
        name, _, version = tag.partition(":")
        found = await self.package(BENTOS, organization, name, version or LATEST)
        digest = "" if found.is_bare else await self._whole(found)
        models = {
            tag: await self._whole(model)
            for tag, model in await self._models(found)
            if not model.is_elsewhere
        }
        return Release(
            found.repository,
            found.version,
            found.uid,
            digest,
            found.size,
            found.manifest,
            models,
        )

    async def is_there(self, release: Release, organization: str = DEFAULT_ORGANIZATION) -> bool:
        """As of contract.Releases."""
        entry = await self.catalogue.entry_of(Kind.BENTO, release.uid)
        if entry is None or entry.organization != organization:
            return False
        found = package_of(BENTOS, entry)
        return found.is_bare or release.digest in found.digests

    async def _models(self, release: Package) -> Sequence[tuple[str, Package]]:
        there = {each.tag: each for each in await self.models_of(release)}
        for tag in model_tags(release.manifest):
            if tag not in there:
                raise FailedPrecondition(
                    f"bento {release.tag} needs model {tag}, which was not pushed"
                )
        return tuple(there.items())

    async def _whole(self, package: Package) -> str:
        """The digest of an archive that is there. Raises FailedPrecondition."""
        what = f"{package.family.word} {package.tag}"
        if package.status is not Status.SUCCESS or not package.digest:
            why = f": {package.reason}" if package.reason else ""
            raise FailedPrecondition(f"{what} was not uploaded ({package.status}){why}")
        if await self.vault.size(package.digest) is None:
            raise FailedPrecondition(f"the archive of {what} is lost: push it again with --force")
        return package.digest


@dataclass(slots=True)
class Change:
    """A version as it is now, and as it is to be; `changes` are written with it."""

    now: Package
    made: Package = field(init=False)
    changes: list[Put | Remove] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made = self.now
