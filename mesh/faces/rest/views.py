"""What the controller has → what the control API tells of it. Pure; keys of others stay here."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from mesh.client.control.values import (
    CanaryView,
    DeploymentView,
    EndpointView,
    EventView,
    ProgressionView,
    ReplicaView,
    RevisionView,
    ServiceView,
    VersionTraffic,
    VersionView,
)
from mesh.control.observed import ObservedReplica
from mesh.control.records import (
    DeploymentRecord,
    Document,
    EndpointRecord,
    Event,
    RevisionRecord,
)
from mesh.control.status import DeploymentStatus, VersionStatus
from mesh.control.verbs import Canaries

_KEY = "api_key"


def deployment(
    record: DeploymentRecord, revision: RevisionRecord, status: DeploymentStatus | None
) -> DeploymentView:
    """A deployment; without a status nothing is known of what runs."""
    return DeploymentView(
        record.name,
        record.uid,
        time_of(record.created_at),
        time_of(record.updated_at),
        record.revision,
        record.intent.value,
        status.phase.label if status else "unknown",
        status.reason if status else "",
        _labels(revision),
        revision.config,
        tuple(map(_version, status.versions)) if status else (),
    )


def _version(version: VersionStatus) -> VersionView:
    services = tuple(
        ServiceView(service.name, service.desired, service.ready, service.reason)
        for service in version.services
    )
    return VersionView(version.name, version.id, version.weight, services, version.replacing)


def revision(record: RevisionRecord, current: int) -> RevisionView:
    """A revision; `current` is the number of the one that is wanted now."""
    return RevisionView(
        record.deployment,
        record.number,
        record.uid,
        time_of(record.created_at),
        record.cause,
        record.generation,
        record.number == current,
        dict(record.versions),
        record.config,
    )


def replica(observed: ObservedReplica) -> ReplicaView:
    """A replica."""
    return ReplicaView(
        observed.id,
        observed.deployment,
        observed.version_id,
        observed.service,
        observed.phase.value,
        observed.address,
        observed.reason,
        observed.node,
    )


def event(happened: Event) -> EventView:
    """An event."""
    return EventView(
        time_of(happened.at),
        happened.kind,
        happened.deployment,
        happened.endpoint,
        happened.revision,
        happened.status,
        happened.reason,
        happened.by,
    )


def endpoint(record: EndpointRecord, warnings: tuple[str, ...] = ()) -> EndpointView:
    """An endpoint, without keys, whatever its config holds."""
    config = dict(record.config)
    config["upstreams"] = [_without_key(each) for each in config.get("upstreams") or ()]
    return EndpointView(
        record.name,
        record.uid,
        time_of(record.created_at),
        time_of(record.updated_at),
        record.intent.value,
        config,
        tuple(sorted(place for place, key in record.keys.items() if key)),
        warnings,
    )


def _without_key(upstream: Document) -> Document:
    return {name: value for name, value in upstream.items() if name != _KEY}


def canary(name: str, found: Canaries, config: Document) -> CanaryView:
    """How the requests of a deployment are divided, and how its versions do."""
    rule: Mapping[str, str] = config.get("canary") or {}
    return CanaryView(
        name,
        rule.get("route_type", "random"),
        rule.get("route_by", ""),
        tuple(_traffic(version, weight, found) for version, weight in found.weights.items()),
        _progression(found.progression, found.reason),
    )


def _progression(kept: Document, reason: str) -> ProgressionView | None:
    """A progression as its record keeps it."""
    if not kept:
        return None
    plan, progress = kept["plan"], kept["progress"]
    return ProgressionView(
        plan["version"],
        progress["state"],
        progress["step"],
        tuple(plan["steps"]),
        time_of(progress["since"]),
        reason,
    )


def _traffic(name: str, weight: int, found: Canaries) -> VersionTraffic:
    had = found.metrics.get(name)
    if had is None or not had.requests:
        return VersionTraffic(name, weight)
    return VersionTraffic(name, weight, **asdict(had))


def counts(words: Iterable[str]) -> dict[str, int]:
    """How often each word is there, by word."""
    return dict(sorted(Counter(words).items()))


def has_labels(revision: RevisionRecord, labels: Iterable[str]) -> bool:
    """Whether each of `labels` (`key=value` or `key`) is set."""
    own = _labels(revision)
    for label in labels:
        key, equals, value = label.partition("=")
        if key not in own or (equals and own[key] != value):
            return False
    return True


def _labels(revision: RevisionRecord) -> dict[str, str]:
    return dict(revision.config.get("labels") or {})


def time_of(seconds: float) -> datetime:
    """A time with its zone, of seconds since the Unix epoch."""
    return datetime.fromtimestamp(seconds, UTC)
