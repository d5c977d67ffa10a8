"""The document for people and tools: a service in OpenAPI 3.1, `/docs.json`."""

from collections.abc import Iterable

from mesh.call import JSON
from mesh.io.documents.openapi_content import request_content, response_content
from mesh.io.documents.openapi_schema import Components, finite
from mesh.io.json_schema import Schema
from mesh.io.spec import MethodSpec

_METHODS = "Methods"
_OPERATIONS = "Operations"
_ERRORS = {
    "400": ("InvalidInput", "The input is wrong; `detail` names every fault."),
    "413": ("TooLarge", "The body, or a part of it, is larger than allowed."),
    "429": ("Overloaded", "Too many calls at once."),
    "500": ("Failed", "The method failed; the service's log says why."),
    "503": ("Unavailable", "Nobody can take the call now; another try may work."),
    "504": ("TimedOut", "The time limit of the service passed."),
    "default": ("Error", "What the method itself answers instead of a result."),
}
"""Name and description of the response to each status."""
_ERROR: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "What went wrong, in words."}},
    "required": ["error"],
}
_FAULT: Schema = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "The kind of fault, for programs."},
        "loc": {
            "type": "array",
            "items": {"type": ["string", "integer"]},
            "description": "Where in the input, from the outermost name inwards.",
        },
        "msg": {"type": "string", "description": "What is wrong there."},
        "url": {"type": "string", "description": "Where the kind of fault is explained."},
    },
    "required": ["type", "loc", "msg"],
}
_INVALID_INPUT: Schema = {
    "type": "object",
    "properties": {**_ERROR["properties"], "detail": {"type": "array", "items": _FAULT}},
    "required": ["error"],
}
_PAGES: dict[str, tuple[str, str, str, Schema]] = {
    "/readyz": ("ready", "Whether the service takes calls", "text/plain", {"type": "string"}),
    "/livez": ("live", "Whether the gateway runs", "text/plain", {"type": "string"}),
    "/metrics": ("metrics", "Metrics in Prometheus's format", "text/plain", {"type": "string"}),
    "/schema.json": ("schema", "Methods and types, for clients", JSON, {"type": "object"}),
}
"""Operation, summary, media type and schema of what is answered to GET."""


def openapi(
    name: str,
    doc: str,
    methods: Iterable[MethodSpec],
    version: str = "0",
    *,
    errors_in_list: bool = False,
) -> Schema:
    """The document of a service of this name; `doc`, Markdown, may be empty.

    `version` is what the release is called. Paths are in the order of the methods' names, and
    relative to where the document is, so that it holds behind any prefix. With `errors_in_list`
    what methods answer instead of a result may be a list of one error.
    """
    components = Components()
    ordered = sorted(methods, key=lambda method: method.name)
    paths: Schema = {
        method.route: {"post": _operation(name, method, components)} for method in ordered
    }
    paths |= {route: {"get": _page(route, *page)} for route, page in _PAGES.items()}
    info: Schema = {"title": name, "version": version}
    if doc:
        info["description"] = doc
    responses = _error_responses(components, errors_in_list=errors_in_list)
    document = {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "."}],
        "tags": [
            {"name": _METHODS, "description": "What the service does."},
            {"name": _OPERATIONS, "description": "How the service is doing."},
        ],
        "paths": paths,
        "components": {"schemas": components.schemas, "responses": responses},
    }
    found: Schema = finite(document)
    return found


def _operation(service: str, method: MethodSpec, components: Components) -> Schema:
    summary, description = _split(method.doc)
    operation: Schema = {
        "tags": [_METHODS],
        "operationId": f"{service}__{method.name}",
        "summary": summary or method.name,
    }
    if description:
        operation["description"] = description
    if content := request_content(method, components):
        operation["requestBody"] = {"content": content, "required": _is_required(method)}
    operation["responses"] = {
        "200": _success(method, components),
        **{
            status: {"$ref": f"#/components/responses/{title}"}
            for status, (title, _) in _ERRORS.items()
        },
    }
    return operation


_LONGEST_SUMMARY = 120


def _split(doc: str) -> tuple[str, str]:
    """The first paragraph if it is short, and the rest; else nothing, and all of it."""
    first, _, rest = doc.partition("\n\n")
    if len(first) > _LONGEST_SUMMARY:
        return "", doc
    return " ".join(first.split()), rest.strip()


def _is_required(method: MethodSpec) -> bool:
    return method.arguments.root or bool(method.arguments.input_schema().get("required"))


def _success(method: MethodSpec, components: Components) -> Schema:
    words = "The result."
    if method.kind.streams_out:
        words = "A stream of items, each of which is sent when it is made."
    return {"description": words, "content": response_content(method, components)}


def _error_responses(components: Components, *, errors_in_list: bool) -> Schema:
    plain = components.add("Error", _ERROR, "Output")
    faulty = components.add("InvalidInput", _INVALID_INPUT, "Output")
    own = {"anyOf": [plain, {"type": "array", "items": plain}]} if errors_in_list else plain
    schemas = {"InvalidInput": faulty, "Error": own}
    return {
        title: {
            "description": words,
            "content": {JSON: {"schema": schemas.get(title, plain)}},
        }
        for title, words in _ERRORS.values()
    }


def _page(route: str, name: str, summary: str, media_type: str, schema: Schema) -> Schema:
    responses: Schema = {"200": {"description": "OK", "content": {media_type: {"schema": schema}}}}
    if route == "/readyz":
        responses["503"] = {"$ref": "#/components/responses/Unavailable"}
    return {
        "tags": [_OPERATIONS],
        "operationId": name,
        "summary": summary,
        "responses": responses,
    }
