"""Element types of arrays: their names, and what becomes what."""

from collections.abc import Iterable
from math import prod
from typing import Any, Final, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
"""An array of any shape and element type."""

Casting = Literal["safe", "same_kind"]
"""What may happen to an array of another element type, in NumPy's words."""

NAMES: Final = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "str"),
)
"""The element types that annotations can name and that have a form on the wire."""


NUMBERS: Final = frozenset(np.dtype(name).char for name in NAMES if name not in ("bfloat16", "str"))
"""NumPy's one-letter codes of all of them but bfloat16 and text."""

ALIASES: Final = {
    "bool_": "bool",
    "str_": "str",
    "string": "str",
    "half": "float16",
    "float": "float32",
    "single": "float32",
    "double": "float64",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "cfloat": "complex64",
    "csingle": "complex64",
    "cdouble": "complex128",
}
"""Other names of some of them, in NumPy, torch and tensorflow."""

_HOLLOW = 1 << 20


def element_type(name: str) -> np.dtype[Any]:
    """NumPy's element type of one of `NAMES`.

    Raises TypeError for bfloat16 without the package that adds it to NumPy.
    """
    if name != "bfloat16":
        return np.dtype(name)
    try:
        import ml_dtypes  # noqa: PLC0415  # optional: tensorflow and jax bring it
    except ImportError:
        raise TypeError(
            'DType("bfloat16") of NumPy arrays needs the package ml_dtypes, which is not installed'
        ) from None
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def dtype_name(dtype: np.dtype[Any]) -> str:
    """As annotations and clients name it."""
    return "str" if dtype.kind == "U" else dtype.name


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether it is the element type that ml_dtypes adds, which this need not import."""
    return dtype.kind == "V" and dtype.name == "bfloat16"


def cast(array: Array, want: np.dtype[Any], casting: Casting) -> Array:
    """`array` itself if its elements are of type `want`, else a copy where `casting` allows it.

    Raises ValueError where it doesn't, or if a number is out of bounds for `want`.
    """
    have = array.dtype
    if have == want or have.kind == want.kind == "U":
        return array
    if not _may_become(have, want, casting):
        raise ValueError(f"expected elements of {dtype_name(want)}, not {dtype_name(have)}")
    with np.errstate(over="ignore"):
        made = array.astype(want)
    if not np.can_cast(have, want) and _lost(array, made):
        raise ValueError(f"a number is out of bounds for {want}")
    return made


def is_too_hollow(shape: Iterable[int]) -> bool:
    """Whether it is the shape of an array without elements that is many empty lists in JSON."""
    extents = list(shape)
    return 0 in extents and prod(filter(None, extents)) > _HOLLOW


def _may_become(have: np.dtype[Any], want: np.dtype[Any], casting: Casting) -> bool:
    if "U" in (have.kind, want.kind):
        return False
    if is_bfloat16(want):
        # NumPy has no such files, so a float32 that was widened for the way may come back.
        return have.kind in "biuf" and (casting == "same_kind" or have.itemsize <= 4)
    return np.can_cast(have, want, casting)


def _lost(array: Array, made: Array) -> bool:
    """Whether more than precision went missing: whole numbers wrapped, others became infinite."""
    if made.dtype.kind in "iu":
        return not np.array_equal(array, made)
    return bool((np.isinf(made) & np.isfinite(array)).any())
