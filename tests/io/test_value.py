"""The written form of a value is read back by the generated classes, whatever the value."""

import dataclasses
import enum
import math
from collections import OrderedDict, namedtuple
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel

from mesh.errors import InvalidArgument
from mesh.io.types.file import File
from mesh.io.types.frame import FrameType, SeriesType, kind as frame_kind
from mesh.io.types.table import Column, Table, plain, plain_column, text
from mesh.io.types.tensor import TensorType
from mesh.io.value import from_value, value_bytes
from mesh.v1.types_pb2 import DataType, Tensor, Value
from mesh.varint import varint

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
)
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?")
    | hnp.complex_number_dtypes(sizes=(64, 128), endianness="?")
)
arrays = dtypes.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=5))
)


def sent(value):
    return from_value(Value.FromString(value_bytes(value)))


@given(values)
def test_plain_values_come_back_as_they_were(value):
    assert sent(value) == value
    assert type(sent(value)) is type(value)


@given(arrays)
def test_arrays_come_back_as_they_were(array):
    got = sent(array)
    assert got.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(got, array)
    assert got.shape == array.shape


@given(arrays, st.data())
def test_arrays_with_strides_come_back_as_they_were(array, data):
    part = array.T[..., :: data.draw(st.sampled_from([-1, 1, 2]))] if array.ndim else array
    np.testing.assert_array_equal(sent([{"a": part}])[0]["a"], part)


# NumPy keeps no zeros at the end of a text.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(hnp.arrays(np.dtype("U5"), hnp.array_shapes(min_dims=0, min_side=0), elements=texts))
def test_arrays_of_text_come_back_as_they_were(array):
    got = sent(array)
    np.testing.assert_array_equal(got, array)
    assert got.shape == array.shape


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_written_as_protobuf_writes_them(number):
    signed = number - 2**64 if number >= 2**63 else number
    assert Value(integer=signed).SerializeToString() == b"\x18" + varint(number)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**63 - 1, "integer"),
        (-(2**63), "integer"),
        (2**63, "big_integer"),
        (-(2**63) - 1, "big_integer"),
    ],
)
def test_whole_numbers_beyond_64_bits_are_text(value, kind):
    message = Value.FromString(value_bytes(value))
    assert message.WhichOneof("kind") == kind
    assert from_value(message) == value


@pytest.mark.parametrize("order", [1, -1])
def test_a_map_keeps_its_order(order):
    scores = {f"label {number}": number for number in range(50)[::order]}
    again = from_value(Value.FromString(value_bytes({"all": scores})))
    assert list(again["all"].items()) == list(scores.items())


def test_a_map_whose_sender_says_nothing_or_nonsense_of_the_order_is_whole():
    message = Value()
    for name in ("a", "b"):
        message.map.fields[name].integer = 1
    assert from_value(message) == {"a": 1, "b": 1}
    message.map.order.extend(["b", "x", "b"])
    assert list(from_value(message)) == ["b", "a"]


def test_a_large_array_is_a_correct_message():
    array = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    message = Value.FromString(value_bytes({"a": [array, 1]}))
    tensor = message.map.fields["a"].list.items[0].tensor
    assert (tensor.data_type, list(tensor.shape)) == (DataType.DATA_TYPE_FLOAT32, [100, 1000])
    assert tensor.data == array.tobytes()


class Color(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Model(BaseModel):
    a: int = 1
    day: date = date(2026, 3, 1)


@dataclasses.dataclass
class Data:
    model: Model
    array: np.ndarray


Named = namedtuple("Named", "a b")  # noqa: PYI024 - the untyped kind is what is tested


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (np.float32(1.5), 1.5),
        (np.int8(-3), -3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (Color.RED, "red"),
        (Number.ONE, 1),
        (Text("a"), "a"),
        (Named(1, 2), [1, 2]),
        ((1, (2,)), [1, [2]]),
        ({3}, [3]),
        (frozenset({3}), [3]),
        (OrderedDict(a=1), {"a": 1}),
        ({2: "a", None: "b", True: "c", date(2026, 3, 1): "d"}, None),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        (Model(), {"a": 1, "day": "2026-03-01"}),
        (date(2026, 3, 1), "2026-03-01"),
    ],
)
def test_other_types_become_what_they_are_in_json(value, got):
    if got is None:
        got = {"2": "a", "None": "b", "true": "c", "2026-03-01": "d"}
    assert sent(value) == got


def test_a_dataclass_is_a_map_of_its_fields():
    got = sent(Data(Model(), np.ones(2)))
    assert got["model"]["a"] == 1
    assert got["array"].tolist() == [1.0, 1.0]


def test_not_a_number_stays_not_a_number():
    assert math.isnan(sent(float("nan")))


@pytest.mark.parametrize(
    "value", [object(), lambda: 1, np.array([object()]), np.array(["2026"], "M8[Y]"), "\ud800"]
)
def test_what_has_no_form_on_the_wire_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        value_bytes([value])


