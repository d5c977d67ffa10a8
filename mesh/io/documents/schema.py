"""The document that describes a service to its clients: `/schema.json`."""

from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin

from mesh.io.json_schema import Schema, closed, flat
from mesh.io.spec import MethodSpec
from mesh.io.types.content_type import ContentType


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
        "input": _input(method),
        "output": _output(method),
    }
    if method.doc:
        route["description"] = method.doc
    if method.idempotent:
        route["is_idempotent"] = True
    return route


def _input(method: MethodSpec) -> Schema:
    schema = flat(method.arguments.input_schema())
    if method.arguments.root:
        # The body has no name, but the argument of a mesh.v1.CallRequest has.
        (name,) = method.arguments.fields
        schema |= {"root_input": True, "root_name": name}
    return schema


def _output(method: MethodSpec) -> Schema:
    schema = method.result.schema
    # What is not an object keeps its references and unions, as in the seed system's document.
    schema = flat(schema) if "properties" in schema or "$ref" in schema else closed(schema)
    if method.kind.streams_out:
        return schema | {"is_stream": True, "media_type": "text/event-stream"}
    said = _content_type(method.result.annotation)
    return schema if said is None else schema | {"media_type": said.pattern}


def _content_type(annotation: Any) -> ContentType | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((each for each in get_args(annotation) if isinstance(each, ContentType)), None)
