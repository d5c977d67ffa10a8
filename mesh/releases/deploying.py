"""Deployments of releases, from when they are wanted until they are the controller's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from mesh.config import DeploymentConfig, Resources, mirrored, parse
from mesh.config.stages import build_envs
from mesh.control.admission import admit_to_cluster
from mesh.control.injected import injected
from mesh.control.plan import Application, VersionDocument
from mesh.control.records import Born, DeploymentRecord, Intent
from mesh.control.store.catalogue import Catalogue, Kind, Put, Remove
from mesh.control.verbs import Verbs
from mesh.errors import AlreadyExists, MeshError, NotFound
from mesh.launch import Secrets
from mesh.releases.contract import Release, Releases
from mesh.releases.described import Descriptions
from mesh.releases.pending import Pending, Stage, pending_of
from mesh.releases.wanted import (
    Needed,
    check_instance_types,
    check_secrets,
    check_services,
    needed,
)

_log = logging.getLogger(__name__)

Types = Callable[[], Awaitable[Mapping[str, Resources]]]
"""Gives the instance types that there are besides the default ones."""


async def no_types() -> Mapping[str, Resources]:
    """Only the default ones."""
    return {}


class Deploying:
    """Takes deployments, and has releases made ready in the background. For one event loop.

    What is wanted is kept until the controller has it: a new control plane goes on with it. What
    concerns one deployment is done one after the other.
    """

    def __init__(
        self,
        verbs: Verbs,
        catalogue: Catalogue,
        releases: Releases,
        descriptions: Descriptions,
        *,
        wall: Callable[[], float],
        new_uid: Callable[[], str],
        types: Types = no_types,
    ) -> None:
        self._verbs = verbs
        self._catalogue = catalogue
        self.releases = releases
        self._descriptions = descriptions
        self._wall = wall
        self._new_uid = new_uid
        self._types = types
        self._pending: dict[str, Pending] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def pending(self) -> Mapping[str, Pending]:
        """Those that the controller does not have yet, by name. Not to be changed."""
        return self._pending

    async def resume(self) -> None:
        """Goes on with what an earlier control plane began."""
        for entry in await self._catalogue.entries(Kind.PENDING, organization=None):
            pending = pending_of(entry)
            self._pending.setdefault(pending.name, pending)
            if pending.stage is Stage.BUILDING:
                self._begin(pending)

    async def close(self) -> None:
        """Leaves what goes on to the next control plane."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._descriptions.close()

    async def deploy(
        self,
        config: DeploymentConfig,
        *,
        organization: str,
        by: str,
        cause: str = "",
        is_new: bool = False,
    ) -> None:
        """Has a deployment be as `config` says, and follows no earlier wish for it.

        Returns when that is kept; what can be done at once is done. The same again tries again
        what failed.

        Raises:
            AlreadyExists: it should be new, and there is one of that name; or another
                organization has one.
            InvalidArgument: a release, secret or instance type is not there; the key is named.
            FailedPrecondition: a release was not uploaded as a whole.
            ConfigError: the settings do not fit the release.
            PermissionDenied: the organization may not use the cluster.
        """
        needs = await self._checked(config, organization)
        async with self._lock(config.name):
            before = self._pending.get(config.name)
            there = self.record(config.name) or before
            if there is not None and there.organization != organization:
                raise AlreadyExists(f"another organization has a deployment {config.name!r}")
            if is_new and there is not None:
                raise AlreadyExists(f"deployment {config.name!r} already exists")
            wanted = self._wanted(needs.config, before, organization, by, cause)
            ready = await self._ready(needs)
            if ready is not None:
                await self._apply(ready, needs, wanted)
                await self._forget(config.name)
            elif not (config.name in self._tasks and _goes_on(before, wanted)):
                await self._put(wanted)
                self._begin(wanted)

    async def retry(self, name: str) -> bool:
        """Tries again what is not the controller's yet; False if there is nothing such."""
        async with self._lock(name):
            pending = self._pending.get(name)
            if pending is not None and pending.stage is not Stage.BUILDING:
                again = pending.at(Stage.BUILDING, self._wall())
                await self._put(again)
                self._begin(again)
            return pending is not None

    async def give_up(self, name: str) -> None:
        """Forgets what was to become of it; what it is goes on."""
        async with self._lock(name):
            await self._forget(name)

    async def expect(self, name: str, *, by: str = "") -> None:
        """Says that it will be deployed again soon, so that nobody is told how it was before.

        What is being made ready of it is given up. Raises NotFound.
        """
        async with self._lock(name):
            pending = self._pending.get(name)
            self._stop(name)
            if pending is None:
                config, organization = self.config(name), self._verbs.deployment(name).organization
                await self._put(self._wanted(config, None, organization, by, ""))
            else:
                await self._put(pending.at(Stage.BUILDING, self._wall()))

    async def refuse(self, name: str, reason: str) -> None:
        """Says why what was expected does not come."""
        pending = self._pending.get(name)
        if pending is not None:
            await self._fail(pending, reason)

    async def terminate(self, name: str, *, by: str = "") -> None:
        """Stops it, and whatever was to become of it. Raises NotFound."""
        async with self._lock(name):
            pending = self._pending.get(name)
            if self.record(name) is not None:
                await self._forget(name)
                await self._verbs.terminate(name, by=by)
            elif pending is not None:
                self._stop(name)
                await self._put(pending.at(Stage.TERMINATED, self._wall()))
            else:
                raise NotFound(f"there is no deployment {name!r}")

    async def delete(self, name: str, *, by: str = "") -> None:
        """Stops and forgets it. Raises NotFound."""
        async with self._lock(name):
            known = self._pending.get(name) is not None
            if self.record(name) is not None:
                await self._verbs.delete(name, by=by)
            elif not known:
                raise NotFound(f"there is no deployment {name!r}")
            await self._forget(name)

    async def set_labels(self, name: str, labels: Mapping[str, str], *, by: str = "") -> None:
        """Replaces its labels. Raises NotFound, ConfigError."""
        async with self._lock(name):
            pending = self._pending.get(name)
            if self.record(name) is not None:
                await self._verbs.set_labels(name, labels, by=by)
            if pending is not None:
                changed = replace(pending, config={**pending.config, "labels": dict(labels)})
                await self._put(changed)
                if changed.stage is Stage.BUILDING:
                    self._begin(changed)
            elif self.record(name) is None:
                raise NotFound(f"there is no deployment {name!r}")

    def is_there(self, name: str) -> bool:
        """Whether there is such a deployment."""
        return name in self._pending or self.record(name) is not None

    def is_wanted(self, name: str) -> bool:
        """Whether it runs, or is to."""
        pending, record = self._pending.get(name), self.record(name)
        if pending is not None:
            return pending.stage is not Stage.TERMINATED
        return record is not None and record.intent is Intent.RUN

    def config(self, name: str) -> DeploymentConfig:
        """What it is to be, as it was last said. Raises NotFound, ConfigError."""
        pending = self._pending.get(name)
        document = pending.config if pending is not None else self._verbs.current(name).config
        return parse(DeploymentConfig, document, what=f"deployment {name}")

    def record(self, name: str) -> DeploymentRecord | None:
        """What the controller has of it; None if it has nothing."""
        try:
            return self._verbs.deployment(name)
        except NotFound:
            return None

    async def _checked(self, config: DeploymentConfig, organization: str) -> Needed:
        await admit_to_cluster(self._catalogue, organization)
        needs = await needed(config, organization, self.releases, self._verbs)
        check_services(needs)
        check_instance_types(config, await self._types())
        await check_secrets(config, organization, self._catalogue)
        return needs

    def _wanted(
        self,
        config: DeploymentConfig,
        before: Pending | None,
        organization: str,
        by: str,
        cause: str,
    ) -> Pending:
        now = self._wall()
        record = self.record(config.name)
        made = record.created_at if record else before.created_at if before else now
        creator = record.creator if record else before.creator if before else by
        uid = before.uid if before else self._new_uid()
        document = config.model_dump(mode="json")
        return Pending(
            config.name, uid, made, now, organization, document, creator, by, cause=cause
        )

    async def _ready(self, needs: Needed) -> dict[str, VersionDocument] | None:
        """What is in each version, if all of it is known."""
        found = dict(needs.kept)
        if needs.lacks_code:
            return None
        for name, release in needs.releases.items():
            known = await self._descriptions.known(release)
            if known is None:
                return None
            found[name] = known
        return found

    async def _apply(
        self, documents: Mapping[str, VersionDocument], needs: Needed, wanted: Pending
    ) -> None:
        await self._verbs.apply(
            Application(config=needs.config, versions=dict(documents)),
            needs.code,
            cause=wanted.cause,
            by=wanted.by,
            organization=wanted.organization,
            born=Born(wanted.uid, wanted.created_at),
            settle=partial(self._settled, wanted.organization, tuple(needs.releases.values())),
        )

    async def _settled(
        self, organization: str, releases: Sequence[Release], application: Application
    ) -> Application:
        """With its instance types, if they, its releases and its secrets are there (still)."""
        config, versions = application.config, application.versions
        for release in releases:
            if not await self.releases.is_there(release, organization):
                raise NotFound(f"there is no bento {release.tag[:300]!r}")
        await check_secrets(config, organization, self._catalogue)
        types = check_instance_types(config, await self._types())
        if not types:
            return application
        update = {"instance_types": types}
        versions = {name: each.model_copy(update=update) for name, each in versions.items()}
        return application.model_copy(update={"versions": versions})

    def _begin(self, pending: Pending) -> None:
        self._stop(pending.name)
        task = asyncio.create_task(self._build(pending), name=f"deploy/{pending.name}")
        self._tasks[pending.name] = task

    def _stop(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    async def _build(self, pending: Pending) -> None:
        try:
            config = parse(DeploymentConfig, pending.config, what=f"deployment {pending.name}")
            needs = await needed(config, pending.organization, self.releases, self._verbs)
            if needs.lacks_code:
                self._tasks.pop(pending.name, None)
                return  # until there is an archive of its files
            documents = dict(needs.kept)
            for name, release in needs.releases.items():
                build = await self._build_secrets(config, name, pending.organization)
                documents[name] = await self._descriptions.of(release, build)
            async with self._lock(pending.name):
                if self._pending.get(pending.name) is pending:
                    await self._apply(documents, needs, pending)
                    self._tasks.pop(pending.name, None)
                    await self._forget(pending.name)
        except MeshError as error:
            await self._fail(pending, error.message)
        except Exception:  # noqa: BLE001  # whatever it is, the deployment must not hang
            _log.exception("deployment %s could not be made ready", pending.name)
            await self._fail(pending, "internal error")

    async def _build_secrets(
        self, config: DeploymentConfig, version: str, organization: str
    ) -> Secrets:
        """What the installation of the requirements of a version gets."""
        canary = config.canary.versions.get(version)
        chosen = config if canary is None else mirrored(config, canary, config.services)
        found = await injected(self._catalogue, chosen.secrets, organization, "build")
        return found.under(Secrets(build_envs(chosen)))

    async def _fail(self, pending: Pending, reason: str) -> None:
        line = " ".join(reason.split())
        _log.warning("deployment %s cannot be deployed: %s", pending.name, line)
        async with self._lock(pending.name):
            if self._pending.get(pending.name) is not pending:
                return
            failed = pending.at(Stage.FAILED, self._wall(), line)
            self._pending[pending.name] = failed
            self._tasks.pop(pending.name, None)
            try:
                await self._catalogue.write(Put(failed.entry()))
            except MeshError as error:
                _log.error("that could not be kept: %s", error.message)

    async def _put(self, pending: Pending) -> None:
        await self._catalogue.write(Put(pending.entry()))
        self._pending[pending.name] = pending

    async def _forget(self, name: str) -> None:
        pending = self._pending.get(name)
        if pending is not None:
            self._stop(name)
            await self._catalogue.write(Remove(pending.entry()))
            self._pending.pop(name, None)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _goes_on(before: Pending | None, wanted: Pending) -> bool:
    """Whether just this is being made ready already."""
    return before is not None and before.stage is Stage.BUILDING and before.config == wanted.config
