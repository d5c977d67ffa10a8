"""Every type of the contract as an argument and as a result, over JSON and over mesh.v1."""

import dataclasses
import enum
import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mesh.call import CALL, JSON
from mesh.io.spec import NO_ITEM, MethodSpec, method_spec
from mesh.io.types.tensor import DType, Shape
from mesh.v1.inference_pb2 import CallReply


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Inner(BaseModel):
    a: int
    b: str = "x"


class Outer(BaseModel):
    inner: Inner
    many: list[Inner] = []
    when: date | None = None


class Tree(BaseModel):
    value: int
    children: list["Tree"] = []


class Aliased(BaseModel):
    kind: str = Field(alias="type")


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict, total=False):
    depth: int
    name: str


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

# Annotation, what JSON carries in, what the method gets, what JSON carries out.
CASES: list[tuple[Any, Any, Any, Any]] = [
    (int, 3, 3, 3),
    (int, 10**30, 10**30, 10**30),
    (int, "7", 7, 7),
    (float, 1, 1.0, 1.0),
    (bool, True, True, True),
    (None, None, None, None),
    (Any, {"a": [1, None]}, {"a": [1, None]}, {"a": [1, None]}),
    (list, [1, "a"], [1, "a"], [1, "a"]),
    (list[int], ["1", 2], [1, 2], [1, 2]),
    (dict, {"a": 1}, {"a": 1}, {"a": 1}),
    (dict[str, list[float]], {"a": [1]}, {"a": [1.0]}, {"a": [1.0]}),
    (dict[int, str], {"1": "a"}, {1: "a"}, {"1": "a"}),
    (tuple[int, str], [1, "a"], (1, "a"), [1, "a"]),
    (tuple[int, ...], [1, 2], (1, 2), [1, 2]),
    (set[int], [1, 1], {1}, [1]),
    (frozenset[str], ["a"], frozenset("a"), ["a"]),
    (Optional[int], None, None, None),  # noqa: UP045 - the old spelling is a case of its own
    (int | None, 3, 3, 3),
    (Union[int, str], "a", "a", "a"),  # noqa: UP007 - the old spelling is a case of its own
    (Literal["a", 3], 3, 3, 3),
    (Level, 1, Level.LOW, 1),
    (list[Color], ["red"], [Color.RED], ["red"]),
    (Point, {"x": 1}, Point(1.0), {"x": 1.0, "y": 0.0}),
    (Pair, [1, "a"], Pair(1, "a"), [1, "a"]),
    (Options, {"depth": 2}, {"depth": 2}, {"depth": 2}),
    (list[datetime], ["2026-03-01T12:00:00Z"], [NOON], ["2026-03-01T12:00:00Z"]),
    (dict[str, timedelta], {"t": "PT90S"}, {"t": timedelta(seconds=90)}, {"t": "PT1M30S"}),
    (list[uuid.UUID], [str(ID)], [ID], [str(ID)]),
    (list[Decimal], ["1.50"], [Decimal("1.50")], ["1.50"]),
    (list[bytes], ["aé"], ["aé".encode()], ["aé"]),
    (Inner, {"a": 1}, Inner(a=1), {"a": 1, "b": "x"}),
    (list[Inner], [{"a": 1}], [Inner(a=1)], [{"a": 1, "b": "x"}]),
    (
        Outer,
        {"inner": {"a": 1}, "when": "2026-03-01"},
        Outer(inner=Inner(a=1), when=date(2026, 3, 1)),
        {"inner": {"a": 1, "b": "x"}, "many": [], "when": "2026-03-01"},
    ),
    (
        Tree,
        {"value": 1, "children": [{"value": 2}]},
        Tree(value=1, children=[Tree(value=2)]),
        {"value": 1, "children": [{"value": 2, "children": []}]},
    ),
    (Aliased, {"type": "t"}, Aliased(type="t"), {"type": "t"}),
]

# Annotation, what JSON carries in, what the method gets, the text of the reply.
TEXTS: list[tuple[Any, Any, Any, bytes]] = [
    (str, "aé", "aé", "aé".encode()),
    (bytes, "aé", "aé".encode(), "aé".encode()),
    (Color, "red", Color.RED, b"red"),
    (Literal["a", "b"], "b", "b", b"b"),
    (date, "2026-03-01", date(2026, 3, 1), b"2026-03-01"),
    (uuid.UUID, str(ID), ID, str(ID).encode()),
    (Annotated[str, Field(max_length=3)], "abc", "abc", b"abc"),
]


def echo_of(annotation: Any) -> MethodSpec:
    def echo(self, x): ...

    echo.__annotations__ = {"x": annotation, "return": annotation}
    return method_spec(Inner, echo, name="echo", route="/echo")


def ids(cases: list[Any]) -> list[str]:
    return [f"{case[0]}={case[1]}".replace("typing.", "") for case in cases]


