"""Arguments from a command line: texts such as `name=value` as the values that a method takes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from mesh.cli.failure import WrongUsage
from mesh.cli.notation import signature, type_text
from mesh.cli.source import Source
from mesh.client.description import MethodDescription, Schema, arms_of

RULE = """\
Arguments are NAME=VALUE. Text is taken as it stands, everything else is read as JSON: n=5,
ok=true, x=[[1,2],[3,4]], 'options={"depth": 3}'. A field of an object has a dotted name:
options.depth=3. A list is JSON too, or its name is repeated: tags=a tags=b.

NAME=@FILE is what the file holds, NAME=@- what comes on stdin: files and images as they are,
arrays from .npy or JSON, tables from CSV, JSON, Arrow or Parquet, text as text, the rest as JSON.
A text that begins with @ has a second one in front: user=@@ada.

The one input of a method that takes a whole body needs no name. A stream takes its name repeated,
or from a file or stdin lines of JSON, sent as they come."""
"""What a command line can say, for its users."""
_REMOTE = ("http://", "https://", "data:")


def arguments(method: MethodDescription, texts: Sequence[str], stdin: BinaryIO) -> dict[str, Any]:
    """The arguments by name; a stream is an `Items`.

    Files are looked at, and read where the method takes no file. Raises WrongUsage, naming the
    argument and what the method takes.
    """
    try:
        given = _by_name(method, texts)
        definitions = method.input.get("$defs", {})
        values: dict[str, Any] = {}
        for name, parts in given.items():
            schema = method.schema_of(name)
            reader = _Reader(definitions, stdin)
            if name == method.stream:
                values[name] = Items(reader.items(parts, schema, name))
            else:
                values[name] = reader.value(parts, schema, name)
        method.bind((), values)
    except WrongUsage as error:
        raise WrongUsage(error.message, signature(method)) from None
    except TypeError as error:
        raise WrongUsage(str(error), signature(method)) from None
    return values


Part = tuple[tuple[str, ...], str]
"""A text, and the steps that lead to where it belongs from its parameter."""


def _by_name(method: MethodDescription, texts: Sequence[str]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        first, *steps = [name] if name in method.parameters else name.split(".")
        if first not in method.parameters or not equals:
            if not method.root:
                raise _unknown(method, text)
            first, steps, value = method.root, [], text
        found.setdefault(first, []).append((tuple(steps), value))
    return found


def _unknown(method: MethodDescription, text: str) -> WrongUsage:
    name, equals, _ = text.partition("=")
    if not equals:
        return WrongUsage(f"{text!r} is no argument: give name=value")
    return WrongUsage(f"{method.name}() has no parameter {name!r}")


class Items(Iterator[Any]):
    """The items of a stream, as they come.

    `fault` is what was wrong with one, if something was: whoever sends the items may hide it.
    """

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self.fault: WrongUsage | None = None

    def __next__(self) -> Any:
        """Raises WrongUsage for an item that is none."""
        try:
            return next(self._items)
        except WrongUsage as error:
            self.fault = error
            raise


class _Reader:
    """Makes values of texts."""

    def __init__(self, definitions: Schema, stdin: BinaryIO) -> None:
        self._definitions = definitions
        self._stdin = stdin

    def value(self, parts: Sequence[Part], schema: Schema, name: str) -> Any:
        """The value of a parameter or of a field of it, of all that was said about it."""
        schema = self._resolved(schema)
        whole = [text for steps, text in parts if not steps]
        if len(whole) < len(parts):
            if whole:
                raise WrongUsage(f"{name}: give it as a whole or by its fields, not both")
            return self._fields(parts, schema, name)
        if schema.get("type") == "array" and schema.get("format") != "series":
            return self._list(whole, schema, name)
        if len(whole) > 1 and (lists := _arms(schema, "array")):
            return self._list(whole, lists[0], name)
        if len(whole) > 1:
            raise WrongUsage(f"{name}: given {len(whole)} times, but it takes one value")
        return self._one(whole[0], schema, name)

    def items(self, parts: Sequence[Part], schema: Schema, name: str) -> Iterator[Any]:
        """The items of a stream; what is wrong with the command line is found at once."""
        schema = self._resolved(schema)
        streams = []
        for steps, text in parts:
            if steps:
                raise WrongUsage(f"{name}: an item of a stream is given as a whole")
            if _is_source(text) and schema.get("type") != "file":
                streams.append(self._streamed(Source(name, text[1:], self._stdin), schema, name))
            else:
                streams.append(iter([self._one(text, schema, name)]))
        return (item for stream in streams for item in stream)

    def _streamed(self, source: Source, schema: Schema, name: str) -> Iterator[Any]:
        if _is_binary(schema):
            yield from source.chunks()
            return
        for number, line in enumerate(source.lines(), 1):
            yield self._line(line, schema, f"{name}: line {number}")

    def _line(self, line: bytes, schema: Schema, where: str) -> Any:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise WrongUsage(f"{where}: no text in UTF-8") from None
        found = _json(text)
        if schema.get("type") == "string":  # a line of JSON, or just a line
            return found if isinstance(found, str) else text
        return self._read(text, schema, where)

    def _fields(self, parts: Sequence[Part], schema: Schema, name: str) -> dict[str, Any]:
        grouped: dict[str, list[Part]] = {}
        for (step, *rest), text in parts:
            grouped.setdefault(step, []).append((tuple(rest), text))
        return {
            step: self.value(inner, self._field(schema, step, name), f"{name}.{step}")
            for step, inner in grouped.items()
        }

    def _field(self, schema: Schema, step: str, name: str) -> Schema:
        objects = _arms(schema, "object")
        has_it = (arm for arm in objects if step in (arm.get("properties") or {}))
        schema = next(has_it, objects[0] if objects else schema)
        fields = schema.get("properties") or {}
        more = schema.get("additionalProperties")
        if step in fields:
            found: Schema = fields[step]
            return found
        if schema.get("type") not in ("object", None) or (fields and not more):
            raise WrongUsage(f"{name}: {self._type(schema)} has no field {step!r}")
        return more if isinstance(more, Mapping) else {}

    def _list(self, texts: Sequence[str], schema: Schema, name: str) -> Any:
        first: Sequence[Schema] = schema.get("prefixItems") or ()
        rest: Schema = schema.get("items") or {}
        if len(texts) == 1:
            return self._only(texts[0], self._resolved(first[0] if first else rest), schema, name)
        return [
            self._one(text, self._resolved(first[at] if at < len(first) else rest), name)
            for at, text in enumerate(texts)
        ]

    def _only(self, text: str, item: Schema, schema: Schema, name: str) -> Any:
        """The value of a list of which one text was given: all of it, or its one item."""
        if _is_source(text):
            source = Source(name, text[1:], self._stdin)
            is_item = item.get("type") == "file" or _is_binary(item)
            found = _NO_JSON if is_item else source.document()
            return found if isinstance(found, list) else [source.value(item)]
        found = _json(text)
        if isinstance(found, list) or (found is None and schema.get("default", ...) is None):
            return found
        return [self._one(text, item, name)]

    def _one(self, text: str, schema: Schema, name: str) -> Any:
        if _is_source(text):
            return _content(Source(name, text[1:], self._stdin), schema)
        return self._read(text.removeprefix("@") if text.startswith("@@") else text, schema, name)

    def _read(self, text: str, schema: Schema, name: str) -> Any:
        if "anyOf" in schema:
            return self._either(text, schema, name)
        if "enum" in schema:
            return self._choice(text, schema, name)
        kind = schema.get("type")
        if kind == "file":
            if text.startswith(_REMOTE):
                return text
            raise WrongUsage(f"{name}: takes a file, as {name}=@FILE, or a URL")
        if kind == "string":
            return text.encode() if _is_binary(schema) else text
        found = _json(text)
        if found is _NO_JSON:
            if kind is None:
                return text
            raise WrongUsage(f"{name}: expected {self._type(schema)}, not {text!r}")
        return found

    def _either(self, text: str, schema: Schema, name: str) -> Any:
        """A value that one of the arms takes: of JSON, else a text."""
        arms: Sequence[Schema] = schema["anyOf"]
        found = _json(text)
        if found is not _NO_JSON and any(_takes(arm, found) for arm in arms):
            return found
        for arm in arms:
            if arm.get("type") == "string" and ("enum" not in arm or text in arm["enum"]):
                return self._read(text, arm, name)
        if found is not _NO_JSON:
            return found  # the service says what is wrong
        if _arms(schema, "file") and text.startswith(_REMOTE):
            return text
        if any(not arm.get("type") and "enum" not in arm for arm in arms):
            return text
        raise WrongUsage(f"{name}: expected {self._type(schema)}, not {text!r}")

    def _choice(self, text: str, schema: Schema, name: str) -> Any:
        choices = schema["enum"]
        if text in choices:
            return text
        found = _json(text)
        if found in choices or found is None:
            return found
        raise WrongUsage(f"{name}: {text!r} is none of {', '.join(map(str, choices))}")

    def _resolved(self, schema: Schema) -> Schema:
        if found := arms_of(schema):
            arms = [self._resolved(arm) for arm in found]
            kinds = [arm for arm in arms if arm.get("type") != "null"]
            if len(kinds) > 1:
                return _union(arms, schema)
            return {**kinds[0], "default": schema["default"]} if "default" in schema else kinds[0]
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix("#/$defs/")
            return self._resolved(self._definitions.get(name, {}))
        return schema

    def _type(self, schema: Schema) -> str:
        return type_text(schema, self._definitions)


def _union(arms: Sequence[Schema], schema: Schema) -> Schema:
    """The union of these arms, none of which is one, with the default of `schema`."""
    flat = [each for arm in arms for each in arms_of(arm) or (arm,)]
    return {"anyOf": flat, **({"default": schema["default"]} if "default" in schema else {})}


def _content(source: Source, schema: Schema) -> Any:
    """What a source holds, as the first arm of a union that can be read from it."""
    if files := _arms(schema, "file"):
        return source.value(files[0])
    for arm in (*_arms(schema, "tensor"), *_arms(schema, "dataframe")):
        with suppress(WrongUsage):
            return source.value(arm)
    return source.value(schema)


def _arms(schema: Schema, kind: str) -> list[Schema]:
    """The arms of a union that are of a type."""
    return [arm for arm in schema.get("anyOf", ()) if arm.get("type") == kind]


def _takes(arm: Schema, value: Any) -> bool:
    """Whether an arm of a union takes a value of JSON, by its type."""
    if "enum" in arm or "const" in arm:
        return value in arm.get("enum", [arm.get("const")])
    kind = arm.get("type")
    match value:
        case None:
            return kind in ("null", None)
        case bool():
            return kind in ("boolean", None)
        case int():
            return kind in ("integer", "number", "tensor", None)
        case float():
            return kind in ("number", "tensor", None)
        case str():
            return kind in ("string", None)
        case list():
            return kind in ("array", "tensor", "dataframe", None)
        case _:
            return kind in ("object", "dataframe", None)


class _NoJson:
    pass


_NO_JSON = _NoJson()


def _json(text: str) -> Any:
    """What a text is in JSON; `_NO_JSON` if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _is_source(text: str) -> bool:
    return text.startswith("@") and not text.startswith("@@")


def _is_binary(schema: Schema) -> bool:
    return schema.get("type") == "string" and schema.get("format") == "binary"
