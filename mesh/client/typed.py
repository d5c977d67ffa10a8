"""Results as a program wants them: arrays, tensors, frames, images, files."""

from importlib import import_module
from typing import Any

from mesh.client.description import Schema, resolved
from mesh.io.files.intake import CallIntake
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
        schema = resolved(raw, schema, definitions)
        match raw:
            case dict():
                named = schema.get("properties", {})
                rest = schema.get("additionalProperties")
                rest = rest if isinstance(rest, dict) else {}
                # A map of a message has no order, a model has.
                keys = [key for key in named if key in raw]
                keys += [key for key in raw if key not in named]
                return {
                    key: self._value(raw[key], named.get(key, rest), definitions) for key in keys
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
        home = _home(raw, schema)
        if home is None:
            return raw.read() if isinstance(raw, File) else raw
        kind = kind_of(getattr(import_module(home[0]), home[1]))
        assert kind is not None  # noqa: S101  # each of these has one
        return kind.load(raw, self._intake)


def _home(raw: Any, schema: Schema) -> tuple[str, str] | None:
    """Module and name of the type for a value; None if it stays as it is, or is bytes."""
    match raw:
        case File():
            if schema.get("type") == "string":
                return None
            return ("PIL.Image", "Image") if schema.get("pil") else ("pathlib", "Path")
        case Table():
            return "pandas", "DataFrame"
        case Column():
            return "pandas", "Series"
        case _ if schema.get("type") == "tensor":
            return _TENSORS.get(str(schema.get("format")))
    return None
