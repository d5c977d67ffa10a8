"""Tables and columns as the frames and series of pandas, and back.

Loaded when pandas is there already.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mesh.io import arrow
from mesh.io.types.table import Column, Orient, Table, text

_NULLABLE = {
    "b": pd.arrays.BooleanArray,
    "i": pd.arrays.IntegerArray,
    "u": pd.arrays.IntegerArray,
    "f": pd.arrays.FloatingArray,
}


def frame_of(value: Any) -> pd.DataFrame | None:
    """The frame of a DataFrame, Table or pyarrow.Table; None for anything else.

    Raises ValueError for an Arrow table that pandas can't hold.
    """
    if isinstance(value, pd.DataFrame):
        return value
    if isinstance(value, Table):
        return _from_table(value)
    if arrow.is_arrow(value):
        return _from_arrow(value)
    return None


def _from_table(table: Table) -> pd.DataFrame:
    if isinstance(table.source, pd.DataFrame):
        return table.source
    if arrow.is_arrow(table.source):
        return _from_arrow(table.source)
    # By number first, since names may be there twice.
    frame = pd.DataFrame({at: series_of(column) for at, column in enumerate(table.columns)})
    frame.columns = pd.Index([column.name for column in table.columns])
    return frame


def _from_arrow(found: Any) -> pd.DataFrame:
    frame: pd.DataFrame = arrow.to_frame(found)
    # Before pandas copied on write, a frame of Arrow's own memory could not be changed.
    return frame.copy() if int(pd.__version__.partition(".")[0]) < 3 else frame


def series_of(column: Column) -> "pd.Series[Any]":
    """The series of a column, under its name if it has one.

    Raises ValueError if pandas can't hold the Arrow table that the column is from.
    """
    name = column.name or None
    if arrow.is_arrow(column.source):
        return _from_arrow(column.source).iloc[:, 0].rename(name)
    if isinstance(column.source, pd.Series):
        return column.source
    values, validity = column.values, column.validity
    values = values.astype(values.dtype.newbyteorder("="))  # a copy, which may be changed
    if validity is None:
        return pd.Series(values, name=name)
    missing = ~validity
    if values.dtype.kind == "O":
        values[missing] = None
        return pd.Series(values, name=name)
    nullable = _NULLABLE.get(values.dtype.kind)
    if nullable is not None:
        values = values.astype(np.float32) if values.dtype == np.float16 else values
        return pd.Series(nullable(values, missing), name=name)
    values[missing] = np.nan  # complex numbers
    return pd.Series(values, name=name)


def table_of(frame: pd.DataFrame, orient: Orient) -> Table:
    """The table of a frame; its columns are made when they are asked for.

    Its index is none of them, and is said to matter unless it is whole numbers without a name:
    such are what is left of the rows' numbers when some were taken out.
    """
    index = frame.index
    matters = index.name is not None or index.dtype.kind not in "iu"
    return Table(partial(_columns, frame), orient, source=frame, is_indexed=matters)


def _columns(frame: pd.DataFrame) -> Sequence[Column]:
    return [column_of(str(name), series) for name, series in frame.items()]


def column_of(name: str, series: "pd.Series[Any]") -> Column:
    """The column of a series, without its index, under this name."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return _plain_column(name, series, dtype)
    if isinstance(dtype, pd.StringDtype):
        return _text_column(name, series)
    number = _number(dtype)
    if number is not None:
        validity = series.notna().to_numpy(bool)
        values = series.to_numpy(number, na_value=number.type(0))
        return Column(name, values, validity)
    return _other_column(name, series)


def _plain_column(name: str, series: "pd.Series[Any]", dtype: np.dtype[Any]) -> Column:
    values = series.to_numpy()
    if dtype.kind in "mM":
        return Column(name, values, ~np.isnat(values), series)
    if dtype.kind != "O":
        return Column(name, values)
    if pd.api.types.infer_dtype(series, skipna=True) == "string":
        return _text_column(name, series)
    return _other_column(name, series)


def _text_column(name: str, series: "pd.Series[Any]") -> Column:
    missing = series.isna().to_numpy(bool)
    if not missing.any():
        return Column(name, series.to_numpy(object))
    return Column(name, series.astype(object).where(~missing, "").to_numpy(object), ~missing)


def _number(dtype: Any) -> np.dtype[Any] | None:
    """The NumPy type of a type of numbers or truths that may be missing."""
    number = getattr(dtype, "numpy_dtype", None)
    nullable = getattr(dtype, "_is_numeric", False) or getattr(dtype, "_is_boolean", False)
    return number if nullable and isinstance(number, np.dtype) and number.kind in "biuf" else None


def _other_column(name: str, series: "pd.Series[Any]") -> Column:
    """A column that only Arrow can tell all about."""
    validity = series.notna().to_numpy(bool)
    values = series.astype(object)
    if isinstance(series.dtype, pd.PeriodDtype | pd.IntervalDtype):
        values = values.astype(str).astype(object)
    elif isinstance(series.dtype, pd.CategoricalDtype) and series.cat.categories.dtype.kind in "mM":
        values = pd.Series([cell.isoformat() for cell in values], dtype=object)
    return Column(name, text(values.tolist()), validity, series)
