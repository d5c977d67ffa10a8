"""Records to keep."""

from typing import Any

from mesh.control.records import (
    Change,
    DeploymentRecord,
    EndpointRecord,
    Event,
    RevisionRecord,
    VersionRecord,
)
from mesh.control.store.catalogue import Deed, Entry, Kind, Used


def deployment(name: str = "d", revision: int = 1, **values: Any) -> DeploymentRecord:
    defaults: dict[str, Any] = {"uid": f"uid-{name}", "created_at": 1.5, "updated_at": 2.5}
    return DeploymentRecord(name, revision=revision, **(defaults | values))


def revision(name: str = "d", number: int = 1, **values: Any) -> RevisionRecord:
    defaults: dict[str, Any] = {
        "uid": f"uid-{name}-{number}",
        "created_at": 1.5 + number,
        "config": {"name": name, "target": "app:Service", "number": number},
        "versions": {"main": f"{name}-v{number}"},
    }
    return RevisionRecord(name, number, **(defaults | values))


def version(name: str = "d", number: int = 1, **values: Any) -> VersionRecord:
    defaults: dict[str, Any] = {"document": {"entry": "Service", "n": number}, "code": b"\0code"}
    return VersionRecord(name, f"{name}-v{number}", **(defaults | values))


def endpoint(name: str = "e", **values: Any) -> EndpointRecord:
    defaults: dict[str, Any] = {
        "uid": f"uid-{name}",
        "created_at": 1.5,
        "updated_at": 2.5,
        "config": {"name": name, "deployments": {"d": 100}},
    }
    return EndpointRecord(name, **(defaults | values))


def event(at: float = 1.0, kind: str = "status", deployment: str = "d", **values: Any) -> Event:
    return Event(at, kind, deployment, **values)


def entry(name: str = "one", kind: Kind = Kind.BENTO, **values: Any) -> Entry:
    defaults: dict[str, Any] = {"uid": f"uid-{name}", "created_at": 1.5, "updated_at": 2.5}
    return Entry(kind, name, **(defaults | values))


def deed(number: int = 1, **values: Any) -> Deed:
    defaults: dict[str, Any] = {
        "at": float(number),
        "uid": f"deed-{number}",
        "organization": "default",
        "user": "ann",
        "token": "laptop",
        "resource_type": "deployment",
        "name": "d",
        "operation": "created",
        "status": "success",
    }
    return Deed(**(defaults | values))


def used(hour: float = 3600.0, **values: Any) -> Used:
    defaults: dict[str, Any] = {
        "organization": "default",
        "deployment": "d",
        "instance_type": "",
        "replica_seconds": 2.5,
        "requests": 3,
        "errors": 1,
    }
    return Used(hour, **(defaults | values))


def update(number: int, name: str = "d") -> Change:
    """The change that makes `number` the current revision of a deployment."""
    return Change(
        deployments=(deployment(name, number, updated_at=float(number)),),
        revisions=(revision(name, number),),
        versions=(version(name, number),),
        events=(event(float(number), "change", name, revision=number),),
    )
