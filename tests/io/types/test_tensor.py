"""Arrays from lists and arrays: what an annotation accepts, makes of it, and says to clients."""

import json
import re
import subprocess
import sys
from typing import Annotated, Any, TypeVar

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypeAliasType

import mesh
from mesh.definition.spec import service_spec
from mesh.io.rpc.text import proto_text
from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import NAMES
from mesh.io.types.file import File
from mesh.io.types.nested import NATURAL, from_lists
from mesh.io.types.registry import kind_of, wire_value
from mesh.io.types.tensor import DType, Shape, TensorType, tensor_json
from mesh.io.value import from_value, value_bytes
from mesh.v1.types_pb2 import DataType, Tensor, Value
from tests.io.arrays import arrays, layouts, shapes

ANY = TensorType()
BF16 = np.dtype(ml_dtypes.bfloat16)


def of(dtype: str, shape: tuple[int, ...] | None = None) -> TensorType:
    made = ANY.marked(DType(dtype))
    return made if shape is None else made.marked(Shape(shape))


def sent(value: Any) -> Any:
    return from_value(Value.FromString(value_bytes(value)))


@given(arrays)
def test_an_array_is_the_same_through_json_whatever_its_layout(array):
    native = array.astype(array.dtype.newbyteorder("="))
    for each in layouts(array):
        lists = json.loads(tensor_json(each))
        got = TensorType(native.dtype, array.shape).load(lists)
        np.testing.assert_array_equal(got, native)
        assert (got.dtype.kind, got.shape) == (native.dtype.kind, native.shape)
        assert got.flags.writeable


@given(hnp.arrays(np.float64, shapes))
def test_numbers_that_are_not_finite_stand_where_they_stood(array):
    assert json.dumps(json.loads(tensor_json(array))) == json.dumps(array.tolist())


@given(arrays)
def test_an_array_is_the_same_through_a_message_whatever_its_layout(array):
    for each in layouts(array):
        got = TensorType(array.dtype.newbyteorder("="), array.shape).load(sent(ANY.wire(each)))
        np.testing.assert_array_equal(got, array)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(width=32)
        | st.floats()
        | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner),
        max_leaves=8,
    ),
    st.sampled_from([None, *NAMES]),
    st.sampled_from([None, (2,), (-1, 2), ()]),
)
def test_any_json_is_an_array_that_fits_or_a_value_error(value, dtype, shape):
    wanted = ANY if dtype is None else of(dtype)
    wanted = wanted if shape is None else wanted.marked(Shape(shape))
    try:
        array = wanted.load(value)
    except ValueError:
        return
    assert wanted.has_shape(array.shape)
    assert array.dtype.kind in "biufcU" or array.dtype == BF16
    if dtype not in (None, "str"):
        assert array.dtype == wanted.dtype
    wanted.wire(array)


@given(hnp.arrays(st.sampled_from(["i8", "f8"]), hnp.array_shapes(max_dims=3), elements={}))
def test_lists_are_packed_as_numpy_reads_them(array):
    np.testing.assert_array_equal(from_lists(array.tolist(), None), array, strict=True)


