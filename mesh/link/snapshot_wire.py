"""Deployments of a snapshot ↔ their messages.

Timeouts are rounded to nanoseconds.
"""

from mesh.call import CallKind
from mesh.edge import PLAIN, Cors, Dialect, Edge
from mesh.errors import Internal
from mesh.traffic.snapshot import (
    Deployment,
    Method,
    Replica,
    Service,
    SplitBy,
    Version,
)
from mesh.v1 import inference_pb2, routing_pb2

_SPLITS = {
    routing_pb2.SPLIT_BY_RANDOM: SplitBy.RANDOM,
    routing_pb2.SPLIT_BY_HEADER: SplitBy.HEADER,
    routing_pb2.SPLIT_BY_QUERY: SplitBy.QUERY,
}
_KINDS = {
    inference_pb2.CALL_KIND_UNARY: CallKind.UNARY,
    inference_pb2.CALL_KIND_SERVER_STREAM: CallKind.SERVER_STREAM,
    inference_pb2.CALL_KIND_CLIENT_STREAM: CallKind.CLIENT_STREAM,
    inference_pb2.CALL_KIND_BIDI_STREAM: CallKind.BIDI_STREAM,
}
_DIALECTS = {
    routing_pb2.DIALECT_UNSPECIFIED: Dialect.MESH,
    routing_pb2.DIALECT_MESH: Dialect.MESH,
    routing_pb2.DIALECT_BENTOML: Dialect.BENTOML,
}
_SPLIT_NUMBERS = {split: number for number, split in _SPLITS.items()}
_DIALECT_NUMBERS = {dialect: number for number, dialect in _DIALECTS.items()}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}


def deployment_to_proto(deployment: Deployment) -> routing_pb2.Deployment:
    """The message that describes `deployment`."""
    return routing_pb2.Deployment(
        name=deployment.name,
        versions=[_version_to_proto(version) for version in deployment.versions],
        split_by=_SPLIT_NUMBERS[deployment.split_by],
        split_key=deployment.split_key,
        fails_without_replicas=not deployment.spills,
        protected=deployment.protected,
        uid=deployment.uid,
        organization=deployment.organization,
    )


def _version_to_proto(version: Version) -> routing_pb2.Version:
    return routing_pb2.Version(
        id=version.id,
        name=version.name,
        weight=version.weight,
        share=version.share,
        entry=version.entry,
        services=[_service_to_proto(service) for service in version.services.values()],
    )


def _service_to_proto(service: Service) -> routing_pb2.Service:
    proto = routing_pb2.Service(
        name=service.name,
        methods=[_method_to_proto(method) for method in service.methods.values()],
        replicas=[routing_pb2.Replica(id=r.id, address=r.address) for r in service.replicas],
        max_concurrency=service.max_concurrency,
        max_request_bytes=service.max_request_bytes,
        schema_json=service.schema_json,
        docs=service.docs,
        rpc_service=service.rpc_service,
        descriptors=service.descriptors,
        models=service.models,
        concurrency=service.concurrency,
        queue_limit=service.queue_limit,
    )
    if service.cold_start:
        proto.cold_start.FromNanoseconds(round(service.cold_start * 1e9))
    if service.edge != PLAIN:
        proto.edge.CopyFrom(_edge_to_proto(service.edge))
    if service.timeout is not None:
        proto.timeout.FromNanoseconds(round(service.timeout * 1e9))
    return proto


def _edge_to_proto(edge: Edge) -> routing_pb2.Edge:
    proto = routing_pb2.Edge(
        dialect=_DIALECT_NUMBERS[edge.dialect],
        prefix=edge.prefix,
        metrics=edge.metrics,
        buckets=edge.buckets,
        asks_ready=edge.asks_ready,
        asks_alive=edge.asks_alive,
        trace_header=edge.trace_header,
        edits_metrics=edge.edits_metrics,
    )
    cors = edge.cors
    if cors is not None:
        proto.cors.CopyFrom(
            routing_pb2.Cors(
                origins=cors.origins,
                origin_regex=cors.origin_regex,
                methods=cors.methods,
                headers=cors.headers,
                credentials=cors.credentials,
                expose=cors.expose,
                max_age=cors.max_age,
            )
        )
    return proto


def _method_to_proto(method: Method) -> routing_pb2.Method:
    return routing_pb2.Method(
        name=method.name,
        route=method.route,
        kind=_KIND_NUMBERS[method.kind],
        idempotent=method.idempotent,
        rpc=method.rpc,
    )


def deployment_from_proto(proto: routing_pb2.Deployment) -> Deployment:
    """The deployment that `proto` describes.

    Raises Internal if it holds a rule or a kind of call that is not known here.
    """
    split_by = _SPLITS.get(proto.split_by)
    if split_by is None:
        raise Internal(f"deployment {proto.name!r} is split by a rule unknown here")
    versions = tuple(_version(version) for version in proto.versions)
    spills = not proto.fails_without_replicas
    return Deployment(
        proto.name,
        versions,
        split_by,
        proto.split_key,
        spills,
        proto.protected,
        proto.uid,
        proto.organization,
    )


def _version(proto: routing_pb2.Version) -> Version:
    return Version(
        id=proto.id,
        name=proto.name,
        entry=proto.entry,
        services={service.name: _service(service) for service in proto.services},
        weight=proto.weight,
        share=proto.share,
    )


def _service(proto: routing_pb2.Service) -> Service:
    return Service(
        name=proto.name,
        methods={method.name: _method(method) for method in proto.methods},
        replicas=tuple(Replica(replica.id, replica.address) for replica in proto.replicas),
        timeout=proto.timeout.ToNanoseconds() / 1e9 if proto.HasField("timeout") else None,
        max_concurrency=proto.max_concurrency,
        max_request_bytes=proto.max_request_bytes,
        schema_json=proto.schema_json,
        docs=proto.docs,
        rpc_service=proto.rpc_service,
        descriptors=proto.descriptors,
        models=proto.models,
        concurrency=proto.concurrency,
        queue_limit=proto.queue_limit,
        cold_start=proto.cold_start.ToNanoseconds() / 1e9,
        edge=_edge(proto) if proto.HasField("edge") else PLAIN,
    )


def _edge(service: routing_pb2.Service) -> Edge:
    proto = service.edge
    dialect = _DIALECTS.get(proto.dialect)
    if dialect is None:
        raise Internal(f"service {service.name!r} speaks a dialect unknown here")
    return Edge(
        dialect=dialect,
        prefix=proto.prefix,
        cors=_cors(proto.cors) if proto.HasField("cors") else None,
        metrics=proto.metrics,
        buckets=tuple(proto.buckets),
        asks_ready=proto.asks_ready,
        asks_alive=proto.asks_alive,
        trace_header=proto.trace_header,
        edits_metrics=proto.edits_metrics,
    )


def _cors(proto: routing_pb2.Cors) -> Cors:
    return Cors(
        origins=tuple(proto.origins),
        origin_regex=proto.origin_regex,
        methods=tuple(proto.methods),
        headers=tuple(proto.headers),
        credentials=proto.credentials,
        expose=tuple(proto.expose),
        max_age=proto.max_age,
    )


def _method(proto: routing_pb2.Method) -> Method:
    kind = _KINDS.get(proto.kind)
    if kind is None:
        raise Internal(f"method {proto.name!r} is of a kind of call unknown here")
    return Method(proto.name, proto.route, kind, proto.idempotent, proto.rpc)
