"""What Python says about a value, as comments for readers of a .proto."""

import dataclasses
import inspect
import json
import textwrap
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import annotated_types
import numpy as np
from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from mesh.io.types.content_type import ContentType
from mesh.io.types.frame_schema import DataframeSchema
from mesh.io.types.registry import kind_of
from mesh.io.types.tensor import DType, Shape

WIDTH = 92
"""Characters of a line of comments at most."""
_LONGEST = 200
"""Characters of a default or an example that is shown."""
_BOUNDS = {
    annotated_types.Ge: ("at least {}", "ge"),
    annotated_types.Gt: ("more than {}", "gt"),
    annotated_types.Le: ("at most {}", "le"),
    annotated_types.Lt: ("less than {}", "lt"),
    annotated_types.MultipleOf: ("a multiple of {}", "multiple_of"),
    annotated_types.MinLen: ("at least {} long", "min_length"),
    annotated_types.MaxLen: ("at most {} long", "max_length"),
}


def paragraph(text: str) -> tuple[str, ...]:
    """A docstring as lines; paragraphs and indented blocks keep their form."""
    lines: list[str] = []
    for block in inspect.cleandoc(text).split("\n\n"):
        if lines:
            lines.append("")
        own = block.splitlines()
        is_prose = not any(line[:1].isspace() or line[:1] in "-*>|" for line in own)
        lines += textwrap.wrap(" ".join(own), WIDTH) if is_prose else own
    return tuple(line.rstrip() for line in lines)


def field_comment(annotation: Any, default: Any = PydanticUndefined) -> tuple[str, ...]:
    """What is known of an input or a field: description, unit, bounds, default, examples.

    `default` is a value, a FieldInfo, or PydanticUndefined if it must be given.
    """
    known = [each for each in (default, *_metadata(annotation)) if isinstance(each, FieldInfo)]
    plain = [each for each in _metadata(annotation) if not isinstance(each, FieldInfo)]
    marks = [*plain, *(mark for each in known for mark in each.metadata)]
    lines: list[str] = []
    description = next((each.description for each in known if each.description), "")
    lines += paragraph(description) if description else ()
    facts = list(dict.fromkeys([*_units(known), *filter(None, map(_mark, marks))]))
    if facts:
        lines += textwrap.wrap(_sentence("; ".join(facts)), WIDTH)
    value = _default(default)
    if value is not PydanticUndefined and (shown := _shown(value)):
        lines += _wrapped(f"Default: {shown}.")
    examples = [_shown(each) for found in known for each in found.examples or ()]
    if any(examples):
        name = "Example" if len(examples) == 1 else "Examples"
        lines += _wrapped(f"{name}: {', '.join(filter(None, examples))}.")
    return tuple(lines)


def class_comment(cls: type) -> tuple[str, ...]:
    """The docstring that a class has of its own, not one that Python made for it."""
    doc = vars(cls).get("__doc__") or ""
    made = doc.startswith(f"{cls.__name__}(") and (
        dataclasses.is_dataclass(cls) or issubclass(cls, tuple)
    )
    is_stock = issubclass(cls, Enum) and doc == Enum.__doc__
    return () if made or is_stock or doc == BaseModel.__doc__ else paragraph(doc)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _metadata(annotation: Any) -> Iterable[Any]:
    while get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        yield from metadata


def _units(known: Iterable[FieldInfo]) -> list[str]:
    """Units, which are given as `Field(json_schema_extra={"unit": "seconds"})`."""
    found = []
    for each in known:
        extra = each.json_schema_extra
        if isinstance(extra, Mapping):
            said = extra.get("unit") or extra.get("units")
            found += [f"in {said}"] if said else []
    return found


def _mark(mark: Any) -> str:
    match mark:
        case Shape(extents):
            return f"shape ({', '.join('any' if each < 0 else str(each) for each in extents)})"
        case DType(name):
            return f"elements of {name}"
        case ContentType():
            return f"media type {mark.pattern}"
        case DataframeSchema() if mark.columns:
            return f"columns {', '.join(mark.columns)}"
    for cls, (phrase, attribute) in _BOUNDS.items():
        if isinstance(mark, cls):
            return phrase.format(_shown(getattr(mark, attribute)))
    pattern = getattr(mark, "pattern", None)
    return f"matches {pattern}" if isinstance(pattern, str) else ""


def _default(default: Any) -> Any:
    if isinstance(default, FieldInfo):
        if default.default_factory is not None or default.is_required():
            return PydanticUndefined
        return default.default
    return default


def _shown(value: Any) -> str:
    """The value as JSON has it; empty for one that is too long, secret, or has no such form."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, (Secret, SecretStr, SecretBytes)):
        return ""
    if not isinstance(value, bytes) and kind_of(type(value)) is not None:
        return ""  # a frame, a file, a tensor
    if isinstance(value, Enum):
        return value.name  # whatever its value is: messages have names
    try:
        text = _json(value)
    except (TypeError, ValueError):  # pydantic's own among them
        return ""
    # A message has empty lists and objects by itself.
    return text if len(text) <= _LONGEST and text not in ("[]", "{}") else ""


def _json(value: Any) -> str:
    plain = to_jsonable_python(value, inf_nan_mode="strings")
    return json.dumps(plain, ensure_ascii=False)
