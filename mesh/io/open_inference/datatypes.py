"""Datatypes of the Open Inference Protocol, and NumPy's element types."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array, is_bfloat16

BOOL: Final = "BOOL"
BYTES: Final = "BYTES"
"""Elements of any length: text, or what else bytes are."""
BF16: Final = "BF16"
INT64: Final = "INT64"
FP32: Final = "FP32"
FP64: Final = "FP64"

NUMBERS: Final[Mapping[str, np.dtype[Any]]] = MappingProxyType(
    {
        BOOL: np.dtype(np.bool_),
        **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
        **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
        **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    }
)
"""Datatypes of which NumPy has the elements, with these as they are on the wire."""
DATATYPES: Final = frozenset((*NUMBERS, BF16, BYTES))
"""All of them."""

_NAMES = {dtype: name for name, dtype in NUMBERS.items()}


def datatype_of(dtype: np.dtype[Any]) -> str | None:
    """The datatype of an element type; None for one that the protocol has not."""
    if dtype.kind in "UO":
        return BYTES
    if is_bfloat16(dtype):
        return BF16
    return _NAMES.get(dtype.newbyteorder("<"))


def bits_of(array: Array) -> Array | None:
    """The two bytes of each element if the array is one of bfloat16, as uint16; else None."""
    if isinstance(array, Bfloat16):
        return array.bits()
    if is_bfloat16(array.dtype):
        return np.ascontiguousarray(array).view(np.uint16)
    return None