def test_a_bfloat16_tensor_is_read_as_float32():
    tensor = Tensor(data_type=DataType.DATA_TYPE_BFLOAT16, shape=[2], data=b"\x80\x3f\x20\xc0")
    got = from_value(Value(tensor=tensor))
    assert (got.dtype, got.tolist()) == (np.dtype("float32"), [1.0, -2.5])


def test_any_byte_but_zero_is_true_in_a_tensor_of_booleans():
    tensor = Tensor(data_type=DataType.DATA_TYPE_BOOL, shape=[3], data=b"\x00\x01\x02")
    assert from_value(Value(tensor=tensor)).tolist() == [False, True, True]


@given(
    st.sampled_from(list(DataType.values())),
    st.lists(st.integers(-2, 4), max_size=3),
    st.binary(max_size=32),
    st.lists(st.text(), max_size=3),
)
def test_a_tensor_is_read_only_if_its_parts_agree(kind, shape, data, strings):
    value = Value(tensor=Tensor(data_type=kind, shape=shape, data=data, strings=strings))
    try:
        got = from_value(value)
    except InvalidArgument as error:
        assert error.violations[0].type in ("tensor_shape", "tensor_type")
    else:
        assert got.shape == tuple(shape)


@given(
    st.sampled_from(["int8", "uint16", "int64", "float16", "float32", "bool"]),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
    st.data(),
)
def test_flat_and_nested_lists_are_the_same_array(dtype, shape, data):
    array = data.draw(
        hnp.arrays(dtype, shape, elements={"allow_nan": False} if dtype[0] == "f" else None)
    )
    wild = data.draw(st.sampled_from([shape, (-1, *shape[1:])]))
    tensor = TensorType(np.dtype(dtype), wild)
    for lists in (array.tolist(), array.ravel().tolist()):
        np.testing.assert_array_equal(tensor.load(lists), array, strict=True)
    assert tensor.load(array) is array


@given(
    st.builds(File, st.binary(), st.sampled_from(["", "image/png"]), st.sampled_from(["", "é.png"]))
)
def test_files_come_back_as_they_were(file):
    assert sent([file]) == [file]


def test_a_file_is_read_from_its_path_when_it_is_written(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 10_000)
    file = File(media_type="text/plain", filename="b.txt", path=path)
    assert sent({"f": file}) == {"f": File(b"abc" * 10_000, "text/plain", "b.txt")}
    assert sent(File(uri="https://example.org/a")) == File(uri="https://example.org/a")
    path.unlink()
    with pytest.raises(ValueError, match=r"'b.txt' can't be read"):
        value_bytes(file)


@pytest.mark.parametrize(
    ("sent_as", "name"),
    [
        ("/etc/passwd", "passwd"),
        ("..\\..\\a.txt", "a.txt"),
        ("a/..", ""),
        (".", ""),
        ("a\0b.txt", "ab.txt"),
        ("folder/", "folder"),
        ("\0", ""),
        (".\0.", ""),
    ],
)
def test_a_file_has_a_name_without_folders(sent_as, name):
    message = Value(file={"data": b"x", "filename": sent_as})
    assert from_value(message) == File(b"x", "", name)


columns = arrays.filter(lambda array: array.ndim == 1) | st.lists(st.text()).map(text)


@given(columns, st.text(), st.booleans(), st.data())
def test_columns_come_back_as_they_were(values, name, nullable, data):
    validity = data.draw(hnp.arrays(np.bool_, len(values))) if nullable and len(values) else None
    got = sent(Column(name, values, validity))
    assert got.name == name
    assert got.values.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(got.values, values)
    np.testing.assert_array_equal(got.validity, validity)


def test_a_table_comes_back_as_its_columns():
    table = Table([Column("a", np.arange(50_000)), Column("a", text(["x"] * 50_000))])
    message = Value.FromString(value_bytes([table]))
    assert [c.name for c in message.list.items[0].frame.columns] == ["a", "a"]
    got = sent([table])[0]
    for sent_one, want in zip(got.columns, table.columns, strict=True):
        np.testing.assert_array_equal(sent_one.values, want.values)
    assert sent(Table([])).columns == ()


FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan], "c": [True, False], "d": ["x", None]}),
    pd.DataFrame({"a": pd.array([1, None], "Int8"), "b": pd.array([True, None], "boolean")}),
    pd.DataFrame({"a": pd.array([1, 2], "UInt16"), "b": pd.array([0.5, None], "Float32")}),
    pd.DataFrame({"": [1j], "é": ["é\0"]}),
    pd.DataFrame({"a": pd.to_datetime(["2026-03-01", None]), "b": [1, 2]}),
    pd.DataFrame({"a": pd.to_timedelta(["1s", None])}),
    pd.DataFrame({"a": pd.to_datetime(["2026-03-01"]).tz_localize("Asia/Tokyo")}),
    pd.DataFrame({"a": pd.Categorical(["x", "y", "x"], ["y", "x", "z"])}),
    pd.DataFrame(),
]


