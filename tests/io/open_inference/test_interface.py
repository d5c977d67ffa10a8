"""Which methods are models, and what their tensors are."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional

import numpy as np
import pytest
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mesh import DType, Shape
from mesh.io.open_inference.interface import Interface
from mesh.io.spec import method_spec

Width = NewType("Width", int)


class Color(Enum):
    RED = "red"


class Mixed(Enum):
    RED = 1
    BLUE = "blue"


class Row(TypedDict):
    x: float
    y: list[int]


@dataclass
class Both:
    array: np.ndarray
    count: int


class Scores(BaseModel):
    best: int | None = None
    all: Annotated[np.ndarray, DType("float16")] = Field(serialization_alias="scores")


class Named(NamedTuple):
    text: str
    tensor: torch.Tensor


class Deep(BaseModel):
    row: Row


def of(func: Any, **options: Any) -> Interface | None:
    return method_spec(object, func, name="f", route="/f", **options).model


def tensors(found: Interface | None, side: str = "inputs") -> list[tuple[str, str, list[int]]]:
    assert found is not None
    return [(each["name"], each["datatype"], each["shape"]) for each in found.document()[side]]


@pytest.mark.parametrize(
    ("annotation", "datatype", "shape"),
    [
        (bool, "BOOL", [1]),
        (int, "INT64", [1]),
        (float, "FP64", [1]),
        (str, "BYTES", [1]),
        (bytes, "BYTES", [1]),
        (Annotated[int, Ge(0)], "INT64", [1]),
        (Width, "INT64", [1]),
        (Literal["a", "b"], "BYTES", [1]),
        (Color, "BYTES", [1]),
        (Optional[float], "FP64", [1]),  # noqa: UP045 - as users write
        (list[int], "INT64", [-1]),
        (list[list[float]], "FP64", [-1, -1]),
        (tuple[str, ...], "BYTES", [-1]),
        (np.ndarray, "FP64", [-1]),
        (NDArray[np.int32], "INT32", [-1]),
        (Annotated[np.ndarray, Shape((-1, 4)), DType("uint8")], "UINT8", [-1, 4]),
        (Annotated[np.ndarray, DType("str")], "BYTES", [-1]),
        (Annotated[np.ndarray, DType("bfloat16")], "BF16", [-1]),
        (Annotated[np.ndarray, DType("bool"), Shape(())], "BOOL", []),
        (torch.Tensor, "FP32", [-1]),
        (Annotated[torch.Tensor, DType("bfloat16")], "BF16", [-1]),
        (Annotated[torch.Tensor, DType("float16")] | None, "FP16", [-1]),
    ],
)
def test_a_tensor_or_scalar_has_a_datatype_and_a_shape(
    annotation: Any, datatype: str, shape: list[int]
) -> None:
    def f(self: Any, x: annotation) -> annotation: ...

    found = of(f)
    assert tensors(found) == [("x", datatype, shape)]
    assert tensors(found, "outputs") == [("result", datatype, shape)]


@pytest.mark.parametrize(
    "annotation",
    [
        *(dict, Any, None, Row, Deep, Path, datetime, Mixed, set[int], list, list[np.ndarray]),
        *(int | str, list[int | None], tuple[int, str], Annotated[np.ndarray, DType("complex64")]),
    ],
)
def test_another_input_makes_a_method_no_model(annotation: Any) -> None:
    def f(self: Any, x: int, y: annotation) -> int: ...

    assert of(f) is None


@pytest.mark.parametrize("annotation", [dict, Any, None, Deep, Path, list[Row], dict[str, Any]])
def test_another_result_makes_a_method_no_model(annotation: Any) -> None:
    def f(self: Any, x: int) -> annotation: ...

    assert of(f) is None


@pytest.mark.parametrize(
    ("annotation", "outputs"),
    [
        (Row, [("x", "FP64", [1]), ("y", "INT64", [-1])]),
        (Both, [("array", "FP64", [-1]), ("count", "INT64", [1])]),
        (Scores, [("best", "INT64", [1]), ("scores", "FP16", [-1])]),
        (Named, [("text", "BYTES", [1]), ("tensor", "FP32", [-1])]),
        (dict[str, np.ndarray], []),
    ],
)
def test_the_fields_of_a_result_are_outputs(
    annotation: Any, outputs: list[tuple[str, str, list[int]]]
) -> None:
    def f(self: Any) -> annotation: ...

    found = of(f)
    assert tensors(found, "outputs") == outputs
    assert tensors(found) == []


def test_defaults_make_inputs_optional() -> None:
    def f(
        self: Any, a: int, b: int = 1, c: int = Field(ge=0), d: int = Field(default=2)
    ) -> int: ...

    found = of(f)
    assert found is not None
    assert [name for name, each in found.inputs.items() if each.is_optional] == ["b", "d"]


def test_streams_of_results_are_models_and_streams_of_inputs_are_none() -> None:
    def items(self: Any, n: int) -> Iterator[int]:
        yield n

    async def total(self: Any, items: AsyncIterator[int]) -> int: ...

    found = of(items)
    assert found is not None
    assert found.streams
    assert of(total) is None


def test_a_model_that_stands_for_the_inputs_gives_its_fields() -> None:
    class Inputs(BaseModel):
        rows: Annotated[np.ndarray, DType("int8")]
        factor: float = Field(default=1.0, validation_alias="by")

    def root(self: Any, inputs: Inputs, /) -> int: ...

    def spread(self: Any, **params: Any) -> int: ...

    want = [("rows", "INT8", [-1]), ("by", "FP64", [1])]
    assert tensors(of(root)) == want
    assert tensors(of(spread, input_spec=Inputs)) == want

    def one(self: Any, x: int, /) -> int: ...

    assert tensors(of(one)) == [("x", "INT64", [1])]
