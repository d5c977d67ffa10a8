"""Frames and tables come back from an Arrow stream as they were; broken streams are refused."""

import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from mesh.io.arrow import read_stream, to_frame, to_table, write_table
from mesh.io.types.frame import FrameType
from mesh.io.types.table import Column, Table, plain, text

SERIES = [
    pd.Series(range(5), dtype="int8"),
    pd.Series([0, 2**64 - 1], dtype="uint64"),
    pd.Series([0.5, np.nan, np.inf], dtype="float32"),
    pd.Series([0.5, np.nan], dtype="float16"),
    pd.Series([True, False]),
    pd.Series([1, None], dtype="Int64"),
    pd.Series([0.5, None], dtype="Float64"),
    pd.Series([True, None], dtype="boolean"),
    pd.Series(["a", "é\0", ""]),
    pd.Series(["a", None]),
    pd.Series(["a", "b", "a", None], dtype=pd.CategoricalDtype(["b", "a"], ordered=True)),
    pd.Series(pd.to_datetime(["2026-03-01", None])),
    pd.Series(pd.to_datetime(["2026-03-01", "1999-12-31"])).astype("datetime64[ns]"),
    pd.Series(pd.to_datetime(["2026-03-01"])).dt.tz_localize("Europe/Berlin"),
    pd.Series(pd.to_timedelta(["90s", None])),
    pd.Series(pd.period_range("2026-03", periods=2, freq="M")),
    pd.Series([[1, 2], [3]]),
    pd.Series([], dtype="float64"),
    pd.Series([], dtype="str"),
]
NAMES = [f"{series.dtype}-{len(series)}" for series in SERIES]


def again(frame):
    return to_frame(read_stream(write_table(frame)))


@pytest.mark.parametrize("series", SERIES, ids=NAMES)
def test_every_dtype_comes_back(series):
    frame = pd.DataFrame({"a": series})
    got = again(frame)
    if isinstance(series.iloc[0] if len(series) else None, list):
        got["a"] = got["a"].map(list)
    pd.testing.assert_frame_equal(got, frame)


@pytest.mark.parametrize("series", SERIES, ids=NAMES)
def test_the_columns_of_an_arrow_table_are_those_of_the_frame(series):
    frame = pd.DataFrame({"a": series})
    if isinstance(series.dtype, pd.PeriodDtype):
        pytest.skip("a period is a number to Arrow")
    rows = plain(FrameType().wire(frame))
    got = plain(to_table(read_stream(write_table(frame))))
    if series.dtype.kind == "f":  # Arrow takes NaN for a missing value
        rows = [{"a": None if row["a"] != row["a"] else row["a"]} for row in rows]
    assert got == rows


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2]}, index=["x", "y"]),
        pd.DataFrame({"a": [1, 2]}, index=pd.Index([3, 5], name="n")),
        pd.DataFrame({"a": [1, 2]}, index=pd.to_datetime(["2026-03-01", "2026-03-02"])),
        pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("x", 1)])),
        pd.DataFrame([[1, 2.5]]),
        pd.DataFrame({"é ": [1], "": [2]}),
        pd.DataFrame(),
    ],
    ids=repr,
)
def test_index_and_names_come_back(frame):
    pd.testing.assert_frame_equal(
        again(frame), frame, check_index_type=False, check_column_type=False
    )


def test_an_index_that_only_counts_is_no_column():
    assert read_stream(write_table(pd.DataFrame({"a": [1, 2]}))).column_names == ["a"]
    named = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    assert read_stream(write_table(named, index=False)).column_names == ["a"]


def test_columns_with_one_name_come_back_both():
    frame = pd.DataFrame([[1, "x"]], columns=["a", "a"])
    got = again(frame)
    assert list(got.columns) == ["a", "a"]
    assert got.to_numpy().tolist() == [[1, "x"]]


def test_a_table_of_columns_is_a_stream_too():
    columns = [
        Column("i", np.array([1, 2], ">i4"), np.array([True, False])),
        Column("s", text(["a", "b"])),
        Column("d", np.array(["2026-03-01", "NaT"], "M8[s]")),
    ]
    got = read_stream(write_table(Table(columns)))
    assert got.to_pydict()["i"] == [1, None]
    assert got.to_pydict()["s"] == ["a", "b"]
    assert got.column("d").type == pa.timestamp("s")


