"""The document that describes a service to its clients: `/schema.json`."""

from collections.abc import Iterable
from typing import Any

from mesh.io.json_schema import Schema, flat, json_schema
from mesh.io.spec import MethodSpec


def service_schema(name: str, doc: str, methods: Iterable[MethodSpec]) -> dict[str, Any]:
    """The document for a service of this name; `doc` may be empty.

    Routes are in the order of the methods' names.
    """
    ordered = sorted(methods, key=lambda method: method.name)
    document: dict[str, Any] = {"name": name, "type": "service"}
    if doc:
        document["description"] = doc
    document["routes"] = [_route(method) for method in ordered]
    document["paths"] = {method.route: {"mounted": False} for method in ordered}
    return document


def _route(method: MethodSpec) -> Schema:
    route: Schema = {
        "name": method.name,
        "route": method.route,
        "batchable": False,
        "is_task": False,
        "input": flat(json_schema(method.arguments.model, "validation")),
        "output": _output(method),
    }
    if method.doc:
        route["description"] = method.doc
    return route


def _output(method: MethodSpec) -> Schema:
    schema = flat(method.result.schema)
    if method.kind.streams_out:
        schema |= {"is_stream": True, "media_type": "text/event-stream"}
    return schema
