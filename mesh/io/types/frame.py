"""Data frames and series of pandas as parameters and results.

Loaded when pandas is there already, because someone named one of its classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_origin

import numpy as np
import pandas as pd

from mesh.io.types.frame_schema import DataframeSchema
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.pandas_table import column_of, frame_of, series_of, table_of
from mesh.io.types.table import Column, Orient, Table

# What pandas raises for data of the wrong form, besides ValueError.
_MISFITS = (TypeError, LookupError, AttributeError, OverflowError)
_MANY = 1_000_000  # cells that a table may have, however few are given
_SPARSE = 32  # cells for each one given, in a table of more


@dataclass(frozen=True, slots=True)
class FrameType(Kind):
    """A DataFrame; `columns`, if given, are those that an argument gets and a result must have."""

    orient: Orient = "records"
    columns: tuple[str, ...] | None = None

    def marked(self, marker: object) -> "FrameType":
        """With the orient and columns of a DataframeSchema. Raises TypeError for another marker."""
        if not isinstance(marker, DataframeSchema):
            raise TypeError(f"{marker!r} says nothing about a DataFrame")
        return replace(self, orient=marker.orient, columns=marker.columns)

    def load(self, value: Any, _intake: Intake | None = None) -> pd.DataFrame:
        """A frame from records, an object of columns, rows, a Table or a pyarrow.Table.

        Values that are missing become NaN. Raises ValueError if the value has another form.
        """
        found = frame_of(value)
        if found is None:
            return self._build(value)
        if self.columns is None or list(found.columns) == list(self.columns):
            return found
        if not found.columns.is_unique:
            raise ValueError("two columns have the same name")
        return found.reindex(columns=list(self.columns))

    def _build(self, value: Any) -> pd.DataFrame:
        columns = None if self.columns is None else list(self.columns)
        try:
            return pd.DataFrame(_tabular(value, columns), columns=columns)
        except _MISFITS as error:
            raise ValueError(f"not the data of a table: {error}") from None

    def check(self, value: Any) -> pd.DataFrame:
        """The frame a method returned, or the frame of the lists or arrays that it returned."""
        found = FrameType().load(value)
        if isinstance(value, list | tuple | np.ndarray) and isinstance(
            found.columns, pd.RangeIndex
        ):
            return self.load(value)  # rows without names, which get them
        for name in self.columns or ():
            if name not in found.columns:
                raise ValueError(f"the result lacks column {name!r}")
        return found

    def wire(self, value: Any) -> Table:
        """The table of a frame, without its index. Raises ValueError for anything else."""
        if not isinstance(value, pd.DataFrame):
            raise _misfit("a DataFrame", value)
        return table_of(value, self.orient)

    def json_schema(self) -> dict[str, Any]:
        """`type`, `orient` and, if given, `columns`."""
        schema: dict[str, Any] = {"type": "dataframe", "orient": self.orient}
        if self.columns is not None:
            schema["columns"] = list(self.columns)
        return schema


@dataclass(frozen=True, slots=True)
class SeriesType(Kind):
    """A Series; in JSON a list."""

    def marked(self, marker: object) -> "SeriesType":
        """Raises TypeError: no marker says anything about a series."""
        raise TypeError(f"{marker!r} says nothing about a Series")

    def load(self, value: Any, _intake: Intake | None = None) -> "pd.Series[Any]":
        """A series from a list, an array of one dimension, a Column or a table of one column.

        Raises ValueError if the value has another form.
        """
        if isinstance(value, pd.Series):
            return value
        if isinstance(value, Column):
            return series_of(value)
        found = frame_of(value)
        if found is not None:
            if len(found.columns) != 1:
                raise ValueError(f"expected one column, not {len(found.columns)}")
            series = found.iloc[:, 0]
            return series.rename(None) if series.name == "" else series
        if not isinstance(value, list | tuple | np.ndarray | pd.Index):
            raise _misfit("a list of values", value)
        try:
            return pd.Series(value)
        except _MISFITS as error:
            raise ValueError(f"not the data of a series: {error}") from None

    def check(self, value: Any) -> "pd.Series[Any]":
        """The series a method returned, or that of the list or array that it returned."""
        return self.load(value)

    def wire(self, value: Any) -> Column:
        """The column of a series, without its index. Raises ValueError for anything else."""
        if not isinstance(value, pd.Series):
            raise _misfit("a Series", value)
        return column_of("" if value.name is None else str(value.name), value)

    def json_schema(self) -> dict[str, Any]:
        """That of a list, and `format`."""
        # Clients that don't know the format take it for any list.
        return {"type": "array", "items": {}, "format": "series"}


def kind(annotation: Any) -> Kind:
    """The kind of an annotation that names DataFrame, Series or a class derived from one."""
    cls = get_origin(annotation) or annotation
    return SeriesType() if issubclass(cls, pd.Series) else FrameType()


def wire_value(value: Any) -> Table | Column:
    """The wire value of a DataFrame or Series."""
    return SeriesType().wire(value) if isinstance(value, pd.Series) else FrameType().wire(value)


def _tabular(value: Any, wanted: Sequence[str] | None) -> Any:
    """`value` if it has a form that pandas makes a frame of. Raises ValueError.

    `wanted` are the columns of the frame, if they are given.
    """
    if isinstance(value, dict):
        names = value if wanted is None else [name for name in wanted if name in value]
        columns = {name: _cells(name, value[name]) for name in names}
        _bound([() if _is_single(each) else each for each in columns.values()])
        return columns
    if isinstance(value, np.ndarray):
        if value.ndim not in (1, 2):
            raise ValueError(f"a table has rows and columns, not {value.ndim} dimensions")
        return value
    if not isinstance(value, list | tuple):
        raise _misfit("a list of records, an object of columns or a list of rows", value)
    forms = {_form(row) for row in set(map(type, value))}
    if len(forms) > 1:
        raise ValueError(f"rows are all of one form, not {' and '.join(sorted(forms))}")
    if "lists" in forms or (wanted is None and "records" in forms):
        _bound(value)
    return _even(value) if "lists" in forms else value


def _is_single(cells: Any) -> bool:
    return isinstance(cells, str | bytes) or not hasattr(cells, "__len__")


def _bound(lines: Sequence[Any]) -> None:
    """Refuses rows or columns that a few bytes make into a table too large for memory.

    That is one which is nearly empty: each line has names, or a length, that the others lack.
    """
    if lines and isinstance(lines[0], dict):
        across = len(set[Any]().union(*lines))
    else:
        across = max(map(len, lines), default=0)
    cells = len(lines) * across
    if cells > _MANY and cells > _SPARSE * sum(map(len, lines)):
        raise ValueError(f"a table of {cells} cells, of which nearly none is given")


def _even(rows: Sequence[Any]) -> Sequence[Any]:
    """Rows of one length: shorter ones get missing values, as pandas (before 4) gives them."""
    lengths = set(map(len, rows))
    if len(lengths) == 1:
        return rows
    longest = max(lengths)
    return [[*row, *[None] * (longest - len(row))] for row in rows]


def _cells(name: str, column: Any) -> Any:
    if isinstance(column, Column):
        return series_of(column)
    if isinstance(column, np.ndarray) and column.ndim != 1:
        raise ValueError(f"column {name!r} has {column.ndim} dimensions")
    return column


def _form(cls: type) -> str:
    if issubclass(cls, dict):
        return "records"
    return "lists" if issubclass(cls, list | tuple | np.ndarray) else "single values"


def _misfit(expected: str, value: Any) -> ValueError:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    name = names.get(type(value), f"a value of type {type(value).__name__}")
    return ValueError(f"expected {expected}, not {'null' if value is None else name}")
