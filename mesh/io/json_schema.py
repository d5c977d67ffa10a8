"""JSON Schema of one input or result, in the flat form that clients of the seed system read."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError

from mesh.io.types.registry import kind_of

Schema = dict[str, Any]

_LARGEST_DEFAULT = 1024
"""Elements that an array has at most for it to be shown as a default."""
_BY_NAME = ("properties", "patternProperties", "$defs")
OR = "x-mesh-or"
"""Keyword of a schema that was flattened: what else a value may be, a list of schemas.

All else that the schema says is its first arm, so that nothing stands there twice.
"""
_IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems", OR)
_SINGLE = ("items", "additionalProperties", "propertyNames")


class _Generator(GenerateJsonSchema):
    # A default that JSON can't carry is left out, which is all there is to say about it.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's

    def encode_default(self, dft: Any) -> Any:
        """The default as JSON has it; of a small array its lists.

        Raises PydanticSerializationError for what has no form there, which leaves it out.
        """
        if (
            isinstance(dft, np.ndarray)
            and dft.size <= _LARGEST_DEFAULT
            and dft.dtype.kind in "biufU"
        ):
            dft = dft.tolist()
        elif kind_of(type(dft)) is not None and not isinstance(dft, bytes):
            raise PydanticSerializationError("a file, frame or tensor is no JSON")
        encoded = super().encode_default(dft)
        if not _is_strict_json(encoded):
            raise PydanticSerializationError("NaN and Infinity are no JSON")
        return encoded


def _is_strict_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def json_schema(of: TypeAdapter[Any], mode: Literal["validation", "serialization"]) -> Schema:
    """The schema of what is taken (validation) or given (serialization), as pydantic has it."""
    return of.json_schema(mode=mode, schema_generator=_Generator)


def has_files(schema: Schema) -> bool:
    """Whether there is a file or binary data anywhere in what the schema describes."""
    return any(
        each.get("type") == "file" or each.get("format") == "binary" for each in walk(schema)
    )


def closed(schema: Schema) -> Schema:
    """The schema in which every array has `items` and every object `properties`.

    Clients of the seed system read these without asking.
    """
    changed = mapped(schema, closed)
    if changed.get("type") == "array":
        changed.setdefault("items", {})
    elif changed.get("type") == "object":
        changed.setdefault("properties", {})
    return changed


def flat(schema: Schema) -> Schema:
    """The schema, `closed`, with references inlined and unions replaced by their first arm.

    Their other arms, flat as well, are in `OR`, which clients of the seed system do not read.

    Definitions that contain themselves stay references, but for one that is the whole schema.
    """
    definitions: Schema = schema.get("$defs", {})
    bare = {key: part for key, part in schema.items() if key != "$defs"}
    while _target(bare) in definitions:
        rest = {key: part for key, part in bare.items() if key != "$ref"}
        bare = {**definitions[_target(bare)], **rest}
    inlined = _inlined(bare, definitions)
    kept = {name: definitions[name] for name in sorted(leads_to(inlined, definitions))}
    return closed({**inlined, "$defs": kept} if kept else inlined)


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    name = _target(schema)
    if name in definitions:
        if name in leads_to(definitions[name], definitions):
            return mapped(schema, lambda each: _inlined(each, definitions))
        rest = {key: part for key, part in schema.items() if key != "$ref"}
        return _inlined({**definitions[name], **rest}, definitions)
    for union in ("anyOf", "oneOf", "allOf"):
        if arms := schema.get(union):
            at = next((n for n, each in enumerate(arms) if each.get("type") != "null"), 0)
            taken = (union, "discriminator")
            rest = {key: part for key, part in schema.items() if key not in taken}
            others = [*arms[:at], *arms[at + 1 :]] if union != "allOf" else []
            # An arm may be a union too, which then has those that are beside it here.
            if others := [*others, *schema.get(OR, [])]:
                rest[OR] = others
            return _inlined({**arms[at], **rest}, definitions)
    return mapped(schema, lambda each: _inlined(each, definitions))


def leads_to(schema: Schema, definitions: Schema) -> set[str]:
    """Names of the definitions that the schema refers to, directly or through others."""
    found: set[str] = set()
    rest = [schema]
    while rest:
        for each in walk(rest.pop()):
            name = _target(each)
            if name in definitions and name not in found:
                found.add(name)
                rest.append(definitions[name])
    return found


def _target(schema: Schema) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def walk(schema: Schema) -> Iterator[Schema]:
    """Every schema in `schema`, itself first; defaults and examples are none."""
    yield schema
    parts: list[Schema] = []

    def note(part: Schema) -> Schema:
        parts.append(part)
        return part

    mapped(schema, note)
    for each in parts:
        yield from walk(each)


def mapped(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
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
