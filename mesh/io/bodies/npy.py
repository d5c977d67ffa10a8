"""Arrays in NumPy's own file format, `application/x-npy`."""

from io import BytesIO
from math import prod
from tokenize import TokenError
from typing import Any, Final

import numpy as np

from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import NAMES, Array, dtype_name, is_bfloat16, is_too_hollow

_LONGEST: Final = 4096
"""Bytes of the longest header that is read; NumPy writes less than 600 of the deepest array's."""
_LARGEST_CODE: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)
_UNREADABLE: Final = (
    *(ValueError, TypeError, KeyError, OverflowError),
    *(SyntaxError, TokenError, RecursionError, MemoryError),  # of text that is no literal
    Warning,  # of headers that Python 2 wrote, where warnings are errors
)


def read_npy(data: bytes) -> Array:
    """The array in an .npy file: a read-only view of its bytes where they are in order.

    Booleans, text and elements of foreign byte order are copied. Raises ValueError for what is no
    such file, is cut off or goes on, or holds elements that are not numbers, booleans or text.
    """
    shape, fortran, dtype, start = _header(data)
    if dtype.hasobject or dtype_name(dtype) not in NAMES:
        raise ValueError(f"an array of {dtype} is not accepted")
    _check_extents(shape, dtype)
    have, want = len(data) - start, prod(shape) * dtype.itemsize
    if have != want:
        raise ValueError(f"the array has {have} bytes of elements, and its header says {want}")
    if not want:
        return np.zeros(shape, dtype.newbyteorder("="))
    flat = _readable(np.frombuffer(data, dtype, offset=start))
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def write_npy(array: Array) -> bytes:
    """The .npy file of an array, whose elements are copied once; bfloat16 becomes float32.

    Raises ValueError for elements that are not numbers, booleans or text.
    """
    if isinstance(array, Bfloat16):
        array = np.asarray(array)
    elif is_bfloat16(array.dtype):
        array = array.astype(np.float32)
    if array.dtype.hasobject or dtype_name(array.dtype) not in NAMES:
        raise ValueError(f"an array of {array.dtype} can't be written as npy")
    head = BytesIO()
    described = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(head, described)
    if not array.nbytes:
        return head.getvalue()
    ordered = array.T if described["fortran_order"] else array
    elements = np.ascontiguousarray(ordered).reshape(-1).view(np.uint8)
    return b"".join((head.getvalue(), elements.data))


def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether the first index runs fastest, element type, and where the elements begin."""
    head = BytesIO(bytes(data[: _LONGEST + 12]))
    try:
        version = np.lib.format.read_magic(head)
        # The third version is the second in UTF-8, which matters to names of fields only.
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError("a version that is not known")
        extents, fortran, dtype = read(head, max_header_size=_LONGEST)
    except _UNREADABLE:
        raise ValueError("this is no npy file, or its header is damaged") from None
    return tuple(extents), fortran, dtype, head.tell()


def _check_extents(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) > 64 or any(type(each) is not int or each < 0 for each in shape):
        raise ValueError("the array's header has a shape that no array can have")
    # Elements of no bytes, too, cost their sender nothing.
    count = prod(shape)
    if is_too_hollow(shape) or (count and not dtype.itemsize):
        raise ValueError("the array has too many elements or lists that are empty")


def _readable(flat: Array) -> Array:
    """Elements with no bytes in them that NumPy, Python or UTF-8 would stumble over."""
    if flat.dtype.kind == "b":
        # Any other byte would be neither true nor false to NumPy.
        truth: Array = flat.view(np.uint8) != 0
        return truth
    native = flat.astype(flat.dtype.newbyteorder("="), copy=False)
    if flat.dtype.kind == "U":
        codes = native.view(np.uint32)
        surrogates = (codes >= _SURROGATES.start) & (codes < _SURROGATES.stop)
        if codes.max() > _LARGEST_CODE or surrogates.any():
            raise ValueError("the array's text has characters that do not exist")
    return native
