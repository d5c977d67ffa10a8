"""Schemas as OpenAPI 3.1 has them: our own types in the words of JSON Schema, models shared."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from mesh.io.json_schema import Schema, leads_to, mapped

Role = Literal["Input", "Output"]
"""What a schema describes; the end of a name that is taken."""

_REF = "#/$defs/"
_COMPONENT = "#/components/schemas/"
_OWN = ("is_stream", "media_type", "pil", "root_input")
"""Keywords for our clients, which mean nothing in OpenAPI."""
_ANNOTATIONS = ("title", "default", "examples", "deprecated", "readOnly", "writeOnly")
_ELEMENTS = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "s": "string"}
"""JSON's type of an element, by the first letter of its dtype (`bfloat16` is a number too)."""
_MOST_SHOWN = 64
"""Elements that an array of fixed extents has at most for them to be bounds, not only words:
tools make an example that fills the bounds."""
_DATA_URL = "A data URL, or an http(s) URL from which the content is fetched."


class Components:
    """The schemas that a document shares, by name; of equal ones there is one."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._names: dict[str, str] = {}

    def placed(self, schema: Schema, role: Role) -> Schema:
        """The schema in plain words, its definitions moved here, itself too if it is a model."""
        schema = _as_definition(schema)
        definitions: dict[str, Schema] = {
            name: plain(each) for name, each in schema.get("$defs", {}).items()
        }
        names = {name: self._place(name, definitions, role) for name in definitions}
        for name, new in names.items():
            self.schemas.setdefault(new, _pointed(definitions[name], names))
        bare = {key: part for key, part in schema.items() if key != "$defs"}
        return _pointed(plain(bare), names)

    def add(self, name: str, schema: Schema, role: Role) -> Schema:
        """A reference to `schema`, which has been placed, under this name or one like it."""
        new = self._fresh(name, role)
        self.schemas[new] = schema
        return {"$ref": _COMPONENT + new}

    def _place(self, name: str, definitions: Mapping[str, Schema], role: Role) -> str:
        """The name here of a definition: an equal one's, or a new one."""
        needed = leads_to(definitions[name], dict(definitions)) | {name}
        closure = {each: definitions[each] for each in sorted(needed)}
        key = json.dumps([name, closure], sort_keys=True, default=str)
        if key not in self._names:
            self._names[key] = self._fresh(name, role)
        return self._names[key]

    def _fresh(self, name: str, role: Role) -> str:
        taken = {*self.schemas, *self._names.values()}
        if name not in taken:
            return name
        name = name if name.endswith(role) else name + role
        number = 2
        found = name
        while found in taken:
            found = f"{name}{number}"
            number += 1
        return found