@pytest.mark.parametrize(
    ("wanted", "value", "array"),
    [
        (ANY, [1, 2], np.array([1, 2])),
        (ANY, [1, 2.5], np.array([1, 2.5])),
        (ANY, [2.5, 1], np.array([2.5, 1])),
        (ANY, [2.5, True], np.array([2.5, 1])),
        (ANY, [True, False], np.array([True, False])),
        (ANY, [1, True], np.array([1, 1])),
        (ANY, 2**63, np.array(2**63, np.uint64)),
        (ANY, [], np.array([], float)),
        (ANY, [[]], np.zeros((1, 0))),
        (ANY, ["a", "bc"], np.array(["a", "bc"])),
        (ANY, "abc", np.array("abc")),
        (ANY, 3, np.array(3)),
        (of("float32"), [1, 2], np.array([1, 2], "f4")),
        (of("float32"), [float("nan"), float("inf")], np.array([np.nan, np.inf], "f4")),
        (of("float32"), [1, None], np.array([1, np.nan], "f4")),
        (of("float16"), [1.5], np.array([1.5], "f2")),
        (of("int8"), [1.0, -128], np.array([1, -128], "i1")),
        (of("uint64"), [2**64 - 1], np.array([2**64 - 1], "u8")),
        (of("bool"), [0, 1], np.array([False, True])),
        (of("str"), [], np.array([], "U1")),
        (of("complex64"), ["1+2j", 3, 1.5], np.array([1 + 2j, 3, 1.5], "c8")),
        (of("bfloat16"), [[1, 2.5]], np.array([[1, 2.5]], BF16)),
        (of("float32", (1, 4)), [1, 2, 3, 4], np.array([[1, 2, 3, 4]], "f4")),
        (of("int64", (-1, 2)), [1, 2, 3, 4], np.array([[1, 2], [3, 4]])),
        (of("int64", (2, -1)), [[1, 2, 3, 4]], np.array([[1, 2], [3, 4]])),
        (of("int64", ()), [7], np.array(7)),
    ],
)
def test_lists_become_the_array_that_is_meant(wanted, value, array):
    got = wanted.load(value)
    np.testing.assert_array_equal(got, array, strict=array.size > 0)


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (ANY, None, "expected an array, not null"),
        (ANY, {"a": 1}, "expected an array, not an object"),
        (ANY, [None], "an element is no number"),
        (ANY, [{}], "an element is no number"),
        (ANY, [2**70], "no number of at most 64 bits"),
        (ANY, b"abc", "expected an array, not bytes"),
        (ANY, File(b"abc"), "expected an array, not File"),
        (ANY, [[1, 2], [3]], "inhomogeneous shape"),
        (ANY, [[1, 2], 3], "inhomogeneous shape"),
        (of("int8"), [300], "out of bounds for int8"),
        (of("int8"), [1.7], "a number with a fraction does not fit int8"),
        (of("int8"), [None], "no number"),
        (of("int64"), [2**63], "too large"),
        (of("int64"), [2**80], "no number of at most 64 bits"),
        (of("uint8"), [-1], "out of bounds for uint8"),
        (of("int32"), ["a"], "could not convert string to float: 'a'"),
        (of("float32"), ["a"], "could not convert string to float: 'a'"),
        (of("float32"), [1e300], "out of bounds for float32"),
        (of("float16"), [1e6], "out of bounds for float16"),
        (of("float32"), [[{}]], "no number"),
        (of("bfloat16"), [3.4e38], "out of bounds for bfloat16"),
        (of("complex64"), ["one"], "complex"),
        (of("bool"), ["a"], "expected elements of bool, not str"),
        (of("str"), [1], "expected elements of str, not int64"),
        (of("int64", (2, 3)), [1, 2, 3], "cannot reshape array of size 3 into shape (2,3)"),
        (of("int64", (-1, 2)), [1, 2, 3], "cannot reshape array of size 3 into shape (-1,2)"),
        (of("float32"), np.ones(2), "expected elements of float32, not float64"),
        (of("float32"), np.array(["1"]), "expected elements of float32, not str"),
        (of("str"), np.array([1]), "expected elements of str, not int64"),
        (of("float32", (1, 4)), np.ones(4, "f4"), "expected shape (1,4), not (4)"),
        (of("bfloat16"), np.ones(2), "expected elements of bfloat16, not float64"),
    ],
)
def test_what_does_not_fit_is_refused_in_plain_words(wanted, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wanted.load(value)


def test_lists_deeper_than_any_array_are_refused():
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ValueError, match="maximum number of dimension"):
        ANY.load(deep)


def test_an_array_that_fits_is_not_copied():
    array = np.ones((2, 2), np.float32)
    assert of("float32", (2, -1)).load(array) is array
    assert of("float64").load(array).dtype == np.float64


