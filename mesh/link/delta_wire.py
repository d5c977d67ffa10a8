"""Updates of the routing table ↔ mesh.v1.Update, in parts that many watchers can share.

Updates written one after another are one update with all that is in them: that is how protobuf
merges messages. So the bytes of an update are those of its parts, joined.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import inf, isinf

from mesh.errors import FailedPrecondition
from mesh.link.endpoint_wire import endpoint_from_proto, endpoint_to_proto
from mesh.link.snapshot_wire import (
    deployment_from_proto,
    deployment_to_proto,
)
from mesh.traffic.delta import Delta, applied, difference
from mesh.traffic.grants import Grant
from mesh.traffic.snapshot import Deployment, Endpoint, Service, Snapshot, Version
from mesh.v1 import routing_pb2


class GapError(FailedPrecondition):
    """The update changes another snapshot than the one at hand: only the whole table helps."""


def head(snapshot: Snapshot, base: int = 0) -> bytes:
    """The part of an update to `snapshot` that says so; `base` is as in routing.proto."""
    return _bytes(
        routing_pb2.Update(
            epoch=snapshot.epoch,
            number=snapshot.number,
            base=base,
            default_endpoint=snapshot.default_endpoint,
        )
    )


def gone(endpoints: Collection[str], deployments: Collection[str]) -> bytes:
    """The part that names what is there no more."""
    return _bytes(routing_pb2.Update(gone_endpoints=endpoints, gone_deployments=deployments))


def endpoint_part(endpoint: Endpoint) -> bytes:
    """The part with one endpoint."""
    return _bytes(routing_pb2.Update(endpoints=[endpoint_to_proto(endpoint)]))


def deployment_part(old: Deployment | None, new: Deployment) -> bytes:
    """The part with one deployment, for watchers that have `old`: without what they know."""
    known = {version.id: version for version in old.versions} if old is not None else {}
    pared = replace(new, versions=tuple(_pared(known.get(v.id), v) for v in new.versions))
    proto = deployment_to_proto(pared)
    for before, after, told in zip(new.versions, pared.versions, proto.versions, strict=True):
        for service, less, message in zip(
            before.services.values(), after.services.values(), told.services, strict=True
        ):
            message.is_known = less is not service
    return _bytes(routing_pb2.Update(deployments=[proto]))


def grants_part(grants: Mapping[bytes, Grant], gone: Collection[bytes]) -> bytes:
    """The part with grants, and with the digests of those that are there no more."""
    found = [_grant_to_proto(digest, grant) for digest, grant in grants.items()]
    return _bytes(routing_pb2.Update(grants=found, gone_grants=gone))


def _grant_to_proto(digest: bytes, grant: Grant) -> routing_pb2.Grant:
    return routing_pb2.Grant(
        digest=digest,
        organization=grant.organization,
        everything=grant.everything,
        deployments=sorted(grant.deployments),
        expires_at=None if isinf(grant.expires_at) else grant.expires_at,
    )


def _grant(proto: routing_pb2.Grant) -> Grant:
    return Grant(
        proto.organization,
        proto.everything,
        frozenset(proto.deployments),
        proto.expires_at if proto.HasField("expires_at") else inf,
    )


def _bytes(proto: routing_pb2.Update) -> bytes:
    raw: bytes = proto.SerializeToString()
    return raw


def _pared(old: Version | None, new: Version) -> Version:
    """`new` with no more than the replicas of the services that else are as in `old`."""
    if old is None:
        return new
    services = {
        key: _only_replicas(service) if _is_known(old.services.get(key), service) else service
        for key, service in new.services.items()
    }
    return replace(new, services=services)


def _is_known(old: Service | None, new: Service) -> bool:
    return old is not None and replace(old, replicas=new.replicas) == new


def _only_replicas(service: Service) -> Service:
    return Service(service.name, replicas=service.replicas)


def take(snapshot: Snapshot, proto: routing_pb2.Update) -> Snapshot:
    """What becomes of `snapshot`; whatever is as it was stays the same object.

    Raises:
        GapError: the update is to another snapshot.
        Internal: it holds a rule or a kind of call that is not known here.
    """
    is_whole = not proto.base
    if not is_whole and (proto.epoch, proto.base) != (snapshot.epoch, snapshot.number):
        raise GapError(f"an update to snapshot {proto.base}, which is not the one at hand")
    endpoints = {each.name: endpoint_from_proto(each) for each in proto.endpoints}
    old = snapshot.deployments
    deployments = {each.name: _deployment(old.get(each.name), each) for each in proto.deployments}
    grants = {each.digest: _grant(each) for each in proto.grants}
    if is_whole:
        whole = Snapshot(
            proto.epoch, proto.number, endpoints, deployments, proto.default_endpoint, grants
        )
        return applied(snapshot, difference(snapshot, whole))
    delta = Delta(
        proto.epoch,
        proto.number,
        endpoints,
        deployments,
        proto.gone_endpoints,
        proto.gone_deployments,
        proto.default_endpoint,
        grants,
        proto.gone_grants,
    )
    return applied(snapshot, delta)


def _deployment(old: Deployment | None, proto: routing_pb2.Deployment) -> Deployment:
    new = deployment_from_proto(proto)
    if old is None and not any(s.is_known for v in proto.versions for s in v.services):
        return new
    known = {version.id: version for version in old.versions} if old is not None else {}
    versions = zip(new.versions, proto.versions, strict=True)
    return replace(new, versions=tuple(_version(known.get(v.id), v, told) for v, told in versions))


def _version(old: Version | None, new: Version, proto: routing_pb2.Version) -> Version:
    had = old.services if old is not None else {}
    told = {service.name: service.is_known for service in proto.services}
    services = {
        name: _service(had.get(name), service, is_known=told[name])
        for name, service in new.services.items()
    }
    whole = replace(new, services=services)
    return old if old is not None and old == whole else whole


def _service(old: Service | None, new: Service, *, is_known: bool) -> Service:
    if is_known:
        if old is None:
            raise GapError(f"an update to service {new.name!r}, which is not at hand")
        return old if old.replicas == new.replicas else replace(old, replicas=new.replicas)
    return old if old is not None and old == new else new
