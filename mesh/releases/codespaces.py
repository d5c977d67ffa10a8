"""The codespaces of all deployments: where files that are developed go, and come from."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mesh.control.store.catalogue import Kind, Put, Remove
from mesh.errors import FailedPrecondition, NotFound
from mesh.releases.blobs import receive
from mesh.releases.code_archive import archive_of
from mesh.releases.codespace import READY, CodeFile, CodeLimits, Codespace, codespace_of, file_of
from mesh.releases.packages import BENTOS, Package
from mesh.releases.registry import Registry
from mesh.releases.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Codespaces:
    """What is kept of them. For one event loop."""

    uploads: Uploads
    limits: CodeLimits = field(default_factory=CodeLimits)

    @property
    def registry(self) -> Registry:
        """Where the releases are that they are of."""
        return self.uploads.registry

    async def find(self, organization: str, deployment: str) -> Codespace | None:
        """The codespace of a deployment; None if it has no files."""
        kept = self.registry.catalogue
        entry = await kept.entry(Kind.CODESPACE, deployment, organization=organization)
        return None if entry is None else codespace_of(entry)

    async def all(self) -> tuple[Codespace, ...]:
        """Those of all organizations."""
        found = await self.registry.catalogue.entries(Kind.CODESPACE, organization=None)
        return tuple(map(codespace_of, found))

    async def add(
        self, organization: str, deployment: str, contents: Mapping[str, bytes], release: str
    ) -> Codespace:
        """Adds files, or puts them in the place of others.

        With `READY` among them all have come for the release with the uid `release`. Raises
        InvalidArgument, TooLarge.
        """
        given = {path: content for path, content in contents.items() if path != READY}
        files = await asyncio.to_thread(lambda: {k: file_of(each) for k, each in given.items()})
        async with self.registry.naming():
            before = await self._found(organization, deployment)
            made = before.with_files(files, self.limits)
            if READY in contents:
                made = replace(made, ready_for=release)
            for path, file in files.items():
                await self._keep(file, given[path])
            await self._put(made)
        await self.registry.drop(before.digests - made.digests)
        return made

    async def remove(self, organization: str, deployment: str, paths: Sequence[str]) -> Codespace:
        """Removes files, as far as there are such."""
        async with self.registry.naming():
            before = await self._found(organization, deployment)
            made = before.without(paths)
            await self._put(made)
        await self.registry.drop(before.digests - made.digests)
        return made

    async def forget(self, organization: str, deployment: str) -> None:
        """Removes all files of a deployment, and what was made of them."""
        async with self.registry.naming():
            found = await self.find(organization, deployment)
            if found is not None:
                await self.registry.catalogue.write(Remove(found.entry()))
        if found is not None:
            await self.registry.drop(found.digests)

    async def build(self, space: Codespace, release: Package) -> tuple[str, int]:
        """Makes an archive of what there is; returns its digest and size.

        Raises NotFound if a content is lost or the codespace is gone, TooLarge.
        """
        vault, limit = self.registry.vault, await self.registry.most(release)
        arrived = await receive(archive_of(space, release, vault), vault.incoming, limit)
        try:
            async with self.registry.naming():
                now = await self.find(space.organization, space.deployment)
                if now is None:
                    raise NotFound(f"deployment {space.deployment!r} has no files any more")
                made = replace(now.with_archive(arrived.digest), built=space.state)
                await vault.keep(arrived)
                await self._put(made)
        finally:
            await asyncio.to_thread(arrived.path.unlink, missing_ok=True)
        await self.registry.drop(now.digests - made.digests)
        return arrived.digest, arrived.size

    async def release(self, space: Codespace, source: Package, version: str, by: str) -> Package:
        """Registers a release of what there is, as if somebody had pushed it.

        Raises FailedPrecondition before all files have come, and what pushing raises.
        """
        if space.ready_for != source.uid:
            raise FailedPrecondition(f"the files of deployment {space.deployment!r} are not there")
        manifest = {**source.manifest, "dev": False, "version": version}
        said = replace(source.said, manifest=manifest, build_at=self.registry.wall())
        made = await self.registry.create(
            BENTOS, source.organization, source.repository, version, said, by
        )
        started = await self.uploads.start(made)
        pieces = archive_of(space, started, self.registry.vault)
        return await self.uploads.whole(started, pieces, None, is_done=True)

    async def _found(self, organization: str, deployment: str) -> Codespace:
        found = await self.find(organization, deployment)
        if found is not None:
            return found
        now = self.registry.wall()
        return Codespace(deployment, self.registry.new_uid(), organization, now, now)

    async def _put(self, space: Codespace) -> None:
        made = replace(space, updated_at=self.registry.wall())
        await self.registry.catalogue.write(Put(made.entry()))

    async def _keep(self, file: CodeFile, content: bytes) -> None:
        vault = self.registry.vault
        if await vault.size(file.digest) is None:
            await vault.put(_once(content), len(content))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
