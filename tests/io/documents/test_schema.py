"""The document that describes a service, as clients of the seed system read it."""

import enum
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypeAliasType

from mesh.io.descriptor import IODescriptor
from mesh.io.documents.schema import service_schema
from mesh.io.json_schema import OR
from mesh.io.spec import method_spec
from mesh.io.types.content_type import ContentType
from mesh.io.types.tensor import DType, Shape


class Sub(BaseModel):
    a: int
    tags: set[str] = set()


class Node(BaseModel):
    children: list["Node"] = []


class Picture(IODescriptor):
    data: Annotated[Path, ContentType("image/png")]
    scale: float = 1.0


class Color(enum.Enum):
    RED = "red"


def described(func: Any, **options: Any) -> dict[str, Any]:
    name = func.__name__
    spec = method_spec(Sub, func, name=name, route=f"/{name}", **options)
    (route,) = service_schema("S", "", [spec])["routes"]
    return route


def input_of(annotation: Any) -> dict[str, Any]:
    def f(self, x): ...

    f.__annotations__["x"] = annotation
    schema = described(f)["input"]["properties"]["x"]
    schema.pop("title", None)
    return schema


def test_the_document_of_a_service():
    def greet(self, name: str, times: int = 1) -> str:
        """Says hello."""

    def add(self) -> int: ...

    methods = [
        method_spec(Sub, greet, name="greet", route="/hello"),
        method_spec(Sub, add, name="add", route="/add"),
    ]
    assert service_schema("Greeter", "All greetings.", methods) == {
        "name": "Greeter",
        "type": "service",
        "description": "All greetings.",
        "routes": [
            {
                "name": "add",
                "route": "/add",
                "batchable": False,
                "is_task": False,
                "input": {"properties": {}, "title": "Input", "type": "object"},
                "output": {"type": "integer"},
            },
            {
                "name": "greet",
                "route": "/hello",
                "batchable": False,
                "is_task": False,
                "description": "Says hello.",
                "input": {
                    "properties": {
                        "name": {"title": "Name", "type": "string"},
                        "times": {"default": 1, "title": "Times", "type": "integer"},
                    },
                    "required": ["name"],
                    "title": "Input",
                    "type": "object",
                },
                "output": {"type": "string"},
            },
        ],
        "paths": {"/add": {"mounted": False}, "/hello": {"mounted": False}},
    }
    assert "description" not in service_schema("Greeter", "", methods)


def test_tensors_have_the_keywords_that_clients_know():
    assert input_of(np.ndarray) == {"type": "tensor", "format": "numpy-array"}
    assert input_of(Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]) == {
        "type": "tensor",
        "format": "numpy-array",
        "dtype": "float32",
        "shape": [-1, 4],
        "dim": -4,
    }
    assert input_of(np.ndarray[tuple[int], np.dtype[np.float16]])["dtype"] == "float16"
    assert input_of(Annotated[np.ndarray, DType("str")])["dtype"] == "str_"
    assert input_of(list[np.ndarray])["items"] == {"type": "tensor", "format": "numpy-array"}


def test_every_array_has_items_and_every_object_properties():
    assert input_of(tuple[int, str])["items"] == {}
    assert input_of(list) == {"type": "array", "items": {}}
    assert input_of(dict[str, list]) == {
        "type": "object",
        "properties": {},
        "additionalProperties": {"type": "array", "items": {}},
    }
    assert input_of(Sub)["properties"]["tags"]["items"] == {"type": "string"}


def test_inputs_are_flat():
    assert input_of(int | None) == {"type": "integer", OR: [{"type": "null"}]}
    assert input_of(None | int) == {"type": "integer", OR: [{"type": "null"}]}
    assert input_of(int | str) == {"type": "integer", OR: [{"type": "string"}]}
    assert input_of(list[Sub])["items"]["properties"]["a"] == {"title": "A", "type": "integer"}
    assert input_of(Sub | None)["properties"] == input_of(Sub)["properties"]
    assert input_of(int | Sub)[OR][0]["properties"] == input_of(Sub)["properties"]
    assert input_of(list[int | str])["items"] == {"type": "integer", OR: [{"type": "string"}]}
    assert input_of(Color) == {"enum": ["red"], "type": "string"}
    assert input_of(Literal["a", "b"]) == {"enum": ["a", "b"], "type": "string"}
    assert input_of(bytes) == {"type": "string", "format": "binary"}


def test_a_union_inside_a_union_is_one_of_all_arms():
    class Deep(BaseModel):
        at: int | str | None = None

    class Deeper(BaseModel):
        deep: Deep | list[Deep] | None = None

    deep = input_of(Deeper)["properties"]["deep"]
    assert [each["type"] for each in (deep, *deep[OR])] == ["object", "array", "null"]
    at = deep[OR][0]["items"]["properties"]["at"]
    assert [each["type"] for each in (at, *at[OR])] == ["integer", "string", "null"]
    named = input_of(TypeAliasType("Named", int | str) | None)
    assert [each["type"] for each in (named, *named[OR])] == ["integer", "string", "null"]


def test_arms_do_not_multiply_with_the_depth_of_optional_models():
    model = create_model("M0", x=(int | None, None))
    for depth in range(1, 20):
        model = create_model(f"M{depth}", x=(model | None, None))
    assert len(json.dumps(input_of(model))) < 10_000


def test_a_model_that_only_another_arm_leads_to_is_defined():
    def f(self, x: int | Node) -> int: ...

    schema = described(f)["input"]
    assert schema["properties"]["x"][OR] == [{"$ref": "#/$defs/Node"}]
    assert list(schema["$defs"]) == ["Node"]


