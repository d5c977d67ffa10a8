"""Results, as they are on a terminal of 60 columns."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from mesh.cli.kept import KeptFile
from mesh.cli.shown import shown
from mesh.io.types.bfloat16 import Bfloat16

WIDTH = 60


def lines(value: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=WIDTH, record=True)
    console.print(shown(value, WIDTH), soft_wrap=True)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text [bold]as it is[/]", ["text [bold]as it is[/]"]),
        ("a\x1b[2Jb\tc", ["a␛[2Jb\tc".expandtabs(8)]),
        ("two\nlines", ["two", "lines"]),
        (5, ["5"]),
        (None, ["null"]),
        ({"a": [1, 2.5], "b": "grüße"}, ['{"a": [1, 2.5], "b": "grüße"}']),
        (float("nan"), ["NaN"]),
        ([], ["[]"]),
        ({}, ["{}"]),
    ],
)
def test_small_values_are_one_line_of_json_and_text_is_text(
    value: Any, expected: list[str]
) -> None:
    assert lines(value) == expected


def test_what_is_too_long_for_a_line_has_a_line_for_each_entry() -> None:
    value = {"name": "x" * 40, "inner": {"numbers": [1, 2], "word": "y" * 40}}
    assert lines(value) == [
        "{",
        f'  "name": "{"x" * 40}",',
        '  "inner": {',
        '    "numbers": [1, 2],',
        f'    "word": "{"y" * 40}"',
        "  }",
        "}",
    ]


def test_numbers_of_a_long_list_share_lines() -> None:
    found = lines([100] * 30)
    assert found[0] == "["
    assert found[1] == "  " + "100, " * 10 + "100,"
    assert all(len(line) <= WIDTH for line in found)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc\n\"' é"),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text("ab "), inner),
    max_leaves=30,
)


@given(PLAIN.filter(lambda value: not isinstance(value, str)))
def test_what_is_shown_is_json(value: Any) -> None:
    assert json.loads("\n".join(str(shown(value, WIDTH)).splitlines())) == value


@pytest.mark.parametrize(
    ("array", "summary"),
    [
        (np.arange(6, dtype=np.float32).reshape(2, 3), "float32  (2, 3)  min 0  max 5  mean 2.5"),
        (np.array([1, 3], np.int8), "int8  (2,)  min 1  max 3  mean 2"),
        (np.array([True, False, True]), "bool  (3,)  2 of 3 true"),
        (np.array([1.0, np.nan, np.inf]), "float64  (3,)  min 1  max 1  mean 1  2 not finite"),
        (np.array([np.nan]), "float64  (1,)  1 not finite"),
        (np.zeros((0, 4)), "float64  (0, 4)"),
        (np.array(5), "int64  ()  min 5  max 5  mean 5"),
        (np.array(["a", "bc"]), "str  (2,)"),
        (np.array([1j]), "complex128  (1,)"),
        (np.array([60000, 60000], np.float16), "float16  (2,)  min 60000  max 60000  mean 60000"),
        (Bfloat16.of_bits(np.array([0x3F80], np.uint16)), "bfloat16  (1,)  min 1  max 1  mean 1"),
    ],
)
def test_an_array_is_summed_up(array: Any, summary: str) -> None:
    assert lines(array)[0] == summary


def test_of_a_large_array_the_corners_are_shown_as_numpy_prints_them() -> None:
    found = lines(np.arange(10_000).reshape(100, 100))
    assert found[1] == "[[   0    1    2 ...   97   98   99]"
    assert found[4] == " ..."
    assert len(lines(np.zeros((1, 3, 224, 224)))) < 30


def test_a_frame_is_a_table_of_its_first_rows() -> None:
    frame = pd.DataFrame({"length": [1.5] * 40, "name": ["[b]rose[/b]"] * 40})
    found = lines(frame)
    assert "length" in found[1]
    assert "1.5" in found[3]
    assert "[b]rose[/b]" in found[3]
    assert found[-1] == "40 rows, 2 columns"
    assert len(found) == 16
    wide = lines(pd.DataFrame(np.zeros((1, 30))))
    assert "…" in wide[1]
    assert wide[-1] == "1 row, 30 columns"


def test_a_series_is_a_table_of_one_column() -> None:
    assert lines(pd.Series([1, 2], name="n"))[-1] == "2 rows, 1 column"


def test_files_are_shown_with_their_size() -> None:
    files = [KeptFile(Path("a.txt"), 5), KeptFile(Path("b\x1b.txt"), 2_000_000)]
    assert lines(files[0]) == ["a.txt  5 bytes"]
    assert lines(files) == ["a.txt  5 bytes", "b␛.txt  2.0 MB"]


def test_what_is_large_inside_an_object_has_a_placeholder() -> None:
    value = {
        "file": KeptFile(Path("a.txt"), 5),
        "array": np.zeros(2),
        "frame": pd.DataFrame({"a": [1]}),
        "data": b"ab",
    }
    assert lines(value) == [
        "{",
        '  "file": "a.txt",',
        '  "array": <float64  (2,)  min 0  max 0  mean 0>,',
        '  "frame": <DataFrame (1, 1)>,',
        '  "data": <2 bytes>',
        "}",
    ]
