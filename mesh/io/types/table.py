"""Tables and their columns on their way: the wire values of data frames and series."""

import base64
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import isfinite
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic_core import to_json, to_jsonable_python

Orient = Literal["records", "columns"]
"""The form of a table in JSON: a list of rows, or an object of columns."""

Cells = np.ndarray[Any, np.dtype[Any]]

_ROWS = 512  # written at a time: their dicts are freed before the next are made
_CONSTANTS = {
    "nan": orjson.Fragment(b"NaN"),
    "inf": orjson.Fragment(b"Infinity"),
    "-inf": orjson.Fragment(b"-Infinity"),
}
_DATE_UNITS = ("s", "ms", "us", "ns")


class Column:
    """Values of one type under a name, which is empty for a series that has none.

    `values` has one dimension. Text is an array of objects, all str. `validity` is of the same
    length and False where a value is missing, whatever `values` holds there; None means that
    none is. A validity that is True everywhere is of a column that could have missing values.
    `source` is the series or Arrow table that the column was made of, if `values` doesn't say
    everything about it: categories, time zones, nested values (objects of any class).

    Immutable. No dataclass: pydantic would take it apart where it writes one.

    Raises ValueError for more dimensions or another length.
    """

    __slots__ = ("name", "source", "validity", "values")

    def __init__(
        self,
        name: str,
        values: Cells,
        validity: NDArray[np.bool_] | None = None,
        source: Any = None,
    ) -> None:
        if values.ndim != 1:
            raise ValueError(f"a column has one dimension, not {values.ndim}")
        if validity is not None and validity.shape != values.shape:
            raise ValueError(
                f"a column of {len(values)} values cannot have a validity of {validity.size}"
            )
        self.name = name
        self.values = values
        self.validity = validity
        self.source = source

    def __repr__(self) -> str:
        return f"Column({self.name!r}, {len(self)} of {self.values.dtype})"

    def __len__(self) -> int:
        return len(self.values)


class Table:
    """Columns of one length, in order.

    `orient` is the form in JSON. `source` is what the table was made of, a DataFrame or an Arrow
    table, for a reader who can use that; then `columns` may be a function, called when first
    they are asked for. `is_indexed` says that the rows of `source` have labels that mean
    something; they are none of the columns.

    Raises ValueError for columns of different lengths.
    """

    __slots__ = ("_columns", "is_indexed", "orient", "source")

    def __init__(
        self,
        columns: Sequence[Column] | Callable[[], Sequence[Column]],
        orient: Orient = "records",
        source: Any = None,
        *,
        is_indexed: bool = False,
    ) -> None:
        self.is_indexed = is_indexed
        self.orient: Orient = orient
        self.source = source
        self._columns = columns if callable(columns) else _of_one_length(columns)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns; their lengths are equal."""
        if callable(self._columns):
            self._columns = _of_one_length(self._columns())
        return self._columns

    def __repr__(self) -> str:
        names = [column.name for column in self.columns]
        return f"Table({names}, rows={len(self.columns[0]) if names else 0}, {self.orient})"


def _of_one_length(columns: Sequence[Column]) -> tuple[Column, ...]:
    for column in columns:
        if len(column) != len(columns[0]):
            raise ValueError(
                f"column {column.name!r} has {len(column)} values,"
                f" column {columns[0].name!r} has {len(columns[0])}"
            )
    return tuple(columns)


def text(values: Sequence[str]) -> Cells:
    """The values of a column of text."""
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


def plain(table: Table) -> list[dict[str, Any]] | dict[str, list[Any]]:
    """The rows or columns of a table as values that JSON has.

    Missing values are None; floats that are not finite stay. Dates are ISO 8601 texts, and so
    are durations, to the microsecond. Of columns with the same name the last counts. Raises
    ValueError for values that JSON can't carry.
    """
    names = [column.name for column in table.columns]
    lists = [plain_column(column) for column in table.columns]
    if table.orient == "columns":
        return dict(zip(names, lists, strict=True))
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]


def plain_column(column: Column) -> list[Any]:
    """The values of a column as values that JSON has; see plain."""
    kind, values = column.values.dtype.kind, column.values
    if kind == "O":
        return _plain_objects(column)
    if kind == "M":
        cells = _dates(values)
    elif kind == "m":
        cells = to_jsonable_python(values.astype("m8[us]").tolist())
    elif kind == "c":
        cells = to_jsonable_python(values.tolist())
    elif kind in "biufU":
        cells = values.tolist()
    else:
        raise ValueError(f"column {column.name!r} is of {values.dtype}, which JSON can't carry")
    missing = np.isnat(values) if kind in "mM" else _missing(column)
    return _without(cells, missing)


def table_json(table: Table) -> bytes:
    """The JSON text of a table: what `plain` gives, with `NaN` and `Infinity` for such floats.

    Raises ValueError for values that JSON can't carry.
    """
    try:
        if table.orient == "columns":
            lists = {column.name: _list(column) for column in table.columns}
            return orjson.dumps(lists)
        return b"[" + b",".join(_records(table)) + b"]"
    except TypeError:  # whole numbers of more than 64 bits; text that is not Unicode
        return to_json(plain(table), inf_nan_mode="constants")


def column_json(column: Column) -> bytes:
    """The JSON text of a column: a list; see table_json."""
    try:
        return orjson.dumps(_list(column))
    except TypeError:
        return to_json(plain_column(column), inf_nan_mode="constants")


def _records(table: Table) -> Iterator[bytes]:
    names = [column.name for column in table.columns]
    rows = zip(*(_tokens(column) for column in table.columns), strict=True)
    while some := [dict(zip(names, row, strict=True)) for row in islice(rows, _ROWS)]:
        yield orjson.dumps(some)[1:-1]


def _list(column: Column) -> Any:
    """What orjson writes as the list of a column's cells."""
    values = column.values
    if column.validity is not None or values.dtype.kind not in "biuf":
        return _tokens(column)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return _tokens(column)
    array = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return orjson.Fragment(orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY))