def test_numbers_are_views_of_the_stream():
    data = write_table(pd.DataFrame({"a": np.arange(1000.0)}))
    values = to_table(read_stream(data)).columns[0].values
    whole = np.frombuffer(data, np.uint8)
    assert np.shares_memory(values, whole)


@pytest.mark.parametrize("column", [np.array([1j]), text([1, "a"]), text([object()])])
def test_what_arrow_has_no_type_for_is_refused(column):
    with pytest.raises(ValueError, match="an Arrow stream can't carry this"):
        write_table(pd.DataFrame({"a": column}))


GOOD = write_table(pd.DataFrame({"a": [1.5, None], "b": ["x", None]}))


def stream(table, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def nothing(kind, rows=1):
    """A table of so many rows that take no room."""
    return pa.table({"a": pa.nulls(rows, kind)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff" * 64,
        b'[{"a": 1}]',
        GOOD[:5],
        GOOD[:100],
        GOOD[: len(GOOD) // 2],
        GOOD[:-40],
        b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"a" * 64,
        stream(nothing(pa.null(), 10**9)),
        stream(nothing(pa.list_(pa.null()))),
        stream(nothing(pa.struct([]))),
        stream(nothing(pa.binary(0))),
        stream(nothing(pa.list_view(pa.int8()))),
        stream(nothing(pa.string_view())),
        stream(nothing(pa.list_(pa.int8(), 0))),
        stream(nothing(pa.dictionary(pa.int8(), pa.null()))),
    ],
    ids=range(17),
)
def test_a_stream_that_is_broken_or_hides_its_size_is_refused(data):
    with pytest.raises(ValueError, match="Arrow"):
        read_stream(data)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_compressed_stream_is_read_up_to_its_limit(codec):
    table = pa.table({"a": np.zeros(100_000), "b": ["x"] * 100_000})
    table = table.append_column("c", table["b"].dictionary_encode())
    data = stream(table, compression=codec)
    assert read_stream(data).equals(table)
    with pytest.raises(ValueError, match=r"unpacks to \d+ bytes, more than 1000000"):
        read_stream(data, unpacked=1_000_000)


def test_a_declared_size_that_is_absurd_takes_no_memory():
    data = stream(pa.table({"a": np.zeros(100_000)}), compression="zstd")
    size = struct.pack("<q", 800_000)
    at = data.index(size)  # before the compressed bytes
    with pytest.raises(ValueError, match="unpacks to 4611686018427387904 bytes"):
        read_stream(data[:at] + struct.pack("<q", 2**62) + data[at + 8 :])


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_stream_is_read_or_refused_and_nothing_else(data):
    source = data.draw(st.sampled_from([GOOD, COMPRESSED]))
    damaged = bytearray(source)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(source) - 1))] = data.draw(st.integers(0, 255))
    try:
        table = to_table(read_stream(bytes(damaged)))
        plain(table)
        to_frame(table.source)
    except ValueError:
        pass


COMPRESSED = stream(
    pa.table({"a": pa.array(["x", "y"] * 50).dictionary_encode(), "b": [[1], [2, 3]] * 50}),
    compression="zstd",
)


@given(
    hnp.arrays(st.sampled_from(["int64", "float64", "bool", "uint8"]), st.integers(0, 20)).flatmap(
        lambda values: st.tuples(st.just(values), st.text(max_size=3))
    ),
    st.lists(st.none() | st.text(), min_size=20, max_size=20),
)
def test_frames_come_back(numbers, words):
    values, name = numbers
    frame = pd.DataFrame({name: values, name + "x": pd.Series(words[: len(values)], dtype="str")})
    pd.testing.assert_frame_equal(again(frame), frame)


def test_without_pyarrow_the_error_names_the_extra():
    program = """
import sys
sys.modules["pyarrow"] = None
from mesh.errors import UnsupportedMediaType
from mesh.io.arrow import read_stream
try:
    read_stream(b"")
except UnsupportedMediaType as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "pip install serving-mesh[arrow]" in done.stdout
