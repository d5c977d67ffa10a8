"""Large JSON bodies are read as small ones are: same values, same faults."""

import json
import math
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from mesh.call import JSON
from mesh.errors import InvalidArgument
from mesh.io.large_json import LARGE
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.tensor import DType, Shape


class Part(BaseModel):
    n: int
    name: str = ""


class Owner:
    def method(
        self,
        x: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")],
        n: int = 1,
        f: float = 0.0,
        part: Part | None = None,
        anything: Any = None,
    ) -> int: ...

    def told_apart(self, x: np.ndarray, when: datetime | str) -> int: ...


def spec_of(func: Any) -> MethodSpec:
    return method_spec(Owner, func, name=func.__name__, route="/m")


SPEC = spec_of(Owner.method)


def outcome(body: bytes) -> Any:
    try:
        kwargs = dict(SPEC.decode_arguments(JSON, body)[0].kwargs)
    except InvalidArgument as error:
        return error.message, [(each.path, each.type, each.message) for each in error.violations]
    array = kwargs.pop("x")
    return repr(kwargs), array.dtype, array.tolist()


def padded(body: str) -> bytes:
    return body.encode() + b" " * LARGE


@pytest.mark.parametrize(
    "body",
    [
        '{"x":[[1,2],[3,4]]}',
        '{"x":[1,2,3]}',
        '{"x":[1,2],"f":NaN,"anything":[Infinity,-Infinity]}',
        '{"x":[1,2],"n":123456789012345678901234567890}',
        '{"x":[1,2],"n":"7","part":{"n":"8","more":1}}',
        '{"x":[1,2],"n":1.5,"part":{"n":"a","name":2}}',
        '{"x":[1,2],"x":[3,4]}',
        "[1]",
        '"text"',
        "null",
        '{"n":1}',
        '{"x":[1,2],"n":1e400}',
        '{"x":[["a",1]]}',
    ],
)
def test_a_large_body_gives_what_a_small_one_does(body):
    assert outcome(padded(body)) == outcome(body.encode())


def test_a_large_body_that_is_no_json_is_refused_as_such():
    for body in (b'{"x": [1, 2' + b" " * LARGE, b"\xff" * (LARGE + 1), b"[" * (LARGE + 1)):
        message, ((path, kind, _),) = outcome(body)
        assert (message, path, kind) == ("1 validation error for Input", (), "json_invalid")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_anything_is_the_same_in_a_large_body(value):
    body = json.dumps({"x": [1, 2], "anything": value, "f": value})
    assert outcome(padded(body)) == outcome(body.encode())


def test_what_is_told_apart_by_its_text_is_so_in_a_large_body():
    spec = spec_of(Owner.told_apart)
    body = '{"x":[1],"when":"2026-03-01T12:00:00"}'
    large, _ = spec.decode_arguments(JSON, padded(body))
    small, _ = spec.decode_arguments(JSON, body.encode())
    assert type(large.kwargs["when"]) is type(small.kwargs["when"])


def test_a_large_array_is_exact():
    array = np.random.default_rng(1).random((300, 200)).astype(np.float32)
    array[0, 0] = math.nan
    body = json.dumps({"x": array.reshape(-1, 2).tolist()}).encode()
    (got, *_) = SPEC.decode_arguments(JSON, body)[0].kwargs.values()
    np.testing.assert_array_equal(got, array.reshape(-1, 2))
