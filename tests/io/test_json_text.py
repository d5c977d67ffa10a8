"""JSON of whatever a method may return."""

import dataclasses
import enum
import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from mesh.io.json_text import json_text, spaced_json
from mesh.io.types.file import File
from mesh.io.types.table import Column

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=12,
)


class Inner(BaseModel):
    a: float = 1


@dataclasses.dataclass
class Point:
    x: object


class Color(enum.Enum):
    RED = "red"


def same(left, right):
    """Equal, where a number that is none is equal to itself."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@given(plain)
def test_what_json_has_a_form_for_comes_back(value):
    assert same(json.loads(json_text(value)), value)


@given(plain)
def test_spaced_json_is_what_the_standard_library_writes(value):
    assert spaced_json(value) == json.dumps(value).encode()


@given(plain)
def test_an_array_beside_it_changes_nothing(value):
    text = json_text({"value": value, "array": np.array([1.5, np.nan])})
    found = json.loads(text)
    assert same(found["value"], value)
    assert same(found["array"], [1.5, math.nan])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"text \xc3\xa9", '"text é"'),
        (b"\xff", '"data:application/octet-stream;base64,/w=="'),
        (bytearray(b"a"), '"a"'),
        (memoryview(b"a"), '"a"'),
        (File(b"abc", "image/png"), '"data:image/png;base64,YWJj"'),
        (File(uri="https://host/a.png"), '"https://host/a.png"'),
        ({1}, "[1]"),
        (frozenset("a"), '["a"]'),
        ((1, None, 2.5), "[1,null,2.5]"),
        (Decimal("1.50"), '"1.50"'),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), '"2026-03-01T12:00:00Z"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Color.RED, '"red"'),
        ([None, Color.RED, math.inf], '[null,"red",Infinity]'),
        (np.float64(1.5), "1.5"),
        (np.bool_(True), "true"),
        (10**30, str(10**30)),
        ([10**30, b"a", {1: Color.RED}], f'[{10**30},"a",{{"1":"red"}}]'),
        ({np.int64(2): 1}, '{"2":1}'),
        (Inner(a=math.nan), '{"a":NaN}'),
        (Point([np.array([1]), None]), '{"x":[[1],null]}'),
        (np.array(["a", "b"]), '["a","b"]'),
        (np.array([[1.0, np.inf]], np.float16), "[[1.0,Infinity]]"),
        (Column("c", np.array([1, 2])), "[1,2]"),
        (pd.DataFrame({"a": [1, 2]}), '[{"a":1},{"a":2}]'),
        ([None, math.nan, pd.DataFrame({"a": [1]})], '[null,NaN,[{"a":1}]]'),
        ([math.nan, np.array([1]), File(b"a", "a/b")], '[NaN,[1],"data:a/b;base64,YQ=="]'),
    ],
)
def test_other_values_have_the_form_that_they_have_alone(value, text):
    assert json_text(value).decode() == text
    assert json.dumps(json.loads(text)).encode() == spaced_json(value)


def test_a_file_on_disk_is_read(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"\0\1")
    assert json_text({"p": path}) == (
        b'{"p":"data:application/octet-stream;name=a.bin;base64,AAE="}'
    )


class Opaque:
    pass


@pytest.mark.parametrize("value", [Opaque(), [None, Opaque()], {"a": Opaque()}, {Opaque(): 1}])
@pytest.mark.parametrize("write", [json_text, spaced_json])
def test_what_has_no_form_is_refused(value, write):
    with pytest.raises((TypeError, ValueError)):
        write(value)
