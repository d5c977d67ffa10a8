"""mesh.v1.Value to Python and back: None, bool, int, float, str, bytes, arrays, lists, dicts."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mesh.errors import InvalidArgument, Violation
from mesh.io.types.tensor import Array
from mesh.io.wire import Chunks, put_value
from mesh.v1.types_pb2 import DataType, Tensor, Value

_DTYPES: dict[int, np.dtype[Any]] = {
    DataType.Value(f"DATA_TYPE_{name.upper()}"): np.dtype(name).newbyteorder("<")
    for name in (
        *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
_LONGEST = sys.int_info.default_max_str_digits


def value_bytes(value: Any) -> bytes:
    """A Python value as a serialized mesh.v1.Value.

    Tuples and sets become lists, models and dataclasses maps, NumPy scalars numbers; what else
    pydantic can write as JSON becomes what it would be there. Raises TypeError or ValueError for
    the rest.
    """
    out: Chunks = []
    put_value(out, value)
    return b"".join(out)


def from_value(value: Value) -> Any:
    """The Python value of a mesh.v1.Value; arrays are read-only views of the message's bytes.

    Raises InvalidArgument with the path to the fault: a value that is not set or of a kind that
    no parameter takes, a tensor whose parts contradict each other.
    """
    return read_kind(value.WhichOneof("kind"), value)


def read_kind(kind: str | None, value: Value) -> Any:
    """As from_value, for a caller who knows which `kind` is set."""
    if kind is None:
        raise _fault("value_missing", "A value is required, and none is set")
    read = _READ.get(kind)
    if read is None:
        raise _fault("value_kind", f"Values of kind {kind} are not accepted here")
    return read(value)


def from_tensor(tensor: Tensor) -> Array:
    """The array of a tensor: a read-only view of its bytes (of booleans and text: a copy).

    Raises InvalidArgument where type, shape and data contradict each other.
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        return _special(tensor)
    shape = tuple(tensor.shape)
    try:
        array = np.frombuffer(tensor.data, dtype).reshape(shape)
    except ValueError:
        raise _contradiction(tensor, f"{len(tensor.data)} bytes of {dtype.name}") from None
    if array.shape != shape:  # NumPy takes -1 as "whatever is left"
        raise _contradiction(tensor, "an extent below zero")
    return array


def _special(tensor: Tensor) -> Array:
    shape = tuple(tensor.shape)
    if min(shape, default=0) < 0:
        raise _contradiction(tensor, "an extent below zero")
    try:
        if tensor.data_type == DataType.DATA_TYPE_BOOL:
            # Any other byte would be neither true nor false to NumPy.
            truth: Array = np.frombuffer(tensor.data, np.uint8) != 0
            return truth.reshape(shape)
        if tensor.data_type == DataType.DATA_TYPE_STRING:
            return np.array(tensor.strings, dtype=np.str_).reshape(shape)
        if tensor.data_type == DataType.DATA_TYPE_BFLOAT16:
            upper = np.frombuffer(tensor.data, "<u2").astype(np.uint32)
            whole: Array = np.left_shift(upper, 16).view(np.float32)
            return whole.reshape(shape)
    except ValueError:
        raise _contradiction(tensor, "the elements that it has") from None
    raise _fault("tensor_type", f"A tensor has no data type of number {tensor.data_type}")


def _contradiction(tensor: Tensor, have: str) -> InvalidArgument:
    shape = ",".join(map(str, tensor.shape))
    return _fault("tensor_shape", f"A tensor of shape ({shape}) cannot have {have}")


def _fault(kind: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, violations=(Violation((), kind, message),))


def _integer(value: Value) -> int:
    digits = value.big_integer
    if len(digits) > _LONGEST or not digits.removeprefix("-").isdecimal():
        raise _fault("big_integer", "A big integer is not a number of acceptable length")
    return int(digits)


def _list(value: Value) -> list[Any]:
    items = value.list.items
    try:
        return [from_value(item) for item in items]
    except InvalidArgument:
        return [_within(index, item) for index, item in enumerate(items)]


def _map(value: Value) -> dict[str, Any]:
    return {name: _within(name, item) for name, item in value.map.fields.items()}


def _within(step: str | int, item: Value) -> Any:
    try:
        return from_value(item)
    except InvalidArgument as error:
        raise error.within(step) from None


_READ: dict[str, Callable[[Value], Any]] = {
    "null": lambda _: None,
    "boolean": lambda value: value.boolean,
    "integer": lambda value: value.integer,
    "number": lambda value: value.number,
    "text": lambda value: value.text,
    "binary": lambda value: value.binary,
    "tensor": lambda value: from_tensor(value.tensor),
    "big_integer": _integer,
    "list": _list,
    "map": _map,
}
