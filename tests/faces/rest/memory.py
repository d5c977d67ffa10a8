"""The verbs of a controller over dicts: every replica is ready at once, or its target fails."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count as counting
from typing import Any

from mesh.config import DeploymentConfig, EndpointConfig, parse
from mesh.control.changes import last_that_ran
from mesh.control.endpoint_changes import Moment, check_owner, endpoint_record
from mesh.control.latest import Latest
from mesh.control.observed import ObservedReplica, Phase
from mesh.control.outcomes import VersionMetrics
from mesh.control.plan import Application
from mesh.control.records import (
    DEFAULT_ORGANIZATION,
    Born,
    DeploymentRecord,
    EndpointRecord,
    Event,
    Intent,
    RevisionRecord,
    State,
)
from mesh.control.status import DeploymentPhase, DeploymentStatus, ServiceStatus, VersionStatus
from mesh.errors import ConfigError, FailedPrecondition, NotFound
from mesh.traffic.snapshot import Snapshot

METRICS = VersionMetrics(90, 0.3, 9, 0.1, 0.01, 0.02, 0.03)
"""What `main` of every deployment had to do."""
PROGRESSION = {
    "revision": 1,
    "plan": {"version": "v2", "steps": [5, 25], "wait": 60.0},
    "progress": {"step": 1, "since": 1_700_000_000.5, "state": "aborted", "main": {"requests": 9}},
}
BORN = 1_700_000_000.5
"""When everything was made."""


@dataclass(frozen=True)
class Chunk:
    text: str
    next: int


@dataclass(frozen=True)
class Found:
    weights: Mapping[str, int]
    metrics: Mapping[str, VersionMetrics]
    progression: Mapping[str, Any]
    reason: str


@dataclass
class MemoryVerbs:
    """`written` has what replicas wrote, by id; `fails` the targets that cannot start."""

    opened: bool = True
    fails: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)
    happened: list[Event] = field(default_factory=list)
    renewed: int = 0

    def __post_init__(self) -> None:
        self._deployments: dict[str, DeploymentRecord] = {}
        self._revisions: dict[str, list[RevisionRecord]] = {}
        self._endpoints: dict[str, EndpointRecord] = {}
        self.snapshots: Latest[Snapshot] = Latest()
        self._uids = (f"u{number}" for number in counting())

    async def until_opened(self) -> None:
        assert self.opened

    def _found(self, name: str) -> DeploymentRecord:
        if name not in self._deployments:
            raise NotFound(f"there is no deployment {name!r}")
        return self._deployments[name]

    def _revise(
        self,
        name: str,
        config: Mapping[str, Any],
        cause: str,
        *,
        by: str,
        organization: str = DEFAULT_ORGANIZATION,
        again: int = 0,
    ) -> int:
        parse(DeploymentConfig, config, what=name)
        earlier = self._revisions.setdefault(name, [])
        generation = (earlier[-1].generation if earlier else 0) + again
        if earlier and earlier[-1].config == config and not again:
            return earlier[-1].number
        canaries = config.get("canary", {}).get("versions", {})
        versions = {
            key: f"{name}-{key}-{config['target']}-{generation}" for key in ("main", *canaries)
        }
        made = RevisionRecord(
            name, len(earlier) + 1, next(self._uids), BORN, config, versions, generation, cause, by
        )
        earlier.append(made)
        record = self._deployments.get(name)
        self._deployments[name] = (
            replace(record, revision=made.number, intent=Intent.RUN)
            if record
            else DeploymentRecord(
                name,
                next(self._uids),
                BORN,
                BORN,
                made.number,
                creator=by,
                organization=organization,
            )
        )
        self.happened.append(Event(BORN, "change", name, revision=made.number, reason=cause, by=by))
        return made.number

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        yield

    async def apply(
        self,
        application: Application,
        code: Mapping[str, bytes] | None = None,
        *,
        cause: str = "",
        by: str = "",
        organization: str = DEFAULT_ORGANIZATION,
        born: Born | None = None,
        settle: Callable[[Application], Awaitable[Application]] | None = None,
    ) -> int:
        if settle is not None:
            application = await settle(application)
        config = application.config.model_dump(mode="json")
        name = application.config.name
        if (record := self._deployments.get(name)) is not None:
            check_owner(
                f"a deployment {name!r}", record.organization, Moment(BORN, "", by, organization)
            )
        cause = cause or "apply"
        number = self._revise(name, config, cause, by=by, organization=organization)
        for name, endpoint in application.endpoints.items():
            await self.apply_endpoint(name, endpoint, by=by, organization=organization)
        return number

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        if name:
            self._found(name)
        return tuple(
            self._status(record)
            for record in self._deployments.values()
            if name in ("", record.name)
        )

    def _status(self, record: DeploymentRecord) -> DeploymentStatus:
        revision = self._revisions[record.name][-1]
        if record.intent is not Intent.RUN:
            return DeploymentStatus(record.name, revision.number, DeploymentPhase.TERMINATING)
        fails = revision.config["target"] in self.fails
        wanted = revision.config.get("replicas") or 1
        reason = "ImportError: no such module" if fails else ""
        service = ServiceStatus("Main", wanted, 0 if fails else wanted, reason)
        weights = self._weights(revision)
        versions = tuple(
            VersionStatus(version, identity, weights[version], (service,))
            for version, identity in revision.versions.items()
        )
        phase = DeploymentPhase.FAILED if fails else DeploymentPhase.RUNNING
        reason = f"main: Main: {reason}" if fails else ""
        return DeploymentStatus(record.name, revision.number, phase, reason, versions)

    def _weights(self, revision: RevisionRecord) -> dict[str, int]:
        canaries = revision.config.get("canary", {}).get("versions", {})
        weights = {name: each["weight"] for name, each in canaries.items()}
        return {"main": 100 - sum(weights.values()), **weights}

    def deployment(self, name: str) -> DeploymentRecord:
        return self._found(name)

    def deployments(self) -> tuple[DeploymentRecord, ...]:
        return tuple(self._deployments[name] for name in sorted(self._deployments))

    def current(self, name: str) -> RevisionRecord:
        self._found(name)
        return self._revisions[name][-1]

    def kept(self, name: str) -> tuple[Application, dict[str, bytes]]:
        config = parse(DeploymentConfig, self.current(name).config, what=name)
        return Application(config=config, versions={}), {}

    async def revisions(
        self, name: str, start: int = 0, count: int = 100
    ) -> tuple[RevisionRecord, ...]:
        self._found(name)
        return tuple(self._revisions[name][::-1][start : start + count])

    async def revision(self, name: str, number: int) -> RevisionRecord:
        self._found(name)
        if not 1 <= number <= len(self._revisions[name]):
            raise NotFound(f"{name!r} has no revision {number}")
        return self._revisions[name][number - 1]

    async def rollback(self, name: str, number: int = 0, *, by: str = "") -> int:
        number = number or last_that_ran(self._found(name).revision, ())
        earlier = await self.revision(name, number)
        return self._revise(name, earlier.config, f"rollback to {number}", by=by)

    async def terminate(self, name: str, *, by: str = "") -> None:
        self._deployments[name] = replace(self._found(name), intent=Intent.TERMINATE)

    async def start(self, name: str, *, by: str = "") -> None:
        self._deployments[name] = replace(self._found(name), intent=Intent.RUN)

    async def restart(self, name: str, *, by: str = "") -> int:
        if self._found(name).intent is not Intent.RUN:
            raise FailedPrecondition(f"{name!r} is terminated")
        return self._revise(name, self._revisions[name][-1].config, "restart", by=by, again=1)

    async def delete(self, name: str, *, by: str = "") -> None:
        self._found(name)
        del self._deployments[name], self._revisions[name]

    async def set_labels(self, name: str, labels: Mapping[str, str], *, by: str = "") -> int:
        config = self.current(name).config
        return self._revise(name, {**config, "labels": dict(labels)}, "labels", by=by)

    async def _canary(self, name: str, weights: Mapping[str, int], cause: str, by: str) -> int:
        config = self.current(name).config
        versions = dict(config["canary"]["versions"])
        for version, weight in weights.items():
            if version not in versions:
                raise NotFound(f"{name!r} has no canary {version!r}")
            versions[version] = {**versions[version], "weight": weight}
        canary = {**config["canary"], "versions": versions}
        return self._revise(name, {**config, "canary": canary}, cause, by=by)

    async def set_canary(self, name: str, weights: Mapping[str, int], *, by: str = "") -> int:
        return await self._canary(name, weights, "weights", by)

    async def promote(self, name: str, version: str = "", *, by: str = "") -> int:
        config = self.current(name).config
        versions = dict(config["canary"]["versions"])
        if not version and len(versions) == 1:
            (version,) = versions
        if version not in versions:
            raise NotFound(f"{name!r} has no canary {version!r}")
        target = versions.pop(version)["target"]
        canary = {**config["canary"], "versions": versions}
        changed = {**config, "target": target, "canary": canary}
        return self._revise(name, changed, f"promote {version}", by=by)

    async def abort(self, name: str, version: str = "", *, by: str = "") -> int:
        versions = self.current(name).config["canary"]["versions"]
        zero = {version: 0} if version else dict.fromkeys(versions, 0)
        return await self._canary(name, zero, "abort", by)

    def canary_status(self, name: str) -> Found:
        weights = self._weights(self.current(name))
        return Found(weights, {"main": METRICS}, PROGRESSION, "too many errors")

    async def events(self, name: str = "", start: int = 0, count: int = 100) -> tuple[Event, ...]:
        mine = [event for event in self.happened if name in ("", event.deployment)]
        return tuple(mine[::-1][start : start + count])

    def replicas(self, name: str = "") -> Sequence[ObservedReplica]:
        if name:
            self._found(name)
        return tuple(
            ObservedReplica(
                f"{status.name}-{number}", status.name, version.id, "Main", Phase.READY, "h:1"
            )
            for status in self.status(name)
            for version in status.versions[:1]
            for number in range(version.services[0].ready)
        )

    async def logs(self, replica_id: str, after: int = -1, limit: int = 65536) -> Chunk:
        if replica_id not in self.written:
            raise NotFound(f"there is no replica {replica_id!r}")
        text = self.written[replica_id]
        start = after
        if after < 0:
            cut = max(0, len(text) - limit)
            start = text.index("\n", cut - 1) + 1 if cut else 0
        piece = text[start : start + limit]
        return Chunk(piece, start + len(piece))

    def endpoints(self) -> tuple[EndpointRecord, ...]:
        return tuple(self._endpoints[name] for name in sorted(self._endpoints))

    def endpoint(self, name: str) -> EndpointRecord:
        if name not in self._endpoints:
            raise NotFound(f"there is no endpoint {name!r}")
        return self._endpoints[name]

    async def renew_secret_key(self) -> int:
        self.renewed += 1
        return 3

    async def apply_endpoint(
        self,
        name: str,
        config: EndpointConfig,
        *,
        by: str = "",
        organization: str = DEFAULT_ORGANIZATION,
    ) -> EndpointRecord:
        for unknown in sorted(config.named_deployments() - self._deployments.keys()):
            raise ConfigError(f"endpoints.{name}: there is no deployment {unknown!r}")
        state = State(endpoints=self._endpoints)
        made = endpoint_record(
            state, name, config, Moment(BORN, next(self._uids), by, organization)
        )
        self._endpoints[name] = made
        return made

    async def delete_endpoint(self, name: str, *, by: str = "") -> None:
        self.endpoint(name)
        del self._endpoints[name]

    async def start_endpoint(self, name: str, *, by: str = "") -> None:
        self._endpoints[name] = replace(self.endpoint(name), intent=Intent.RUN)

    async def terminate_endpoint(self, name: str, *, by: str = "") -> None:
        self._endpoints[name] = replace(self.endpoint(name), intent=Intent.TERMINATE)