@pytest.mark.parametrize(
    ("wanted", "value", "array"),
    [
        (of("float32"), np.ones(2), np.ones(2, "f4")),
        (of("float32"), [1, 2], np.array([1, 2], "f4")),
        (of("int8"), np.array([1, 2]), np.array([1, 2], "i1")),
        (of("bfloat16"), np.array([1.0]), np.array([1.0], BF16)),
        (of("float32"), np.array([np.inf]), np.array([np.inf], "f4")),
        (ANY, np.float32(1.5), np.array(1.5, "f4")),
        (ANY, np.array(["a", "b"], object), np.array(["a", "b"])),
        (ANY, np.array([b"a"]), np.array(["a"])),
        (ANY, np.ma.masked_array([1, 2]), np.array([1, 2])),
        (of("int64", (2, 1)), [1, 2], np.array([[1], [2]])),
    ],
)
def test_a_result_is_made_to_fit(wanted, value, array):
    got = wanted.check(value)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, array, strict=True)


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (of("int64"), np.array([1.5]), "expected elements of int64, not float64"),
        (of("int8"), np.array([300]), "out of bounds for int8"),
        (of("int64"), np.array([2**64 - 1], "u8"), "out of bounds for int64"),
        (of("float32"), np.array([1e300]), "out of bounds for float32"),
        (of("float32", (2,)), np.ones((1, 2)), "expected shape (2), not (1,2)"),
        (ANY, np.array([b"\xff"]), "can't decode"),
        (ANY, object(), "expected an array, not object"),
        (ANY, None, "not null"),
        (ANY, np.array([object()]), "no number"),
    ],
)
def test_a_result_that_would_change_more_than_its_precision_is_refused(wanted, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        wanted.check(value)


@pytest.mark.parametrize(
    ("value", "message"), [(np.ones(1, "V3"), "no form"), (np.ones(1, "m8[s]"), "no form")]
)
def test_element_types_that_nothing_can_carry_have_no_wire_value(value, message):
    with pytest.raises(ValueError, match=message):
        wire_value(value)


def test_dates_travel_as_text():
    assert wire_value(np.array(["2026-03-01"], "M8[D]")).tolist() == ["2026-03-01"]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (np.ndarray, {}),
        (np.ndarray[Any, Any], {}),
        (npt.NDArray[np.floating[Any]], {}),
        (npt.NDArray[np.int64], {"dtype": "int64"}),
        (np.ndarray[tuple[int], np.dtype[np.float16]], {"dtype": "float16"}),
        (npt.NDArray[np.str_], {"dtype": "str_"}),
    ],
)
def test_annotations_of_arrays_are_known(annotation, schema):
    kind = kind_of(annotation)
    assert kind is not None
    assert kind.json_schema() == {"type": "tensor", "format": "numpy-array"} | schema


def test_the_schema_has_names_that_clients_find_in_numpy():
    for name in set(NAMES) - {"bfloat16"}:
        said = of(name, (-1, 4)).json_schema()
        assert np.dtype(getattr(np, said["dtype"])).kind == np.dtype(name).kind
        assert (said["shape"], said["dim"]) == ([-1, 4], -4)
    assert "dtype" not in of("bfloat16").json_schema()


def test_a_subclass_of_arrays_is_no_annotation():
    with pytest.raises(TypeError, match=r"annotate np\.ndarray"):
        kind_of(np.ma.MaskedArray)


@pytest.mark.parametrize("name", ["float8", "object", "", "S3"])
def test_an_element_type_that_cannot_travel_is_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' is none of bool, "):
        DType(name)


def test_element_types_go_by_other_names_too():
    assert (DType("double"), DType("str_")) == (DType("float64"), DType("str"))


@pytest.mark.parametrize("shape", [(1.5,), (-2,), ("a",)])
def test_a_shape_of_what_is_no_extent_is_refused(shape):
    with pytest.raises(ValueError, match="is no extent"):
        Shape(shape)


def test_markers_that_contradict_or_say_nothing_are_refused():
    with pytest.raises(TypeError, match="contradicts"):
        of("int8").marked(DType("int16"))
    with pytest.raises(TypeError, match="says nothing about arrays"):
        ANY.marked(object())


class Marked(BaseModel):
    x: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]
    y: Annotated[np.ndarray | None, DType("int8")] = None


def test_markers_work_in_a_users_own_model():
    made = Marked.model_validate({"x": [1, 2, 3, 4], "y": [1]})
    assert made.x.shape == (2, 2)
    assert made.y is not None
    assert made.y.dtype == np.int8
    assert Marked(x=np.ones((1, 2), "f4")).y is None
    schema = Marked.model_json_schema()["properties"]["x"]
    assert (schema["type"], schema["dtype"], schema["shape"]) == ("tensor", "float32", [-1, 2])
    with pytest.raises(ValidationError, match="cannot reshape"):
        Marked.model_validate({"x": [1]})


def test_a_marker_on_another_type_is_refused():
    for annotation in (int, list[int], int | str):
        with pytest.raises(TypeError, match="Shape says nothing about"):
            TypeAdapter(Annotated[annotation, Shape((1,))])


