"""The OpenAPI document of a service: valid, complete, and true to what goes over the wire."""

import dataclasses
import datetime as dt
import decimal
import enum
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
import torch
from openapi_spec_validator import validate
from PIL import Image
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mesh.io.documents.openapi import openapi
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.content_type import ContentType
from mesh.io.types.frame_schema import DataframeSchema
from mesh.io.types.tensor import DType, Shape


class Sub(BaseModel):
    """A part."""

    a: int = Field(ge=0, description="How many.", examples=[3])
    tags: set[str] = set()


class Node(BaseModel):
    value: Sub | None = None
    children: list["Node"] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]


class Scan(BaseModel):
    """Holds a file."""

    image: Path
    note: str = ""


class Color(enum.StrEnum):
    RED = "red"


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Box(TypedDict):
    width: int


@dataclasses.dataclass
class Pair:
    left: int
    right: str = "r"


def other_sub() -> type[BaseModel]:
    class Sub(BaseModel):
        b: str

    return Sub


OtherSub = other_sub()


def method(func: Any, **options: Any) -> MethodSpec:
    name = func.__name__
    return method_spec(Sub, func, name=name, route=f"/{name}", **options)


def document(*funcs: Any, **options: Any) -> dict[str, Any]:
    """The document of a service with these methods, which is valid and JSON."""
    found = openapi("Main", "All of it.", map(method, funcs), **options)
    json.dumps(found, allow_nan=False)
    validate(found)
    return found


def operation(func: Any) -> dict[str, Any]:
    found: dict[str, Any] = document(func)["paths"][f"/{func.__name__}"]["post"]
    return found


def taking(annotation: Any) -> Any:
    def f(self, x): ...

    f.__annotations__["x"] = annotation
    return f


def giving(annotation: Any) -> Any:
    def f(self): ...

    f.__annotations__["return"] = annotation
    return f


