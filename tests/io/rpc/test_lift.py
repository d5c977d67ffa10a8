"""Large arrays are read where they lie in a request."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import mesh
from mesh.call import TYPED
from mesh.errors import InvalidArgument
from mesh.io.rpc.lift import LARGE, MOST, lift
from mesh.v1.types_pb2 import DataType, Tensor
from tests.io.rpc.rig import Rig


@mesh.service
class Arrays:
    @mesh.api
    def add(self, a: np.ndarray, b: np.ndarray, note: str = "") -> np.ndarray:
        return a + b


ARRAYS = Rig(Arrays)


def _request(note: str = "", **arrays: np.ndarray) -> Any:
    made: Any = ARRAYS.message("AddRequest", note=note)
    for name, array in arrays.items():
        tensor = getattr(made, name)
        tensor.data_type = DataType.Value(f"DATA_TYPE_{array.dtype.name.upper()}")
        tensor.shape.extend(array.shape)
        tensor.data = array.tobytes()
    return made


LONG = np.arange(LARGE, dtype=np.float32)


def test_an_array_is_a_view_of_the_request() -> None:
    body = _request("n", a=LONG, b=np.float32([1])).SerializeToString()
    found = ARRAYS.decoded("add", body).kwargs
    np.testing.assert_array_equal(found["a"], LONG)
    assert (found["b"].tolist(), found["note"]) == ([1.0], "n")
    start = np.frombuffer(body, np.uint8).ctypes.data
    assert start < found["a"].ctypes.data < start + len(body), "not a copy"
    assert not found["a"].flags.writeable


def test_every_type_of_elements_is_read_alike() -> None:
    for dtype in ("float64", "int8", "bool", "complex64"):
        array = np.arange(LARGE).astype(dtype)
        body = _request(a=array, b=array).SerializeToString()
        found = ARRAYS.decoded("add", body).kwargs["a"]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_a_field_that_is_there_twice_is_merged_as_protobuf_does_it() -> None:
    once = _request(a=LONG, b=LONG).SerializeToString()
    again: Any = ARRAYS.message("AddRequest")
    again.a.data = (LONG * 2).tobytes()
    body = once + again.SerializeToString()
    np.testing.assert_array_equal(ARRAYS.decoded("add", body).kwargs["a"], LONG * 2)


def test_a_tensor_that_contradicts_itself_is_named() -> None:
    made = _request(a=LONG, b=LONG)
    made.b.shape.append(3)
    with pytest.raises(InvalidArgument) as raised:
        ARRAYS.decoded("add", made.SerializeToString())
    assert (raised.value.violations[0].path, raised.value.violations[0].type) == (
        ("b",),
        "tensor_shape",
    )


def test_a_missing_array_is_still_missed() -> None:
    with pytest.raises(InvalidArgument) as raised:
        ARRAYS.decoded("add", _request(a=LONG).SerializeToString())
    assert raised.value.violations[0].path == ("b",)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_request_is_read_as_the_library_would_or_refused(data: st.DataObject) -> None:
    body = bytearray(_request("note", a=LONG[:20_000], b=np.float32([1, 2])).SerializeToString())
    edges = [*range(30), *range(len(body) - 40, len(body))]
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.sampled_from(edges))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.sampled_from([len(body), len(body) - 3, 80_010, 70_000]))])
    try:
        found = ARRAYS.decoded("add", cut).kwargs
    except InvalidArgument as error:
        assert error.violations
        return
    request = ARRAYS.message_class("AddRequest").FromString(cut)
    assert found["a"].nbytes == len(request.a.data)
    assert found["note"] == request.note


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_taken_apart_and_are_the_same_together(body: bytes) -> None:
    rest, lifted = lift(body, {1, 2})
    size = sum(len(data) for _, data in lifted.values())
    assert len(rest) + size <= len(body)
    assert all(isinstance(tensor, Tensor) for tensor, _ in lifted.values())


def test_a_message_of_very_many_fields_is_left_to_the_library() -> None:
    many = b"\x38\x01" * MOST  # a field that nobody knows
    body = _request(a=LONG, b=LONG).SerializeToString()
    assert lift(many + body, {1, 2}) == (many + body, {})
    rest, found = lift(many[:-20] + body, {1, 2})
    assert set(found) == {1, 2}
    assert len(rest) < len(many)
    np.testing.assert_array_equal(ARRAYS.decoded("add", many + body).kwargs["a"], LONG)


def test_the_stream_of_bytes_may_be_anything_else() -> None:
    noise = bytes(range(256)) * 1000
    with pytest.raises(InvalidArgument, match="1 validation error"):
        ARRAYS.spec.methods["add"].decode_arguments(TYPED, noise)