bits = hnp.arrays(np.uint16, shapes).filter(
    # A number that is none has many forms, of which a cast keeps one.
    lambda array: not np.isnan(array.view(BF16).astype("f4")).any()
)


@given(bits)
def test_bfloat16_is_the_same_through_every_way(array):
    numbers = array.view(BF16)
    wanted = of("bfloat16", array.shape)
    for way in (numbers, Bfloat16.of_bits(array)):
        message = Value.FromString(value_bytes(way))
        assert message.tensor.data_type == DataType.DATA_TYPE_BFLOAT16
        assert message.tensor.data == array.tobytes()
        plain = ANY.load(from_value(message))
        assert (type(plain), plain.dtype) == (np.ndarray, np.float32)
        np.testing.assert_array_equal(wanted.load(from_value(message)), numbers, strict=True)
        np.testing.assert_array_equal(wanted.load(json.loads(tensor_json(way))), numbers)


def test_what_is_computed_from_bfloat16_keeps_its_precision():
    came = sent(np.array([1.5, 2], BF16))
    assert sent(came + np.float32(2**-20)).tolist() == [1.5 + 2**-20, 2 + 2**-20]
    assert sent(came * 2.0).tolist() == [3.0, 4.0]
    assert sent(came > 1).tolist() == [True, True]
    assert sent(came.astype(np.float64)).dtype == np.float64


def test_a_shape_of_countless_empty_lists_is_refused():
    for kind in (DataType.DATA_TYPE_FLOAT32, DataType.DATA_TYPE_STRING, DataType.DATA_TYPE_BOOL):
        tensor = Tensor(data_type=kind, shape=[1 << 40, 0])
        with pytest.raises(Exception, match="cannot have no elements in that many lists"):
            from_value(Value(tensor=tensor))


def test_lists_are_read_as_numpy_does_unless_told_otherwise():
    assert from_lists([1], None, NATURAL).dtype == np.int64
    assert from_lists([1.0], None, NATURAL).dtype == np.float64


WITHOUT = """
import sys
sys.modules["ml_dtypes"] = None  # as if it were not installed
from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.tensor import DType, TensorType
from mesh.io.value import value_bytes
import numpy as np
value_bytes(Bfloat16.of_bits(np.ones(1, np.uint16)))
assert not {"torch", "tensorflow", "pandas", "PIL", "pyarrow"} & set(sys.modules)
try:
    TensorType().marked(DType("bfloat16"))
except TypeError as error:
    print(error)
"""


def test_arrays_need_no_other_library_but_for_a_dtype_of_bfloat16():
    command = [sys.executable, "-c", WITHOUT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "needs the package ml_dtypes, which is not installed" in done.stdout, done.stderr


Scalar = TypeVar("Scalar", bound=np.generic)
# What NumPy has for NDArray where Python has such aliases.
Alias = TypeAliasType("Alias", np.ndarray[Any, np.dtype[Scalar]], type_params=(Scalar,))
Item = TypeVar("Item")
Several = TypeAliasType("Several", list[Item], type_params=(Item,))


# Of itself, which only a name in quotes can say.
Nested = TypeAliasType("Nested", "Item | list[Nested[Item]]", type_params=(Item,))


def test_a_generic_alias_that_contains_itself_is_left_to_pydantic():
    @mesh.service
    class Deep:
        @mesh.api
        def depth(self, x: Nested[int]) -> int:
            return 0 if isinstance(x, int) else 1

    spec = service_spec(Deep)
    bound, _ = spec.methods["depth"].decode_arguments("application/json", b'{"x":[[1],2]}')
    assert bound.kwargs == {"x": [[1], 2]}
    assert spec.rpc.files


def test_a_generic_alias_is_what_it_stands_for():
    assert kind_of(Alias[np.int32]) == TensorType(np.dtype(np.int32))

    @mesh.service
    class Aliased:
        @mesh.api
        def double(self, x: Several[Alias[np.int32]], n: Several[int]) -> Alias[np.int32]:
            return x[0] * n[0]

    spec = service_spec(Aliased)
    bound, _ = spec.methods["double"].decode_arguments("application/json", b'{"x":[[1,2]],"n":[3]}')
    assert bound.kwargs["x"][0].dtype == np.int32
    assert bound.kwargs["n"] == [3]
    text = proto_text(spec.rpc.files[0])
    assert "repeated mesh.v1.Tensor x = 1;\n  repeated int64 n = 2;" in text