@pytest.mark.parametrize(("annotation", "given", "value", "out"), CASES, ids=ids(CASES))
def test_json_becomes_the_annotated_type_and_back(annotation, given, value, out):
    spec = echo_of(annotation)
    arguments, item = spec.decode_arguments(JSON, json.dumps({"x": given}).encode())
    assert arguments == ((), {"x": value})
    assert type(arguments.kwargs["x"]) is type(value)
    assert item is NO_ITEM
    encoder = spec.reply_encoder(JSON, "")
    assert encoder.media_type == "application/json"
    assert json.loads(encoder.encode(value)) == out


@pytest.mark.parametrize(("annotation", "given", "value", "text"), TEXTS, ids=ids(TEXTS))
def test_what_is_text_or_bytes_goes_out_bare(annotation, given, value, text):
    spec = echo_of(annotation)
    arguments, _ = spec.decode_arguments(JSON, json.dumps({"x": given}).encode())
    assert arguments == ((), {"x": value})
    encoder = spec.reply_encoder(JSON, "")
    assert encoder.media_type == "text/plain; charset=utf-8"
    assert encoder.encode(value) == text


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(case[0], case[2]) for case in [*CASES, *TEXTS]],
    ids=ids([*CASES, *TEXTS]),
)
def test_a_typed_value_survives_a_call_between_services(annotation, value):
    spec = echo_of(annotation)
    arguments, item = spec.decode_arguments(CALL, spec.encode_arguments((value,), {}))
    assert arguments == ((), {"x": value})
    assert type(arguments.kwargs["x"]) is type(value)
    assert item is NO_ITEM
    encoder = spec.reply_encoder(CALL, "")
    assert encoder.media_type == CALL
    reply = spec.decode_reply(encoder.encode(value))
    assert reply == value
    assert type(reply) is type(value)


class Marked(BaseModel):
    image: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]
    name: str = ""


class Plain(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    image: np.ndarray
    more: dict[str, npt.NDArray[np.int8]] = {}
    name: str = ""


class Nested(BaseModel):
    parts: list[Plain]


ARRAYS: list[tuple[Any, Any, str, Any]] = [
    (np.ndarray, [[1, 2], [3, 4]], "int64", [[1, 2], [3, 4]]),
    (np.ndarray, [1, 2.5], "float64", [1.0, 2.5]),
    (np.ndarray, 5, "int64", 5),
    (np.ndarray, [], "float64", []),
    (np.ndarray, ["a", "bc"], "str", ["a", "bc"]),
    (npt.NDArray[np.float32], [1, 2], "float32", [1, 2]),
    (np.ndarray[tuple[int], np.dtype[np.float16]], [1.5], "float16", [1.5]),
    (Annotated[np.ndarray, DType("uint8")], [1, 255], "uint8", [1, 255]),
    (Annotated[np.ndarray, DType("bool")], [1, False], "bool", [True, False]),
    (Annotated[np.ndarray, DType("str")], ["a"], "str", ["a"]),
    (Annotated[np.ndarray, Shape((2, 2))], [1, 2, 3, 4], "int64", [[1, 2], [3, 4]]),
    (Annotated[np.ndarray, Shape((-1, 2)), DType("float64")], [[1, 2]], "float64", [[1, 2]]),
    (Annotated[npt.NDArray[np.float32], Shape((-1,))], [[1], [2]], "float32", [1, 2]),
]


@pytest.mark.parametrize(("annotation", "given", "dtype", "out"), ARRAYS, ids=ids(ARRAYS))
def test_arrays_travel_as_lists_and_as_tensors(annotation, given, dtype, out):
    spec = echo_of(annotation)
    arguments, _ = spec.decode_arguments(JSON, json.dumps({"x": given}).encode())
    array = arguments.kwargs["x"]
    assert isinstance(array, np.ndarray)
    assert array.dtype.kind == "U" if dtype == "str" else array.dtype == dtype
    assert array.tolist() == out
    assert json.loads(spec.reply_encoder(JSON, "").encode(array)) == out
    again, _ = spec.decode_arguments(CALL, spec.encode_arguments((), {"x": array}))
    np.testing.assert_array_equal(again.kwargs["x"], array, strict=True)
    reply = spec.decode_reply(spec.reply_encoder(CALL, "").encode(array))
    np.testing.assert_array_equal(reply, array, strict=True)


@pytest.mark.parametrize("media_type", [JSON, CALL])
@pytest.mark.parametrize(
    ("annotation", "given", "pick"),
    [
        (list[np.ndarray], [[1, 2]], lambda x: x[0]),
        (dict[str, npt.NDArray[np.int64]], {"a": [1, 2]}, lambda x: x["a"]),
        (np.ndarray | None, [1, 2], lambda x: x),
        (Annotated[np.ndarray | None, DType("int64")], [1, 2], lambda x: x),
        (tuple[int, np.ndarray], [1, [1, 2]], lambda x: x[1]),
        (Nested, {"parts": [{"image": [1, 2]}]}, lambda x: x.parts[0].image),
        (list[Marked], [{"image": [1, 2]}], lambda x: x[0].image[0]),
    ],
)
def test_arrays_inside_other_types(media_type, annotation, given, pick):
    spec = echo_of(annotation)
    body = json.dumps({"x": given}).encode()
    if media_type == CALL:
        body = spec.encode_arguments((given,), {})
    value = spec.decode_arguments(media_type, body)[0].kwargs["x"]
    assert isinstance(pick(value), np.ndarray)
    assert pick(value).tolist() == [1, 2]
    encoded = spec.reply_encoder(media_type, "").encode(value)
    if media_type == CALL:
        np.testing.assert_array_equal(pick(spec.decode_reply(encoded)), [1, 2])
    else:
        again = spec.decode_arguments(JSON, b'{"x":' + encoded + b"}")[0].kwargs["x"]
        np.testing.assert_array_equal(pick(again), pick(value), strict=True)


def test_a_model_with_plain_arrays_comes_out_as_the_users_own_class():
    spec = echo_of(Plain)
    body = b'{"x":{"image":[[1.5]],"more":{"a":[1]},"name":"n"}}'
    value = spec.decode_arguments(JSON, body)[0].kwargs["x"]
    assert type(value) is Plain
    assert value.more["a"].dtype == np.int8
    assert spec.reply_encoder(JSON, "").encode(value) == body[5:-1]


def test_a_none_among_optional_arrays_stays_none():
    spec = echo_of(list[np.ndarray | None])
    assert spec.decode_arguments(JSON, b'{"x":[null]}')[0].kwargs == {"x": [None]}
    assert spec.reply_encoder(JSON, "").encode([None, np.array([1])]) == b"[null,[1]]"


def test_null_in_a_list_of_floats_is_not_a_number():
    spec = echo_of(npt.NDArray[np.float64])
    array = spec.decode_arguments(JSON, b'{"x":[1, null, NaN]}')[0].kwargs["x"]
    np.testing.assert_array_equal(array, [1, np.nan, np.nan])


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (np.ndarray, np.array([1, np.nan, np.inf]), b"[1.0,NaN,Infinity]"),
        (np.ndarray, np.array([0.1], np.float32), b"[0.1]"),
        (np.ndarray, np.arange(6).reshape(2, 3).T, b"[[0,3],[1,4],[2,5]]"),
        (np.ndarray, np.array([1, 2], ">i4"), b"[1,2]"),
        (np.ndarray, np.array(2.5), b"2.5"),
        (float, float("nan"), b"NaN"),
        (list[float], [float("-inf")], b"[-Infinity]"),
        (Any, {"a": np.array([1.5, np.nan]), "b": None}, b'{"a":[1.5,NaN],"b":null}'),
        (Any, [np.float32(1.5), np.int8(3)], b"[1.5,3]"),
        (Any, "text", b'"text"'),
        (Any, {1: NOON, "m": Inner(a=1)}, b'{"1":"2026-03-01T12:00:00Z","m":{"a":1,"b":"x"}}'),
        (str | int, "a", b'"a"'),
        (str | None, None, b"null"),
        (dict, {"scores": np.array([1, 2])}, b'{"scores":[1,2]}'),
        (dict[str, np.ndarray], {"a": np.array([np.inf])}, b'{"a":[Infinity]}'),
        (list[int], (1, 2), b"[1,2]"),
        (Inner, {"a": 1}, b'{"a":1,"b":"x"}'),
    ],
)
def test_results_as_json_text(annotation, value, text):
    assert echo_of(annotation).reply_encoder(JSON, "").encode(value) == text


