"""Requests of typed services become arguments, and results become responses."""

import base64
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from mesh.call import TYPED
from mesh.errors import Internal, InvalidArgument
from mesh.io.files.folder import Folder
from mesh.io.spec import NO_ITEM
from mesh.io.value import from_frame, from_tensor
from tests.io.rpc.rig import Rig, intake
from tests.io.rpc.services import Colour, Every

EVERY = Rig(Every)
INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("method", "x"),
    [
        ("whole", "-5"),
        ("whole", str(2**63 - 1)),
        ("real", 0.1),
        ("text", "wörd \0 \N{GRINNING FACE}"),
        ("raw", base64.b64encode(bytes(range(256))).decode()),
        ("numbers", ["1", "-2", "3"]),
        ("rows", [{"items": [1.5, 2.0]}, {}]),
        ("holes", [{"value": "1"}, {}]),
        ("maybe_list", {"items": ["1"]}),
        ("maybe_list", {}),
        ("unique", ["3"]),
        ("pair", {"item1": "4", "item2": "four"}),
        ("many", ["1", "2"]),
        ("scores", {"a": 0.5, "": -1.0}),
        ("by_number", {"-1": {"items": ["a", "b"]}, "2": {}}),
        ("by_colour", {"red": "1"}),
        ("colour", "COLOUR_DARK_BLUE"),
        ("colours", ["COLOUR_RED", "COLOUR_DARK_BLUE"]),
        ("choice", "b"),
        ("moment", "2026-01-02T03:04:05.678901Z"),
        ("moment", "1969-12-31T23:59:59.500Z"),
        ("took", "-3.250s"),
        ("took", "90061.000001s"),
        ("day", "2026-11-26"),
        ("identity", "12345678-1234-5678-1234-567812345678"),
        ("amount", "0.10000000000000000000000001"),
        ("tree", {"value": "1", "children": [{"value": "2"}, {"value": "3"}]}),
        ("span", {"start": "1", "end": "10", "tags": {"items": ["new"]}}),
        ("point", {"x": "1", "y": 2.5}),
        ("options", {"depth": "3"}),
        ("options", {}),
        ("aliased", {"model_name": "m"}),
        ("anything", {"a": [1.0, "b", None, True, {"c": 2.5}]}),
        ("plain", {"a": 1.0}),
    ],
)
def test_a_value_comes_back_as_it_went_in(method: str, x: Any) -> None:
    assert EVERY.call(method, x=x)["result"] == x


@given(st.data())
@settings(max_examples=200)
def test_values_of_any_size_come_back(data: st.DataObject) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"]))
    drawn: dict[str, Any] = {
        "whole": data.draw(INT64),
        "real": data.draw(st.floats(allow_nan=False)),
        "text": data.draw(text),
        "raw": data.draw(st.binary()),
        "numbers": data.draw(st.lists(INT64)),
    }
    for method, value in drawn.items():
        request = EVERY.message(f"{method.capitalize()}Request")
        if isinstance(value, list):
            request.x.extend(value)  # type: ignore[attr-defined]  # a message made at run time
        else:
            request.x = value  # type: ignore[attr-defined]  # as above
        reply = EVERY.raw_call(method, request.SerializeToString())
        result = reply.result  # type: ignore[attr-defined]  # as above
        assert (list(result) if isinstance(value, list) else result) == value


def test_numbers_that_are_not_finite_stay_so() -> None:
    assert math.isnan(EVERY.bound("real", x="NaN").kwargs["x"])
    assert EVERY.call("real", x="-Infinity") == {"result": "-Infinity"}


def test_what_is_not_given_has_its_default() -> None:
    assert EVERY.call("defaults")["result"] == [5, ["a"], None]
    given = EVERY.call("defaults", n=0, tags={}, none=0)["result"]
    assert given == [0, [], 0], "0 and nothing at all are values like others"
    assert EVERY.call("favourite") == {"result": "COLOUR_RED"}
    assert EVERY.call("point", x={"x": 1})["result"] == {"x": "1", "y": 0.5}


def test_what_may_be_none_and_has_no_default_is_none_if_absent() -> None:
    assert EVERY.call("needs_to_be_told") == {"result": "None"}
    assert EVERY.call("needs_to_be_told", x=0) == {"result": "0"}
    assert EVERY.call("maybe_list") == {}


def test_a_union_is_the_arm_that_was_sent() -> None:
    assert EVERY.call("either", x_int=3) == {"result_int": "3"}
    assert EVERY.call("either", x_str="3") == {"result_str": "3"}
    assert EVERY.bound("coloured", x_colour="COLOUR_RED").kwargs["x"] is Colour.RED
    assert EVERY.bound("coloured", x_str="red").kwargs["x"] == "red"
    assert EVERY.call("coloured", x_colour="COLOUR_DARK_BLUE")["result_colour"]
    assert EVERY.call("figure", x_circle={}) == {"result": "Circle"}
    assert EVERY.call("figure", x_square={}) == {"result": "Square"}
    mixed = [{"value_int": "1"}, {"value_str": "b"}]
    assert EVERY.call("mixed", x=mixed) == {"result": mixed}
    assert EVERY.call("figures", n=2)["result"] == [
        {"value_square": {"size": "0"}},
        {"value_circle": {"size": "1"}},
    ]
    assert EVERY.call("maybe_either") == {}
    with pytest.raises(InvalidArgument) as raised:
        EVERY.call("either")
    assert raised.value.violations[0].type == "missing"


