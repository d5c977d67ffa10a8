"""mesh.v1.Value to Python's wire values and back.

None, bool, int, float, str, bytes, arrays, File, Table, Column, lists, dicts.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mesh.errors import InvalidArgument, Violation
from mesh.io.arrow import read_stream, to_table
from mesh.io.files.name import base_name
from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array, is_too_hollow
from mesh.io.types.file import File
from mesh.io.types.table import Column, Table, text
from mesh.io.wire import Chunks, put_value
from mesh.v1.types_pb2 import (
    Column as ColumnMessage,
    DataFrame,
    DataType,
    File as FileMessage,
    Tensor,
    Value,
)

_DTYPES: dict[int, np.dtype[Any]] = {
    DataType.Value(f"DATA_TYPE_{name.upper()}"): np.dtype(name).newbyteorder("<")
    for name in (
        *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
_TEXT_ROOM = 256 * 2**20  # bytes that an array of text may take
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


def from_tensor(tensor: Tensor, data: bytes | memoryview | None = None) -> Array:
    """The array of a tensor: a read-only view of its bytes (of booleans and text: a copy).

    `data` are its bytes where they are not in the message. Raises InvalidArgument where type,
    shape and data contradict each other.
    """
    if data is None:
        data = tensor.data
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        return _special(tensor, data)
    shape = tuple(tensor.shape)
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError:
        raise _contradiction(tensor, f"{len(data)} bytes of {dtype.name}") from None
    if array.shape != shape:  # NumPy takes -1 as "whatever is left"
        raise _contradiction(tensor, "an extent below zero")
    if not array.size:
        _bound_hollow(tensor)
    return array


def _bound_hollow(tensor: Tensor) -> None:
    """Refuses a shape that costs its sender nothing, and as nested lists all memory."""
    if is_too_hollow(tensor.shape):
        raise _contradiction(tensor, "no elements in that many lists")


def _special(tensor: Tensor, data: bytes | memoryview) -> Array:
    shape = tuple(tensor.shape)
    if min(shape, default=0) < 0:
        raise _contradiction(tensor, "an extent below zero")
    _bound_hollow(tensor)
    try:
        if tensor.data_type == DataType.DATA_TYPE_BOOL:
            # Any other byte would be neither true nor false to NumPy.
            truth: Array = np.frombuffer(data, np.uint8) != 0
            return truth.reshape(shape)
        if tensor.data_type == DataType.DATA_TYPE_STRING:
            return words(tensor.strings).reshape(shape)
        if tensor.data_type == DataType.DATA_TYPE_BFLOAT16:
            return Bfloat16.of_bits(np.frombuffer(data, "<u2")).reshape(shape)
    except ValueError:
        raise _contradiction(tensor, "the elements that it has") from None
    if tensor.data_type == DataType.DATA_TYPE_UNSPECIFIED:
        raise _fault("tensor_type", "A tensor has a data_type, and none is set")
    raise _fault("tensor_type", f"A tensor has no data type of number {tensor.data_type}")


def words(strings: Sequence[str]) -> Array:
    """An array of text. Raises InvalidArgument where it would take far more room than the texts."""
    # NumPy gives every element the room of the longest.
    if 4 * len(strings) * max(map(len, strings), default=0) > _TEXT_ROOM:
        raise _fault("tensor_text", "A tensor of text has an element too long for its number")
    return np.array(strings, dtype=np.str_)


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


def from_file(file: FileMessage) -> File:
    """The file of a message; of its name only what follows the last folder."""
    return File(file.data, file.media_type, base_name(file.filename), uri=file.uri)


def from_column(column: ColumnMessage) -> Column:
    """The column of a message; its values as from_tensor gives them, text as objects.

    Raises InvalidArgument where values and validity contradict each other.
    """
    tensor = column.values
    if column.arrow_stream:
        return _from_arrow(column)
    if tensor.data_type == DataType.DATA_TYPE_STRING:
        if list(tensor.shape) != [len(tensor.strings)]:
            raise _contradiction(tensor, f"{len(tensor.strings)} elements in one dimension")
        values = text(list(tensor.strings))
    else:
        values = np.asarray(from_tensor(tensor))
    validity = np.frombuffer(column.validity, np.uint8) != 0 if column.validity else None
    try:
        return Column(column.name, values, validity)
    except ValueError as error:
        raise _fault("column_shape", f"Column {column.name!r}: {error}") from None


def _from_arrow(message: ColumnMessage) -> Column:
    if message.HasField("values"):
        raise _fault("column_parts", "A column has values or an Arrow stream, not both")
    try:
        table = to_table(read_stream(message.arrow_stream))
        (column,) = table.columns
    except ValueError as error:
        raise _fault("column_shape", f"A column that can't be read: {error}") from None
    return Column(message.name, column.values, column.validity, column.source)


def from_frame(frame: DataFrame) -> Table:
    """The table of a message. Raises InvalidArgument where its parts contradict each other."""
    if frame.columns and frame.arrow_stream:
        raise _fault("frame_parts", "A frame has columns or an Arrow stream, not both")
    try:
        if frame.arrow_stream:
            return to_table(read_stream(frame.arrow_stream))
        return Table([_column(at, column) for at, column in enumerate(frame.columns)])
    except ValueError as error:
        raise _fault("frame_shape", f"A frame that can't be read: {error}") from None


def _column(at: int, column: ColumnMessage) -> Column:
    try:
        return from_column(column)
    except InvalidArgument as error:
        raise error.within(column.name or at) from None


def _list(value: Value) -> list[Any]:
    items = value.list.items
    try:
        return [from_value(item) for item in items]
    except InvalidArgument:
        return [_within(index, item) for index, item in enumerate(items)]


def _map(value: Value) -> dict[str, Any]:
    fields = value.map.fields
    ordered = dict.fromkeys(value.map.order)  # once each, however often they are said
    found = {name: _within(name, fields[name]) for name in ordered if name in fields}
    if len(found) < len(fields):
        found |= {name: _within(name, fields[name]) for name in fields if name not in found}
    return found


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
    "file": lambda value: from_file(value.file),
    "column": lambda value: from_column(value.column),
    "frame": lambda value: from_frame(value.frame),
    "big_integer": _integer,
    "list": _list,
    "map": _map,
}
