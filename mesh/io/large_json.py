"""Large JSON bodies with arrays or frames in them, read faster than pydantic reads them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter
from pydantic_core import from_json

from mesh.io.array_text import parse
from mesh.io.types.kind import KIND

LARGE: Final = 1 << 16
"""Bytes from which on a body is parsed first and checked then, instead of both in one."""
_SAME = frozenset(
    (
        *("any", "none", "bool", "int", "float", "str", "list", "dict", "nullable", "default"),
        *("model", "model-fields", "model-field", "definitions", "definition-ref"),
        *("function-plain", "function-wrap", "no-info", "with-info"),
    )
)
"""Core schemas for which a parsed text is as good as the text itself.

Others may take more from a text (a strict date), or prefer another arm of a union.
"""

Validate = Callable[..., Any]
"""Takes a JSON text and, as `context`, the intake; raises pydantic's ValidationError."""


def json_validator(
    adapter: TypeAdapter[Any], numbers: Mapping[str, np.dtype[Any]], root: np.dtype[Any] | None
) -> Validate:
    """What reads JSON texts as `adapter` does, with its results and its errors.

    `numbers` are the inputs that take arrays of floating numbers, with their element types;
    `root` is that of a root input.
    """
    of_text: Validate = adapter.validator.validate_json
    of_value: Validate = adapter.validator.validate_python
    schemas = list(_dicts(adapter.core_schema))
    types = {each["type"] for each in schemas if isinstance(each.get("type"), str)}
    has_kinds = any(KIND in each for each in schemas)
    if not has_kinds or not types <= _SAME or any(each.get("strict") for each in schemas):
        return of_text

    has_arrays = bool(numbers) or root is not None

    def validate(text: bytes, *, context: Any) -> Any:
        if len(text) < LARGE:
            return of_text(text, context=context)
        try:
            found = parse(text, numbers, root) if has_arrays else from_json(text)
        except ValueError:  # no JSON, or more than JSON: NaN and the like
            return of_text(text, context=context)
        try:
            return of_value(found, context=context)
        except ValueError:  # a ValidationError, whose words are not those for texts
            return of_text(text, context=context)

    return validate


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict in a core schema, at any depth."""
    if isinstance(value, dict):
        yield value
        for key, each in value.items():
            if key != KIND:
                yield from _dicts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _dicts(each)
