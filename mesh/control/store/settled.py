"""What becomes of a change when it is kept, the same in every store."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from mesh.control.records import (
    Change,
    DeploymentRecord,
    Document,
    EndpointRecord,
    Event,
    RevisionRecord,
    VersionRecord,
)
from mesh.control.store.catalogue import Deed, Entry
from mesh.errors import FailedPrecondition, InvalidArgument

KEY_BYTES = 512
"""The longest part of a key, in UTF-8: what an index of PostgreSQL surely takes."""


class TakenOver(FailedPrecondition):
    """Another controller has the store now. Who is told so must not act any more."""

    def __init__(self, store: str) -> None:
        super().__init__(f"another controller has taken over (store {store})")


def settled(change: Change) -> Change:
    """The change with every record once, as it will be read back.

    Raises InvalidArgument for a document that is not JSON.
    """
    return Change(
        deployments=tuple({each.name: _deployment(each) for each in change.deployments}.values()),
        revisions=tuple(
            {(each.deployment, each.number): _revision(each) for each in change.revisions}.values()
        ),
        versions=tuple(
            {(each.deployment, each.id): _version(each) for each in change.versions}.values()
        ),
        endpoints=tuple({each.name: _endpoint(each) for each in change.endpoints}.values()),
        events=tuple(dict.fromkeys(_event(each) for each in change.events)),
        deleted_deployments=tuple(dict.fromkeys(change.deleted_deployments)),
        deleted_endpoints=tuple(dict.fromkeys(change.deleted_endpoints)),
    )


def owners(change: Change) -> frozenset[str]:
    """The deployments that must exist already for `change` to make sense."""
    of_revisions = {each.deployment for each in change.revisions}
    of_versions = {each.deployment for each in change.versions}
    return frozenset(of_revisions | of_versions) - {each.name for each in change.deployments}


def orphaned(missing: Iterable[str]) -> FailedPrecondition:
    """The error for a change with parts of deployments that do not exist."""
    names = ", ".join(repr(name) for name in sorted(missing))
    return FailedPrecondition(f"a revision or version of a deployment that does not exist: {names}")


def version_ids(revision: RevisionRecord | None, deployment: DeploymentRecord) -> tuple[str, ...]:
    """The versions that a deployment is made of now, each once."""
    named = revision.versions.values() if revision else ()
    standing = (each for ids in deployment.standing.values() for each in ids)
    return tuple(dict.fromkeys((*named, *standing)))


def settled_entry(entry: Entry) -> Entry:
    """The entry as it will be read back.

    Raises InvalidArgument if its document is not JSON, or its name, scope, organization or uid is
    none that every database takes.
    """
    for what in ("name", "scope", "organization", "uid"):
        text: str = getattr(entry, what)
        if not is_key(text):
            raise InvalidArgument(
                f"the {what} of {entry.kind} {entry.name[:80]!r} is longer than {KEY_BYTES} bytes,"
                " or has characters that are no text"
            )
    return replace(
        entry,
        created_at=float(entry.created_at),
        updated_at=float(entry.updated_at),
        document=settled_document(entry.document, f"the document of {entry.kind} {entry.name!r}"),
        secret=dict(entry.secret),
    )


def is_text(text: str) -> bool:
    """Whether every database takes a text as it is."""
    return _text(text) == text


def is_key(text: str | None) -> bool:
    """Whether every database takes a text as part of a key, or there is none."""
    return text is None or (is_text(text) and len(text.encode()) <= KEY_BYTES)


def settled_deed(deed: Deed) -> Deed:
    """The deed as it will be read back. Raises InvalidArgument if its resource is not JSON."""
    texts = ("uid", "organization", "user", "token", "resource_type", "name", "operation")
    told = {each: _text(getattr(deed, each)) for each in (*texts, "status", "reason")}
    resource = settled_document(deed.resource, f"the resource of the deed {deed.uid!r}")
    return replace(deed, at=float(deed.at), resource=resource, **told)


def _deployment(record: DeploymentRecord) -> DeploymentRecord:
    return replace(
        record,
        standing={name: tuple(ids) for name, ids in record.standing.items()},
        progress=settled_document(record.progress, f"the progress of deployment {record.name!r}"),
    )


def _revision(record: RevisionRecord) -> RevisionRecord:
    whose = f"the config of revision {record.number} of deployment {record.deployment!r}"
    return replace(
        record,
        config=settled_document(record.config, whose),
        versions=dict(record.versions),
        cause=_text(record.cause),
    )


def _version(record: VersionRecord) -> VersionRecord:
    whose = f"the document of version {record.id!r} of deployment {record.deployment!r}"
    return replace(record, document=settled_document(record.document, whose))


def _endpoint(record: EndpointRecord) -> EndpointRecord:
    config = settled_document(record.config, f"the config of endpoint {record.name!r}")
    return replace(record, config=config, keys=dict(record.keys))


def _event(event: Event) -> Event:
    return replace(event, at=float(event.at), reason=_text(event.reason), by=_text(event.by))


def settled_document(document: Document, what: str) -> dict[str, Any]:
    """The document as it will be read back. Raises InvalidArgument, naming `what`."""
    try:
        told = json.dumps(document, allow_nan=False, default=_mapping)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{what} is not JSON: {error}") from error
    read: dict[str, Any] = json.loads(told)
    return read


def _mapping(value: object) -> dict[Any, Any]:
    """Mappings that are no dicts, such as those that cannot change."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _text(text: str) -> str:
    """Without NUL, which PostgreSQL does not take, and what has no UTF-8."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
