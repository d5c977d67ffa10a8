"""Elements of tensors: every datatype in every form, and hostile bytes."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from mesh.io.open_inference import tensors
from mesh.io.open_inference.datatypes import BF16, BYTES, DATATYPES, NUMBERS, datatype_of
from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array
from mesh.v1.open_inference_pb2 import InferTensorContents

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, Array]:
    """A datatype of numbers, and an array of any elements of it."""
    datatype = draw(st.sampled_from(sorted(NUMBERS)))
    shape = draw(SHAPES)
    dtype = NUMBERS[datatype]
    size = int(np.prod(shape, dtype=int))
    raw = draw(st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize))
    found = (
        np.frombuffer(raw, np.uint8) % 2 != 0 if datatype == "BOOL" else np.frombuffer(raw, dtype)
    )
    return datatype, found.reshape(shape)


@st.composite
def words(draw: st.DrawFn, elements: st.SearchStrategy[bytes]) -> Array:
    shape = draw(SHAPES)
    size = int(np.prod(shape, dtype=int))
    found = np.empty(size, object)
    found[:] = draw(st.lists(elements, min_size=size, max_size=size))
    return found.reshape(shape)


def assert_same(found: Array, want: Array) -> None:
    assert found.shape == want.shape
    assert found.tolist() == want.tolist() or np.array_equal(found, want, equal_nan=True)


@given(numbers())
def test_numbers_come_back_from_their_bytes(case: tuple[str, Array]) -> None:
    datatype, array = case
    assert datatype_of(array.dtype) == datatype
    assert_same(tensors.from_raw(datatype, array.shape, tensors.to_raw(array)), array)
    swapped = array.astype(array.dtype.newbyteorder(">"))
    assert tensors.to_raw(swapped) == tensors.to_raw(array)


@given(numbers())
def test_numbers_come_back_from_typed_contents(case: tuple[str, Array]) -> None:
    datatype, array = case
    if datatype == "FP16":
        assert not tensors.is_typed(datatype)
        with pytest.raises(ValueError, match="send it raw"):
            tensors.from_contents(datatype, array.shape, InferTensorContents())
        return
    contents = tensors.to_contents(datatype, array)
    sent = InferTensorContents.FromString(contents.SerializeToString())
    assert_same(tensors.from_contents(datatype, array.shape, sent), array)


@given(numbers())
def test_numbers_come_back_from_json(case: tuple[str, Array]) -> None:
    datatype, array = case
    data = json.loads(tensors.to_json(array))
    assert_same(tensors.from_json(datatype, array.shape, data), array)
    if array.ndim:
        assert_same(tensors.from_json(datatype, array.shape, array.tolist()), array)


@given(words(st.binary(max_size=5)))
def test_bytes_come_back_raw_and_typed(array: Array) -> None:
    assert_same(tensors.from_raw(BYTES, array.shape, tensors.to_raw(array)), array)
    contents = tensors.to_contents(BYTES, array)
    assert_same(tensors.from_contents(BYTES, array.shape, contents), array)


@given(words(st.text(max_size=4).filter(lambda text: text.isprintable()).map(str.encode)))
def test_texts_come_back_from_json(array: Array) -> None:
    data = json.loads(tensors.to_json(array))
    assert_same(tensors.from_json(BYTES, array.shape, data), array)


@given(st.lists(st.integers(0, 0xFFFF), max_size=8))
def test_bfloat16_comes_back_from_its_bits(bits: list[int]) -> None:
    raw = np.array(bits, "<u2").tobytes()
    found = tensors.from_raw(BF16, (len(bits),), raw)
    assert isinstance(found, Bfloat16)
    assert tensors.to_raw(found) == raw


@given(st.lists(st.floats(width=32), max_size=8))
def test_numbers_in_json_are_rounded_to_bfloat16_as_torch_rounds_them(data: list[float]) -> None:
    torch = pytest.importorskip("torch")
    want = torch.tensor(data, dtype=torch.float32).to(torch.bfloat16).to(torch.float32).numpy()
    assert_same(np.asarray(tensors.from_json(BF16, (len(data),), data)), want)


@given(st.sampled_from(sorted(DATATYPES)), SHAPES, st.binary(max_size=64))
def test_any_bytes_are_a_tensor_or_refused(
    datatype: str, shape: tuple[int, ...], data: bytes
) -> None:
    try:
        found = tensors.from_raw(datatype, shape, data)
    except ValueError:
        return
    assert found.shape == shape


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(DATATYPES)), SHAPES, ANY)
def test_any_json_is_a_tensor_or_refused(
    datatype: str, shape: tuple[int, ...], data: object
) -> None:
    try:
        found = tensors.from_json(datatype, shape, data)
    except ValueError:
        return
    assert found.shape == shape


@given(ANY, ANY)
def test_any_datatype_and_shape_are_good_or_refused(datatype: object, shape: object) -> None:
    try:
        _, extents = tensors.checked(datatype, shape)
    except ValueError:
        return
    assert all(extent >= 0 for extent in extents)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\1\0\0", "cut off"),
        (b"\2\0\0\0a", "shorter than its length"),
        (b"\1\0\0\0a", "there are 1 elements"),
        (struct.pack("<I", 0xFFFFFFFF) + b"a", "shorter than its length"),
        (b"\0\0\0\0" * 3, "more than 2 elements"),
    ],
)
def test_lengths_that_lie_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tensors.from_raw(BYTES, (2,), data)


@pytest.mark.parametrize(
    ("datatype", "contents", "message"),
    [
        ("INT8", InferTensorContents(int_contents=[300, 1]), "300|out of bounds|format"),
        ("FP32", InferTensorContents(int_contents=[1, 2]), "fp32_contents, not in int_contents"),
        ("INT64", InferTensorContents(int64_contents=[1]), "does not have 1 elements"),
        ("FP32", InferTensorContents(), "does not have 0 elements"),
    ],
)
def test_contents_that_do_not_fit_are_refused(
    datatype: str, contents: InferTensorContents, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tensors.from_contents(datatype, (2,), contents)
