"""Arrays of fractions out of a JSON text, without a Python number for each element."""

from collections.abc import Mapping
from math import prod
from typing import Any, Final

import numpy as np
import simdjson

from mesh.io.types.elements import Array

_SHORT: Final = 8
"""Elements of an innermost list below which Python's own lists cost less."""


def parse(text: bytes, numbers: Mapping[str, np.dtype[Any]], root: np.dtype[Any] | None) -> Any:
    """The value of a JSON text, in which some lists are arrays already.

    `numbers` has the element type, a floating one, of each name in an object at the top whose
    lists may be such; `root` that of the whole value. A list stays one if it is ragged, short, or
    has anything but numbers that the type can hold.

    Raises ValueError for what is no JSON proper, for a name given twice, and for numbers beyond
    64 bits.
    """
    try:
        found = simdjson.Parser().parse(text)
    except RuntimeError as error:  # numbers beyond 64 bits, great depth
        raise ValueError(str(error)) from None
    if isinstance(found, simdjson.Object):
        names = list(found.keys())
        if len(set(names)) < len(names):
            raise ValueError("a name is given twice")
        return {name: _value(found[name], numbers.get(name)) for name in names}
    return _value(found, root)


def _value(value: Any, dtype: np.dtype[Any] | None) -> Any:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    if isinstance(value, simdjson.Array):
        array = None if dtype is None else _array(value, dtype)
        return value.as_list() if array is None else array
    return value


def _array(value: simdjson.Array, dtype: np.dtype[Any]) -> Array | None:
    shape = _shape(value)
    if shape is None or shape[-1] < _SHORT:
        return None
    try:
        numbers = np.frombuffer(value.as_buffer(of_type="d"), np.float64)
    except TypeError:  # something in it is no number
        return None
    if numbers.size != prod(shape):
        return None
    with np.errstate(over="ignore"):
        made = numbers.astype(dtype)
    if dtype != np.float64 and np.isinf(made).any():
        return None
    return made.reshape(shape)


def _shape(value: simdjson.Array) -> tuple[int, ...] | None:
    """The extents of nested lists; None if they are not all alike."""
    extent = len(value)
    if not extent or not isinstance(value[0], simdjson.Array):
        return (extent,)
    first = _shape(value[0])
    if first is None or first[-1] < _SHORT:
        return first
    for each in value:
        if not isinstance(each, simdjson.Array) or _shape(each) != first:
            return None
    return (extent, *first)
