"""Requests as arguments, and results as responses; hostile bodies."""

import gzip
import json
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel

from mesh import DType, Shape
from mesh.errors import Internal, InvalidArgument, TooLarge, Unimplemented
from mesh.io.open_inference import media
from mesh.io.open_inference.compression import inflated
from mesh.io.open_inference.media import Body, is_open_inference
from mesh.io.spec import Bound, MethodSpec, method_spec
from mesh.v1 import open_inference_pb2 as pb

Rows = Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]


class Result(BaseModel):
    rows: Rows
    names: list[str]
    data: bytes


class Owner:
    def f(
        self, rows: Rows, text: str = "a", flags: tuple[bool, ...] = (), n: int | None = None
    ) -> Result:
        return Result(rows=rows * 2, names=[text], data=b"\xff")

    def free(self, x: np.ndarray) -> np.ndarray:
        return x

    def words(self, x: Annotated[np.ndarray, DType("str")]) -> np.ndarray:
        return x

    def lists(self, x: list[list[int]]) -> list[list[int]]:
        return x

    def root(self, result: Result, /) -> int:
        return len(result.rows)

    def wrong(self, x: int) -> list[list[int]]:
        return [[1], [2, 3]]

    def complex(self, x: int) -> np.ndarray:
        return np.array([1j])

    def none(self, x: dict) -> int:
        return 1


def spec(name: str = "f") -> MethodSpec:
    return method_spec(Owner, getattr(Owner, name), name=name, route=f"/{name}")


F = spec()


def bound(of: MethodSpec, media_type: str, body: bytes, **said: Any) -> Bound:
    reader = of.reader(str(Body(media_type, "Owner.f", "main", **said)))
    reader.feed(body)
    found, _ = reader.finish()
    return found


def ask(of: MethodSpec, request: Any, media_type: str = media.JSON, **said: Any) -> Any:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    found = bound(of, media_type, body, **said)
    assert found.encoder is not None
    return found.encoder.encode(of.func(Owner(), *found.args, **found.kwargs))


def tensor(name: str, datatype: str, shape: list[int], data: Any) -> Any:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def test_a_request_becomes_arguments_of_their_types() -> None:
    request = {
        "inputs": [
            tensor("rows", "FP32", [1, 2], [1, 2]),
            tensor("text", "BYTES", [], ["ü"]),
            tensor("flags", "BOOL", [2], [True, False]),
            tensor("n", "UINT8", [1], [7]),
        ]
    }
    found = bound(F, media.JSON, json.dumps(request).encode()).kwargs
    assert found.pop("rows").tolist() == [[1, 2]]
    assert found == {"text": "ü", "flags": (True, False), "n": 7}


def test_a_method_that_is_no_model_is_unimplemented() -> None:
    with pytest.raises(Unimplemented, match="none is no model"):
        spec("none").reader(str(Body(media.PROTO, "Owner.none", "main")))


def test_arrays_of_any_datatype_go_in_and_out_where_nothing_is_said() -> None:
    for datatype, data in (("FP16", [0.5]), ("FP32", [1.5]), ("UINT8", [3]), ("BYTES", ["a"])):
        found = json.loads(ask(spec("free"), {"inputs": [tensor("x", datatype, [1], data)]}))
        assert found["outputs"] == [{**tensor("result", datatype, [1], data)}]
    found = json.loads(ask(spec("words"), {"inputs": [tensor("x", "BYTES", [1, 2], ["ü", "b"])]}))
    assert found["outputs"][0]["data"] == ["ü", "b"]


def test_lists_have_the_shape_that_they_have() -> None:
    for shape, data in (([2, 2], [1, 2, 3, 4]), ([0, 0], []), ([2, 1], [[5], [6]])):
        found = json.loads(ask(spec("lists"), {"inputs": [tensor("x", "INT32", shape, data)]}))
        (output,) = found["outputs"]
        assert (output["datatype"], output["shape"]) == ("INT64", shape)
    with pytest.raises(InvalidArgument) as raised:
        ask(spec("lists"), {"inputs": [tensor("x", "INT32", [1], [1])]})
    assert "2 dimensions" in raised.value.violations[0].message


def test_the_fields_of_a_model_that_is_the_whole_input_are_inputs() -> None:
    inputs = [
        tensor("rows", "FP32", [3, 2], [0] * 6),
        tensor("names", "BYTES", [1], ["a"]),
        tensor("data", "BYTES", [1], ["b"]),
    ]
    found = json.loads(ask(spec("root"), {"inputs": inputs}))
    assert found["outputs"][0]["data"] == [3]
    with pytest.raises(InvalidArgument) as raised:
        ask(spec("root"), {"inputs": inputs[:2]})
    assert raised.value.violations[0].path == ("data",)


def test_a_result_that_is_no_tensor_is_a_fault_of_the_service() -> None:
    for name in ("wrong", "complex"):
        with pytest.raises(Internal, match=f"{name}: the result does not fit"):
            ask(spec(name), {"inputs": [tensor("x", "INT64", [1], [1])]})


