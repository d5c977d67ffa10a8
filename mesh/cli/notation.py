"""Schemas in a notation like Python's, for people to read."""

from collections.abc import Iterator
from typing import Any

from mesh.client.description import MethodDescription, Schema, arms_of

_PLAIN = {"integer": "int", "number": "float", "boolean": "bool", "null": "None", "string": "str"}
_TEXTS = {
    "binary": "bytes",
    "date": "date",
    "date-time": "datetime",
    "duration": "timedelta",
    "time": "time",
    "uri": "URL",
    "uuid": "UUID",
}
_TENSORS = {"torch-tensor": "torch.Tensor", "tf-tensor": "tf.Tensor"}
_BOUNDS = {
    "exclusiveMinimum": "> {}",
    "minimum": ">= {}",
    "exclusiveMaximum": "< {}",
    "maximum": "<= {}",
    "multipleOf": "multiple of {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters or fewer",
    "minItems": "{} items or more",
    "maxItems": "{} items or fewer",
    "pattern": "matches {}",
}
_LONGEST = 40
"""Characters of a default that is shown."""


def signature(method: MethodDescription) -> str:
    """The method as Python would declare it: `scale(x: ndarray, factor: float = 2.0) -> ndarray`.

    A parameter that is the whole input stands before a slash.
    """
    parts = [parameter(method, name) for name in method.parameters]
    if method.root:
        parts.append("/")
    return f"{method.name}({', '.join(parts)}) -> {result(method)}"


def kind(method: MethodDescription) -> str:
    """Which side sends a stream."""
    match bool(method.stream), method.streams_out:
        case True, True:
            return "bidirectional stream"
        case True, False:
            return "client stream"
        case False, True:
            return "server stream"
    return "unary"


def parameter(method: MethodDescription, name: str) -> str:
    """One parameter: its name, type, default and, in brackets, what holds for its values."""
    schema = method.schema_of(name)
    said = parameter_type(method, name)
    bounds = ", ".join(_bounds(schema))
    default = "" if name in method.required else f" = {_default(schema)}"
    return f"{name}: {said}{default}{f' [{bounds}]' if bounds else ''}"


def parameter_type(method: MethodDescription, name: str) -> str:
    """The type of one parameter; `stream[T]` if the caller sends a stream of it."""
    schema = method.schema_of(name)
    said = _optional(schema, type_text(schema, method.input.get("$defs", {})))
    return f"stream[{said}]" if name == method.stream else said


def result(method: MethodDescription) -> str:
    """The type of what the method gives; `stream[T]` if it gives a stream of it."""
    said = type_text(method.output, method.output.get("$defs", {}))
    return f"stream[{said}]" if method.streams_out else said


def type_text(schema: Schema, definitions: Schema) -> str:
    """The type of values of a schema. A model is shown with its fields where it first stands."""
    return _type(schema, definitions, frozenset())


def _type(schema: Schema, definitions: Schema, within: frozenset[str]) -> str:
    if arms := arms_of(schema):
        # None comes last, as it is mostly written.
        ordered = sorted(arms, key=lambda arm: arm.get("type") == "null")
        return " | ".join(dict.fromkeys(_type(arm, definitions, within) for arm in ordered))
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name in within:
            return name
        return _type({"title": name, **definitions.get(name, {})}, definitions, within | {name})
    if "enum" in schema or "const" in schema:
        return " | ".join(map(repr, schema.get("enum", [schema.get("const")])))
    match schema.get("type"):
        case "array":
            return _array(schema, definitions, within)
        case "object":
            return _object(schema, definitions, within)
        case "tensor":
            name = _TENSORS.get(str(schema.get("format")), "ndarray")
            dtype = str(schema["dtype"]).rstrip("_") if "dtype" in schema else None
            return _of(name, dtype, _shape(schema))
        case "dataframe":
            return _of("DataFrame", *schema.get("columns", ()))
        case "file":
            return _of("Image" if schema.get("pil") else "File", schema.get("content_type"))
        case "string":
            return _TEXTS.get(str(schema.get("format")), "str")
        case other:
            return _PLAIN.get(str(other), "Any")


def _optional(schema: Schema, said: str) -> str:
    """The type of a value that is None where it is not given."""
    if schema.get("default", ...) is None and not {"None", "Any"} & set(said.split(" | ")):
        return f"{said} | None"
    return said


def _array(schema: Schema, definitions: Schema, within: frozenset[str]) -> str:
    if schema.get("format") == "series":
        return "Series"
    if first := schema.get("prefixItems"):
        return f"tuple[{', '.join(_type(each, definitions, within) for each in first)}]"
    name = "set" if schema.get("uniqueItems") else "list"
    item = _type(schema.get("items") or {}, definitions, within)
    return name if item == "Any" else f"{name}[{item}]"


def _object(schema: Schema, definitions: Schema, within: frozenset[str]) -> str:
    if fields := schema.get("properties"):
        required = schema.get("required", ())
        said = [
            f"{name}: {_optional(field, _type(field, definitions, within))}"
            f"{'' if name in required else f' = {_default(field)}'}"
            for name, field in fields.items()
        ]
        return f"{schema.get('title', 'object')}{{{', '.join(said)}}}"
    more = schema.get("additionalProperties")
    if isinstance(more, dict) and more:
        return f"dict[str, {_type(more, definitions, within)}]"
    return "dict"


def _of(name: str, *parts: Any) -> str:
    said = ", ".join(str(part) for part in parts if part is not None)
    return f"{name}[{said}]" if said else name


def _shape(schema: Schema) -> tuple[int, ...] | None:
    return tuple(schema["shape"]) if "shape" in schema else None


def _default(schema: Schema) -> str:
    value = schema.get("default", ...)
    text = "..." if value is ... else repr(value)
    return text if len(text) <= _LONGEST else "..."


def _bounds(schema: Schema) -> Iterator[str]:
    # The length of a URL and of a tuple is what their types say.
    if schema.get("format") == "uri" or "prefixItems" in schema:
        return
    for keyword, said in _BOUNDS.items():
        if keyword in schema:
            yield said.format(schema[keyword])
