"""Codespaces that change: each time they have been quiet for a moment, they are deployed anew."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.clock import Clock, monotonic
from mesh.errors import MeshError, NotFound
from mesh.faces.cloud.deployments.shown import Shown
from mesh.releases.codespace import CODE, Codespace
from mesh.releases.codespaces import Codespaces
from mesh.releases.deploying import Deploying
from mesh.releases.packages import BENTOS, LATEST, Package

QUIET = 0.5
"""Seconds without a change after which a codespace is deployed."""
LONGEST = 5.0
"""Seconds for which it is not, however often it changes."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is not deployed yet: when it began and when it last went on, on a monotonic clock."""

    organization: str
    by: str
    first: float
    last: float


def until_deployed(changes: Changes, now: float) -> float:
    """Seconds for which more changes are waited for."""
    return max(min(changes.last + QUIET, changes.first + LONGEST) - now, 0.0)


class Coding:
    """Takes files of codespaces, and has what is made of them deployed. For one event loop."""

    def __init__(
        self, codespaces: Codespaces, deploying: Deploying, clock: Clock = monotonic
    ) -> None:
        self._codespaces = codespaces
        self._deploying = deploying
        self._clock = clock
        self._changes: dict[str, Changes] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def resume(self) -> None:
        """Deploys what an earlier control plane did not, and forgets what is of no deployment."""
        for space in await self._codespaces.all():
            if not self._deploying.is_there(space.deployment):
                await self._codespaces.forget(space.organization, space.deployment)
            elif space.is_behind:
                self._note(space.organization, space.deployment, "")

    async def close(self) -> None:
        """Leaves what goes on to the next control plane."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def files(self, of: Shown) -> Codespace | None:
        """The codespace of a deployment; None if it has no files."""
        return await self._codespaces.find(of.organization, of.name)

    async def add(self, of: Shown, contents: Mapping[str, bytes], by: str) -> Codespace:
        """Adds files. Raises what `Codespaces.add` raises, NotFound if the release is gone."""
        source = await self._source(of.organization, of.config["release"])
        space = await self._codespaces.add(of.organization, of.name, contents, source.uid)
        await self._changed(of, space, source, by)
        return space

    async def remove(self, of: Shown, paths: Sequence[str], by: str) -> Codespace:
        """Removes files, as far as there are such. Raises NotFound if the release is gone."""
        source = await self._source(of.organization, of.config["release"])
        space = await self._codespaces.remove(of.organization, of.name, paths)
        await self._changed(of, space, source, by)
        return space

    async def release(self, of: Shown, version: str, by: str) -> Package:
        """Registers a release of the files of a deployment. Raises NotFound if it has none."""
        source = await self._source(of.organization, of.config["release"])
        space = await self.files(of)
        if space is None:
            raise NotFound(f"deployment {of.name!r} has no files")
        return await self._codespaces.release(space, source, version, by)

    async def forget(self, organization: str, name: str) -> None:
        """Removes the files of a deployment that is gone, or of one that had its name."""
        self._changes.pop(name, None)
        await self._codespaces.forget(organization, name)

    async def _source(self, organization: str, tag: str) -> Package:
        name, _, version = tag.partition(":")
        registry = self._codespaces.registry
        return await registry.package(BENTOS, organization, name, version or LATEST)

    async def _changed(self, of: Shown, space: Codespace, source: Package, by: str) -> None:
        is_whole = source.is_bare and space.ready_for == source.uid
        if is_whole and self._deploying.is_wanted(of.name):
            await self._deploying.expect(of.name, by=by)
            self._note(of.organization, of.name, by)

    def _note(self, organization: str, name: str, by: str) -> None:
        now = self._clock()
        before = self._changes.get(name)
        self._changes[name] = Changes(organization, by, before.first if before else now, now)
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._run(name), name=f"code/{name}")

    async def _run(self, name: str) -> None:
        try:
            await self._deploy_all(name)
        finally:  # at once, so that what is noted from now on begins another
            self._tasks.pop(name, None)

    async def _deploy_all(self, name: str) -> None:
        while (changes := self._changes.get(name)) is not None:
            wait = until_deployed(changes, self._clock())
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            del self._changes[name]
            reason = await self._tried(name, changes)
            if reason and name not in self._changes:
                _log.warning("the files of deployment %s cannot be deployed: %s", name, reason)
                await self._deploying.refuse(name, reason)

    async def _tried(self, name: str, changes: Changes) -> str:
        """Deploys what there is; says why it cannot be."""
        try:
            await self._deploy(name, changes)
        except MeshError as error:
            return error.message
        except Exception:  # noqa: BLE001  # whatever it is, the deployment must not hang
            _log.exception("the files of deployment %s could not be deployed", name)
            return "internal error"
        return ""

    async def _deploy(self, name: str, changes: Changes) -> None:
        if not self._deploying.is_wanted(name):
            return  # it was stopped meanwhile
        config = self._deploying.config(name)
        source = await self._source(changes.organization, config.release)
        if source.is_bare:
            space = await self._codespaces.find(changes.organization, name)
            if space is None or space.ready_for != source.uid:
                return  # it is of another release meanwhile, whose files are still to come
            digest, size = await self._codespaces.build(space, source)
            code = {CODE: {"release": source.uid, "digest": digest, "size": size}}
            config = config.model_copy(update={"annotations": {**config.annotations, **code}})
        await self._deploying.deploy(
            config, organization=changes.organization, by=changes.by, cause="files changed"
        )
