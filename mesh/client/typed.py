"""Results as a program wants them: arrays, tensors, frames, images, files."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mesh.client.description import Schema
from mesh.io.intake import CallIntake
from mesh.io.types.file import File
from mesh.io.types.registry import kind_of
from mesh.io.types.table import Column, Table

_TENSORS = {"torch-tensor": ("torch", "Tensor"), "tf-tensor": ("tensorflow", "Tensor")}


class Typed:
    """Makes wire values what their schema says. Files are put where `intake` keeps them."""

    def __init__(self, intake: CallIntake) -> None:
        self._intake = intake

    def value(self, raw: Any, schema: Schema) -> Any:
        """`raw` with every array, table and file in it as the type that the schema names.

        Raises ModuleNotFoundError if that type's library is not installed here.
        """
        return self._value(raw, schema, schema.get("$defs", {}))

    def _value(self, raw: Any, schema: Schema, definitions: Schema) -> Any:
        schema = _resolved(raw, schema, definitions)
        match raw:
            case dict():
                named = schema.get("properties", {})
                rest = schema.get("additionalProperties")
                rest = rest if isinstance(rest, dict) else {}
                return {
                    key: self._value(item, named.get(key, rest), definitions)
                    for key, item in raw.items()
                }
            case list():
                items, first = schema.get("items") or {}, schema.get("prefixItems") or ()
                return [
                    self._value(item, first[at] if at < len(first) else items, definitions)
                    for at, item in enumerate(raw)
                ]
            case _:
                return self._leaf(raw, schema)

    def _leaf(self, raw: Any, schema: Schema) -> Any:
        if isinstance(raw, File):
            if schema.get("type") == "string":
                return raw.read()
            return self._load("PIL.Image" if schema.get("pil") else "pathlib", raw)
        if isinstance(raw, Table):
            return self._load("pandas", raw)
        if isinstance(raw, Column):
            return self._load("pandas", raw)
        home = _TENSORS.get(str(schema.get("format")))
        if home is not None and schema.get("type") == "tensor":
            return self._load(home[0], raw)
        return raw

    def _load(self, module: str, raw: Any) -> Any:
        names = {"PIL.Image": "Image", "pathlib": "Path", "pandas": "DataFrame"}
        name = "Series" if isinstance(raw, Column) else names.get(module, "Tensor")
        kind = kind_of(getattr(import_module(module), name))
        assert kind is not None  # noqa: S101  # each of these has one
        return kind.load(raw, self._intake)


def _resolved(raw: Any, schema: Schema, definitions: Schema) -> Schema:
    """The schema without its reference, and of several the one that `raw` fits best."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        return _resolved(raw, definitions.get(name, {}), definitions)
    for union in ("anyOf", "oneOf", "allOf"):
        if arms := schema.get(union):
            found = [_resolved(raw, arm, definitions) for arm in arms]
            return next((arm for arm in found if _fits(raw, arm)), found[0])
    return schema


def _fits(raw: Any, schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    match raw:
        case File():
            return kind == "file"
        case dict():
            return kind == "object"
        case list():
            return kind == "array"
        case Table():
            return kind == "dataframe"
        case str():
            return kind == "string"
        case None:
            return kind == "null"
        case _:
            return kind in ("tensor", "number", "integer", "boolean")
