"""Replies against the OpenAPI that BentoCloud publishes, trimmed to the operations we have.

It describes only replies with status 200, and marks hardly anything as required; what clients need
beyond it is in `REQUIRED`.
"""

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator

HERE = Path(__file__).parent

# Kinds that the API has beyond the enumeration of its own document.
KINDS = {
    "secret",
    "endpoint",
    "resource_instance",
    "limit_group",
    "deployment_target",
    "label",
    "yatai_component",
}
# Statuses that its own clients know, and it does not list.
STATUSES = {"terminating", "terminated", "scaled-to-zero"}
# What its own clients take for null, and it does not: there may be none.
NULLABLE = {"latest_bento", "latest_model", "routing"}
# Pointers to structs of its server are objects on the wire, and nullable texts in its document.
OBJECTS = {"config", "limit_group", "manifest", "options", "context", "metadata", "schema"}
# What there may be none of yet: clients take null, which its document leaves out.
LATEST = {"latest_bento", "latest_model"}


@cache
def document() -> dict[str, Any]:
    """The published document."""
    found: dict[str, Any] = json.loads(gzip.decompress((HERE / "published.json.gz").read_bytes()))
    for schema in walk(found):
        values = schema.get("properties", {})
        kind = values.get("resource_type") if isinstance(values, dict) else None
        if isinstance(kind, dict) and "enum" in kind:
            kind["enum"] = sorted({*kind["enum"], *KINDS})
        status = values.get("status") if isinstance(values, dict) else None
        if isinstance(status, dict) and "non-deployed" in status.get("enum", ()):
            status["enum"] = sorted({*status["enum"], *STATUSES})
        for name in NULLABLE & set(values if isinstance(values, dict) else ()):
            values[name] = {"nullable": True, **_schema_of(found, values[name])}
        for name in OBJECTS & set(values if isinstance(values, dict) else ()):
            if values[name] == {"type": "string", "nullable": True}:
                values[name] = {"nullable": True, "type": "object"}
        for name in LATEST & set(values if isinstance(values, dict) else ()):
            values[name]["nullable"] = True
    return found


def _schema_of(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema itself, where it is only named."""
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def walk(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


@cache
def operations() -> dict[tuple[str, str], str]:
    """The group (A, B or C) of each operation, by its method and path."""
    lines = (HERE / "operations.txt").read_text().splitlines()
    return {(method, path): group for group, method, path in map(str.split, lines)}


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    found = {path for _, path in operations()}
    # Those with fewer parameters first: `/members/current` is no user's name.
    ordered = sorted(found, key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in ordered]


def operation(method: str, path: str) -> tuple[str, str] | None:
    """The operation that a request is, if it is published."""
    for pattern, template in patterns():
        if pattern.fullmatch(path) and (method, template) in operations():
            return method, template
    return None


@cache
def validator(method: str, template: str) -> OAS30Validator | None:
    reply = document()["paths"][template][method.lower()]["responses"]["200"]
    schema = reply.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return None
    return OAS30Validator({**schema, "components": document()["components"]})


def faults(method: str, path: str, body: Any) -> list[str]:
    """What in the body of a reply is not as it is published."""
    found = operation(method, path)
    if found is None:
        return []
    checks = validator(*found)
    if checks is None:
        return []
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in checks.iter_errors(body)
    ]
