"""How to call a method, as commands to copy: made of what `/schema.json` says of it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_SAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 0.5,
    "boolean": True,
    "null": None,
}
_FILES = {"image": "image.png", "audio": "audio.mp3", "video": "video.mp4", "text": "text.txt"}
_LONGEST = 1024
"""Elements of a sample array in one dimension at most; more are left out of the example."""
_OWN = frozenset({"call", "close", "options", "service"})
"""Names that clients have for themselves."""


class _File(str):
    """A file of the caller's, by a name that it may have."""

    __slots__ = ()


def simplest(routes: Sequence[Schema]) -> Schema:
    """The method that is called with least: without files, and of them with fewest arguments."""

    def effort(route: Schema) -> tuple[bool, bool, int]:
        given = sample(route["input"])
        streams = any(each.get("is_stream") for each in _properties(route).values())
        return streams, _has_file(given), len(route["input"].get("required", []))

    return min(routes, key=effort)


def _properties(route: Schema) -> Mapping[str, Schema]:
    found: Mapping[str, Schema] = route["input"].get("properties", {})
    return found


def _has_file(value: Any) -> bool:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return any(map(_has_file, parts))
    return isinstance(value, _File)


def curl(url: str, route: Schema) -> str:
    """A shell command that calls a method over HTTP."""
    inputs = route["input"]
    given = sample(inputs)
    command = f"curl {url}{route['route']}"
    if isinstance(given, _File):
        field = shlex.quote(f"content-type: {_media_type(inputs)}")
        return f"{command} -H {field} --data-binary @{given}"
    if inputs.get("root_input") and inputs.get("type") == "string":
        return f"{command} -H 'content-type: text/plain' -d {shlex.quote(given)}"
    if _has_file(given):
        return " ".join([command, *(f"-F {shlex.quote(part)}" for part in _parts(given))])
    return f"{command} -H 'content-type: application/json' -d {shlex.quote(json.dumps(given))}"


def _media_type(schema: Schema) -> str:
    return str(schema.get("content_type", "application/octet-stream"))


def _parts(given: Any, path: str = "") -> list[str]:
    """The fields of a form; files inside a value have dotted names."""
    if isinstance(given, _File):
        return [f"{path}=@{given}"]
    if not _has_file(given):
        return [f"{path}={_text(given)}"]
    if isinstance(given, list):
        named = [(f"{path}.{at}", each) for at, each in enumerate(given)]
        if all(isinstance(each, _File) for each in given) and "." not in path:
            named = [(path, each) for each in given]
    else:
        named = [(f"{path}.{name}" if path else name, each) for name, each in given.items()]
    return [part for name, each in named for part in _parts(each, name)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def python(target: str, route: Schema) -> str:
    """A shell command that calls a method over gRPC."""
    inputs = route["input"]
    given = sample(inputs)
    if inputs.get("root_input"):
        arguments = [_literal(given)]
    else:
        arguments = [f"{name}={_literal(value)}" for name, value in given.items()]
    # Double quotes, which a shell leaves alone between its single ones.
    client = f"Client({json.dumps(f'grpc://{target}')})"
    name = route["name"]
    if name in _OWN:
        call = f"{client}.call({', '.join([json.dumps(name), *arguments])})"
    else:
        call = f"{client}.{name}({', '.join(arguments)})"
    shown = f"*{call}" if route["output"].get("is_stream") else call
    return f"python -c {shlex.quote(f'from mesh import Client; print({shown})')}"


def _literal(value: Any) -> str:
    match value:
        case _File():
            return f'open("{value}", "rb")'
        case str():
            return json.dumps(value)
        case list():
            return f"[{', '.join(map(_literal, value))}]"
        case dict():
            items = (f"{json.dumps(name)}: {_literal(each)}" for name, each in value.items())
            return f"{{{', '.join(items)}}}"
        case _:
            return repr(value)


def sample(schema: Schema) -> Any:
    """A value that fits a JSON schema as `/schema.json` has them: an example, or made up."""
    return _sample(schema, schema.get("$defs", {}), frozenset())


def _sample(schema: Schema, definitions: Mapping[str, Schema], within: frozenset[str]) -> Any:
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name in within or name not in definitions:
            return {}
        return _sample(definitions[name], definitions, within | {name})
    if arms := schema.get("anyOf") or schema.get("oneOf"):
        return _sample(arms[0], definitions, within)
    match schema.get("type"):
        case "object":
            required = schema.get("required", [])
            properties = schema.get("properties", {})
            return {
                name: _sample(properties[name], definitions, within)
                for name in required
                if name in properties
            }
        case "array":
            return [_sample(schema.get("items", {}), definitions, within)]
        case "dataframe":
            columns = schema.get("columns") or ["a"]
            if schema.get("orient") == "columns":
                return {name: [1, 2] for name in columns}
            return [dict.fromkeys(columns, 1)]
        case "file":
            return _File(_FILES.get(str(schema.get("format")), "file.bin"))
        case "tensor":
            return _tensor(schema.get("shape", [1]))
        case str(kind):
            return _SAMPLES.get(kind, "text")
        case _:
            return _SAMPLES["string"]


def _tensor(shape: Sequence[int]) -> Any:
    if not shape:
        return 0.5
    extent = min(shape[0], _LONGEST) if shape[0] > 0 else 1
    return [_tensor(shape[1:])] * extent
