"""tensorflow's tensors from lists and arrays, and on their way out. Its import takes seconds."""

import json
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from mesh.call import CALL, JSON
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.elements import NAMES, element_type
from mesh.io.types.registry import kind_of, wire_value
from mesh.io.types.tensor import DType, Shape, TensorType, tensor_json
from mesh.io.types.tf_tensor import TfType
from mesh.io.value import from_value, value_bytes
from mesh.v1.types_pb2 import Value

ANY = TfType()


def of(dtype: str, shape: tuple[int, ...] | None = None) -> TfType:
    made = ANY.marked(DType(dtype))
    return made if shape is None else made.marked(Shape(shape))


def sent(value: Any) -> Any:
    return from_value(Value.FromString(value_bytes(value)))


def same(left: tf.Tensor, right: tf.Tensor) -> None:
    assert isinstance(left, tf.Tensor)
    assert left.dtype == right.dtype
    np.testing.assert_array_equal(left.numpy(), right.numpy())


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    shape = draw(hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3))
    name = draw(st.sampled_from(NAMES))
    if name == "str":
        return draw(hnp.arrays("U4", shape, elements=texts))
    if name == "bfloat16":
        numbers = st.floats(width=16, allow_nan=False)
        return draw(hnp.arrays("f4", shape, elements=numbers)).astype(element_type(name))
    return draw(hnp.arrays(name, shape))


@given(arrays())
def test_a_tensor_is_the_same_through_a_message_and_json(array):
    tensor = tf.constant(array)
    same(ANY.load(sent(ANY.wire(tensor))), tensor)
    name = "str" if array.dtype.kind == "U" else array.dtype.name
    wanted = of(name, array.shape)
    same(wanted.load(json.loads(tensor_json(ANY.wire(tensor)))), tensor)
    assert wanted.load(tensor) is tensor


@pytest.mark.parametrize(
    ("wanted", "value", "tensor"),
    [
        (ANY, [1, 2], tf.constant([1, 2])),
        (ANY, [1.5, 2], tf.constant([1.5, 2])),
        (ANY, [1, 2.5], tf.constant([1, 2.5])),
        (ANY, ["aé"], tf.constant(["aé"])),
        (ANY, True, tf.constant(True)),
        (ANY, np.ones(2), tf.ones(2, tf.float64)),
        (of("bfloat16"), [1, 2.5], tf.constant([1, 2.5], tf.bfloat16)),
        (of("float32", (1, 4)), [1, 2, 3, 4], tf.constant([[1.0, 2, 3, 4]])),
        (of("float32"), tf.ones(1, tf.float16), tf.ones(1)),
        (ANY, np.ones((2, 3), ">f4")[::-1], tf.ones((2, 3))),
    ],
)
def test_lists_and_arrays_become_the_tensor_that_is_meant(wanted, value, tensor):
    same(wanted.load(value), tensor)


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (ANY, None, "expected an array, not null"),
        (ANY, [1e300], "out of bounds for float32"),
        (ANY, [2**40], "out of bounds for int32"),
        (ANY, [[1], [2, 3]], "inhomogeneous shape"),
        (of("int8"), [300], "out of bounds for int8"),
        (of("str"), [1], "expected elements of str, not int64"),
        (of("float32", (2, 3)), [1, 2, 3], "cannot reshape array of size 3 into shape (2,3)"),
        (of("float32", (2, 3)), tf.ones(3), "expected shape (2,3), not (3)"),
        (of("float32"), tf.ones(1, tf.float64), "expected elements of float32, not float64"),
    ],
)
def test_what_does_not_fit_is_refused_in_plain_words(wanted, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wanted.load(value)


@pytest.mark.parametrize(
    ("wanted", "value", "tensor"),
    [
        (of("float32"), tf.ones(2, tf.float64), tf.ones(2)),
        (of("bfloat16"), tf.ones(2, tf.float64), tf.ones(2, tf.bfloat16)),
        (ANY, tf.Variable([1.0]), tf.constant([1.0])),
        (ANY, np.array([b"a"]), tf.constant(["a"])),
        (ANY, [1, 2], tf.constant([1, 2])),
    ],
)
def test_a_result_is_made_to_fit(wanted, value, tensor):
    same(wanted.check(value), tensor)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (tf.constant([b"\xff"]), "can't decode"),
        (tf.ragged.constant([[1], [2, 3]]), "expected an array, not "),
        (tf.sparse.from_dense([[1]]), "expected an array, not "),
    ],
)
def test_a_result_that_is_no_plain_tensor_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        ANY.check(value)


def test_a_tensor_is_a_result_where_an_array_is_promised():
    np.testing.assert_array_equal(TensorType().check(tf.ones(2)), np.ones(2, "f4"), strict=True)


def test_variables_and_text_have_a_plain_array():
    assert wire_value(tf.Variable([1.0])).tolist() == [1.0]
    assert wire_value(tf.constant("aé")).tolist() == "aé"
    assert wire_value(tf.constant(["a", ""])).tolist() == ["a", ""]


def test_a_tensor_without_values_has_no_wire_value():
    found = []

    @tf.function
    def traced(x: tf.Tensor) -> tf.Tensor:
        with pytest.raises(ValueError, match="without values"):
            wire_value(x)
        found.append(x)
        return x

    traced(tf.ones(1))
    assert found


def test_the_schema_has_names_that_clients_find_in_tensorflow():
    assert ANY.json_schema() == {"type": "tensor", "format": "tf-tensor"}
    for name in NAMES:
        said = of(name, (1, 4)).json_schema()
        assert isinstance(getattr(tf, said["dtype"]), tf.DType)
        assert (said["shape"], said["dim"]) == ([1, 4], 4)


def test_a_subclass_of_tensors_is_no_annotation():
    assert kind_of(tf.Tensor) == ANY
    with pytest.raises(TypeError, match=r"annotate tf\.Tensor"):
        kind_of(type(tf.constant(1)))


class Owner: ...


def echo_of(annotation: Any) -> MethodSpec:
    def echo(self, x): ...

    echo.__annotations__ = {"x": annotation, "return": annotation}
    return method_spec(Owner, echo, name="echo", route="/echo")


@pytest.mark.parametrize(
    ("annotation", "wrap"),
    [
        (tf.Tensor, lambda x: x),
        (tf.Tensor | None, lambda x: x),
        (list[tf.Tensor], lambda x: [x]),
        (dict[str, tf.Tensor], lambda x: {"a": x}),
    ],
)
def test_tensors_travel_inside_other_types(annotation, wrap):
    spec = echo_of(annotation)
    text = spec.reply_encoder(JSON, "").encode(wrap(tf.constant([1.5, 2])))
    assert json.loads(text) == wrap([1.5, 2.0])
    bound, _ = spec.decode_arguments(JSON, b'{"x":' + text + b"}")
    again, _ = spec.decode_arguments(CALL, spec.encode_arguments((*bound.args,), bound.kwargs))
    for found in (bound, again):
        (value,) = (*found.args, *found.kwargs.values())
        assert json.loads(spec.reply_encoder(JSON, "").encode(value)) == wrap([1.5, 2.0])