def _as_definition(schema: Schema) -> Schema:
    """The schema of a model, which stands by itself, as a reference to one among the others."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", schema.get("title", ""))
    definitions: Schema = schema.get("$defs", {})
    if not name or "properties" not in schema:
        return schema
    while name in definitions:
        name += "_"
    bare = {key: each for key, each in schema.items() if key != "$defs"}
    return {"$ref": _REF + name, "$defs": {**definitions, name: bare}}


def plain(schema: Schema) -> Schema:
    """The schema with tensors, frames and files as what they are in JSON text."""
    match schema.get("type"):
        case "tensor":
            return _described(schema, _tensor(schema), _tensor_words(schema), dtype=True)
        case "dataframe":
            return _described(schema, *_frame(schema), dtype=True)
        case "file":
            form: Schema = {"type": "string", "contentMediaType": media_type(schema)}
            return _described(schema, form, _DATA_URL)
    kept = {key: part for key, part in schema.items() if key not in _OWN}
    if schema.get("is_stream"):
        words = "One item of the stream; a stream of them is for gRPC."
        kept["description"] = _joined(schema.get("description"), words)
    if kept.get("default", ...) is None and kept.get("type", "null") != "null":
        del kept["default"]  # `x: int = None`: null is what it is, but none that the type takes
    return mapped(kept, plain)


def part(schema: Schema) -> Schema:
    """The schema of a top-level input as a part of a form: files are binary."""
    match schema:
        case {"type": "array", "items": item} if is_file(item):
            return {**schema, "items": binary(item)}
        case {"anyOf": arms} if any(map(has_file, arms)):
            taken = [part(arm) for arm in arms if arm.get("type") != "null"]
            kept = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
            return {**taken[0], **kept} if len(taken) == 1 else {**kept, "anyOf": taken}
    return binary(schema) if is_file(schema) else schema


def binary(schema: Schema) -> Schema:
    """The schema of a file whose content is sent as it is."""
    form: Schema = {
        "type": "string",
        "format": "binary",
        "contentMediaType": media_type(schema),
    }
    return _described(schema, form, "")


def has_file(schema: Schema) -> bool:
    """Whether the input is a file or a list of them, or may be."""
    match schema:
        case {"type": "array", "items": item}:
            return is_file(item)
        case {"anyOf": arms}:
            return any(map(has_file, arms))
    return is_file(schema)


def is_file(schema: Schema) -> bool:
    """Whether the input is one file, or bytes, which forms have as one."""
    is_bytes = (schema.get("type"), schema.get("format")) == ("string", "binary")
    return is_bytes or schema.get("type") == "file"


def media_type(schema: Schema) -> str:
    """The media type of a file, a range of them if it is an image of any kind."""
    if declared := schema.get("content_type", schema.get("media_type")):
        return str(declared)
    return "image/*" if schema.get("format") == "image" else "application/octet-stream"


def finite(value: Any) -> Any:
    """The document with no number in it that JSON can't carry."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items() if not _is_infinite(each)}
    if isinstance(value, list):
        return [str(each) if _is_infinite(each) else finite(each) for each in value]
    return value


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _pointed(schema: Schema, names: Mapping[str, str]) -> Schema:
    """The schema with its references turned to the components of these names."""
    turned = mapped(schema, lambda each: _pointed(each, names))
    if "$ref" in turned:
        turned["$ref"] = _component(turned["$ref"], names)
    if mapping := turned.get("discriminator", {}).get("mapping"):
        turned["discriminator"] = {
            **turned["discriminator"],
            "mapping": {value: _component(ref, names) for value, ref in mapping.items()},
        }
    return turned


def _component(ref: str, names: Mapping[str, str]) -> str:
    return _COMPONENT + names.get(name := ref.removeprefix(_REF), name)


def _described(schema: Schema, form: Schema, words: str, *, dtype: bool = False) -> Schema:
    """`form` with what `schema` says besides its type, and with `words` about that."""
    kept = {key: schema[key] for key in _ANNOTATIONS if key in schema}
    if kept.get("default", ...) is None:
        del kept["default"]
    if description := _joined(schema.get("description"), words):
        kept["description"] = description
    if dtype:
        keys = ("format", "dtype", "shape", "orient", "columns")
        kept |= {f"x-{key}": schema[key] for key in keys if key in schema}
    return {**form, **kept}


def _joined(*texts: str | None) -> str:
    return "\n\n".join(filter(None, texts))


def _tensor(schema: Schema) -> Schema:
    element: Schema = {}
    if "complex" not in schema.get("dtype", ""):
        letter = schema.get("dtype", "float").removeprefix("bf").replace("bool", "b")[:1]
        element = {"type": _ELEMENTS.get(letter, "number")}
    shape = schema.get("shape")
    if shape is None:
        return {"type": "array", "items": {"anyOf": [element, {"type": "array", "items": {}}]}}
    bounded = math.prod(extent for extent in shape if extent > 0) <= _MOST_SHOWN
    for extent in reversed(shape):
        element = {"type": "array", "items": element}
        if bounded and extent >= 0:
            element |= {"minItems": extent, "maxItems": extent}
    return element


def _tensor_words(schema: Schema) -> str:
    kind = f"{schema['dtype']} array" if "dtype" in schema else "Array"
    if "shape" not in schema:
        return f"{kind}, as nested lists."
    extents = ", ".join("any" if extent < 0 else str(extent) for extent in schema["shape"])
    return f"{kind} of shape ({extents}), as nested lists."


def _frame(schema: Schema) -> tuple[Schema, str]:
    columns: Iterable[str] = schema.get("columns") or ()
    if schema.get("orient") == "columns":
        lists: Schema = {"type": "object", "additionalProperties": {"type": "array", "items": {}}}
        if columns:
            lists["properties"] = {str(name): {"type": "array", "items": {}} for name in columns}
        return lists, "Table: a list of values for each column."
    row: Schema = {"type": "object"}
    if columns:
        row["properties"] = {str(name): {} for name in columns}
    return {"type": "array", "items": row}, "Table: an object for each row."