def _tokens(column: Column) -> list[Any]:
    """What orjson writes as the cells of a column; alone it has null for what is not finite."""
    cells = plain_column(column)
    kind = column.values.dtype.kind
    if kind == "f":
        odd = np.flatnonzero(~np.isfinite(column.values)).tolist()
    elif kind == "O":
        odd = [at for at, cell in enumerate(cells) if type(cell) is float and not isfinite(cell)]
    else:
        odd = []
    for at in odd:
        if cells[at] is not None:
            cells[at] = _CONSTANTS[repr(cells[at])]
    return cells


def _missing(column: Column) -> NDArray[np.bool_] | None:
    return None if column.validity is None else ~column.validity


def _without(cells: list[Any], missing: NDArray[np.bool_] | None) -> list[Any]:
    if missing is not None:
        for at in np.flatnonzero(missing).tolist():
            cells[at] = None
    return cells


def _dates(values: Cells) -> list[Any]:
    """ISO 8601 in the coarsest unit from seconds that leaves nothing out."""
    for unit in _DATE_UNITS:
        rounded = values.astype(f"M8[{unit}]")
        if np.array_equal(rounded.astype(values.dtype), values, equal_nan=True):
            return list(np.datetime_as_string(rounded).tolist())
    raise ValueError("a date is finer than nanoseconds")


def _plain_objects(column: Column) -> list[Any]:
    cells = _without(column.values.tolist(), _missing(column))
    if column.source is None:
        return cells  # text
    try:
        return [cell if type(cell) in _NATURAL else _natural(cell) for cell in cells]
    except ValueError as error:
        raise ValueError(f"column {column.name!r}: {error}") from None


_NATURAL = {str, int, bool, float, type(None)}


def _natural(cell: Any) -> Any:
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return "data:application/octet-stream;base64," + base64.b64encode(cell).decode()
    return to_jsonable_python(cell, inf_nan_mode="constants", fallback=_foreign)


def _foreign(cell: Any) -> Any:
    if isinstance(cell, np.generic | np.ndarray):
        return cell.tolist()
    raise ValueError(f"a {type(cell).__qualname__} has no form in JSON")
