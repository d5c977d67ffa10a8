"""The elements of one tensor: raw, as typed contents, as JSON, and as an array.

Arrays of BYTES are of objects, each of them bytes; those of BF16 are `Bfloat16`. Every function
that reads raises ValueError in one sentence, for a caller who knows the tensor's name.
"""

from collections.abc import Iterable, Sequence
from math import prod
from struct import Struct
from typing import Any, Final

import numpy as np

from mesh.io.json_text import json_text
from mesh.io.open_inference.datatypes import BF16, BOOL, BYTES, DATATYPES, FP32, NUMBERS, bits_of
from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array, is_too_hollow
from mesh.io.types.nested import from_lists
from mesh.io.types.tensor import tensor_json
from mesh.v1.open_inference_pb2 import InferTensorContents

_LENGTH = Struct("<I")
_DEEPEST: Final = 64
"""Dimensions of an array at most."""
_CONTENTS: Final = {
    BOOL: "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    FP32: "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""The field of InferTensorContents that has the elements of each datatype."""


def checked(datatype: Any, shape: Any) -> tuple[str, tuple[int, ...]]:
    """Datatype and shape as a request says them."""
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise ValueError(f"there is no datatype {datatype!r}")
    if not isinstance(shape, Sequence) or isinstance(shape, str | bytes):
        raise ValueError("the shape is no list of extents")  # noqa: TRY004 - bad input, no bad call
    extents = tuple(shape)
    if any(type(each) is not int or each < 0 for each in extents):
        raise ValueError("an extent of the shape is no whole number from 0")
    if len(extents) > _DEEPEST:
        raise ValueError(f"the shape has more than {_DEEPEST} dimensions")
    if is_too_hollow(extents):
        raise ValueError("the shape has no elements in that many lists")
    return datatype, extents


def from_raw(datatype: str, shape: tuple[int, ...], data: bytes | memoryview) -> Array:
    """The array of a tensor's bytes: a read-only view of them where that is possible."""
    if datatype == BYTES:
        return _objects(_split(data, prod(shape)), shape)
    dtype = NUMBERS.get(datatype, np.dtype("<u2"))
    want = prod(shape) * dtype.itemsize
    if len(data) != want:
        raise ValueError(f"{_said(datatype, shape)} has {want} bytes, not {len(data)}")
    if datatype == BOOL:
        # Any other byte would be neither true nor false to NumPy.
        truth: Array = np.frombuffer(data, np.uint8) != 0
        return truth.reshape(shape)
    elements = np.frombuffer(data, dtype).reshape(shape)
    return Bfloat16.of_bits(elements) if datatype == BF16 else elements


def _split(data: bytes | memoryview, count: int) -> list[bytes]:
    """The elements of BYTES, each behind its length."""
    view = memoryview(data)
    found: list[bytes] = []
    position, size = 0, len(view)
    while position < size:
        if len(found) == count:
            raise ValueError(f"there are more than {count} elements")
        start = position + _LENGTH.size
        if start > size:
            raise ValueError("the length of an element is cut off")
        (length,) = _LENGTH.unpack_from(view, position)
        position = start + length
        if position > size:
            raise ValueError("an element is shorter than its length says")
        found.append(bytes(view[start:position]))
    if len(found) != count:
        raise ValueError(f"there are {len(found)} elements, and the shape has {count}")
    return found


def _objects(elements: Sequence[bytes], shape: tuple[int, ...]) -> Array:
    found: Array = np.empty(len(elements), object)
    found[:] = elements
    return found.reshape(shape)


def from_contents(datatype: str, shape: tuple[int, ...], contents: InferTensorContents) -> Array:
    """The array of typed contents."""
    field = _CONTENTS.get(datatype)
    if field is None:
        raise ValueError(f"{datatype} has no typed contents: send it raw")
    others = [found.name for found, _ in contents.ListFields() if found.name != field]
    if others:
        raise ValueError(f"elements of {datatype} are in {field}, not in {others[0]}")
    elements = getattr(contents, field)
    if len(elements) != prod(shape):
        raise ValueError(f"{_said(datatype, shape)} does not have {len(elements)} elements")
    if datatype == BYTES:
        return _objects(elements, shape)
    return _numbers(list(elements), datatype).reshape(shape)


def from_json(datatype: str, shape: tuple[int, ...], data: Any) -> Array:
    """The array of elements in JSON, in one list or in nested ones; BYTES are text there."""
    if not isinstance(data, list):
        raise ValueError("the data is no list")  # noqa: TRY004 - as above
    if datatype == BYTES:
        _, words = flat(data)
        count = len(words)
    else:
        numbers = _numbers(data, datatype) if data else np.empty(0, _array_type(datatype))
        count = numbers.size
    if count != prod(shape):
        raise ValueError(f"{_said(datatype, shape)} does not have {count} elements")
    if datatype == BYTES:
        return _objects([_encoded(each) for each in words], shape)
    return numbers.reshape(shape)


def _array_type(datatype: str) -> np.dtype[Any]:
    return NUMBERS.get(datatype, np.dtype(np.float32))


def _numbers(data: list[Any], datatype: str) -> Array:
    found = from_lists(data, _array_type(datatype)) if data else np.empty(0, _array_type(datatype))
    return _narrowed(found) if datatype == BF16 else found


def _narrowed(array: Array) -> Array:
    """float32 rounded to what bfloat16 holds, ties to even."""
    whole = np.ascontiguousarray(array, np.float32)
    bits = whole.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    quiet = bits | np.uint32(0x00400000)  # else what makes it NaN could be cut off
    upper = (np.where(np.isnan(whole), quiet, rounded) >> np.uint32(16)).astype(np.uint16)
    return Bfloat16.of_bits(upper)


def _encoded(element: Any) -> bytes:
    if not isinstance(element, str):
        raise ValueError("an element of BYTES is no text")  # noqa: TRY004 - as above
    return element.encode()  # UnicodeEncodeError is a ValueError


def flat(value: Any) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested lists, and their elements in order; a bare element has shape ()."""
    shape: list[int] = []
    level = [value]
    while level and type(level[0]) is list:
        extents = {len(each) if type(each) is list else -1 for each in level}
        if len(extents) != 1 or len(shape) == _DEEPEST:
            raise ValueError("the lists are not all of one length")
        shape.append(extents.pop())
        level = [item for each in level for item in each]
    if any(type(each) is list for each in level):
        raise ValueError("the lists are not all of one depth")
    return tuple(shape), level


def to_raw(array: Array) -> bytes:
    """The bytes of a tensor."""
    if array.dtype.kind == "O":
        parts: list[bytes] = []
        for element in array.ravel().tolist():
            parts += (_LENGTH.pack(len(element)), element)
        return b"".join(parts)
    bits = bits_of(array)
    if bits is not None:
        return bits.astype("<u2", copy=False).tobytes()
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def is_typed(datatype: str) -> bool:
    """Whether the datatype has typed contents."""
    return datatype in _CONTENTS


def to_contents(datatype: str, array: Array) -> InferTensorContents:
    """The array as typed contents, which its datatype has."""
    contents = InferTensorContents()
    getattr(contents, _CONTENTS[datatype]).extend(array.ravel().tolist())
    return contents


def to_json(array: Array) -> bytes:
    """One list of all elements, as JSON. Raises ValueError for bytes that are no text."""
    if array.dtype.kind != "O":
        return tensor_json(np.asarray(array).reshape(-1))
    return json_text([_text(each) for each in array.ravel().tolist()])


def _text(element: bytes) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError:
        raise ValueError("an element is no text: ask for it with binary_data") from None


def texts(elements: Iterable[bytes]) -> list[str]:
    """Elements of BYTES as text."""
    try:
        return [each.decode() for each in elements]
    except UnicodeDecodeError:
        raise ValueError("an element is no text in UTF-8") from None


def _said(datatype: str, shape: tuple[int, ...]) -> str:
    return f"{datatype} of shape [{','.join(map(str, shape))}]"
