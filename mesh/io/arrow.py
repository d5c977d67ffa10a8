"""Arrow IPC streams: tables as bytes that any language reads, without a copy of the numbers.

pyarrow is optional and loaded only when a stream is read or written.
"""

import struct
from functools import cache, partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from mesh.errors import UnsupportedMediaType
from mesh.io.arrow_bounds import check_type, check_unpacked
from mesh.io.types.table import Column, Orient, Table, text

UNPACKED = 256 * 2**20
"""Most bytes that compressed buffers of one stream may say they unpack to."""

# What else Python's objects raise for values out of their range, zones and names unknown to them.
_ODD = (ArithmeticError, AttributeError, LookupError, OSError, TypeError)
_FEW = 65_536  # rows that a stream may have whatever its length


@cache
def is_installed() -> bool:
    """Whether there is a pyarrow to read and write streams with."""
    return find_spec("pyarrow") is not None


def read_stream(data: bytes | memoryview, *, unpacked: int = UNPACKED) -> Any:
    """The pyarrow.Table of an Arrow IPC stream; its numbers are views of `data`.

    Raises ValueError for a stream that is broken, cut short, says that it holds more than it
    can, or unpacks to more than `unpacked` bytes; UnsupportedMediaType without pyarrow.
    """
    pa = _pyarrow()
    try:
        check_unpacked(pa, data, unpacked)
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            for field in reader.schema:
                check_type(pa, field.name, field.type, top=True)
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, EOFError, struct.error, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0] or "it ends too soon"
        raise ValueError(f"not a readable Arrow stream: {reason}") from None
    except MemoryError:
        raise ValueError("an Arrow stream says that it holds more than there is memory") from None
    if table.num_rows > max(_FEW, 8 * len(data)):
        raise ValueError(f"an Arrow stream of {len(data)} bytes can't have {table.num_rows} rows")
    return table


def write_table(table: Any, *, index: bool = True) -> bytes:
    """The Arrow IPC stream of a Table, Column, pyarrow.Table, DataFrame or Series.

    With `index`, the index of a frame becomes columns, unless it only counts the rows; pandas
    makes an index of them again. Raises ValueError for values that Arrow has no type for,
    UnsupportedMediaType without pyarrow.
    """
    pa = _pyarrow()
    try:
        arrow = _to_arrow(pa, table, index=index)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, arrow.schema) as writer:
            writer.write_table(arrow)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError) as error:
        raise ValueError(f"an Arrow stream can't carry this: {error}") from None
    written: bytes = sink.getvalue().to_pybytes()
    return written


def to_table(arrow: Any, orient: Orient = "records") -> Table:
    """The wire value of a pyarrow.Table."""
    return Table(partial(_columns, arrow), orient, source=arrow)


def to_frame(arrow: Any) -> Any:
    """The pandas DataFrame of a pyarrow.Table. Raises ValueError if pandas can't hold it."""
    pa = _pyarrow()
    try:
        names = arrow.column_names
        if len(set(names)) == len(names):
            # Metadata that pandas did not write may have any form.
            return arrow.to_pandas()
        # pandas finds the types of columns by their names.
        numbered = arrow.rename_columns(list(map(str, range(len(names)))))
        frame = numbered.replace_schema_metadata().to_pandas()
        frame.columns = names
        return frame
    except (pa.ArrowException, *_ODD) as error:
        raise ValueError(f"an Arrow table that pandas can't hold: {error}") from None


def is_arrow(value: object) -> bool:
    """Whether a value is a pyarrow.Table; loads nothing."""
    cls = type(value)
    return cls.__name__ == "Table" and cls.__module__.partition(".")[0] == "pyarrow"


def _pyarrow() -> ModuleType:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise UnsupportedMediaType(
            "this needs pyarrow, which is not installed: pip install serving-mesh[arrow]"
        ) from None
    module: ModuleType = pa
    return module


def _to_arrow(pa: ModuleType, table: Any, *, index: bool) -> Any:
    source = table.source if isinstance(table, Table | Column) else table
    if is_arrow(source):
        return source
    if source is None:
        columns = table.columns if isinstance(table, Table) else (table,)
        return _from_columns(pa, columns)
    return _from_pandas(pa, source, index=index)


def _from_columns(pa: ModuleType, columns: tuple[Column, ...]) -> Any:
    arrays = []
    for column in columns:
        values, missing = column.values, column.validity
        kind = pa.string() if values.dtype.kind == "O" else None
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        mask = None if missing is None else ~missing
        arrays.append(pa.array(values, type=kind, mask=mask))
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def _from_pandas(pa: ModuleType, frame: Any, *, index: bool) -> Any:
    if frame.ndim == 1:
        frame = frame.to_frame(name="" if frame.name is None else str(frame.name))
    if frame.columns.is_unique:
        # None keeps an index that only counts as metadata, and any other as columns.
        return pa.Table.from_pandas(frame, preserve_index=None if index else False)
    arrays = [pa.array(frame.iloc[:, at], from_pandas=True) for at in range(len(frame.columns))]
    return pa.Table.from_arrays(arrays, names=[str(name) for name in frame.columns])


def _columns(arrow: Any) -> list[Column]:
    pa = _pyarrow()
    return [
        _column(pa, name, values, arrow.select([at]).replace_schema_metadata())
        for at, (name, values) in enumerate(zip(arrow.column_names, arrow.columns, strict=True))
    ]


def _column(pa: ModuleType, name: str, values: Any, source: Any) -> Column:
    kind, is_type = values.type, pa.types
    validity = np.asarray(values.is_valid()) if values.null_count else None
    if is_type.is_floating(kind):
        return Column(name, values.to_numpy(), validity)  # NaN where one is missing
    if is_type.is_boolean(kind) or is_type.is_integer(kind):
        if validity is not None:
            values = values.fill_null(pa.scalar(0, pa.int8()).cast(kind))
        return Column(name, values.to_numpy(), validity)
    if is_type.is_string(kind) or is_type.is_large_string(kind):
        return Column(name, text(values.fill_null("").to_pylist()), validity)
    if is_type.is_duration(kind) or (is_type.is_timestamp(kind) and kind.tz is None):
        return Column(name, values.to_numpy(), validity, source)
    return Column(name, _objects(pa, values), validity, source)


def _objects(pa: ModuleType, values: Any) -> Any:
    """Python's objects, for types that NumPy has none for."""
    kind = values.type
    try:
        if pa.types.is_timestamp(kind):
            # Nanoseconds have no class outside pandas.
            values = values.cast(pa.timestamp("us", kind.tz), safe=False)
        return text(values.to_pylist())
    except (pa.ArrowException, *_ODD) as error:
        raise ValueError(f"an Arrow column of {kind} can't be read: {error}") from None