def test_outputs_come_in_the_order_and_the_form_that_are_asked_for() -> None:
    request = {
        "inputs": [tensor("rows", "FP32", [1, 2], [1, 2])],
        "outputs": [
            {"name": "data", "parameters": {"binary_data": True}},
            {"name": "names"},
        ],
    }
    found = bound(F, media.JSON, json.dumps(request).encode())
    assert found.encoder is not None
    assert found.encoder.body is not None
    body = found.encoder.body(F.func(Owner(), **found.kwargs))
    size = int(dict(body.metadata)["inference-header-content-length"])
    assert body.data is not None
    outputs = json.loads(body.data[:size])["outputs"]
    assert [each["name"] for each in outputs] == ["data", "names"]
    assert outputs[1]["data"] == ["a"]
    assert body.data[size:] == b"\1\0\0\0\xff"


def test_a_message_has_what_the_body_says_of_model_and_version() -> None:
    request = pb.ModelInferRequest(model_name="f", id="3")
    request.inputs.add(name="rows", datatype="FP32", shape=[1, 2])
    request.raw_input_contents.append(np.float32([1, 2]).tobytes())
    response = pb.ModelInferResponse.FromString(ask(F, request.SerializeToString(), media.PROTO))
    assert (response.model_name, response.model_version, response.id) == ("Owner.f", "main", "3")
    assert [each.name for each in response.outputs] == ["rows", "names", "data"]
    assert len(response.raw_output_contents) == 3


@pytest.mark.parametrize("media_type", [media.JSON, media.PROTO, media.GENERATE])
@given(data=st.binary(max_size=200))
@settings(max_examples=200)
def test_no_bytes_do_worse_than_to_be_refused(media_type: str, data: bytes) -> None:
    try:
        ask(F, data, media_type)
    except InvalidArgument as error:
        assert error.message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "shape", "datatype", "data", "parameters", "binary_data_size"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)
TENSORS = st.fixed_dictionaries(
    {"name": st.sampled_from(["rows", "text", "flags", "n", "x"])},
    optional={
        "datatype": st.sampled_from(["FP32", "BYTES", "BOOL", "INT64", "BF16"]) | JSON_VALUES,
        "shape": st.lists(st.integers(-1, 2), max_size=3) | JSON_VALUES,
        "data": JSON_VALUES,
        "parameters": JSON_VALUES,
    },
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": JSON_VALUES,
            "inputs": st.lists(TENSORS, max_size=3) | JSON_VALUES,
            "outputs": st.lists(TENSORS, max_size=2) | JSON_VALUES,
            "parameters": JSON_VALUES,
        },
    ),
    st.binary(max_size=8),
    st.none() | st.integers(0, 300),
)
@settings(max_examples=300)
def test_no_request_in_json_does_worse_than_to_be_refused(
    request: Any, behind: bytes, header: int | None
) -> None:
    body = json.dumps(request).encode() + behind
    try:
        ask(F, body, header=header)
    except InvalidArgument as error:
        assert error.message


@given(
    st.lists(
        st.builds(
            pb.ModelInferRequest.InferInputTensor,
            name=st.sampled_from(["rows", "text", "flags", "n", "x"]),
            datatype=st.sampled_from(["FP32", "BYTES", "BOOL", "INT64", "BF16", "?"]),
            shape=st.lists(st.integers(-1, 2) | st.integers(-(2**63), 2**63 - 1), max_size=3),
            contents=st.none()
            | st.builds(
                pb.InferTensorContents,
                fp32_contents=st.lists(st.floats(width=32), max_size=3),
                bytes_contents=st.lists(st.binary(max_size=3), max_size=2),
            ),
        ),
        max_size=3,
    ),
    st.lists(st.binary(max_size=16), max_size=3),
)
@settings(max_examples=300)
def test_no_message_does_worse_than_to_be_refused(inputs: Any, raw: list[bytes]) -> None:
    request = pb.ModelInferRequest(model_name="f", inputs=inputs, raw_input_contents=raw)
    try:
        ask(F, request.SerializeToString(), media.PROTO)
    except InvalidArgument as error:
        assert error.message


def test_what_is_not_supported_is_refused_by_name() -> None:
    for parameter, text in (("shared_memory_region", "shared memory"), ("classification", "class")):
        request = pb.ModelInferRequest(model_name="f")
        output = request.outputs.add(name="rows")
        output.parameters[parameter].int64_param = 1
        with pytest.raises(InvalidArgument) as raised:
            ask(F, request.SerializeToString(), media.PROTO)
        (violation,) = raised.value.violations
        assert violation.path == ("rows",)
        assert text in violation.message


def test_a_body_says_in_its_media_type_what_it_is() -> None:
    whole = Body(
        media.JSON,
        "A.b",
        "a;=%",
        header=0,
        encoding="gzip",
        limit=9,
        compress="deflate",
        streams=True,
    )
    assert Body.of(str(whole)) == whole
    bare = Body(media.PROTO, "A.b", "main")
    assert Body.of(str(bare)) == bare
    assert is_open_inference(str(bare))
    assert not is_open_inference("application/json")


def test_a_compressed_body_is_bounded() -> None:
    with pytest.raises(TooLarge):
        inflated(gzip.compress(b"a" * 100), "gzip", 99)