@pytest.mark.parametrize("frame", FRAMES, ids=range(len(FRAMES)))
def test_frames_and_series_come_back_as_they_were(frame):
    got = FrameType().load(sent(frame))
    pd.testing.assert_frame_equal(got, frame, check_column_type=False)
    for name in frame.columns:
        series = frame[name]
        got = SeriesType().load(sent(series))
        pd.testing.assert_series_equal(got, series, check_names=bool(series.name))


def test_only_columns_that_need_it_are_arrow():
    for frame, kinds in ((FRAMES[0], {"columns"}), (FRAMES[4], {"arrow_stream"})):
        message = Value.FromString(value_bytes(frame)).frame
        assert {field.name for field, _ in message.ListFields()} == kinds
    assert Value.FromString(value_bytes(FRAMES[0]["a"])).WhichOneof("kind") == "column"
    assert Value.FromString(value_bytes(FRAMES[4]["a"])).WhichOneof("kind") == "frame"


@pytest.mark.parametrize(
    "index",
    [["x", "y"], pd.Index([3, 5], name="n"), pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])],
)
@pytest.mark.parametrize("values", [[1, 2], pd.to_datetime(["2026-03-01", None])])
def test_an_index_that_says_something_goes_along(index, values):
    frame = pd.DataFrame({"a": values}, index=index)
    got = frame_kind(pd.DataFrame).load(sent(frame), None)
    pd.testing.assert_frame_equal(got, frame, check_index_type=False, check_dtype=False)


def test_numbers_of_rows_that_were_taken_out_stay_behind():
    frame = pd.DataFrame({"a": [1, 2, 3]})
    got = frame_kind(pd.DataFrame).load(sent(frame[frame.a > 1]), None)
    pd.testing.assert_frame_equal(got, pd.DataFrame({"a": [2, 3]}))
    message = Value.FromString(value_bytes(frame[frame.a > 1])).frame
    assert {field.name for field, _ in message.ListFields()} == {"columns"}


def test_a_column_of_anything_at_all_is_refused():
    with pytest.raises(ValueError, match="Arrow"):
        value_bytes(pd.DataFrame({"a": [1, "x"]}))


NUMBERS = {"data_type": DataType.DATA_TYPE_INT8, "shape": [2], "data": b"ab"}


@pytest.mark.parametrize(
    ("frame", "path", "kind"),
    [
        ({"columns": [{"name": "a", "values": NUMBERS}, {"name": "b"}]}, ("b",), "tensor_type"),
        ({"columns": [{"values": {**NUMBERS, "shape": [3]}}]}, (0,), "tensor_shape"),
        ({"columns": [{"name": "a", "values": NUMBERS, "validity": b"a"}]}, ("a",), "column_shape"),
        ({"columns": [{"values": {**NUMBERS, "shape": [1, 2]}}]}, (0,), "column_shape"),
        ({"columns": [{"values": {"data_type": 16, "shape": [2], "strings": ["a"]}}]}, (0,),
         "tensor_shape"),
        ({"columns": [{"values": NUMBERS}, {"values": {**NUMBERS, "shape": [1], "data": b"a"}}]},
         (), "frame_shape"),
        ({"columns": [{"values": NUMBERS}], "arrow_stream": b"a"}, (), "frame_parts"),
        ({"arrow_stream": b"nothing"}, (), "frame_shape"),
    ],
)  # fmt: skip
def test_a_frame_whose_parts_disagree_is_refused_with_the_path(frame, path, kind):
    with pytest.raises(InvalidArgument) as caught:
        from_value(Value(map={"fields": {"f": Value(frame=frame)}}))
    assert [(v.path, v.type) for v in caught.value.violations] == [(("f", *path), kind)]


def test_an_arrow_table_is_a_value_too():
    table = pa.table({"a": [1, None]})
    assert plain(sent(Table([Column("a", np.array([1]))], source=table))) == [{"a": 1}]


def test_one_long_text_among_many_is_refused_in_a_tensor_and_read_in_a_column():
    strings = ["x" * 100_000] + [""] * 9_999
    tensor = Tensor(data_type=DataType.DATA_TYPE_STRING, shape=[10_000], strings=strings)
    with pytest.raises(InvalidArgument, match="too long"):
        from_value(Value(tensor=tensor))
    assert from_value(Value(column={"values": tensor})).values.tolist() == strings


def test_a_column_of_bfloat16_is_one_of_float32():
    tensor = Tensor(data_type=DataType.DATA_TYPE_BFLOAT16, shape=[2], data=b"\x80\x3f\x20\xc0")
    got = from_value(Value(column={"values": tensor, "validity": b"\0\1"}))
    assert plain_column(got) == [None, -2.5]
    assert SeriesType().load(got).dtype == "Float32"