def target(found: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What the schema refers to."""
    named: dict[str, Any] = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return named


def inputs(annotation: Any) -> dict[str, Any]:
    """The media types of the bodies with an input of this type."""
    content: dict[str, Any] = operation(taking(annotation))["requestBody"]["content"]
    return content


def part_of(annotation: Any) -> dict[str, Any]:
    """The part `x` of the form with an input of this type."""
    part = dict(inputs(annotation)["multipart/form-data"]["schema"]["properties"]["x"])
    part.pop("title", None)
    return part


def outputs(annotation: Any) -> dict[str, Any]:
    content: dict[str, Any] = operation(giving(annotation))["responses"]["200"]["content"]
    return content


TYPES = [
    *(str, int, float, bool, bytes, None, list, dict, Any, object),
    *(list[int], dict[str, int], tuple[int, str], tuple[int, ...], set[int], frozenset[str]),
    *(Point, Box, Pair, Color, Literal["a", 3], int | None, int | str | None),
    *(dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID),
    *(decimal.Decimal, pydantic.HttpUrl, pydantic.SecretStr),
    *(Sub, Node, OtherSub, list[Node], dict[str, Sub], Node | None),
    Annotated[Cat | Dog, Field(discriminator="kind")],
    *(np.ndarray, np.ndarray[Any, np.dtype[np.float16]], np.ndarray | None),
    Annotated[np.ndarray, Shape((2, -1, 3)), DType("int64")],
    *(Annotated[np.ndarray, Shape(())], Annotated[np.ndarray, DType("complex64")]),
    *(torch.Tensor, Annotated[torch.Tensor, Shape((1, 4)), DType("bfloat16")]),
    *(pd.DataFrame, pd.Series, dict[str, np.ndarray]),
    Annotated[pd.DataFrame, DataframeSchema(orient="columns", columns=["a", "b"])],
    *(Image.Image, Path, Annotated[Path, ContentType("audio/mp3")]),
    *(Annotated[bytes, ContentType("image/png")], Annotated[Path, ContentType("video/*")]),
    *(Path | None, list[Path], dict[str, Image.Image], Path | str),
    *(Scan, list[Scan], Scan | None),
]


@pytest.mark.parametrize("annotation", TYPES, ids=str)
def test_the_document_is_valid_for_every_type_in_and_out(annotation: Any) -> None:
    def root(self, x, /): ...

    def streams(self):
        yield

    async def takes_stream(self, items): ...

    root.__annotations__["x"] = annotation
    streams.__annotations__["return"] = Iterator[annotation]
    takes_stream.__annotations__["items"] = AsyncIterator[annotation]
    for func in (taking(annotation), giving(annotation), root, streams, takes_stream):
        document(func)


def test_a_service_with_every_type_is_one_valid_document() -> None:
    def named(number: int, annotation: Any) -> Any:
        def f(self, x): ...

        f.__name__ = f"f_{number}"
        f.__annotations__ |= {"x": annotation, "return": annotation}
        return f

    found = document(*(named(number, each) for number, each in enumerate(TYPES)))
    ids = [op["operationId"] for path in found["paths"].values() for op in path.values()]
    assert len(set(ids)) == len(ids) > len(TYPES)


def test_it_says_what_the_service_and_its_methods_say() -> None:
    def greet(self, name: Annotated[str, Field(description="Who.", max_length=9)], n: int = 3):
        """Says hello.

        As often as `n`.
        """

    found = document(greet, version="main-1")
    assert found["openapi"].startswith("3.1")
    assert found["info"] == {"title": "Main", "version": "main-1", "description": "All of it."}
    assert found["servers"] == [{"url": "."}]
    said = found["paths"]["/greet"]["post"]
    assert (said["summary"], said["description"]) == ("Says hello.", "As often as `n`.")
    assert said["operationId"] == "Main__greet"
    assert said["requestBody"]["required"]
    schema = found["components"]["schemas"]["GreetInput"]
    assert schema["required"] == ["name"]
    name, n = schema["properties"]["name"], schema["properties"]["n"]
    assert (name["description"], name["maxLength"]) == ("Who.", 9)
    assert n["default"] == 3


def test_a_method_without_inputs_takes_no_body() -> None:
    assert "requestBody" not in operation(giving(int))


def test_every_way_to_fail_is_described() -> None:
    found = document(taking(int))
    responses = found["paths"]["/f"]["post"]["responses"]
    assert set(responses) == {"200", "400", "413", "429", "500", "503", "504", "default"}
    schemas = found["components"]["schemas"]
    assert set(schemas["Error"]["properties"]) == {"error"}
    assert set(schemas["InvalidInput"]["properties"]) == {"error", "detail"}


def test_errors_of_adapted_services_may_be_in_a_list() -> None:
    own = document(taking(int), errors_in_list=True)["components"]["responses"]["Error"]
    error = {"$ref": "#/components/schemas/Error"}
    schema = own["content"]["application/json"]["schema"]
    assert schema == {"anyOf": [error, {"type": "array", "items": error}]}


def test_different_models_of_one_name_keep_apart_and_equal_ones_are_one() -> None:
    def one(self, x: Sub, y: Node): ...

    def two(self, x: OtherSub): ...

    def three(self, x: Sub): ...

    found = document(one, two, three)
    schemas = found["components"]["schemas"]
    refs = {
        name: schemas[f"{name}Input"]["properties"]["x"]["$ref"] for name in ("One", "Two", "Three")
    }
    assert refs["One"] == refs["Three"] != refs["Two"]
    assert set(schemas[refs["One"].rpartition("/")[2]]["properties"]) == {"a", "tags"}
    assert set(schemas[refs["Two"].rpartition("/")[2]]["properties"]) == {"b"}


def test_a_model_may_have_the_name_of_one_of_ours() -> None:
    class Error(BaseModel):
        mine: int

    class FInput(BaseModel):
        mine: int

    def f(self, x: FInput) -> Error: ...

    found = document(f)
    schema = found["paths"]["/f"]["post"]["responses"]["200"]["content"]["application/json"]
    assert set(target(found, schema["schema"])["properties"]) == {"mine"}
    body = found["paths"]["/f"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(target(found, body)["properties"]) == {"x"}
    responses = found["components"]["responses"]
    error = responses["Failed"]["content"]["application/json"]["schema"]
    assert set(target(found, error)["properties"]) == {"error"}


def test_unions_keep_all_their_arms() -> None:
    arms = part_of(int | str | None)["anyOf"]
    assert [arm["type"] for arm in arms] == ["integer", "string", "null"]


def test_arrays_are_nested_lists_with_their_type_and_shape_in_words() -> None:
    schema = part_of(Annotated[np.ndarray, Shape((-1, 4)), DType("float32")])
    assert schema["type"] == schema["items"]["type"] == "array"
    assert schema["items"]["items"] == {"type": "number"}
    assert (schema["items"]["minItems"], schema["items"]["maxItems"]) == (4, 4)
    assert (schema["x-dtype"], schema["x-shape"]) == ("float32", [-1, 4])
    assert "float32" in schema["description"]
    assert "(any, 4)" in schema["description"]
    # Tools make examples of as many elements as a bound asks for.
    large = part_of(Annotated[np.ndarray, Shape((3, 224, 224))])
    assert "minItems" not in json.dumps(large)


def test_the_element_type_of_an_array_is_that_of_its_json() -> None:
    names = {"bool": "boolean", "uint8": "integer", "float16": "number", "str": "string"}
    for name, expected in names.items():
        schema = part_of(Annotated[np.ndarray, Shape((2,)), DType(name)])
        assert schema["items"]["type"] == expected, name


def test_one_array_or_frame_may_be_the_body_in_its_binary_form() -> None:
    assert "application/x-npy" in inputs(np.ndarray)
    assert "application/x-npy" in inputs(np.ndarray | None)
    assert "application/vnd.apache.arrow.stream" in inputs(pd.DataFrame)
    assert "application/x-npy" in outputs(np.ndarray)
    assert "application/vnd.apache.arrow.stream" in outputs(pd.Series)

    def two(self, x: np.ndarray, y: np.ndarray): ...

    assert "application/x-npy" not in operation(two)["requestBody"]["content"]


def test_tables_are_objects_for_rows_or_lists_for_columns() -> None:
    rows = part_of(Annotated[pd.DataFrame, DataframeSchema(columns=["a"])])
    assert (rows["type"], rows["items"]["type"]) == ("array", "object")
    assert set(rows["items"]["properties"]) == {"a"}
    columns = part_of(Annotated[pd.DataFrame, DataframeSchema(orient="columns")])
    assert columns["type"] == "object"


@pytest.mark.parametrize(
    ("annotation", "media_type"),
    [
        (Path, "application/octet-stream"),
        (Image.Image, "image/*"),
        (Annotated[Path, ContentType("audio/mp3")], "audio/mp3"),
        (Path | None, "application/octet-stream"),
        (Annotated[bytes, ContentType("image/png")], "image/png"),
    ],
)
def test_files_are_binary_parts_of_a_form_and_urls_in_json(
    annotation: Any, media_type: str
) -> None:
    content = inputs(annotation)
    assert next(iter(content)) == "multipart/form-data", "what tools offer first"
    assert "application/json" in content
    part = part_of(annotation)
    assert (part["type"], part["format"]) == ("string", "binary")
    assert part["contentMediaType"] == media_type


def test_lists_of_files_are_parts_of_one_name() -> None:
    part = part_of(list[Path])
    assert part["type"] == "array"
    assert part["items"]["format"] == "binary"


def test_what_is_neither_file_nor_scalar_is_a_json_part() -> None:
    def f(self, file: Path, options: Sub, name: str, scan: Scan): ...

    form = operation(f)["requestBody"]["content"]["multipart/form-data"]
    json_part = {"contentType": "application/json"}
    assert form["encoding"] == {"options": json_part, "scan": json_part}
    assert "`scan.<field>`" in form["schema"]["properties"]["scan"]["description"]


def test_only_scalars_are_offered_urlencoded() -> None:
    urlencoded = "application/x-www-form-urlencoded"
    assert urlencoded in inputs(int | None)
    assert urlencoded not in inputs(Sub)


@pytest.mark.parametrize(
    ("annotation", "media_type"),
    [
        (str, "text/plain"),
        (bytes, "application/octet-stream"),
        (Path, "application/octet-stream"),
        (Image.Image, "image/*"),
        (Annotated[Path, ContentType("audio/mp3")], "audio/mp3"),
        (list[str], "application/json"),
        (Sub, "application/json"),
    ],
)
def test_a_root_input_is_the_body_itself(annotation: Any, media_type: str) -> None:
    def f(self, x, /): ...

    f.__annotations__["x"] = annotation
    assert next(iter(operation(f)["requestBody"]["content"])) == media_type


@pytest.mark.parametrize(
    ("annotation", "media_types"),
    [
        (str, ["text/plain"]),
        (bytes, ["text/plain"]),
        (int, ["application/json"]),
        (None, ["application/json"]),
        (Annotated[str, ContentType("text/html")], ["text/html"]),
        (Annotated[bytes, ContentType("image/png")], ["image/png"]),
        (Image.Image, ["image/*"]),
        (Path, ["application/octet-stream"]),
        (Annotated[Path, ContentType("audio/mp3")], ["audio/mp3"]),
        (list[Path], ["application/json", "multipart/mixed"]),
        (Scan, ["application/json", "multipart/mixed"]),
        (Iterator[int], ["text/event-stream", "application/x-ndjson"]),
    ],
)
def test_results_have_the_media_types_of_their_forms(
    annotation: Any, media_types: list[str]
) -> None:
    def streams(self):
        yield

    func = giving(annotation)
    if annotation == Iterator[int]:
        streams.__annotations__["return"] = annotation
        func = streams
    assert list(operation(func)["responses"]["200"]["content"]) == media_types


def test_numbers_that_json_cannot_carry_are_left_out() -> None:
    def f(self, x: float = float("inf"), y: Annotated[float, Field(le=float("inf"))] = 1): ...

    text = json.dumps(document(f), allow_nan=False)
    assert "Infinity" not in text


def test_a_default_of_none_that_the_type_does_not_take_is_left_out() -> None:
    def f(self, x: int = None): ...  # noqa: RUF013  # as users of other systems write it

    assert "default" not in document(f)["components"]["schemas"]["FInput"]["properties"]["x"]
