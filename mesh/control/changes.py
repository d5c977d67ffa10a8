"""What a user asks for → what is written. Pure: the time and new uids are passed in.

Each function gives one `Change`, which a store writes as one transaction, or raises MeshError and
nothing is changed.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from mesh.config import (
    MAIN,
    MIRRORED,
    CanaryVersion,
    DeploymentConfig,
    ServiceOverrides,
    mirrored,
    parse,
)
from mesh.config.deployment import OF_DEPLOYMENT
from mesh.control.desired import DesiredDeployment
from mesh.control.endpoint_changes import Moment, check_name, check_owner, endpoint_record, event_of
from mesh.control.plan import (
    Application,
    kept_application,
    plan,
    planned_again,
    recorded,
)
from mesh.control.progression import moved, reached
from mesh.control.records import (
    Born,
    Change,
    DeploymentRecord,
    Event,
    Intent,
    RevisionRecord,
    State,
    VersionRecord,
)
from mesh.errors import FailedPrecondition, NotFound

BEFORE = ""
"""The name under which what was deleted stands while its replicas end."""


def found(state: State, name: str) -> DeploymentRecord:
    """The deployment of this name. Raises NotFound."""
    record = state.deployments.get(name)
    if record is None or record.intent is Intent.DELETE:
        raise NotFound(f"there is no deployment {name!r}")
    return record


def config_of(revision: RevisionRecord) -> DeploymentConfig:
    """The settings of a revision. Raises ConfigError if they are not understood any more."""
    what = f"revision {revision.number} of deployment {revision.deployment}"
    return parse(DeploymentConfig, revision.config, what=what)


def applied(
    state: State, application: Application, code: Mapping[str, bytes], at: Moment, cause: str = ""
) -> Change:
    """Makes a deployment what `application` says. The same again changes nothing.

    A deployment that is terminated is started by it.

    Raises:
        ConfigError: the application contradicts itself.
        AlreadyExists: another organization has a deployment or endpoint of this name.
    """
    name = application.config.name
    before = state.deployments.get(name)
    is_new = before is None or before.intent is Intent.DELETE
    if is_new:
        check_name(state, name, at)
    elif before is not None:
        check_owner(f"a deployment {name!r}", before.organization, at)
    revision = None if is_new else state.revisions[name]
    generation = _generation(before, state)
    number = revision.number + 1 if revision is not None else 1
    planned = plan(application, revision=number, generation=generation, code=code)
    new = RevisionRecord(
        name,
        number,
        at.uid,
        at.now,
        application.config.model_dump(mode="json"),
        {version.name: version.id for version in planned.versions},
        generation,
        cause or ("created" if is_new else "updated"),
        creator=at.by,
    )
    change = Change()
    if not _is_same(revision, new) or (before is not None and before.intent is not Intent.RUN):
        change = _revised(before, new, recorded(application, planned), at)
    endpoints = [
        endpoint_record(state, end, config, at) for end, config in application.endpoints.items()
    ]
    return replace(
        change,
        endpoints=tuple(each for each in endpoints if each != state.endpoints.get(each.name)),
    )


def _generation(before: DeploymentRecord | None, state: State) -> int:
    """The generation of the next revision: what was deleted and may still run is of another."""
    if before is None:
        return 0
    generation = state.revisions[before.name].generation
    return generation + 1 if before.intent is Intent.DELETE else generation


def _is_same(old: RevisionRecord | None, new: RevisionRecord) -> bool:
    return old is not None and (old.config, old.versions) == (new.config, new.versions)


def _revised(
    before: DeploymentRecord | None,
    new: RevisionRecord,
    versions: tuple[VersionRecord, ...],
    at: Moment,
) -> Change:
    deleted: tuple[str, ...] = ()
    if before is None:
        record = _made(new, at)
    elif before.intent is Intent.DELETE:
        # Another deployment that has the name: nobody shall meet what was deleted again.
        old = tuple(dict.fromkeys(each for ids in before.standing.values() for each in ids))
        record = replace(_made(new, at), standing={BEFORE: old} if old else {})
        deleted = (new.deployment,)
    else:
        record = replace(before, updated_at=at.now, revision=new.number, intent=Intent.RUN)
    return Change(
        deployments=(record,),
        revisions=(new,),
        versions=tuple({each.id: each for each in versions}.values()),
        events=(_event(record, new.cause, at), *_warnings(record, versions, at)),
        deleted_deployments=deleted,
    )


def _made(first: RevisionRecord, at: Moment) -> DeploymentRecord:
    uid, created_at = at.born or Born(at.uid, at.now)
    return DeploymentRecord(
        first.deployment,
        uid,
        created_at,
        at.now,
        first.number,
        creator=at.by,
        organization=at.organization,
    )


def _event(record: DeploymentRecord, reason: str, at: Moment) -> Event:
    return Event(
        at.now,
        "change",
        record.name,
        revision=record.revision,
        reason=reason,
        by=at.by,
        organization=record.organization,
    )


def _warnings(
    record: DeploymentRecord, versions: Iterable[VersionRecord], at: Moment
) -> Iterable[Event]:
    """What is said of the releases of a new revision, each sentence once."""
    found = (each.document["version"].get("warnings") or () for each in versions)
    for sentence in dict.fromkeys(sentence for some in found for sentence in some):
        yield Event(
            at.now,
            "warning",
            record.name,
            revision=record.revision,
            reason=sentence,
            organization=record.organization,
        )


def last_that_ran(current: int, events: Iterable[Event]) -> int:
    """The last revision before `current` that `events` say ran; if none did, the one before.

    Raises FailedPrecondition if there is none before.
    """
    if current == 1:
        raise FailedPrecondition("there is no revision before the first")
    ran = (
        event.revision
        for event in events
        if event.kind == "status" and event.status in _RAN and event.revision < current
    )
    return max(ran, default=current - 1)


_RAN = ("running", "scaled-to-zero")


def rolled_back(
    state: State,
    to: RevisionRecord,
    versions: tuple[VersionRecord, ...],
    at: Moment,
) -> Change:
    """A new revision that is what `to` was, whose versions are `versions`. Raises NotFound."""
    record = found(state, to.deployment)
    current = state.revisions[record.name]
    if _is_same(current, to) and record.intent is Intent.RUN:
        return Change()
    new = replace(
        to,
        number=current.number + 1,
        uid=at.uid,
        created_at=at.now,
        cause=f"rollback to {to.number}",
        creator=at.by,
    )
    return _revised(record, new, versions, at)


def restarted(state: State, name: str, at: Moment) -> Change:
    """A new revision with the same settings and other replicas. Raises NotFound."""
    record = found(state, name)
    current = state.revisions[name]
    application, code = kept_application(current, _versions(state, current))
    number = current.number + 1
    generation = max(number, current.generation + 1)
    planned = plan(application, revision=number, generation=generation, code=code)
    new = replace(
        current,
        number=number,
        uid=at.uid,
        created_at=at.now,
        versions={version.name: version.id for version in planned.versions},
        generation=generation,
        cause="restart",
        creator=at.by,
    )
    return _revised(record, new, recorded(application, planned), at)


def _versions(state: State, revision: RevisionRecord) -> dict[str, VersionRecord]:
    return {
        identity: state.versions[revision.deployment, identity]
        for identity in revision.versions.values()
    }


def weighted(
    state: State, name: str, weights: Mapping[str, int], at: Moment, cause: str = ""
) -> Change:
    """Gives canaries new percentages; a progression ends, for it would take them away again.

    A canary that is not named keeps the percentage that it has now.

    Raises:
        NotFound: there is no such deployment or canary.
        ConfigError: the percentages are none, or add up to more than 100.
    """
    record = found(state, name)
    current = state.revisions[name]
    config = config_of(current)
    for version in weights:
        _canary(config, version)
    document = _without_progression(record, current, config)
    for version, weight in weights.items():
        document["canary"]["versions"][version]["weight"] = weight
    changed = parse(DeploymentConfig, document, what=f"deployment {name}")
    told = ", ".join(f"{version} {weight} %" for version, weight in sorted(weights.items()))
    return _reconfigured(record, current, changed, current.versions, cause or f"canary {told}", at)


def _without_progression(
    record: DeploymentRecord, current: RevisionRecord, config: DeploymentConfig
) -> dict[str, Any]:
    """The settings with the percentage that a progression has reached in its place."""
    document = config.model_dump(mode="json")
    document["canary"]["progression"] = None
    for version, weight in reached(config, current.number, record.progress).items():
        document["canary"]["versions"][version]["weight"] = weight
    return document


def aborted(state: State, name: str, version: str, at: Moment, why: str = "") -> Change:
    """Takes all requests from a canary (empty: from all). Raises NotFound, FailedPrecondition."""
    config = config_of(_current(state, name))
    canaries = [version] if version else sorted(config.canary.versions)
    if not canaries:
        raise FailedPrecondition(f"deployment {name!r} has no canary")
    cause = f"canary {', '.join(canaries)} aborted"
    told = f"{cause}: {why}" if why else cause
    return weighted(state, name, dict.fromkeys(canaries, 0), at, told)


def promoted(state: State, name: str, version: str, at: Moment, cause: str = "") -> Change:
    """Makes a canary (empty: the only one) `main`; its replicas run on.

    Raises:
        NotFound: there is no such deployment or canary.
        FailedPrecondition: there is not exactly one canary, and none is named.
    """
    record = found(state, name)
    current = state.revisions[name]
    config = config_of(current)
    if not version:
        if not config.canary.versions:
            raise FailedPrecondition(f"deployment {name!r} has no canary")
        if len(config.canary.versions) > 1:
            known = ", ".join(sorted(config.canary.versions))
            raise FailedPrecondition(f"deployment {name!r}: say which canary is meant: {known}")
        (version,) = config.canary.versions
    canary = _canary(config, version)
    document = _without_progression(record, current, config)
    graphs = {
        key: state.versions[name, each].document["version"]["manifest"]["services"]
        for key, each in current.versions.items()
    }
    versions = document["canary"]["versions"]
    versions.pop(version)
    for key in versions:  # that which they mirror is not main any more
        theirs = mirrored(config, config.canary.versions[key], graphs[key])
        versions[key] |= theirs.model_dump(mode="json", include=set(MIRRORED))
    document |= _in_place_of_main(config, canary, graphs[version])
    changed = parse(DeploymentConfig, document, what=f"deployment {name}")
    ids = {key: each for key, each in current.versions.items() if key != version}
    ids[MAIN] = current.versions[version]
    return _reconfigured(record, current, changed, ids, cause or f"canary {version} promoted", at)


def _in_place_of_main(
    main: DeploymentConfig, canary: CanaryVersion, services: Container[str]
) -> dict[str, Any]:
    """The settings of a canary that is to be `main`: its own, with main's numbers of replicas.

    Annotations that are of the deployment as a whole stay.
    """
    canary = mirrored(main, canary, services)
    document = canary.model_dump(mode="json", exclude={"weight"})
    numbers = {"replicas", "scaling"}
    document |= main.model_dump(mode="json", include=numbers)
    kept = {key: main.annotations[key] for key in OF_DEPLOYMENT if key in main.annotations}
    document["annotations"] = {**canary.annotations, **kept}
    nothing = ServiceOverrides()
    document["services"] = {
        name: canary.services.get(name, nothing).model_dump(mode="json")
        | main.services.get(name, nothing).model_dump(mode="json", include=numbers)
        for name in sorted(main.services.keys() | canary.services.keys())
        if name in services
    }
    return document


def labelled(state: State, name: str, labels: Mapping[str, str], at: Moment) -> Change:
    """Replaces the labels of a deployment; a progression goes on. Raises NotFound, ConfigError."""
    record = found(state, name)
    current = state.revisions[name]
    document = {**current.config, "labels": dict(labels)}
    changed = parse(DeploymentConfig, document, what=f"deployment {name}")
    record = replace(record, progress=moved(record.progress, current.number, current.number + 1))
    return _reconfigured(record, current, changed, current.versions, "labels", at)


def _current(state: State, name: str) -> RevisionRecord:
    return state.revisions[found(state, name).name]


def _canary(config: DeploymentConfig, version: str) -> CanaryVersion:
    canary = config.canary.versions.get(version)
    if canary is None:
        known = ", ".join(sorted(config.canary.versions)) or "none"
        raise NotFound(
            f"deployment {config.name!r} has no canary {version!r}; its canaries: {known}"
        )
    return canary


def _reconfigured(
    record: DeploymentRecord,
    current: RevisionRecord,
    config: DeploymentConfig,
    ids: Mapping[str, str],
    cause: str,
    at: Moment,
) -> Change:
    """A new revision with other settings that make no new version."""
    new = replace(
        current,
        number=current.number + 1,
        uid=at.uid,
        created_at=at.now,
        config=config.model_dump(mode="json"),
        versions=dict(ids),
        cause=cause,
        creator=at.by,
    )
    if _is_same(current, new):
        return Change()
    record = replace(record, updated_at=at.now, revision=new.number)
    return Change(deployments=(record,), revisions=(new,), events=(_event(record, cause, at),))


def intended(state: State, name: str, intent: Intent, at: Moment) -> Change:
    """Starts, terminates or deletes a deployment; the same again changes nothing.

    Endpoints that lead to a deleted deployment only are deleted with it. Raises NotFound.
    """
    record = found(state, name)
    if record.intent is intent:
        return Change()
    new = replace(record, intent=intent, updated_at=at.now)
    gone = _left_alone(state, name) if intent is Intent.DELETE else ()
    told = {Intent.RUN: "started", Intent.TERMINATE: "terminated", Intent.DELETE: "deleted"}
    why = f"deleted with deployment {name}"
    events = [event_of(state.endpoints[each], why, at) for each in gone]
    return Change(
        deployments=(new,),
        events=(_event(new, told[intent], at), *events),
        deleted_endpoints=gone,
    )


def _left_alone(state: State, name: str) -> tuple[str, ...]:
    others = {
        each.name
        for each in state.deployments.values()
        if each.name != name and each.intent is not Intent.DELETE
    }
    return tuple(
        end.name
        for end in state.endpoints.values()
        if name in end.config["deployments"]
        and not others & end.config["deployments"].keys()
        and not end.config["upstreams"]
    )


def desired_of(state: State, name: str) -> DesiredDeployment:
    """What should run of a deployment that is in `state`. Raises ConfigError as `plan` does."""
    record = state.deployments[name]
    revision = state.revisions[name]
    planned = planned_again(revision, _versions(state, revision))
    return replace(
        planned,
        intent=record.intent,
        since=record.updated_at,
        uid=record.uid,
        organization=record.organization,
    )


def after(state: State, change: Change) -> State:
    """The state when `change` is written. Records that it does not touch stay the same mappings.

    Versions that nothing current names any more are left out, as a store leaves them out.
    """
    gone = change.deleted_deployments
    deployments = _with(state.deployments, {each.name: each for each in change.deployments}, gone)
    revisions = _with(state.revisions, {each.deployment: each for each in change.revisions}, gone)
    endpoints = _with(
        state.endpoints, {each.name: each for each in change.endpoints}, change.deleted_endpoints
    )
    versions = {(each.deployment, each.id): each for each in change.versions}
    touched = {each.name for each in change.deployments}.union(gone)
    unnamed = [
        key
        for key in versions.keys() | _named(state.deployments, state.revisions, touched)
        if key[0] in touched and key not in _named(deployments, revisions, (key[0],))
    ]
    kept = {key: each for key, each in versions.items() if key not in unnamed}
    return State(deployments, revisions, _with(state.versions, kept, unnamed), endpoints)


_K = TypeVar("_K")
_V = TypeVar("_V")


def _with(old: Mapping[_K, _V], new: Mapping[_K, _V], gone: Iterable[_K]) -> Mapping[_K, _V]:
    """`old` without `gone` and with `new`; the same object if that changes nothing."""
    gone = [key for key in gone if key in old]
    if not gone and not new:
        return old
    found = dict(old)
    for key in gone:
        del found[key]
    found.update(new)
    return found


def _named(
    deployments: Mapping[str, DeploymentRecord],
    revisions: Mapping[str, RevisionRecord],
    names: Iterable[str],
) -> set[tuple[str, str]]:
    """The versions of these deployments that a revision or a standing release names."""
    found: set[tuple[str, str]] = set()
    for name in names:
        revision, record = revisions.get(name), deployments.get(name)
        if revision is not None:
            found.update((name, each) for each in revision.versions.values())
        if record is not None:
            found.update((name, each) for ids in record.standing.values() for each in ids)
    return found
