"""torch's tensors from lists and arrays, and on their way out."""

import json
import re
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from mesh.call import CALL, JSON
from mesh.errors import DefinitionError, InvalidArgument
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.elements import NAMES
from mesh.io.types.registry import kind_of, wire_value
from mesh.io.types.tensor import DType, Shape, TensorType, tensor_json
from mesh.io.types.torch_tensor import TorchType
from mesh.io.value import from_value, value_bytes
from mesh.v1.types_pb2 import DataType, Value

ANY = TorchType()


def of(dtype: str, shape: tuple[int, ...] | None = None) -> TorchType:
    made = ANY.marked(DType(dtype))
    return made if shape is None else made.marked(Shape(shape))


def sent(value: Any) -> Any:
    return from_value(Value.FromString(value_bytes(value)))


def same(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left.dtype == right.dtype and torch.equal(left.nan_to_num(7), right.nan_to_num(7))


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))
    name = draw(st.sampled_from([name for name in NAMES if name != "str"]))
    dtype = np.uint16 if name == "bfloat16" else np.dtype(name)
    array = draw(hnp.arrays(dtype, shape))
    tensor = torch.from_numpy(array.copy())
    return tensor.view(torch.bfloat16) if name == "bfloat16" else tensor


@given(tensors())
def test_a_tensor_is_the_same_through_a_message_whatever_its_layout(tensor):
    wide = torch.stack([tensor, tensor], dim=-1)
    for each in (tensor, tensor.mT if tensor.ndim > 1 else tensor, wide[..., 1]):
        assert same(ANY.load(sent(ANY.wire(each))), each)