def test_unions_of_collections_are_told_apart_by_what_is_in_them() -> None:
    for value, arm in (([1], "list"), (["a"], "list2"), ({"a": 1}, "dict"), ({"a": "b"}, "dict2")):
        reply: Any = EVERY.response("collections", value)
        assert reply.WhichOneof("result") == f"result_{arm}"
    with pytest.raises(Internal):
        EVERY.spec.methods["collections"].reply_encoder(TYPED).encode([object()])


def test_root_star_and_double_star_inputs_have_fields() -> None:
    assert EVERY.call("root", x={"value": 4}) == {"result": "4"}
    assert EVERY.call("sum", args=[1, 2], kwargs={"a": 3}) == {"result": "6"}


def test_a_secret_result_is_as_hidden_as_over_http() -> None:
    assert EVERY.bound("secret", x="psst").kwargs["x"].get_secret_value() == "psst"
    assert EVERY.call("secret", x="psst") == {"result": "**********"}


def test_nothing_is_an_empty_message() -> None:
    assert EVERY.call("nothing") == {}
    assert EVERY.response("nothing", None).ByteSize() == 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool", "complex64"])
def test_an_array_crosses_as_its_bytes(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    reply: Any = EVERY.response("tensor", array)
    np.testing.assert_array_equal(from_tensor(reply.result), array)
    request = EVERY.message("TensorRequest")
    request.x.CopyFrom(reply.result)  # type: ignore[attr-defined]  # a message made at run time
    again = EVERY.decoded("tensor", request.SerializeToString()).kwargs["x"]
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)


def test_a_large_array_is_not_taken_apart() -> None:
    array = np.random.default_rng(1).random((1000, 2)).astype(np.float32)
    reply: Any = EVERY.response("matrix", array)
    assert reply.result.data == array.tobytes()


def test_text_arrays_frames_and_series_cross() -> None:
    reply: Any = EVERY.response("tensor", np.array([["a", "bc"]]))
    assert from_tensor(reply.result).tolist() == [["a", "bc"]]
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    reply = EVERY.response("frame", frame)
    assert [column.name for column in from_frame(reply.result).columns] == ["a", "b"]
    request = EVERY.message("FrameRequest")
    request.x.CopyFrom(reply.result)  # type: ignore[attr-defined]  # a message made at run time
    again = EVERY.decoded("frame", request.SerializeToString()).kwargs["x"]
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1.5, 2.5], name="x"),
        pd.Series(pd.to_datetime(["2026-01-02", None])),
        pd.Series(["a", "b"], dtype="category", name="c"),
    ],
    ids=["numbers", "times", "categories"],
)
def test_a_series_of_any_type_crosses(series: "pd.Series[Any]") -> None:
    reply: Any = EVERY.response("series", series)
    request = EVERY.message("SeriesRequest")
    request.x.CopyFrom(reply.result)  # type: ignore[attr-defined]  # a message made at run time
    again = EVERY.decoded("series", request.SerializeToString()).kwargs["x"]
    assert again.dtype == series.dtype
    assert again.name == series.name
    assert again.equals(series)


@pytest.fixture
def files() -> Iterator[Rig]:
    folder = Folder()
    yield Rig(Every, intake(folder))
    folder.remove()


def test_a_file_keeps_its_name_and_type(files: Rig) -> None:
    data = base64.b64encode(b"text").decode()
    reply = files.call("file", x={"data": data, "filename": "../a.txt", "media_type": "text/x"})
    assert reply["result"]["data"] == data
    assert reply["result"]["filename"] == "a.txt"
    assert files.call("sound", x={"data": data, "media_type": "audio/mpeg"}) == {"result": "4"}
    with pytest.raises(InvalidArgument, match="1 validation error"):
        files.call("sound", x={"data": data, "media_type": "image/png"})


def test_a_stream_s_first_message_may_have_an_item_and_later_ones_must() -> None:
    total = EVERY.spec.methods["total"]
    bound, first = total.decode_arguments(TYPED, EVERY.request("total", start=3))
    assert (bound.kwargs, first) == ({"start": 3}, NO_ITEM)
    bound, first = total.decode_arguments(TYPED, EVERY.request("total", items=0))
    assert (bound.kwargs, first) == ({"start": 0}, 0)
    assert total.decode_item(TYPED, EVERY.request("total", items=7)) == 7
    with pytest.raises(InvalidArgument) as raised:
        total.decode_item(TYPED, b"")
    assert raised.value.violations[0].path == ("items",)
    lists = EVERY.spec.methods["lists"]
    assert lists.decode_item(TYPED, EVERY.request("lists", items={})) == []


