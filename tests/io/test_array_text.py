"""Arrays out of JSON texts: as the lists would be, or lists."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as npst

from mesh.io.array_text import parse

NUMBERS = {"x": np.dtype("float32")}


@given(
    npst.arrays(
        st.sampled_from(["float16", "float32", "float64"]),
        npst.array_shapes(max_dims=3, max_side=12),
        elements={"allow_nan": False, "allow_infinity": False},
    )
)
def test_numbers_are_those_of_the_lists(array: Any) -> None:
    text = json.dumps({"x": array.tolist(), "y": 1}).encode()
    found = parse(text, {"x": array.dtype}, None)
    assert found["y"] == 1
    assert np.array_equal(np.asarray(found["x"], array.dtype), array)
    assert np.asarray(found["x"]).shape == array.shape


def test_a_long_list_is_an_array_of_the_type_asked_for() -> None:
    text = json.dumps({"x": [[0.5] * 8] * 3}).encode()
    found = parse(text, NUMBERS, None)["x"]
    assert (found.dtype, found.shape) == (np.float32, (3, 8))
    assert found.flags.writeable
    root = parse(json.dumps([1] * 9).encode(), {}, np.dtype("float64"))
    assert (root.dtype, root.shape) == (np.float64, (9,))


@pytest.mark.parametrize(
    "value",
    [
        [[0.5] * 8, [0.5] * 9],
        [[0.5] * 8, 0.5],
        [[0.5] * 8, [[0.5] * 8]],
        [0.5] * 8 + ["a"],
        [0.5] * 8 + [None],
        [0.5] * 8 + [True],
        [0.5] * 8 + [1e39],
        [],
        [[], []],
    ],
)
def test_what_is_no_array_of_numbers_stays_a_list(value: Any) -> None:
    assert parse(json.dumps({"x": value}).encode(), NUMBERS, None) == {"x": value}


def test_names_that_are_not_asked_for_stay_lists() -> None:
    text = json.dumps({"z": [0.5] * 9}).encode()
    assert parse(text, NUMBERS, None) == {"z": [0.5] * 9}


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[1,", b"[NaN]", b"[1e400]", b"[99999999999999999999]", b"\xff"),
        b'{"x": 1, "x": 2}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_left_to_others(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words are never shown
        parse(text, NUMBERS, None)
