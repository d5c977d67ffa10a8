"""What became different between two snapshots, and a snapshot with that applied.

Things that are the same object are taken for unchanged without a look inside. So a publisher that
keeps what did not change makes a difference cheap, and `applied` keeps it for the next.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mesh.traffic.grants import Grant
from mesh.traffic.snapshot import Deployment, Endpoint, Service, Snapshot, Version

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Delta:
    """What makes one snapshot another, whose `epoch`, `number` and `default_endpoint` it has.

    `endpoints` and `deployments` are those that are new or changed, by name; `gone_endpoints` and
    `gone_deployments` name those that are there no more. So it is with `grants`, by their digests.
    """

    epoch: int = 0
    number: int = 0
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    gone_endpoints: Collection[str] = ()
    gone_deployments: Collection[str] = ()
    default_endpoint: str = ""
    grants: Mapping[bytes, Grant] = field(default_factory=dict)
    gone_grants: Collection[bytes] = ()


def difference(old: Snapshot, new: Snapshot) -> Delta:
    """What `applied` needs to make `new` of `old`.

    Costs a comparison of identities for each endpoint and deployment, and one of values for those
    that are other objects.
    """
    return Delta(
        new.epoch,
        new.number,
        changed(old.endpoints, new.endpoints),
        changed(old.deployments, new.deployments),
        _gone(old.endpoints, new.endpoints),
        _gone(old.deployments, new.deployments),
        new.default_endpoint,
        changed(old.grants, new.grants),
        _gone(old.grants, new.grants),
    )


def changed(old: Mapping[K, T], new: Mapping[K, T]) -> dict[K, T]:
    """Those of `new` that `old` does not have, or not so."""
    if old is new:
        return {}
    had = old.get
    # Almost all are the very same object, which one look tells.
    others = [(name, one) for name, one in new.items() if had(name) is not one]
    return {name: one for name, one in others if name not in old or old[name] != one}


def _gone(old: Mapping[K, T], new: Mapping[K, T]) -> tuple[K, ...]:
    return () if old is new else tuple(name for name in old if name not in new)


def applied(snapshot: Snapshot, delta: Delta) -> Snapshot:
    """The snapshot with `delta` in it. What the delta does not name stays the same object."""
    return Snapshot(
        delta.epoch,
        delta.number,
        _applied(snapshot.endpoints, delta.endpoints, delta.gone_endpoints),
        _applied(snapshot.deployments, delta.deployments, delta.gone_deployments),
        delta.default_endpoint,
        _applied(snapshot.grants, delta.grants, delta.gone_grants),
    )


def _applied(old: Mapping[K, T], changed: Mapping[K, T], gone: Collection[K]) -> Mapping[K, T]:
    if not changed and not gone:
        return old
    new = {**old, **changed}
    for name in gone:
        new.pop(name, None)
    return new


def lean(deployment: Deployment) -> Deployment:
    """The deployment without what only gateways read: documents, models, who may call it."""
    versions = tuple(map(_lean_version, deployment.versions))
    return replace(deployment, versions=versions, protected=False, uid="", organization="")


def _lean_version(version: Version) -> Version:
    services = {name: _lean_service(service) for name, service in version.services.items()}
    return replace(version, services=services)


def _lean_service(service: Service) -> Service:
    return replace(service, schema_json=b"", docs=b"", models=b"", descriptors=b"")
