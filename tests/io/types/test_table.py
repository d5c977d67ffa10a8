"""A table is written as JSON the way its orient says, with nothing lost that JSON can carry."""

import json
import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from mesh.io.types.table import Column, Table, column_json, plain, plain_column, table_json, text

SOURCE = object()  # says that the values are objects of any class


def objects(*cells):
    return Column("a", text(cells), source=SOURCE)


AB = [Column("a", np.array([1, 2])), Column("b", text(["q", "r"]))]


def test_records_are_a_list_of_rows():
    table = Table(AB)
    assert plain(table) == [{"a": 1, "b": "q"}, {"a": 2, "b": "r"}]
    assert json.loads(table_json(table)) == plain(table)


def test_columns_are_an_object_of_lists():
    table = Table(AB, "columns")
    assert plain(table) == {"a": [1, 2], "b": ["q", "r"]}
    assert json.loads(table_json(table)) == plain(table)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (Column("a", np.array([1, 7, 3]), np.array([True, False, True])), [1, None, 3]),
        (Column("a", np.array([True, False])), [True, False]),
        (Column("a", np.array([2**64 - 1], np.uint64)), [2**64 - 1]),
        (Column("a", np.array([0.5, np.inf, -np.inf])), [0.5, math.inf, -math.inf]),
        (Column("a", text(["", "é\0", "x"]), np.array([False, True, True])), [None, "é\0", "x"]),
        (Column("a", np.array(["2026-03-01", "NaT"], "M8[ns]")), ["2026-03-01T00:00:00", None]),
        (Column("a", np.array(["2026-03-01T01:02:03.5"], "M8[ns]")), ["2026-03-01T01:02:03.500"]),
        (Column("a", np.array(["2026-03-01"], "M8[D]")), ["2026-03-01T00:00:00"]),
        (Column("a", np.array([90, "NaT"], "m8[s]")), ["PT1M30S", None]),
        (objects(1, "a", None, 2.5, True), [1, "a", None, 2.5, True]),
        (objects([1, None], {"b": [2]}), [[1, None], {"b": [2]}]),
        (objects(Decimal("1.50"), timedelta(1)), ["1.50", "P1D"]),
        (objects(2**70), [2**70]),
        (objects(b"a", b"\xff"), ["a", "data:application/octet-stream;base64,/w=="]),
        (objects(np.int8(1), [np.float32(0.5)]), [1, [0.5]]),
        (objects(math.inf, "a"), [math.inf, "a"]),
        (Column("a", np.array([], np.float32)), []),
    ],
)
def test_cells_are_values_that_json_has(column, cells):
    assert plain_column(column) == cells
    assert json.loads(column_json(column)) == cells
    assert json.loads(table_json(Table([column]))) == [{"a": cell} for cell in cells]
    assert json.loads(table_json(Table([column], "columns"))) == {"a": cells}


def test_floats_that_are_no_numbers_stay_so():
    column = Column("a", np.array([np.nan, 1.0, np.inf], np.float32))
    assert column_json(column) == b"[NaN,1.0,Infinity]"
    assert table_json(Table([column])) == b'[{"a":NaN},{"a":1.0},{"a":Infinity}]'


@given(
    hnp.scalar_dtypes().filter(lambda dtype: dtype.kind in "biuf" and dtype.itemsize <= 8),
    st.integers(0, 1500),
    st.data(),
)
def test_numbers_are_read_back_from_the_json_of_a_table(dtype, rows, data):
    values = data.draw(hnp.arrays(dtype, rows))
    validity = data.draw(st.none() | hnp.arrays(np.bool_, rows))
    table = Table([Column("x", values, validity), Column("n", np.arange(rows))])
    got = json.loads(table_json(table))
    assert [row["n"] for row in got] == list(range(rows))
    cells = [row["x"] for row in got]
    valid = np.ones(rows, np.bool_) if validity is None else validity
    assert [cell is not None for cell in cells] == valid.tolist()
    numbers = np.array([cell for cell in cells if cell is not None], dtype)
    np.testing.assert_array_equal(numbers, values[valid])


@given(st.lists(st.tuples(st.text(), st.text())), st.text())
def test_text_and_names_of_any_characters_are_read_back(rows, name):
    columns = [
        Column(name, text([a for a, _ in rows])),
        Column(name + "x", text([b for _, b in rows])),
    ]
    assert json.loads(table_json(Table(columns))) == [{name: a, name + "x": b} for a, b in rows]


def test_of_columns_with_one_name_the_last_counts():
    table = Table([Column("a", np.array([1])), Column("a", np.array([2]))])
    assert plain(table) == [{"a": 2}]
    assert json.loads(table_json(table)) == [{"a": 2}]


def test_a_table_without_columns_is_empty():
    assert table_json(Table([])) == b"[]"
    assert table_json(Table([], "columns")) == b"{}"


@pytest.mark.parametrize(
    ("values", "validity"),
    [(np.ones((2, 2)), None), (np.float64(1), None), (np.ones(2), np.array([True]))],
)
def test_a_column_has_one_dimension_and_a_validity_as_long(values, validity):
    with pytest.raises(ValueError, match="a column"):
        Column("a", np.asarray(values), validity)


def test_columns_of_different_lengths_are_no_table():
    columns = [Column("a", np.ones(2)), Column("b", np.ones(3))]
    with pytest.raises(ValueError, match="column 'b' has 3 values, column 'a' has 2"):
        Table(columns)
    with pytest.raises(ValueError, match="column 'b'"):
        table_json(Table(lambda: columns))


def test_columns_are_made_when_first_asked_for():
    made = []
    table = Table(lambda: made.append(1) or AB)
    assert not made
    assert table.columns == table.columns == tuple(AB)
    assert made == [1]


@pytest.mark.parametrize("cell", [object(), "\ud800", lambda: 1])
def test_what_json_cannot_carry_is_refused(cell):
    with pytest.raises(ValueError, match=r"\w"):
        table_json(Table([objects(cell)]))
    with pytest.raises(ValueError, match="column 'a'"):
        plain(Table([Column("a", np.array([(1,)], [("x", int)]))]))