def test_a_result_without_annotation_may_be_anything():
    def free(self): ...

    spec = method_spec(Inner, free, name="free", route="/free")
    assert spec.reply_encoder(JSON, "").encode({"a": np.int64(1)}) == b'{"a":1}'
    reply = spec.reply_encoder(CALL, "").encode([None, np.ones(2), Inner(a=1), {1, 2}, b"x"])
    first, array, inner, numbers, data = spec.decode_reply(reply)
    assert (first, array.tolist(), inner) == (None, [1.0, 1.0], {"a": 1, "b": "x"})
    assert (sorted(numbers), data) == ([1, 2], b"x")


def test_results_of_a_lesser_precision_are_cast_to_the_annotation():
    spec = echo_of(Annotated[np.ndarray, Shape((-1, 2)), DType("float32")])
    reply = spec.decode_reply(spec.reply_encoder(CALL, "").encode(np.ones((3, 2))))
    assert (reply.dtype, reply.shape) == (np.dtype("float32"), (3, 2))


def test_a_tensor_in_a_call_is_a_view_of_the_message():
    spec = echo_of(np.ndarray)
    big = np.arange(1 << 20, dtype=np.float32)
    array = spec.decode_arguments(CALL, spec.encode_arguments((big,), {}))[0].kwargs["x"]
    assert array.base is not None
    assert not array.flags.writeable
    np.testing.assert_array_equal(array, big)


def test_a_reply_is_a_message_that_any_client_can_read():
    reply = CallReply.FromString(echo_of(np.ndarray).reply_encoder(CALL, "").encode(np.ones(2)))
    assert list(reply.value.tensor.shape) == [2]
    assert reply.value.tensor.data == np.ones(2).tobytes()
