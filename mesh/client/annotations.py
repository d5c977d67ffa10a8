"""Schemas as Python annotations: what a client's methods take and give."""

import builtins
import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mesh.client.description import Schema, arms_of

IMPORTS: Final = {
    "Any": "from typing import Any",
    "File": "from mesh import File",
    "IO": "from typing import IO",
    "Image": "from PIL.Image import Image",
    "Literal": "from typing import Literal",
    "Mapping": "from collections.abc import Mapping",
    "NotRequired": "from typing import NotRequired",
    "Path": "from pathlib import Path",
    "TypedDict": "from typing import TypedDict",
    "UUID": "from uuid import UUID",
    "date": "from datetime import date",
    "datetime": "from datetime import datetime",
    "np": "import numpy as np",
    "npt": "import numpy.typing as npt",
    "pd": "import pandas as pd  # type: ignore[import-untyped, unused-ignore]",
    "tf": "import tensorflow as tf  # type: ignore[import-untyped, unused-ignore]",
    "time": "from datetime import time",
    "timedelta": "from datetime import timedelta",
    "torch": "import torch",
}
"""Names that annotations use, and where they come from."""
_PLAIN = {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_FORMATS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "uuid": "UUID",
}
_DTYPES = {"bool": "np.bool_", "str": "np.str_"} | {
    name: f"np.{name}"
    for name in (
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
_TENSORS = {"torch-tensor": "torch.Tensor", "tf-tensor": "tf.Tensor"}
_QUOTED = re.compile(r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
_TAKEN: Final = frozenset({*IMPORTS, *dir(builtins)})


def words(text: str) -> set[str]:
    """The names in an annotation, apart from what stands in quotes and after dots."""
    bare = "".join(_QUOTED.split(text)[::2])
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", bare))


def renamed(text: str, names: Iterable[str]) -> str:
    """An annotation with `_` before each of these names."""
    parts = _QUOTED.split(text)
    for name in names:
        pattern = re.compile(rf"(?<![\w.]){re.escape(name)}\b")
        parts[::2] = [pattern.sub(f"_{name}", part) for part in parts[::2]]
    return "".join(parts)


def is_name(text: str) -> bool:
    """Whether a text can be a name in Python."""
    return text.isidentifier() and not keyword.iskeyword(text)


def class_name(title: str) -> str:
    """The name of a class for a title."""
    parts = re.split(r"[^A-Za-z0-9]+", title)
    name = "".join(part[:1].upper() + part[1:] for part in parts)
    return name if name[:1].isalpha() else f"Model{name}"


class Annotations:
    """Writes annotations, and the TypedDicts of the models in them."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """`taken` are names that no TypedDict may have."""
        self._taken = {*_TAKEN, *taken}
        self._names: dict[tuple[str, str], str] = {}
        self._models: dict[str, str] = {}

    def models(self) -> Iterator[str]:
        """The text of each TypedDict, in the order of their names."""
        for _, text in sorted(self._models.items()):
            yield text

    def of(self, schema: Schema, definitions: Schema, *, is_input: bool) -> str:
        """The annotation of values of a schema, as a client takes or gives them."""
        said = self._bare(schema, definitions, is_input)
        if schema.get("default", ...) is None and "None" not in words(said) and said != "Any":
            return f"{said} | None"
        return said

    def _bare(self, schema: Schema, definitions: Schema, is_input: bool) -> str:
        if arms := arms_of(schema):
            ordered = sorted(arms, key=lambda arm: arm.get("type") == "null")  # None comes last
            said = [self.of(arm, definitions, is_input=is_input) for arm in ordered]
            return "Any" if "Any" in said else " | ".join(dict.fromkeys(said))
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix("#/$defs/")
            found: Schema = {"title": name, **definitions.get(name, {})}
            return self._bare(found, definitions, is_input)
        if "enum" in schema or "const" in schema:
            return _literal(schema.get("enum", [schema.get("const")]))
        match schema.get("type"):
            case "array":
                return self._array(schema, definitions, is_input)
            case "object":
                return self._object(schema, definitions, is_input)
        return _leaf(schema, is_input=is_input)

    def _array(self, schema: Schema, definitions: Schema, is_input: bool) -> str:
        if schema.get("format") == "series":
            return "pd.Series[Any]"
        if first := schema.get("prefixItems"):
            said = [self.of(each, definitions, is_input=is_input) for each in first]
            if is_input:
                return f"tuple[{', '.join(said)}] | list[Any]"
            return f"list[{' | '.join(dict.fromkeys(said))}]"
        item = self.of(schema.get("items") or {}, definitions, is_input=is_input)
        return f"list[{item}] | tuple[{item}, ...]" if is_input else f"list[{item}]"

    def _object(self, schema: Schema, definitions: Schema, is_input: bool) -> str:
        if schema.get("properties"):
            return self._model(schema, definitions, is_input)
        more = schema.get("additionalProperties")
        value = "Any"
        if isinstance(more, Mapping):
            value = self.of(more, definitions, is_input=is_input)
        return f"{'Mapping' if is_input else 'dict'}[str, {value}]"

    def _model(self, schema: Schema, definitions: Schema, is_input: bool) -> str:
        fields = {"required": schema.get("required", ()), "properties": schema["properties"]}
        key = json.dumps([fields, is_input], sort_keys=True)
        title = class_name(str(schema.get("title") or "Model")) + ("Input" if is_input else "")
        if (title, key) in self._names:
            return self._names[title, key]
        name, number = title, 2
        while name in self._taken:
            name, number = f"{title}{number}", number + 1
        self._taken.add(name)
        self._names[title, key] = name  # before its fields, which may contain it
        self._models[name] = self._typed_dict(name, schema, definitions, is_input)
        return name

    def _typed_dict(self, name: str, schema: Schema, definitions: Schema, is_input: bool) -> str:
        fields = {
            key: self._field(key, each, schema, definitions, is_input)
            for key, each in schema["properties"].items()
        }
        if all(is_name(key) and not key.startswith("__") and key not in _TAKEN for key in fields):
            lines = [f"    {key}: {said}" for key, said in fields.items()]
            return "\n".join([f"class {name}(TypedDict):", *lines])
        lines = [f"        {key!r}: {said}," for key, said in fields.items()]
        return "\n".join([f"{name} = TypedDict(", f"    {name!r},", "    {", *lines, "    },", ")"])

    def _field(
        self,
        name: str,
        field: Schema,
        schema: Schema,
        definitions: Schema,
        is_input: bool,
    ) -> str:
        said = self.of(field, definitions, is_input=is_input)
        # What a service gives has its defaults filled in.
        is_sure = name in schema.get("required", ()) or (not is_input and "default" in field)
        return said if is_sure else f"NotRequired[{said}]"


def _leaf(schema: Schema, *, is_input: bool) -> str:
    kind, form = schema.get("type"), str(schema.get("format"))
    match kind:
        case "tensor":
            own = _TENSORS.get(form)
            if is_input:
                return f"{own} | npt.ArrayLike" if own else "npt.ArrayLike"
            return own or f"npt.NDArray[{_DTYPES.get(str(schema.get('dtype')), 'Any')}]"
        case "dataframe":
            return "pd.DataFrame"
        case "file":
            own = "Image" if schema.get("pil") else "Path"
            every = (own, "Path", "IO[bytes]", "File", "bytes", "str")
            return " | ".join(dict.fromkeys(every)) if is_input else own
        case "string" if form == "binary":
            return "bytes"
        case "string":
            return f"{_FORMATS[form]} | str" if is_input and form in _FORMATS else "str"
    return _PLAIN.get(str(kind), "Any")


def _literal(values: Iterable[Any]) -> str:
    values = list(values)
    if not values or not all(isinstance(each, str | int | None) for each in values):
        return "Any"
    return f"Literal[{', '.join(map(repr, values))}]"
