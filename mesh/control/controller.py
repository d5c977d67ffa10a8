"""What users do with a mesh, and what they see of it."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from mesh.cluster.contract import LOG_CHUNK, LogChunk
from mesh.config import EndpointConfig
from mesh.control import changes, endpoint_changes, progression
from mesh.control.admission import admit_owner, admit_to_cluster, limits_of
from mesh.control.loop import Loop
from mesh.control.observed import ObservedReplica
from mesh.control.plan import Application, kept_application
from mesh.control.progression import CanaryStatus, taken_back
from mesh.control.promises import broken_promises
from mesh.control.quota import check_change
from mesh.control.records import (
    DEFAULT_ORGANIZATION,
    Born,
    Change,
    DeploymentRecord,
    EndpointRecord,
    Event,
    Intent,
    RevisionRecord,
)
from mesh.control.status import DeploymentStatus
from mesh.errors import FailedPrecondition, NotFound

_log = logging.getLogger(__name__)


Settle = Callable[[Application], Awaitable[Application]]
"""Gives an application what is looked up at last; raises if something of it is not there."""

EVENTS = 1_000
"""Events that are looked through for a revision that ran."""


class Controller(Loop):
    """The control plane of one mesh. For one event loop; `run` must run for anything to happen.

    Where a method takes `by`, it is the name of the user who asks (empty: nobody known), and kept.
    """

    async def apply(
        self,
        application: Application,
        code: Mapping[str, bytes] | None = None,
        *,
        cause: str = "",
        by: str = "",
        organization: str = DEFAULT_ORGANIZATION,
        born: Born | None = None,
        settle: Settle | None = None,
    ) -> int:
        """Makes a deployment what `application` says; returns its revision.

        `code` holds the pickled entry classes of versions that have no target. Returns when the
        change is kept; follow it with `status`. The same application again changes nothing,
        except that what failed is tried again at once. `by` is the user who asks for it, and
        `organization` that of whose a new deployment is, `born` before now if that says so.
        What `settle` returns is applied; nobody is in `unchanged` from when it is called until
        the change is kept, so what it has found there is still there then.

        Raises:
            ConfigError: the application contradicts itself.
            AlreadyExists: another organization has a deployment of this name.
            PermissionDenied: the organization may not use the cluster.
            QuotaExceeded: it is not within the limits of the organization.
            MeshError: as of `settle`.
        """
        name = application.config.name
        async with self._change(by, organization) as moment:
            if settle is not None:
                application = await settle(application)
            at = moment._replace(born=born)
            before = self._courses.get(name)
            change = changes.applied(self._state, application, code or {}, at, cause)
            await self._commit(await self._admitted(change))
            after = self._courses[name].desired
            for sentence in broken_promises(before.desired if before else None, after):
                _log.warning("deployment %s: %s", name, sentence)
            self._retry(name)
            return self._state.deployments[name].revision

    async def _admitted(self, change: Change) -> Change:
        """The change, if whose it is may run it.

        Raises:
            PermissionDenied: the organization may not use the cluster.
            QuotaExceeded: it is not within the limits of the organization.
        """
        desired = {name: course.desired for name, course in self._courses.items()}
        for record in change.deployments:
            await admit_to_cluster(self._store.catalogue, record.organization)
            limited = await limits_of(self._store.catalogue, record.organization)
            if limited is not None:
                check_change(limited, self._state, change, record, desired)
        return change

    async def rollback(self, name: str, number: int = 0, *, by: str = "") -> int:
        """Makes a new revision that is what revision `number` was; returns its number.

        0 is the last revision that ran before the current one; if none did, the one before.

        Raises:
            NotFound: there is no such deployment or revision.
            FailedPrecondition: the current revision is the first.
        """
        async with self._change(by) as at:
            current = changes.found(self._state, name).revision
            number = number or changes.last_that_ran(current, await self.events(name, count=EVENTS))
            revision, versions = await self._store.revision(name, number)
            change = changes.rolled_back(self._state, revision, versions, at)
            await self._commit(await self._admitted(change))
            self._retry(name)
            return self._state.deployments[name].revision

    async def restart(self, name: str, *, by: str = "") -> int:
        """Replaces all replicas, by the deployment's strategy. Raises NotFound."""
        async with self._change(by) as at:
            await self._commit(changes.restarted(self._state, name, at))
            return self._state.deployments[name].revision

    async def terminate(self, name: str, *, by: str = "") -> None:
        """Stops all of a deployment and keeps it. Raises NotFound."""
        async with self._change(by) as at:
            await self._commit(changes.intended(self._state, name, Intent.TERMINATE, at))

    async def start(self, name: str, *, by: str = "") -> None:
        """Starts a deployment that is terminated. Raises NotFound."""
        async with self._change(by) as at:
            change = changes.intended(self._state, name, Intent.RUN, at)
            await self._commit(await self._admitted(change))

    async def delete(self, name: str, *, by: str = "") -> None:
        """Stops and forgets a deployment. Raises NotFound."""
        async with self._change(by) as at:
            await self._commit(changes.intended(self._state, name, Intent.DELETE, at))

    async def set_labels(self, name: str, labels: Mapping[str, str], *, by: str = "") -> int:
        """Replaces the labels; returns the revision. Raises NotFound, ConfigError."""
        async with self._change(by) as at:
            await self._commit(changes.labelled(self._state, name, labels, at))
            return self._state.deployments[name].revision

    async def set_canary(self, name: str, weights: Mapping[str, int], *, by: str = "") -> int:
        """Gives canaries new percentages; returns the revision.

        Like all that moves requests, it returns when every gateway goes by it, if that takes no
        longer than `loop.TELL` seconds. Raises NotFound, ConfigError.
        """
        async with self._change(by) as at:
            await self._commit(changes.weighted(self._state, name, weights, at))
            revision = self._state.deployments[name].revision
        await self._routed(name)
        return revision

    async def promote(self, name: str, version: str = "", *, by: str = "") -> int:
        """Makes a canary (empty: the only one) `main`; returns the revision.

        Raises NotFound, FailedPrecondition.
        """
        async with self._change(by) as at:
            change = changes.promoted(self._state, name, version, at)
            await self._commit(await self._admitted(change))
            revision = self._state.deployments[name].revision
        await self._routed(name)
        return revision

    async def abort(self, name: str, version: str = "", *, by: str = "") -> int:
        """Takes all requests from a canary (empty: from all); returns the revision.

        Raises NotFound, FailedPrecondition.
        """
        async with self._change(by) as at:
            await self._commit(changes.aborted(self._state, name, version, at))
            revision = self._state.deployments[name].revision
        await self._routed(name)
        return revision

    async def apply_endpoint(
        self,
        name: str,
        config: EndpointConfig,
        *,
        by: str = "",
        organization: str = DEFAULT_ORGANIZATION,
    ) -> None:
        """Makes an endpoint what `config` says. Raises ConfigError, AlreadyExists.

        Raises PermissionDenied if the organization was deleted meanwhile.
        """
        async with self._change(by, organization) as at:
            await admit_owner(self._store.catalogue, organization)
            await self._commit(endpoint_changes.with_endpoint(self._state, name, config, at))
        await self._routed()

    async def delete_endpoint(self, name: str, *, by: str = "") -> None:
        """Deletes an endpoint. Raises NotFound."""
        async with self._change(by) as at:
            await self._commit(endpoint_changes.without_endpoint(self._state, name, at))
        await self._routed()

    async def start_endpoint(self, name: str, *, by: str = "") -> None:
        """Starts an endpoint that is terminated. Raises NotFound."""
        async with self._change(by) as at:
            change = endpoint_changes.intended_endpoint(self._state, name, Intent.RUN, at)
            await self._commit(change)
        await self._routed()

    async def terminate_endpoint(self, name: str, *, by: str = "") -> None:
        """Has an endpoint refuse requests. Raises NotFound."""
        async with self._change(by) as at:
            change = endpoint_changes.intended_endpoint(self._state, name, Intent.TERMINATE, at)
            await self._commit(change)
        await self._routed()

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        """How far the deployment `name` is, or all. Raises NotFound if there is no such one."""
        if name and name not in self._courses:
            raise NotFound(f"there is no deployment {name!r}")
        wall = self._wall()
        courses = {name: self._courses[name]} if name else self._courses
        return tuple(
            self._status(course.status(self._cluster.observe(each), wall))
            for each, course in courses.items()
        )

    def _status(self, status: DeploymentStatus) -> DeploymentStatus:
        """With why the last canary was taken back, if nothing else is to be told."""
        record = self._state.deployments.get(status.name)
        if status.reason or record is None or not record.progress:
            return status
        return replace(status, reason=taken_back(record.progress, status.revision))

    def deployments(self) -> tuple[DeploymentRecord, ...]:
        """All deployments but those that are deleted, in the order in which they were made."""
        records = self._state.deployments.values()
        return tuple(each for each in records if each.intent is not Intent.DELETE)

    def deployment(self, name: str) -> DeploymentRecord:
        """One deployment. Raises NotFound."""
        return changes.found(self._state, name)

    def current(self, name: str) -> RevisionRecord:
        """The current revision of a deployment. Raises NotFound."""
        return self._state.revisions[changes.found(self._state, name).name]

    def kept(self, name: str) -> tuple[Application, dict[str, bytes]]:
        """What a deployment was made of when it was last set, with its code by version.

        Raises NotFound, and ConfigError if this release does not understand it.
        """
        revision = self.current(name)
        ids = revision.versions.values()
        return kept_application(revision, {each: self._state.versions[name, each] for each in ids})

    async def revisions(
        self, name: str, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        """Revisions of a deployment, the newest first. Raises NotFound."""
        changes.found(self._state, name)
        return await self._store.revisions(name, start=start, count=count)

    async def revision(self, name: str, number: int) -> RevisionRecord:
        """One revision of a deployment. Raises NotFound."""
        changes.found(self._state, name)
        revision, _ = await self._store.revision(name, number)
        return revision

    async def events(
        self, name: str = "", start: int = 0, count: int = 100, *, endpoint: str = ""
    ) -> tuple[Event, ...]:
        """What happened to a deployment or an endpoint (neither: to all), the newest first.

        What happened to one of this name that another organization had is not told.
        """
        record = self._state.deployments.get(name) or self._state.endpoints.get(endpoint)
        return await self._store.events(
            deployment=name,
            endpoint=endpoint,
            organization=record.organization if record is not None else "",
            start=start,
            count=count,
        )

    def canary_status(self, name: str) -> CanaryStatus:
        """How the versions of a deployment do, and how far its canary is.

        Raises:
            NotFound: there is no such deployment.
            FailedPrecondition: this release does not understand what is kept of it.
        """
        record = changes.found(self._state, name)
        course = self._courses.get(name)
        if course is None:
            raise FailedPrecondition(f"deployment {name!r} is not understood, and left as it is")
        return progression.status(
            course.desired,
            course.standing,
            course.progression,
            record.progress,
            self._ledger,
            (self._clock(), self._wall()),
        )

    def replicas(self, name: str = "") -> tuple[ObservedReplica, ...]:
        """The replicas of a deployment, or all. Raises NotFound."""
        if name:
            changes.found(self._state, name)
        return tuple(self._cluster.observe(name))

    async def logs(self, replica_id: str, after: int = -1, limit: int = LOG_CHUNK) -> LogChunk:
        """What a replica's process wrote, as of Cluster. Raises NotFound."""
        return await self._cluster.logs(replica_id, after, limit)

    async def renew_secret_key(self) -> int:
        """Has the store take a new secret key, and raises, as `Store.renew_key`."""
        async with self._change():
            return await self._store.renew_key()

    def endpoints(self) -> tuple[EndpointRecord, ...]:
        """All endpoints that users made, in the order in which they were made."""
        return tuple(self._state.endpoints.values())

    def endpoint(self, name: str) -> EndpointRecord:
        """One endpoint. Raises NotFound."""
        return endpoint_changes.found_endpoint(self._state, name)
