"""A positional-only parameter: the whole body is its value."""

import json
from pathlib import Path
from typing import Annotated, Any, List, Optional  # noqa: UP035 - users write them

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field

import mesh
from mesh.call import CALL, JSON
from mesh.errors import InvalidArgument
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.tensor import Shape
from mesh.v1.inference_pb2 import CallRequest


class Model(BaseModel):
    a: int
    b: str = "x"


class Picture(mesh.IODescriptor):
    data: np.ndarray


def spec_of(annotation: Any, default: Any = None) -> MethodSpec:
    if default is None:

        def plain(self, x, /) -> int: ...

        func: Any = plain
    else:

        def with_default(self, x=default, /) -> int: ...

        func = with_default
    func.__annotations__["x"] = annotation
    fields = {"x": default} if hasattr(default, "is_required") else {}
    return method_spec(Model, func, name="f", route="/f", fields=fields)


def got(spec: MethodSpec, body: bytes, media_type: str = JSON) -> Any:
    bound, _ = spec.decode_arguments(media_type, body)
    assert bound.kwargs == {}
    (value,) = bound.args
    return value


def refused(spec: MethodSpec, body: bytes) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        spec.decode_arguments(JSON, body)
    return caught.value


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        (int, b"5", 5),
        (int, b'"5"', 5),
        (list[str], b'["a"]', ["a"]),
        (dict[str, int], b'{"a":1}', {"a": 1}),
        (Model, b'{"a":1}', Model(a=1)),
        (list[Model], b'[{"a":1}]', [Model(a=1)]),
        (Any, b'{"x":[1]}', {"x": [1]}),
        (int | None, b"null", None),
    ],
)
def test_the_body_is_the_value(annotation, body, value):
    spec = spec_of(annotation)
    assert spec.arguments.root
    assert got(spec, body) == value
    assert got(spec, spec.encode_arguments((value,), {}), CALL) == value


def test_an_array_may_be_the_body():
    value = got(spec_of(Annotated[np.ndarray, Shape((2,))]), b"[1,2]")
    assert value.tolist() == [1, 2]
    assert type(got(spec_of(Picture), b'{"data":[1]}')) is Picture


def test_in_a_call_the_value_has_the_parameters_name():
    spec = spec_of(int)
    request = CallRequest.FromString(spec.encode_arguments((5,), {}))
    assert list(request.arguments) == ["x"]
    with pytest.raises(TypeError):
        spec.encode_arguments((), {"x": 5})
    with pytest.raises(TypeError):
        spec.encode_arguments((1, 2), {})


@pytest.mark.parametrize("default", [7, Field(7, ge=1)])
def test_an_empty_body_is_the_default(default):
    spec = spec_of(int, default)
    assert got(spec, b"") == 7
    assert got(spec, b"8") == 8
    assert got(spec, spec.encode_arguments((), {}), CALL) == 7


def test_a_default_is_not_shared_between_calls():
    spec = spec_of(list[int], [1])
    got(spec, b"").append(2)
    assert got(spec, b"") == [1]


def test_an_empty_body_without_default_is_an_empty_text_or_a_fault():
    assert got(spec_of(str), b"") == ""
    assert refused(spec_of(int), b"").violations[0].type == "int_type"
    missing = refused(spec_of(Model), b"").violations[0]
    assert (missing.path, missing.type) == (("a",), "missing")


@pytest.mark.parametrize(
    ("annotation", "body", "title", "path", "kind"),
    [
        (str, b"5", "strIODescriptor", ("root",), "string_type"),
        (int, b"abc", "intIODescriptor", (), "json_invalid"),
        (int, b'"abc"', "intIODescriptor", ("root",), "int_parsing"),
        (list[int], b'[1,"a"]', "listIODescriptor", ("root", 1), "int_parsing"),
        (List[int], b'"a"', "ListIODescriptor", ("root",), "list_type"),  # noqa: UP006
        (Optional[int], b'"a"', "OptionalIODescriptor", ("root",), "int_parsing"),  # noqa: UP045
        (np.ndarray, b'{"a":1}', "ndarrayIODescriptor", ("root",), "value_error"),
        (Model, b'{"a":"q"}', "ModelIODescriptor", ("a",), "int_parsing"),
        (Model, b"[1]", "ModelIODescriptor", (), "model_type"),
        (Model, b"{", "ModelIODescriptor", (), "json_invalid"),
        (Picture, b'{"data":null}', "Picture", ("data",), "value_error"),
        (Path, b'"/etc/passwd"', "PathIODescriptor", ("root",), "path_type"),
    ],
)
def test_a_fault_is_of_a_body_with_the_name_of_the_type(annotation, body, title, path, kind):
    error = refused(spec_of(annotation), body)
    assert error.message == f"1 validation error for {title}"
    assert [(each.path, each.type) for each in error.violations[:1]] == [(path, kind)]


def test_a_root_input_has_one_field_by_the_parameters_name():
    (field,) = spec_of(
        Annotated[Path, mesh.ContentType("audio/*")] | None
    ).arguments.fields.values()
    assert (field.name, field.is_file, field.is_list) == ("x", True, False)
    (field,) = spec_of(str).arguments.fields.values()
    assert field.is_text
    (field,) = spec_of(list[np.ndarray]).arguments.fields.values()
    assert field.is_list
    assert field.kind is not None


@given(st.recursive(st.none() | st.integers() | st.text() | st.booleans(), st.lists))
def test_any_value_comes_through(value):
    spec = spec_of(Any)
    assert got(spec, json.dumps(value).encode()) == value
    assert got(spec, spec.encode_arguments((value,), {}), CALL) == value


def test_a_default_of_none_is_a_default():
    def f(self, x=None, /) -> int: ...

    f.__annotations__["x"] = int | None
    spec = method_spec(Model, f, name="f", route="/f")
    assert got(spec, b"") is None


def test_a_parameter_called_root_is_the_whole_body():
    def f(self, __root__: list[int]) -> int: ...

    spec = method_spec(Model, f, name="f", route="/f")
    assert spec.arguments.root
    bound, _ = spec.decode_arguments(JSON, b"[1, 2]")
    assert bound == (([1, 2],), {})


def test_nothing_stands_beside_a_parameter_called_root():
    def f(self, __root__: list[int], other: int) -> int: ...

    with pytest.raises(mesh.DefinitionError, match="'__root__' is the root, so that the whole"):
        method_spec(Model, f, name="f", route="/f")
