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


def update(number: int, name: str = "d") -> Change:
    """The change that makes `number` the current revision of a deployment."""
    return Change(
        deployments=(deployment(name, number, updated_at=float(number)),),
        revisions=(revision(name, number),),
        versions=(version(name, number),),
        events=(event(float(number), "change", name, revision=number),),
    )
