"""Frames and series are read from every form that JSON and the wire have for them."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from mesh.io import arrow
from mesh.io.types import frame, registry
from mesh.io.types.frame import FrameType, SeriesType
from mesh.io.types.frame_schema import DataframeSchema
from mesh.io.types.table import Column, Table, column_json, plain, plain_column, table_json, text
from mesh.io.types.tensor import Shape

AB = pd.DataFrame({"a": [1, 2], "b": ["q", "r"]})
RECORDS = [{"a": 1, "b": "q"}, {"a": 2, "b": "r"}]
NAMED = FrameType().marked(DataframeSchema(columns=["a", "b"]))


def assert_same(got, want):
    pd.testing.assert_frame_equal(got, want)


@pytest.mark.parametrize(
    "value",
    [
        RECORDS,
        {"a": [1, 2], "b": ["q", "r"]},
        {"a": np.array([1, 2]), "b": ["q", "r"]},
        {"a": Column("a", np.array([1, 2])), "b": Column("b", text(["q", "r"]))},
        Table([Column("a", np.array([1, 2])), Column("b", text(["q", "r"]))]),
        arrow.read_stream(arrow.write_table(AB)),
        arrow.to_table(arrow.read_stream(arrow.write_table(AB))),
        AB,
    ],
)
@pytest.mark.parametrize("kind", [FrameType(), FrameType("columns"), NAMED])
def test_a_frame_is_read_from_every_form(kind, value):
    assert_same(kind.load(value), AB)


def test_rows_take_the_names_that_are_given():
    assert_same(NAMED.load([[1, "q"], [2, "r"]]), AB)
    assert_same(FrameType().load([[1, "q"]]), pd.DataFrame([[1, "q"]]))
    assert FrameType().load([[1], [2, "r"]]).isna().to_numpy().tolist() == [
        [False, True],
        [False, False],
    ]
    assert_same(FrameType().load(np.eye(2)), pd.DataFrame(np.eye(2)))
    assert_same(FrameType().load([1, 2]), pd.DataFrame([1, 2]))


@pytest.mark.parametrize(
    "value",
    [
        [{"b": "q", "x": 1.0}],
        {"b": ["q"], "x": [1.0]},
        Table([Column("b", text(["q"])), Column("x", np.ones(1))]),
    ],
)
def test_given_columns_are_filled_with_nan_and_others_dropped(value):
    got = NAMED.load(value)
    assert list(got.columns) == ["a", "b"]
    assert got["a"].isna().tolist() == [True]
    assert got["b"].tolist() == ["q"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "expected a list of records, .* not a string"),
        (5, "not a number"),
        (True, "not a boolean"),
        (None, "not null"),
        ({"a": 1}, "scalar values"),
        ({"a": [1, 2], "b": [1]}, "same length"),
        ([[1, 2, 3]], "2 columns passed, passed data had 3 columns"),
        ([{"a": 1}, 2], "one form, not records and single values"),
        ([[1, 2], {"a": 1}], "lists and records"),
        (np.ones((1, 2, 2)), "3 dimensions"),
        ({"a": np.ones((1, 2))}, "column 'a' has 2 dimensions"),
        (Table([Column("a", np.ones(1)), Column("a", np.ones(1))]), "same name"),
    ],
)
def test_what_is_no_table_is_refused_in_plain_words(value, message):
    with pytest.raises(ValueError, match=message):
        NAMED.load(value)


MANY = range(20_000)


@pytest.mark.parametrize(
    "value",
    [
        [{str(at): 1} for at in MANY],
        {str(at): {str(at): 1} for at in MANY},
        {"a": list(MANY), **{str(at): at for at in MANY}},
        [list(MANY), *([at] for at in MANY)],
    ],
    ids=["records", "columns by row", "one value for all rows", "one long row"],
)
def test_a_table_that_is_nearly_empty_takes_no_memory(value):
    with pytest.raises(ValueError, match="nearly none is given"):
        FrameType().load(value)


def test_a_table_with_gaps_is_read():
    sparse = [{str(at % 30): at} for at in range(3000)]
    assert FrameType().load(sparse).shape == (3000, 30)
    assert FrameType().load({"a": list(MANY), "b": 1}).shape == (20_000, 2)
    assert NAMED.load([{str(at): 1, "a": at} for at in MANY])["a"].tolist() == list(MANY)


json_cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_values = st.recursive(
    json_cells, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


tables = st.lists(json_cells | st.lists(json_cells) | st.dictionaries(st.text(), json_cells))


@given(st.sampled_from([FrameType(), NAMED, SeriesType()]), json_values | tables)
def test_any_json_is_a_frame_or_a_value_error(kind, value):
    try:
        got = kind.load(value)
    except ValueError:
        return
    assert isinstance(got, pd.Series | pd.DataFrame)


@given(st.lists(st.fixed_dictionaries({"a": json_cells, "b": json_cells}), max_size=5))
def test_records_are_what_pandas_makes_of_them(records):
    assert_same(FrameType().load(records), pd.DataFrame(records))


@pytest.mark.parametrize(
    ("orient", "want"), [("records", RECORDS), ("columns", {"a": [1, 2], "b": ["q", "r"]})]
)
def test_a_frame_is_written_as_its_orient_says(orient, want):
    table = FrameType().marked(DataframeSchema(orient=orient)).wire(AB)
    assert plain(table) == want
    assert json.loads(table_json(table)) == want


DAY = pd.Timestamp("2026-03-01")


@pytest.mark.parametrize(
    ("series", "cells"),
    [
        (pd.Series([1, None, 3], dtype="Int64"), [1, None, 3]),
        (pd.Series([1, None], dtype="UInt8"), [1, None]),
        (pd.Series([0.5, None], dtype="Float32"), [0.5, None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series([1, None], dtype="int64[pyarrow]"), [1, None]),
        (pd.Series(["a", None]), ["a", None]),
        (pd.Series(["a", None], dtype="string"), ["a", None]),
        (pd.Series(["a", None, np.nan, pd.NA], dtype=object), ["a", None, None, None]),
        (pd.Series(["a", 1, 2.5, None], dtype=object), ["a", 1, 2.5, None]),
        (pd.Series([None, None], dtype=object), [None, None]),
        (pd.Series([DAY, pd.NaT]), ["2026-03-01T00:00:00", None]),
        (pd.Series([DAY, pd.NaT]).dt.tz_localize("UTC"), ["2026-03-01T00:00:00Z", None]),
        (pd.Series([pd.Timedelta("90s"), pd.NaT]), ["PT1M30S", None]),
        (pd.Series(["a", "b", None], dtype="category"), ["a", "b", None]),
        (pd.Series([1, 2], dtype="category"), [1, 2]),
        (pd.Series([DAY], dtype="category"), ["2026-03-01T00:00:00"]),
        (pd.Series([Decimal("1.5")]), ["1.5"]),
        (pd.Series([[1, 2], None]), [[1, 2], None]),
        (pd.Series(pd.period_range("2026-03", periods=1, freq="M")), ["2026-03"]),
        (pd.Series(pd.interval_range(0, 1)), ["(0, 1]"]),
        (pd.Series(pd.arrays.SparseArray([0, 1])), [0, 1]),
    ],
)
def test_every_dtype_has_a_form_in_json(series, cells):
    column = SeriesType().wire(series)
    assert plain_column(column) == cells
    assert json.loads(column_json(column)) == cells
    named = pd.DataFrame({"x": series})
    assert plain(FrameType().wire(named)) == [{"x": cell} for cell in cells]


def test_a_float_that_is_no_number_stays_so_in_json():
    assert table_json(FrameType().wire(pd.DataFrame({"a": [1.5, np.nan]}))) == (
        b'[{"a":1.5},{"a":NaN}]'
    )


def test_names_that_are_no_text_become_text():
    numbered = pd.DataFrame([[1, 2]])
    assert plain(FrameType().wire(numbered)) == [{"0": 1, "1": 2}]
    assert [column.name for column in FrameType().wire(numbered).columns] == ["0", "1"]
    pairs = pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", 1)]))
    assert plain(FrameType().wire(pairs)) == [{"('a', 1)": 1}]


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        (1, 2),
        np.array([1, 2]),
        pd.Series([1, 2]),
        Column("", np.array([1, 2])),
        Table([Column("", np.array([1, 2]))]),
        arrow.read_stream(arrow.write_table(pd.Series([1, 2]))),
    ],
)
def test_a_series_is_read_from_every_form(value):
    got = SeriesType().load(value)
    pd.testing.assert_series_equal(got, pd.Series([1, 2]), check_names=False)


@pytest.mark.parametrize("value", ["ab", 5, None, {"a": [1]}, np.ones((2, 2)), AB])
def test_what_is_no_series_is_refused(value):
    with pytest.raises(ValueError, match=r"\w"):
        SeriesType().load(value)


def test_what_was_read_can_be_changed():
    values = np.arange(3.0)
    values.flags.writeable = False
    got = FrameType().load(Table([Column("a", values)]))
    got.iloc[0, 0] = 5
    assert got["a"].tolist() == [5, 1, 2]
    got = FrameType().load(arrow.read_stream(arrow.write_table(pd.DataFrame({"a": values}))))
    got.iloc[0, 0] = 5
    assert got["a"].tolist() == [5, 1, 2]


def test_a_result_is_a_frame_with_the_promised_columns():
    assert NAMED.check(AB) is AB
    for fits in (RECORDS, [[1, "q"], [2, "r"]]):
        assert_same(NAMED.check(fits), AB)
    for wrong in (AB[["a"]], "x"):
        with pytest.raises(ValueError, match=r"lacks column 'b'|not a string"):
            NAMED.check(wrong)


def test_a_list_from_a_method_cannot_hide_a_missing_column():
    with pytest.raises(ValueError, match="lacks column 'b'"):
        NAMED.check([{"a": 1}])


def test_a_result_is_a_series_or_what_makes_one():
    pd.testing.assert_series_equal(SeriesType().check([1]), pd.Series([1]))
    with pytest.raises(ValueError, match="expected a list"):
        SeriesType().check(5)
    for kind in (FrameType(), SeriesType()):
        with pytest.raises(ValueError, match="not a value of type list"):
            kind.wire([1])


def test_the_schema_has_the_keywords_that_clients_read():
    assert FrameType().json_schema() == {"type": "dataframe", "orient": "records"}
    assert NAMED.json_schema() == {
        "type": "dataframe", "orient": "records", "columns": ["a", "b"]
    }  # fmt: skip
    assert SeriesType().json_schema() == {"type": "array", "items": {}, "format": "series"}


def test_a_marker_that_says_nothing_about_a_frame_is_refused():
    with pytest.raises(TypeError, match="Shape"):
        FrameType().marked(Shape((1,)))
    with pytest.raises(TypeError, match="DataframeSchema"):
        SeriesType().marked(DataframeSchema())


def test_a_schema_that_says_something_impossible_is_refused():
    with pytest.raises(ValueError, match="orient is 'records' or 'columns', not 'split'"):
        DataframeSchema(orient="split")
    with pytest.raises(TypeError, match="columns is a list of names, not 'ab'"):
        DataframeSchema(columns="ab")


class Own(pd.DataFrame):
    pass


def test_annotations_and_values_of_pandas_are_known_by_their_classes():
    assert registry.kind_of(pd.DataFrame) == registry.kind_of(Own) == FrameType()
    assert registry.kind_of(pd.Series) == SeriesType()
    assert isinstance(registry.wire_value(AB), Table)
    assert isinstance(registry.wire_value(AB["a"]), Column)
    assert frame.wire_value(AB["a"]).name == "a"
