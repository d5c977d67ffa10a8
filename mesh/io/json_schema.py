"""JSON Schema of one input or result, in the flat form that clients of the seed system read."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

Schema = dict[str, Any]

_BY_NAME = ("properties", "patternProperties", "$defs")
_IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "propertyNames")


class _Generator(GenerateJsonSchema):
    # A default that JSON can't carry is left out, which is all there is to say about it.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's

    def encode_default(self, dft: Any) -> Any:
        """The default as JSON has it; of an array its lists."""
        return dft.tolist() if isinstance(dft, np.ndarray) else super().encode_default(dft)


def json_schema(of: TypeAdapter[Any], mode: Literal["validation", "serialization"]) -> Schema:
    """The schema of what is taken (validation) or given (serialization), as pydantic has it."""
    return of.json_schema(mode=mode, schema_generator=_Generator)


def has_tensor(schema: Schema) -> bool:
    """Whether there is an array anywhere in what the schema describes."""
    return any(each.get("type") == "tensor" for each in _walk(schema))


def flat(schema: Schema) -> Schema:
    """The schema with references inlined and unions replaced by their first arm.

    Definitions that contain themselves stay references. What is not an object keeps its
    references and unions, as the seed system's schemas do. Every array has `items` and every
    object `properties`, which clients read without asking.
    """
    definitions: Schema = schema.get("$defs", {})
    if "properties" not in schema and "$ref" not in schema:
        return _closed(schema)
    bare = {key: part for key, part in schema.items() if key != "$defs"}
    inlined = _inlined(bare, definitions)
    kept = {name: definitions[name] for name in sorted(_leads_to(inlined, definitions))}
    return _closed({**inlined, "$defs": kept} if kept else inlined)


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    name = _target(schema)
    if name in definitions:
        if name in _leads_to(definitions[name], definitions):
            return schema
        rest = {key: part for key, part in schema.items() if key != "$ref"}
        return _inlined({**definitions[name], **rest}, definitions)
    for union in ("anyOf", "oneOf", "allOf"):
        if arms := schema.get(union):
            arm = next((each for each in arms if each.get("type") != "null"), arms[0])
            taken = (union, "discriminator")
            rest = {key: part for key, part in schema.items() if key not in taken}
            return _inlined({**arm, **rest}, definitions)
    return _map(schema, lambda each: _inlined(each, definitions))


def _closed(schema: Schema) -> Schema:
    closed = _map(schema, _closed)
    if closed.get("type") == "array":
        closed.setdefault("items", {})
    elif closed.get("type") == "object":
        closed.setdefault("properties", {})
    return closed


def _leads_to(schema: Schema, definitions: Schema) -> set[str]:
    """Names of the definitions that the schema refers to, directly or through others."""
    found: set[str] = set()
    rest = [schema]
    while rest:
        for each in _walk(rest.pop()):
            name = _target(each)
            if name in definitions and name not in found:
                found.add(name)
                rest.append(definitions[name])
    return found


def _target(schema: Schema) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def _walk(schema: Schema) -> Iterator[Schema]:
    """Every schema in `schema`, itself first; defaults and examples are none."""
    yield schema
    parts: list[Schema] = []

    def note(part: Schema) -> Schema:
        parts.append(part)
        return part

    _map(schema, note)
    for each in parts:
        yield from _walk(each)


def _map(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """The schema with each schema directly in it changed."""
    changed = dict(schema)
    for key, part in schema.items():
        if key in _BY_NAME:
            changed[key] = {name: change(each) for name, each in part.items()}
        elif key in _IN_LISTS:
            changed[key] = [change(each) for each in part]
        elif key in _SINGLE and isinstance(part, dict):
            changed[key] = change(part)
    return changed
