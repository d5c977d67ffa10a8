"""A graph as plain values, for those who never import the user's code."""

import base64
import json
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict

from mesh.call import CallKind
from mesh.config import ServiceConfig
from mesh.definition.graph import Graph
from mesh.definition.spec import ServiceSpec, service_spec
from mesh.edge import PLAIN, Dialect, Edge
from mesh.io.documents.openapi import openapi
from mesh.io.documents.schema import service_schema


@dataclass(frozen=True, slots=True)
class MethodManifest:
    """One method, as callers route to it."""

    name: str
    route: str
    kind: CallKind
    idempotent: bool = False
    rpc: str = ""


@dataclass(frozen=True, slots=True)
class ServiceManifest:
    """One service. `depends` names services by attribute; `schema_json` is its /schema.json.

    `docs_json` is its /docs.json, `descriptors` the FileDescriptorSet of its typed gRPC service
    `rpc_service` in base64, and `models_json` has its models of the Open Inference Protocol by the
    names of their methods; only the entry of a graph has these.
    """

    name: str
    methods: tuple[MethodManifest, ...]
    config: ServiceConfig
    depends: dict[str, str] = field(default_factory=dict)
    schema_json: str = ""
    docs_json: str = ""
    rpc_service: str = ""
    descriptors: str = ""
    models_json: str = ""
    edge: Edge = PLAIN


class Manifest(BaseModel):
    """A graph: the name of its entry and all services by name, the entry among them."""

    model_config = ConfigDict(frozen=True)

    entry: str
    services: dict[str, ServiceManifest]


def describe(graph: Graph) -> Manifest:
    """The manifest of a graph. Raises DefinitionError, ConfigError."""
    services = {name: _service(spec) for name, spec in graph.services.items()}
    entry = services[graph.entry.name]
    graph.entry.rpc.prepare()  # what is wrong with it shows before anything runs
    document = openapi(
        entry.name,
        graph.entry.doc,
        graph.entry.methods.values(),
        errors_in_list=entry.edge.dialect is Dialect.BENTOML,
    )
    methods = graph.entry.methods.values()
    models = {each.name: each.model.document() for each in methods if each.model is not None}
    services[entry.name] = replace(
        entry,
        docs_json=json.dumps(document),
        descriptors=base64.b64encode(graph.entry.rpc.descriptors).decode(),
        models_json=json.dumps(models) if models else "",
    )
    return Manifest(entry=graph.entry.name, services=services)


def _service(spec: ServiceSpec) -> ServiceManifest:
    methods = spec.methods.values()
    return ServiceManifest(
        name=spec.name,
        methods=tuple(
            MethodManifest(
                name=each.name,
                route=each.route,
                kind=each.kind,
                idempotent=each.idempotent,
                rpc=spec.rpc.rpcs.get(each.name, ""),
            )
            for each in methods
        ),
        config=spec.config,
        depends={attribute: service_spec(on).name for attribute, on in spec.dependencies.items()},
        schema_json=json.dumps(service_schema(spec.name, spec.doc, methods)),
        rpc_service=spec.rpc.full_name,
        edge=spec.edge,
    )