@given(tensors())
def test_a_tensor_is_the_same_through_json(tensor):
    wanted = of(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
    assert same(wanted.load(json.loads(tensor_json(ANY.wire(tensor)))), tensor)


@pytest.mark.parametrize(
    ("wanted", "value", "tensor"),
    [
        (ANY, [1, 2], torch.tensor([1, 2])),
        (ANY, [1.5, 2], torch.tensor([1.5, 2])),
        (ANY, [1, 2.5], torch.tensor([1, 2.5])),
        (ANY, [], torch.tensor([])),
        (ANY, 3, torch.tensor(3)),
        (ANY, [[True]], torch.tensor([[True]])),
        (ANY, np.ones(2), torch.ones(2, dtype=torch.float64)),
        (of("bfloat16"), [1, 2.5], torch.tensor([1, 2.5], dtype=torch.bfloat16)),
        (of("bfloat16"), np.ones(2, "f4"), torch.ones(2, dtype=torch.bfloat16)),
        (of("complex64"), ["1+2j"], torch.tensor([1 + 2j])),
        (of("float32", (1, 4)), [1, 2, 3, 4], torch.tensor([[1.0, 2, 3, 4]])),
        (of("float32"), torch.ones(1), torch.ones(1)),
        (of("float32"), torch.ones(1, dtype=torch.float16), torch.ones(1)),
        (ANY, np.ones((2, 3), ">f4")[::-1], torch.ones(2, 3)),
    ],
)
def test_lists_and_arrays_become_the_tensor_that_is_meant(wanted, value, tensor):
    assert same(wanted.load(value), tensor)


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (ANY, ["a"], "expected numbers or booleans, not text"),
        (ANY, np.array(["a"]), "expected numbers or booleans, not text"),
        (ANY, None, "expected an array, not null"),
        (ANY, {"a": 1}, "not an object"),
        (ANY, [1e300], "out of bounds for float32"),
        (ANY, [2**70], "no number of at most 64 bits"),
        (ANY, [[1], [2, 3]], "inhomogeneous shape"),
        (of("int8"), [300], "out of bounds for int8"),
        (of("bfloat16"), [3.4e38], "out of bounds for bfloat16"),
        (of("bfloat16"), np.ones(1), "expected elements of float32, not float64"),
        (of("float32", (2, 3)), [1, 2, 3], "cannot reshape array of size 3 into shape (2,3)"),
        (of("float32", (2, 3)), torch.ones(3), "expected shape (2,3), not (3)"),
        (of("float32"), torch.ones(1).double(), "expected elements of float32, not float64"),
    ],
)
def test_what_does_not_fit_is_refused_in_plain_words(wanted, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wanted.load(value)


def test_a_tensor_shares_the_memory_of_an_array_that_may_be_written():
    array = np.ones((2, 3), np.float32)
    ANY.load(array)[0, 0] = 5
    assert array[0, 0] == 5


def test_writing_to_a_tensor_leaves_the_bytes_of_a_message_alone():
    array = sent(np.ones((1 << 16,), np.float32))
    assert not array.flags.writeable
    ANY.load(array).zero_()
    assert array.all()


@pytest.mark.parametrize(
    ("wanted", "value", "tensor"),
    [
        (of("float32"), torch.ones(2).double(), torch.ones(2)),
        (of("bfloat16"), torch.ones(2).double(), torch.ones(2).bfloat16()),
        (of("float16"), torch.ones(2).bfloat16(), torch.ones(2).half()),
        (of("float32"), np.ones(2), torch.ones(2)),
        (ANY, [1, 2], torch.tensor([1, 2])),
        (ANY, torch.ones(1).requires_grad_(), torch.ones(1)),
    ],
)
def test_a_result_is_made_to_fit(wanted, value, tensor):
    assert same(wanted.check(value), tensor)


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (of("int64"), torch.ones(2), "expected elements of int64, not float32"),
        (of("int8"), torch.tensor([300]), "out of bounds for int8"),
        (of("float32", (2, 2)), torch.ones(2), "expected shape (2,2), not (2)"),
        (ANY, "text", "not text"),
        (ANY, object(), "expected an array, not object"),
    ],
)
def test_a_result_that_does_not_fit_is_refused(wanted, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wanted.check(value)


def test_a_tensor_is_a_result_where_an_array_is_promised():
    got = TensorType().check(torch.ones(2, requires_grad=True))
    np.testing.assert_array_equal(got, np.ones(2, "f4"), strict=True)


@pytest.mark.parametrize(
    ("value", "array"),
    [
        (torch.nn.Parameter(torch.ones(2)), np.ones(2, "f4")),
        (torch.eye(2).to_sparse(), np.eye(2, dtype="f4")),
        (torch.tensor([1 + 2j]).conj(), np.array([1 - 2j], "c8")),
        (torch.tensor([1 + 2j]).conj().imag, np.array([-2], "f4")),
    ],
)
def test_tensors_that_are_views_or_more_than_that_have_a_plain_array(value, array):
    np.testing.assert_array_equal(wire_value(value), array, strict=True)


@pytest.mark.parametrize(
    "value", [torch.ones(2, device="meta"), torch.ones(2).to(torch.float8_e4m3fn)]
)
def test_tensors_without_numbers_that_numpy_knows_have_no_wire_value(value):
    with pytest.raises(ValueError, match="has no form on the wire"):
        wire_value(value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_tensor_on_a_gpu_has_a_wire_value():
    assert wire_value(torch.ones(2, device="cuda")).tolist() == [1.0, 1.0]


def test_bfloat16_is_on_the_wire_what_it_is_in_torch():
    message = Value.FromString(value_bytes(ANY.wire(torch.ones(2).bfloat16())))
    assert message.tensor.data_type == DataType.DATA_TYPE_BFLOAT16
    assert message.tensor.data == b"\x80\x3f" * 2


def test_the_schema_has_names_that_clients_find_in_torch():
    assert ANY.json_schema() == {"type": "tensor", "format": "torch-tensor"}
    for name in set(NAMES) - {"str"}:
        said = of(name, (1, 4)).json_schema()
        assert isinstance(getattr(torch, said["dtype"]), torch.dtype)
        assert (said["dtype"], said["shape"], said["dim"]) == (name, [1, 4], 4)


def test_markers_that_contradict_or_say_nothing_are_refused():
    with pytest.raises(TypeError, match="torch has no tensors of text"):
        of("str")
    with pytest.raises(TypeError, match="contradicts"):
        of("bfloat16").marked(DType("float32"))
    with pytest.raises(TypeError, match="says nothing about tensors"):
        ANY.marked(object())
    with pytest.raises(TypeError, match=r"annotate torch\.Tensor"):
        kind_of(torch.nn.Parameter)


class Owner: ...


def echo_of(annotation: Any) -> MethodSpec:
    def echo(self, x): ...

    echo.__annotations__ = {"x": annotation, "return": annotation}
    return method_spec(Owner, echo, name="echo", route="/echo")


def argument(spec: MethodSpec, media_type: str, body: bytes) -> Any:
    bound, _ = spec.decode_arguments(media_type, body)
    return bound.kwargs["x"] if bound.kwargs else bound.args[0]


ONE = torch.tensor([1.5, 2])


@pytest.mark.parametrize(
    ("annotation", "value", "text", "pick"),
    [
        (torch.Tensor, ONE, b"[1.5,2.0]", lambda x: x),
        (torch.Tensor | None, ONE, b"[1.5,2.0]", lambda x: x),
        (list[torch.Tensor], [ONE], b"[[1.5,2.0]]", lambda x: x[0]),
        (dict[str, torch.Tensor], {"a": ONE}, b'{"a":[1.5,2.0]}', lambda x: x["a"]),
        (tuple[int, torch.Tensor], (1, ONE), b"[1,[1.5,2.0]]", lambda x: x[1]),
        (str | torch.Tensor, ONE, b"[1.5,2.0]", lambda x: x),
    ],
)
def test_tensors_travel_inside_other_types(annotation, value, text, pick):
    spec = echo_of(annotation)
    written = spec.reply_encoder(JSON, "").encode(value)
    assert json.loads(written) == json.loads(text)
    assert same(pick(argument(spec, JSON, b'{"x":' + written + b"}")), ONE)
    assert same(pick(argument(spec, CALL, spec.encode_arguments((value,), {}))), ONE)
    assert same(pick(spec.decode_reply(spec.reply_encoder(CALL, "").encode(value))), ONE)


def test_a_bad_tensor_names_the_parameter():
    with pytest.raises(InvalidArgument) as caught:
        echo_of(list[torch.Tensor]).decode_arguments(JSON, b'{"x":[[1],["a"]]}')
    (violation,) = caught.value.violations
    assert (violation.path, violation.type) == (("x", 1), "value_error")


def test_a_contradiction_is_found_where_the_method_is_defined():
    with pytest.raises(DefinitionError, match="no tensors of text"):
        echo_of(Annotated[torch.Tensor, DType("str")])
