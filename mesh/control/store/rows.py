"""Records as rows of the tables, and back."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from mesh.control.records import (
    DeploymentRecord,
    EndpointRecord,
    Event,
    Intent,
    RevisionRecord,
    VersionRecord,
)
from mesh.control.store.sealing import Seal
from mesh.errors import FailedPrecondition

Row = dict[str, Any]


def deployment_row(record: DeploymentRecord) -> Row:
    """A row of `deployments`."""
    return {
        "name": record.name,
        "uid": record.uid,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "revision": record.revision,
        "intent": record.intent.value,
        "standing": {name: list(ids) for name, ids in record.standing.items()},
        "progress": dict(record.progress),
        "creator": record.creator,
        "organization": record.organization,
    }


def read_deployment(row: RowMapping) -> DeploymentRecord:
    """What deployment_row was made of."""
    return DeploymentRecord(
        name=row["name"],
        uid=row["uid"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        revision=row["revision"],
        intent=Intent(row["intent"]),
        standing={name: tuple(ids) for name, ids in row["standing"].items()},
        progress=row["progress"],
        creator=row["creator"],
        organization=row["organization"],
    )


def revision_row(record: RevisionRecord) -> Row:
    """A row of `revisions`."""
    return {
        "deployment": record.deployment,
        "number": record.number,
        "uid": record.uid,
        "created_at": record.created_at,
        "config": dict(record.config),
        "versions": dict(record.versions),
        "generation": record.generation,
        "cause": record.cause,
        "creator": record.creator,
    }


def read_revision(row: RowMapping) -> RevisionRecord:
    """What revision_row was made of."""
    return RevisionRecord(
        deployment=row["deployment"],
        number=row["number"],
        uid=row["uid"],
        created_at=row["created_at"],
        config=row["config"],
        versions=row["versions"],
        generation=row["generation"],
        cause=row["cause"],
        creator=row["creator"],
    )


def version_row(record: VersionRecord) -> Row:
    """A row of `versions`."""
    return {
        "deployment": record.deployment,
        "id": record.id,
        "document": dict(record.document),
        "code": record.code,
    }


def read_version(row: RowMapping) -> VersionRecord:
    """What version_row was made of."""
    return VersionRecord(
        deployment=row["deployment"],
        id=row["id"],
        document=row["document"],
        code=bytes(row["code"]),
    )


def endpoint_row(record: EndpointRecord, seal: Seal) -> Row:
    """A row of `endpoints`, with the keys encrypted."""
    return {
        "name": record.name,
        "uid": record.uid,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "config": dict(record.config),
        "intent": record.intent.value,
        "sealed": sealed_keys(record.name, record.keys, seal),
        "creator": record.creator,
        "organization": record.organization,
    }


def read_endpoint(row: RowMapping, seal: Seal) -> EndpointRecord:
    """What endpoint_row was made of."""
    return EndpointRecord(
        name=row["name"],
        uid=row["uid"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        config=row["config"],
        intent=Intent(row["intent"]),
        keys=opened_keys(row["name"], bytes(row["sealed"]), seal),
        creator=row["creator"],
        organization=row["organization"],
    )


def sealed_keys(endpoint: str, keys: Mapping[int, str], seal: Seal) -> bytes:
    """The keys of an endpoint's upstreams, encrypted together; empty if there are none.

    The endpoint's name is sealed in with them, so that nobody who can write to the database but
    has no secret key can have them sent to the upstreams of another endpoint.
    """
    if not keys:
        return b""
    told = json.dumps({"endpoint": endpoint, "keys": list(keys.items())})
    return seal.close(told.encode(), _whose(endpoint))


def opened_keys(endpoint: str, sealed: bytes, seal: Seal) -> dict[int, str]:
    """What sealed_keys was made of. Raises FailedPrecondition if these are not its keys."""
    if not sealed:
        return {}
    told = json.loads(seal.open(sealed, _whose(endpoint)))
    if told["endpoint"] != endpoint:
        raise FailedPrecondition(f"{_whose(endpoint)} are those of endpoint {told['endpoint']!r}")
    return dict(told["keys"])


def _whose(endpoint: str) -> str:
    return f"the keys of endpoint {endpoint!r}"


def event_row(event: Event) -> Row:
    """A row of `events`; its id is the database's to give."""
    row = {
        "at": event.at,
        "kind": event.kind,
        "deployment": event.deployment,
        "endpoint": event.endpoint,
        "revision": event.revision,
        "status": event.status,
        "reason": event.reason,
        "creator": event.by,
        "organization": event.organization,
    }
    # repr, unlike JSON, has no two ways to write a number.
    return {**row, "digest": hashlib.sha256(repr(list(row.values())).encode()).digest()}


def read_event(row: RowMapping) -> Event:
    """What event_row was made of."""
    return Event(
        at=row["at"],
        kind=row["kind"],
        deployment=row["deployment"],
        endpoint=row["endpoint"],
        revision=row["revision"],
        status=row["status"],
        reason=row["reason"],
        by=row["creator"],
        organization=row["organization"],
    )
