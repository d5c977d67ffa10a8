"""The form of a reply that nobody asked for another: text, bytes, a file, else JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

from mesh.call import JSON
from mesh.io.json_schema import walk
from mesh.io.json_text import json_text, spaced_json
from mesh.io.media import TEXT
from mesh.io.models import is_model
from mesh.io.replies.encoder import Encode, Style
from mesh.io.replies.values import Values
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import OCTETS

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Natural:
    """How results are written, unless they are files.

    `write` takes checked results, `write_wire` wire values where a result can be of a kind.
    `declared` tells whether `media_type` is what the annotation says.
    """

    media_type: str
    write: Encode
    write_wire: Encode | None = None
    declared: bool = False


def natural(
    annotation: Any, values: Values, of: TypeAdapter[Any], schema: Schema, style: Style
) -> Natural:
    """The natural form of results of `annotation`, whose schema as a result is `schema`."""
    said = _content_type(annotation)
    if schema.get("type") == "string" and not _is_file(values):
        media_type = _text_type(said) if said is not None else TEXT
        is_binary = schema.get("format") == "binary"
        return Natural(
            media_type,
            bytes if is_binary else _text_writer(of),
            declared=said is not None and not said.is_pattern,
        )
    spaced = style.spaced and not is_model(annotation)
    if values.kinds or values.is_free:
        write_wire = spaced_json if spaced else json_text
        return Natural(JSON, _through(values.wire, write_wire), write_wire)
    write = _json_writer(values, of, schema)
    return Natural(JSON, _spaced(write) if spaced else write)


def _is_file(values: Values) -> bool:
    return values.root is not None and values.root.json_schema().get("type") == "file"


def _content_type(annotation: Any) -> ContentType | None:
    if get_origin(annotation) is not Annotated:
        return None
    found = [each for each in get_args(annotation)[1:] if isinstance(each, ContentType)]
    return found[-1] if found else None


def _text_type(said: ContentType) -> str:
    if said.is_pattern:
        return OCTETS
    is_bare = said.pattern.startswith("text/") and "charset=" not in said.pattern.lower()
    return f"{said.pattern}; charset=utf-8" if is_bare else said.pattern


def _text_writer(of: TypeAdapter[Any]) -> Encode:
    def write(value: Any) -> bytes:
        if isinstance(value, bytes):
            return value
        if type(value) is not str:
            value = of.dump_python(value, mode="json", warnings=False)
        text: str = value
        return text.encode()

    return write


def _through(wire: Callable[[Any], Any], write_wire: Encode) -> Encode:
    return lambda value: write_wire(wire(value))


def _json_writer(values: Values, of: TypeAdapter[Any], schema: Schema) -> Encode:
    """What pydantic can write by itself; arrays and the like where anything may be can't."""
    may_lose = _may_lose_numbers(schema)

    def write(value: Any) -> bytes:
        try:
            text = of.dump_json(value, by_alias=True, warnings=False)
            if not may_lose or b"null" not in text:
                return text
            # A number that is not finite is null in a model, unless the model says otherwise.
            plain = of.dump_python(value, mode="json", by_alias=True, warnings=False)
            return to_json(plain, inf_nan_mode="constants")
        except PydanticSerializationError:
            return json_text(values.wire(value))

    return write


def _may_lose_numbers(schema: Schema) -> bool:
    parts = list(walk(schema))
    return any(each.get("properties") for each in parts) and any(
        each.get("type") == "number" or not {"type", "$ref", "anyOf", "enum", "const"} & set(each)
        for each in parts
    )


def _spaced(write: Encode) -> Encode:
    return lambda value: json.dumps(json.loads(write(value))).encode()
