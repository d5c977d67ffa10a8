"""What is wrong with the input is said before the method runs, with the path to it."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from mesh.call import CALL, JSON
from mesh.errors import Code, Internal, InvalidArgument, MeshError, UnsupportedMediaType
from mesh.io.spec import method_spec
from mesh.io.types.tensor import DType, Shape
from mesh.v1.inference_pb2 import CallRequest
from mesh.v1.types_pb2 import DataType, File, Tensor, Value


class Sub(BaseModel):
    a: int
    tags: list[str] = []


class Service:
    async def method(
        self,
        x: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")],
        n: int = 1,
        m: list[Sub] = [],  # noqa: B006 - never changed
        small: Annotated[np.ndarray, DType("int8")] | None = None,
        anything: Any = None,
    ) -> int:
        return 1

    async def stream(self, items: AsyncIterator[int], n: int = 1) -> int:
        return 1


SPEC = method_spec(Service, Service.method, name="method", route="/method")
STREAM = method_spec(Service, Service.stream, name="stream", route="/stream")


def refused(media_type: str, body: bytes) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        SPEC.decode_arguments(media_type, body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("body", "path", "kind", "message"),
    [
        (b"", ("x",), "missing", "Field required"),
        (b"{}", ("x",), "missing", "Field required"),
        (b'{"x": ', (), "json_invalid", "Invalid JSON: EOF while parsing a value"),
        (b'{"x": [\xff]}', (), "json_invalid", "Invalid JSON"),
        (b"not json", (), "json_invalid", "Invalid JSON"),
        (b"[1]", (), "model_type", "Input should be an object"),
        (b'"text"', (), "model_type", "Input should be an object"),
        (b'{"x":[[1,2]],"n":"a"}', ("n",), "int_parsing", "Input should be a valid integer"),
        (b'{"x":[[1,2]],"n":1.5}', ("n",), "int_from_float", "got a number with a fractional"),
        (b'{"x":[[1,2]],"n":1e400}', ("n",), "finite_number", "finite"),
        (b'{"x":[[1,2]],"m":[{"a":1},{"a":"q"}]}', ("m", 1, "a"), "int_parsing", "valid integer"),
        (b'{"x":[[1,2]],"m":[{"a":1,"tags":[3]}]}', ("m", 0, "tags", 0), "string_type", "string"),
        (b'{"x":[1,2,3]}', ("x",), "value_error", "cannot reshape array of size 3 into shape"),
        (b'{"x":[["a",1]]}', ("x",), "value_error", "could not convert string to float"),
        (b'{"x":[[1,2],[3]]}', ("x",), "value_error", "inhomogeneous shape"),
        (b'{"x":[[1e300,1]]}', ("x",), "value_error", "out of bounds for float32"),
        (b'{"x":{"a":1}}', ("x",), "value_error", "expected an array, not an object"),
        (b'{"x":[[{"a":1},2]]}', ("x",), "value_error", "no number"),
        (b'{"x":null}', ("x",), "value_error", "expected an array, not null"),
    ],
)
def test_bad_json_names_the_part_and_the_fault(body, path, kind, message):
    error = refused(JSON, body)
    assert error.message == "1 validation error for Input"
    (violation,) = error.violations
    assert (violation.path, violation.type) == (path, kind)
    assert message in violation.message
    assert violation.url.endswith(f"/v/{kind}")


@pytest.mark.parametrize(
    "small",
    ["[300]", "[-129]", "[1.5]", "[NaN]", "[1e30]", "[1e999]", '["a"]', "[null]", "[1,[2]]"],
)
def test_what_an_element_type_cannot_hold_is_no_input(small):
    error = refused(JSON, b'{"x":[1,2],"small":' + small.encode() + b"}")
    assert error.violations[0].path[0] == "small"


def test_every_fault_is_told_at_once():
    error = refused(JSON, b'{"n":"a","m":3}')
    assert error.message == "3 validation error for Input"
    assert [violation.path for violation in error.violations] == [("x",), ("n",), ("m",)]


def test_what_no_parameter_takes_is_ignored():
    assert SPEC.decode_arguments(JSON, b'{"x":[[1,2]],"other":1}')[0].kwargs["n"] == 1


@pytest.mark.parametrize("media_type", ["", "text/xml", "application/json; charset=utf-8"])
def test_any_other_media_type_is_read_as_json(media_type):
    assert SPEC.decode_arguments(media_type, b'{"x":[[1,2]],"n":5}')[0].kwargs["n"] == 5


@pytest.mark.parametrize(
    "media_type", ["application/vnd.bentoml+pickle", "application/x-pickle; v=5"]
)
def test_a_pickle_is_refused_unread(media_type):
    with pytest.raises(UnsupportedMediaType) as caught:
        SPEC.decode_arguments(media_type, b"cos\nsystem\n(S'true'\ntR.")
    assert caught.value.status == 415
    with pytest.raises(UnsupportedMediaType):
        STREAM.decode_item(media_type, b"")


GOOD = SPEC.encode_arguments((np.ones((64, 2), np.float32), 3), {})


@pytest.mark.parametrize("length", [1, 7, 20, len(GOOD) // 2, len(GOOD) - 1])
def test_a_truncated_message_is_an_invalid_argument(length):
    error = refused(CALL, GOOD[:length])
    assert error.violations[0].path in ((), ("x",))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_an_error_of_the_mesh(body):
    for media_type in (CALL, JSON):
        try:
            SPEC.decode_arguments(media_type, body)
        except MeshError as error:
            assert error.status == 400


@given(st.data())
def test_no_damage_to_a_good_message_raises_anything_else(data):
    at = data.draw(st.integers(0, 60))
    body = GOOD[:at] + data.draw(st.binary(max_size=4)) + GOOD[at + 1 :]
    try:
        SPEC.decode_arguments(CALL, body)
    except MeshError as error:
        assert error.status == 400


def call(**values: Value) -> bytes:
    request = CallRequest(method="method")
    for name, value in values.items():
        request.arguments[name].CopyFrom(value)
    return request.SerializeToString()


def tensor(kind: int, shape: list[int], data: bytes) -> Value:
    return Value(tensor=Tensor(data_type=kind, shape=shape, data=data))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (tensor(DataType.DATA_TYPE_FLOAT32, [2, 2], b"\0" * 12), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_FLOAT32, [1, 2], b"\0" * 7), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_FLOAT32, [-1, 2], b"\0" * 8), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_FLOAT32, [2**62, 8], b"\0" * 8), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_STRING, [-1], b""), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_STRING, [3], b""), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_BOOL, [3], b"\1"), "tensor_shape"),
        (tensor(DataType.DATA_TYPE_UNSPECIFIED, [1, 2], b"\0" * 8), "tensor_type"),
        (tensor(99, [1, 2], b"\0" * 8), "tensor_type"),
        (tensor(DataType.DATA_TYPE_FLOAT64, [1, 2], b"\0" * 16), "value_error"),
        (tensor(DataType.DATA_TYPE_FLOAT32, [2], b"\0" * 8), "value_error"),
        (Value(file=File(uri="http://127.0.0.1/")), "value_error"),
        (Value(big_integer="1" * 5000), "big_integer"),
        (Value(big_integer="²"), "big_integer"),
        (Value(text="a"), "value_error"),
        (Value(), "missing"),
    ],
)
def test_a_bad_value_in_a_call_names_the_parameter(value, kind):
    error = refused(CALL, call(x=value))
    assert [(each.path, each.type) for each in error.violations] == [(("x",), kind)]
    assert error.message == "1 validation error for Input"


def test_a_bad_value_deep_in_a_call_has_its_whole_path():
    value = Value()
    value.map.fields["a"].list.items.add(integer=1)
    value.map.fields["a"].list.items.add()
    error = refused(CALL, call(anything=value))
    assert error.violations[0].path == ("anything", "a", 1)


def test_a_parameter_that_is_given_no_value_has_its_default():
    x = tensor(DataType.DATA_TYPE_FLOAT32, [1, 2], b"\0" * 8)
    assert SPEC.decode_arguments(CALL, call(x=x, n=Value()))[0].kwargs["n"] == 1


@pytest.mark.parametrize(
    ("media_type", "body", "path", "kind"),
    [
        (JSON, b'"a"', ("items",), "int_parsing"),
        (JSON, b"{", ("items",), "json_invalid"),
        (JSON, b"", ("items",), "json_invalid"),
        (CALL, b"", ("items",), "missing"),
        (CALL, b"\xff", (), "message_invalid"),
        (CALL, STREAM.encode_item("a"), ("items",), "int_parsing"),
        (CALL, CallRequest(item=Value()).SerializeToString(), ("items",), "value_missing"),
    ],
)
def test_a_bad_item_of_a_stream(media_type, body, path, kind):
    with pytest.raises(InvalidArgument) as caught:
        STREAM.decode_item(media_type, body)
    assert [(each.path, each.type) for each in caught.value.violations] == [(path, kind)]


def test_a_method_without_a_stream_takes_no_items():
    with pytest.raises(InvalidArgument, match="takes one message"):
        SPEC.decode_item(JSON, b"1")


def echo_of(annotation: Any) -> Any:
    def echo(self): ...

    echo.__annotations__ = {"return": annotation}
    return method_spec(Service, echo, name="echo", route="/echo")


@pytest.mark.parametrize("media_type", [JSON, CALL])
@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "abc"),
        (str, 5),
        (list[int], None),
        (Sub, {"a": "q"}),
        (np.ndarray, None),
        (np.ndarray, [[1], [1, 2]]),
        (Annotated[np.ndarray, Shape((2, 2))], np.ones(4)),
        (Annotated[np.ndarray, DType("int8")], np.ones(4)),
        (Annotated[np.ndarray, DType("float32")], np.array(["a"])),
        (Any, object()),
        (Any, [lambda: 1]),
        (str, "\ud800"),
    ],
)
def test_a_result_that_does_not_fit_is_the_services_fault(media_type, annotation, value):
    with pytest.raises(Internal) as caught:
        echo_of(annotation).reply_encoder(media_type, "").encode(value)
    assert caught.value.status == 500
    assert caught.value.message.startswith("echo: the result does not fit")
    assert caught.value.violations == ()


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x0a\x03\x2a\x01"])
def test_a_broken_reply_is_the_other_sides_fault(body):
    with pytest.raises(Internal):
        echo_of(int).decode_reply(body)


def test_a_reply_of_another_type_is_the_other_sides_fault():
    body = echo_of(str).reply_encoder(CALL, "").encode("a")
    with pytest.raises(Internal, match="echo: the reply does not fit: Input should be a valid int"):
        echo_of(int).decode_reply(body)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_json_for_an_array_is_an_array_or_a_fault_of_it(value):
    try:
        got, _ = SPEC.decode_arguments(JSON, json.dumps({"x": value}).encode())
    except InvalidArgument as error:
        assert error.violations[0].path == ("x",)
    else:
        assert got.kwargs["x"].shape[1] == 2
