"""What a client knows of a service: its methods, as `/schema.json` describes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import numpy as np

from mesh.errors import Internal
from mesh.io.json_schema import OR
from mesh.io.types.file import File
from mesh.io.types.table import Column, Table

Schema = Mapping[str, Any]
"""A JSON schema with the keywords of `/schema.json`."""


def arms_of(schema: Schema) -> Sequence[Schema]:
    """What a value of the schema may be, one or the other; none if it is no union."""
    if others := schema.get(OR):
        first = {key: part for key, part in schema.items() if key not in (OR, "default")}
        return [first, *others]
    found: Sequence[Schema] = schema.get("anyOf") or schema.get("oneOf") or ()
    return found


@dataclass(frozen=True, slots=True)
class MethodDescription:
    """One method: its parameters in order, and the schemas of its input and output.

    `root` is the one parameter whose value is the whole input, else empty; `stream` the parameter
    of which the caller sends a stream, else empty.
    """

    name: str
    route: str
    doc: str
    parameters: tuple[str, ...]
    required: frozenset[str]
    input: Schema
    output: Schema
    root: str = ""
    stream: str = ""
    idempotent: bool = False

    @property
    def streams_out(self) -> bool:
        """Whether the method gives a stream of results."""
        return bool(self.output.get("is_stream"))

    @property
    def gives_file(self) -> bool:
        """Whether the whole result is one file."""
        return self.output.get("type") == "file" and not self.streams_out

    def schema_of(self, parameter: str) -> Schema:
        """The schema of one parameter."""
        if self.root:
            return self.input
        found: Schema = self.input.get("properties", {}).get(parameter, {})
        return found

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name; raises TypeError, as a call of the method would, if they don't fit."""
        if len(args) > len(self.parameters):
            raise TypeError(
                f"{self.name}() takes {_counted(len(self.parameters))}, not {len(args)}"
            )
        bound = dict(zip(self.parameters, args, strict=False))
        for name, value in kwargs.items():
            if name not in self.parameters:
                raise TypeError(f"{self.name}() has no parameter {name!r}")
            if name in bound:
                raise TypeError(f"{self.name}() got two values for {name!r}")
            bound[name] = value
        missing = [name for name in self.parameters if name in self.required - bound.keys()]
        if missing:
            raise TypeError(f"{self.name}() lacks {', '.join(map(repr, missing))}")
        return bound


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """A service and its methods by name."""

    name: str
    doc: str
    methods: Mapping[str, MethodDescription]

    @classmethod
    def of_json(cls, document: bytes) -> "ServiceDescription":
        """Reads a `/schema.json`. Raises Internal if it is none."""
        try:
            schema = json.loads(document)
            methods = {route["name"]: _method(route) for route in schema["routes"]}
            return cls(schema["name"], schema.get("description", ""), MappingProxyType(methods))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Internal(f"the service's description cannot be read: {error}") from None

    def method(self, name: str) -> MethodDescription:
        """The method of this name. Raises AttributeError if there is none."""
        found = self.methods.get(name)
        if found is None:
            known = ", ".join(sorted(self.methods)) or "none"
            raise AttributeError(f"{self.name} has no method {name!r}; its methods: {known}")
        return found


def _method(route: Schema) -> MethodDescription:
    inputs: Schema = route["input"]
    if inputs.get("root_input"):
        root = inputs.get("root_name", "root")
        parameters, required = (root,), frozenset[str]()
        if "default" not in inputs:
            required = frozenset((root,))
    else:
        root = ""
        parameters = tuple(inputs.get("properties", ()))
        required = frozenset(inputs.get("required", ()))
    streams = [name for name in parameters if _is_stream(inputs, name)]
    return MethodDescription(
        name=route["name"],
        route=route["route"],
        doc=route.get("description", ""),
        parameters=parameters,
        required=required | frozenset(streams),
        input=inputs,
        output=route["output"],
        root=root,
        stream=streams[0] if streams else "",
        idempotent=bool(route.get("is_idempotent")),
    )


def _is_stream(inputs: Schema, name: str) -> bool:
    return bool(inputs.get("properties", {}).get(name, {}).get("is_stream"))


def _counted(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def resolved(value: Any, schema: Schema, definitions: Schema) -> Schema:
    """The schema without its reference, and of several the one that a value fits best."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        return resolved(value, definitions.get(name, {}), definitions)
    for union in ("anyOf", "oneOf", "allOf"):
        if arms := schema.get(union):
            found = [resolved(value, arm, definitions) for arm in arms]
            return next((arm for arm in found if _fits(value, arm)), found[0])
    return schema


def _fits(value: Any, schema: Schema) -> bool:
    kind = schema.get("type")
    match value:
        case None:
            return kind == "null"
        case bool():
            return kind == "boolean"
        case int():
            return kind in ("integer", "number")
        case float():
            return kind == "number"
        case str():
            return kind == "string"
        case dict():
            return kind == "object"
        case list() | tuple():
            return kind == "array"
        case File() | PurePath():
            return kind == "file"
        case Table():
            return kind == "dataframe"
        case Column():
            return schema.get("format") == "series"
        case np.ndarray():
            return kind == "tensor"
        case _:
            return False
