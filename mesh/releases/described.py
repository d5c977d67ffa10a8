"""What releases were found to be: each is described once, and that is kept."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence

from mesh.config import parse
from mesh.control.plan import VersionDocument
from mesh.control.store.catalogue import Catalogue, Entry, Kind, Put
from mesh.errors import ConfigError, MeshError, Unavailable
from mesh.launch import NO_SECRETS, Secrets
from mesh.releases.contract import Builder, Release

_log = logging.getLogger(__name__)

RETRIES = (1.0, 5.0, 15.0)
"""Seconds before another try, where what is in the way may pass."""


def key_of(release: Release) -> str:
    """The SHA-256, in hex, of what a release is made of."""
    made_of = json.dumps([release.digest, dict(release.models)], sort_keys=True)
    return hashlib.sha256(made_of.encode()).hexdigest()


class Descriptions:
    """Has a builder describe releases, one of them at most once at a time. For one event loop."""

    def __init__(
        self,
        catalogue: Catalogue,
        builder: Builder,
        wall: Callable[[], float],
        retries: Sequence[float] = RETRIES,
    ) -> None:
        self._catalogue = catalogue
        self._builder = builder
        self._wall = wall
        self._retries = retries
        self._running: dict[tuple[str, str], asyncio.Task[VersionDocument]] = {}

    async def known(self, release: Release) -> VersionDocument | None:
        """What is kept of a release; None if it was never described."""
        entry = await self._catalogue.entry(Kind.DESCRIBED, key_of(release))
        if entry is None:
            return None
        try:
            return parse(VersionDocument, entry.document, what=release.tag)
        except ConfigError:  # kept by another release of the mesh
            return None

    async def of(self, release: Release, build: Secrets = NO_SECRETS) -> VersionDocument:
        """What is in a release; `build` and what is raised are those of `Builder.describe`."""
        found = await self.known(release)
        if found is not None:
            return found
        key = (key_of(release), build.fingerprint())  # others may not have what this one has
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(
                self._describe(release, build), name=f"describe/{release.tag}"
            )
            self._running[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(task)  # others may wait for it too

    async def close(self) -> None:
        """Gives up what goes on."""
        tasks = tuple(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: tuple[str, str], done: "asyncio.Task[VersionDocument]") -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waits has it; perhaps nobody does any more

    async def _describe(self, release: Release, build: Secrets) -> VersionDocument:
        found = await self._tried(release, build)
        key, now = key_of(release), self._wall()
        entry = Entry(Kind.DESCRIBED, key, key, now, now, found.model_dump(mode="json"))
        try:
            await self._catalogue.write(Put(entry))
        except MeshError as error:  # it is found out again, then
            _log.warning("what %s is could not be kept: %s", release.tag, error.message)
        return found

    async def _tried(self, release: Release, build: Secrets) -> VersionDocument:
        for wait in self._retries:
            try:
                return await self._builder.describe(release, build)
            except Unavailable as error:
                _log.warning("%s cannot be built yet: %s", release.tag, error.message)
            await asyncio.sleep(wait)
        return await self._builder.describe(release, build)