def test_what_contains_itself_stays_a_reference():
    def f(self, x: Node) -> Node: ...

    route = described(f)
    assert route["input"]["properties"]["x"]["$ref"] == "#/$defs/Node"
    node = route["input"]["$defs"]["Node"]
    assert node["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert route["output"]["$defs"]


def test_a_body_that_contains_itself_has_properties_all_the_same():
    def f(self, **params) -> int: ...
    def g(self, x: Node, /) -> Node: ...

    schema = described(f, input_spec=Node)["input"]
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert list(schema["$defs"]) == ["Node"]
    route = described(g)
    assert route["input"]["properties"] == route["output"]["properties"] == schema["properties"]


def test_a_root_input_is_marked_and_flat():
    def f(self, x, /) -> int: ...

    for annotation, schema in (
        (str, {"type": "string"}),
        (int | None, {"type": "integer", OR: [{"type": "null"}]}),
        (list[Sub], input_of(list[Sub])),
        (
            Annotated[int, Field(description="how many")],
            {"type": "integer", "description": "how many"},
        ),
        (Path | None, {"type": "file", "format": "binary", OR: [{"type": "null"}]}),
        (np.ndarray, {"type": "tensor", "format": "numpy-array"}),
    ):
        f.__annotations__["x"] = annotation
        got = described(f)["input"]
        assert got.pop("root_input") is True
        assert got.pop("root_name") == "x"
        assert got == schema


def test_a_root_input_has_its_default_and_limits():
    def f(self, x: int = Field(7, ge=1), /) -> int: ...

    schema = described(f, fields={"x": Field(7, ge=1)})["input"]
    assert (schema["default"], schema["minimum"]) == (7, 1)


def test_a_class_as_root_input_and_as_output_is_described_apart():
    def f(self, x: Picture, /) -> Picture: ...
    def g(self, x: Picture) -> Picture: ...

    for func in (f, g, f):
        route = described(func)
        assert "root_input" not in route["output"]
        assert route["output"]["properties"]["data"] == {
            "type": "file",
            "format": "image",
            "content_type": "image/png",
            "title": "Data",
        }
    assert "root_input" not in described(g)["input"]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[str, ContentType("text/html")], {"type": "string", "media_type": "text/html"}),
        (
            Annotated[bytes, ContentType("image/png")],
            {"type": "string", "format": "binary", "media_type": "image/png"},
        ),
        (
            Annotated[Path, ContentType("audio/mp3")],
            {
                "type": "file",
                "format": "audio",
                "content_type": "audio/mp3",
                "media_type": "audio/mp3",
            },
        ),
        (str, {"type": "string"}),
        (bytes, {"type": "string", "format": "binary"}),
        (None, {"type": "null"}),
        (Any, {}),
    ],
)
def test_a_media_type_that_the_annotation_says_is_there(annotation, schema):
    def f(self): ...

    f.__annotations__["return"] = annotation
    assert described(f)["output"] == schema


def test_results_that_are_no_objects_keep_their_unions():
    def f(self) -> int | str: ...

    assert described(f)["output"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_properties_may_be_called_like_keywords():
    def f(self, anyOf: int, items: str, type: int | None = None) -> int: ...  # noqa: A002, N803

    assert described(f)["input"]["properties"] == {
        "anyOf": {"title": "Anyof", "type": "integer"},
        "items": {"title": "Items", "type": "string"},
        "type": {"default": None, "title": "Type", "type": "integer", OR: [{"type": "null"}]},
    }


def test_limits_and_descriptions_of_fields_are_there():
    schema = input_of(Annotated[int, Field(ge=1, lt=9, description="How many", examples=[3])])
    assert schema == {
        "type": "integer",
        "minimum": 1,
        "exclusiveMaximum": 9,
        "description": "How many",
        "examples": [3],
    }


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        (Any, object(), False),
        (np.ndarray, np.ones(2), [1.0, 1.0]),
        (np.ndarray, np.ones(5000), False),
        (np.ndarray, np.array([np.nan]), False),
        (np.ndarray, np.array([1j]), False),
        (float, float("inf"), False),
        (Path, Path("/opt/model/default.png"), False),
        (list[Path], [], []),
        (bytes, b"abc", "abc"),
        (bytes, b"\xff", False),
        (Path | None, None, None),
        (Sub, Sub(a=1), {"a": 1, "tags": []}),
        (Picture | None, None, None),
    ],
)
def test_a_default_that_json_cannot_carry_is_left_out(annotation, default, shown):
    def f(self, x): ...

    f.__annotations__["x"] = annotation
    f.__defaults__ = (default,)
    route = described(f)
    json.dumps(route, allow_nan=False)
    found = route["input"]["properties"]["x"]
    if shown is False:
        assert "default" not in found
    else:
        assert found["default"] == shown
    assert "x" not in route["input"].get("required", [])


def test_streams_are_marked():
    def out(self) -> Iterator[str]:
        yield ""

    async def both(self, items: AsyncIterator[int], n: int) -> AsyncIterator[Sub]:
        yield Sub(a=1)

    assert described(out)["output"] == {
        "type": "string",
        "is_stream": True,
        "media_type": "text/event-stream",
    }
    route = described(both)
    assert route["input"]["properties"]["items"] == {
        "is_stream": True,
        "title": "Items",
        "type": "integer",
    }
    assert route["input"]["required"] == ["n"]
    assert route["output"]["is_stream"]


def test_a_parameter_that_is_renamed_inside_has_its_own_name_in_the_document():
    def f(self, copy: int, _x: int) -> int: ...

    assert list(described(f)["input"]["properties"]) == ["copy", "_x"]
