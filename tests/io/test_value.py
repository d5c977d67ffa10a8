"""The written form of a value is read back by the generated classes, whatever the value."""

import dataclasses
import enum
import math
from collections import OrderedDict, namedtuple
from datetime import date

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel

from mesh.errors import InvalidArgument
from mesh.io.types.tensor import TensorType
from mesh.io.value import from_value, value_bytes
from mesh.io.wire import varint
from mesh.v1.types_pb2 import DataType, Tensor, Value

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