@pytest.mark.parametrize(
    ("method", "values", "path", "kind"),
    [
        ("tensor", {}, ("x",), "missing"),
        ("colour", {}, ("x",), "missing"),
        ("day", {"x": "yesterday"}, ("x",), "date_from_datetime_parsing"),
        ("choice", {"x": "z"}, ("x",), "literal_error"),
        ("tensor", {"x": {"data_type": "DATA_TYPE_FLOAT32", "shape": [3]}}, ("x",), "tensor_shape"),
        ("matrix", {"x": {"data_type": "DATA_TYPE_INT64", "shape": [0]}}, ("x",), "value_error"),
    ],
)
def test_a_wrong_request_is_refused_by_field(
    method: str, values: dict[str, Any], path: tuple[str | int, ...], kind: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        EVERY.bound(method, values)
    assert (raised.value.violations[0].path, raised.value.violations[0].type) == (path, kind)


def test_a_number_of_no_enum_value_is_refused_where_it_stands() -> None:
    request = EVERY.message("ColoursRequest")
    request.x.extend([1, 99])  # type: ignore[attr-defined]  # a message made at run time
    with pytest.raises(InvalidArgument) as raised:
        EVERY.decoded("colours", request.SerializeToString())
    assert raised.value.violations[0].path == ("x", 1)


@pytest.mark.parametrize(
    ("seconds", "method", "name"), [(2**62, "moment", "Moment"), (2**62, "took", "Took")]
)
def test_a_time_out_of_range_is_refused(seconds: int, method: str, name: str) -> None:
    request = EVERY.message(f"{name}Request")
    request.x.seconds = seconds  # type: ignore[attr-defined]  # a message made at run time
    with pytest.raises(InvalidArgument) as raised:
        EVERY.decoded(method, request.SerializeToString())
    assert raised.value.violations[0].path == ("x",)


def test_fields_that_nobody_knows_are_left_out() -> None:
    body = EVERY.request("whole", x=3) + b"\x9a\x06\x03abc"  # field 99, of three bytes
    assert EVERY.decoded("whole", body).kwargs == {"x": 3}


@pytest.mark.parametrize(
    "body", [b"\x0a", b"\x0a\xff", b"\xff" * 12, b"\x09\x01", b"\x0b", b"\x00"]
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument) as raised:
        EVERY.decoded("text", body)
    assert "TextRequest" in raised.value.violations[0].message


def test_a_wrong_wire_type_counts_as_not_given() -> None:
    # As protobuf has it: a known number with another type is an unknown field.
    assert EVERY.decoded("whole", b"\x0a\x01a").kwargs == {"x": 0}


@given(st.sampled_from(sorted(EVERY.spec.methods)), st.binary(max_size=80))
@settings(max_examples=500, deadline=None)
def test_no_bytes_raise_anything_but_invalid_argument(method: str, body: bytes) -> None:
    try:
        EVERY.decoded(method, body)
    except InvalidArgument as error:
        assert error.violations


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_request_raises_nothing_but_invalid_argument(data: st.DataObject) -> None:
    bodies = [
        ("tree", EVERY.request("tree", x={"value": 1, "children": [{"value": 2}]})),
        ("by_number", EVERY.request("by_number", x={"1": {"items": ["a"]}})),
        ("mixed", EVERY.request("mixed", x=[{"value_int": 1}, {"value_str": "x"}])),
        ("tensor", EVERY.request("tensor", x={"data_type": 12, "shape": [1], "data": "AAAAAA=="})),
        ("anything", EVERY.request("anything", x={"a": [1, {"b": None}]})),
    ]
    method, body = data.draw(st.sampled_from(bodies))
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    try:
        EVERY.decoded(method, bytes(damaged[:cut]))
    except InvalidArgument as error:
        assert error.violations


def test_a_deep_message_is_refused_and_not_followed() -> None:
    body = b""
    for _ in range(2000):
        body = b"\x12" + _length(body) + body  # children, of a Node
    with pytest.raises(InvalidArgument):
        EVERY.decoded("tree", b"\x0a" + _length(body) + body)


def _length(data: bytes) -> bytes:
    number, digits = len(data), bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


@pytest.mark.parametrize(
    ("method", "value"),
    [("whole", 2**63), ("whole", "x"), ("colour", "mauve"), ("tensor", object()), ("pair", (1,))],
)
def test_a_result_that_does_not_fit_is_the_service_s_fault(method: str, value: Any) -> None:
    with pytest.raises(Internal, match=method):
        EVERY.spec.methods[method].reply_encoder(TYPED).encode(value)


def test_results_are_made_to_fit_as_over_http() -> None:
    assert EVERY.response("whole", "5").result == 5  # type: ignore[attr-defined]  # as above
    assert EVERY.response("colour", Colour.RED).result == 1  # type: ignore[attr-defined]  # as above
    spread: Any = EVERY.response("tree", {"value": 1, "children": [{"value": 2}]})
    assert spread.result.children[0].value == 2
