"""Nested lists of numbers or text as arrays: exactly what they say, or refused."""

import struct
from collections.abc import Sequence
from itertools import chain
from numbers import Number
from typing import Any, Final, NamedTuple

import numpy as np

from mesh.io.types.elements import Array, dtype_name


class Natural(NamedTuple):
    """Element types of lists of which nothing is said: of whole numbers, and with fractions."""

    integers: np.dtype[Any] = np.dtype(np.int64)
    fractions: np.dtype[Any] = np.dtype(np.float64)


NATURAL: Final = Natural()
"""As NumPy has it."""

# Letters of the struct module, which packs a list in half the time that NumPy needs, refuses what
# is no number, and raises where NumPy would round to infinity.
_LETTERS = {
    np.dtype(name): letter
    for name, letter in (
        *(("int8", "b"), ("int16", "h"), ("int32", "i"), ("int64", "q")),
        *(("uint8", "B"), ("uint16", "H"), ("uint32", "I"), ("uint64", "Q")),
        *(("float32", "f"), ("float64", "d")),
    )
}
_READABLE = (Sequence, Number, np.generic)
_OPAQUE = (bytes, bytearray, memoryview)
_OTHERS = {type(None): "null", dict: "an object"}  # as JSON names them
_DEEPEST = 64  # dimensions of an array
_FEW = 16  # elements
_KINDS = "biufcU"  # booleans, whole numbers, fractions, complex numbers, text


def from_lists(value: Any, dtype: np.dtype[Any] | None, natural: Natural = NATURAL) -> Array:
    """The array of nested lists, or of one number or text; writable, in memory of its own.

    Without `dtype` it is `natural`. Raises ValueError for anything else, for lists of unequal
    lengths, and for elements that the element type can't hold.
    """
    is_list = type(value) is list
    if not is_list and (not isinstance(value, _READABLE) or isinstance(value, _OPAQUE)):
        name = _OTHERS.get(type(value), type(value).__name__)
        raise ValueError(f"expected an array, not {name}")
    is_fraction = dtype is not None and dtype.kind in "fc"
    if not (is_list and is_fraction and _is_small(value)):
        packed = _packed(value, dtype, natural)
        if packed is not None:
            return packed
    try:
        with np.errstate(over="raise"):
            if is_fraction:
                return np.array(value, dtype)
            return _exact(value, dtype, natural)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    except FloatingPointError:
        raise ValueError(f"a number is out of bounds for {dtype or natural.fractions}") from None
    except TypeError:
        raise ValueError("an element is no number") from None


def _is_small(value: list[Any]) -> bool:
    """Whether NumPy has read a list before struct could be set up."""
    if len(value) > _FEW:
        return False
    return not value or type(value[0]) is not list or len(value[0]) <= _FEW


def _packed(value: Any, dtype: np.dtype[Any] | None, natural: Natural) -> Array | None:
    """The array of lists that struct can pack; None leaves it to NumPy."""
    found = _rows(value)
    if found is None:
        return None
    rows, shape = found
    if dtype is None:
        first = type(rows[0][0])
        if first is not float and first is not int:
            return None
        dtype = natural.fractions if first is float else natural.integers
    letter = _LETTERS.get(dtype)
    if letter is None:
        return None
    pack = struct.Struct(f"={shape[-1]}{letter}").pack
    try:
        data = bytearray().join([pack(*row) for row in rows])
    except (struct.error, OverflowError):
        return None
    return np.frombuffer(data, dtype).reshape(shape)


def _rows(value: Any) -> tuple[list[list[Any]], list[int]] | None:
    """The innermost lists and the extents, where all lists of a depth are of one length."""
    shape: list[int] = []
    lists = [value]
    while len(shape) < _DEEPEST:
        if set(map(type, lists)) != {list} or len(extents := set(map(len, lists))) != 1:
            return None
        (extent,) = extents
        if extent == 0:
            return None
        shape.append(extent)
        if type(lists[0][0]) is not list:
            return lists, shape
        lists = list(chain.from_iterable(lists))
    return None


def _exact(value: Any, dtype: np.dtype[Any] | None, natural: Natural) -> Array:
    """An array whose elements are exactly those of `value`, which NumPy would round or parse."""
    found = np.array(value)
    kind = found.dtype.kind
    if kind not in _KINDS:
        raise ValueError("an element is no number of at most 64 bits, no boolean and no text")
    if dtype is None:
        return _as_natural(found, natural)
    if not found.size:
        return found.astype(dtype)
    if found.dtype == dtype or (kind == dtype.kind == "U"):
        return found
    if (kind == "U") != (dtype.kind == "U") and dtype.kind in "bU":
        raise ValueError(f"expected elements of {dtype_name(dtype)}, not {dtype_name(found.dtype)}")
    if dtype.kind in "iu" and kind in "fU":
        numbers = np.array(value, np.float64)
        if (np.isfinite(numbers) & (numbers != np.trunc(numbers))).any():
            raise ValueError(f"a number with a fraction does not fit {dtype}")
    return np.array(value, dtype)


def _as_natural(array: Array, natural: Natural) -> Array:
    want = {"i": natural.integers, "f": natural.fractions}.get(array.dtype.kind)
    if want is None or want == array.dtype:
        return array
    cast: Array = array.astype(want)
    if want.kind == "i" and not np.array_equal(cast, array):
        raise ValueError(f"a number is out of bounds for {want}")
    return cast
