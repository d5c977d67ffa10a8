"""Every plain type as an input: what it takes, what it refuses, how it is described."""

import enum
import math
import typing
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType
from uuid import UUID

import pytest
import typing_extensions
from annotated_types import Ge, Gt, Lt, MaxLen, MultipleOf
from pydantic import (
    Base64Bytes,
    BaseModel,
    Field,
    FilePath,
    HttpUrl,
    Json,
    SecretStr,
)

from mesh.call import CALL, JSON
from mesh.errors import InvalidArgument
from mesh.io.documents.schema import service_schema
from mesh.io.json_schema import OR
from mesh.io.spec import MethodSpec, method_spec

NULL = {"type": "null"}


class Sub(BaseModel):
    a: int
    b: str = "x"


@dataclass
class Data:
    a: int
    b: str = "x"


class Pair(NamedTuple):
    a: int
    b: str = "x"


class OldDict(typing.TypedDict):
    a: int


class NewDict(typing_extensions.TypedDict, total=False):
    a: typing_extensions.Required[int]
    b: str


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Node(BaseModel):
    children: list["Node"] = []


UserId = NewType("UserId", int)
Alias = typing_extensions.TypeAliasType("Alias", list[int])
LIST_IN_TEXT = Json[list[int]]
SUB = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "title": "A"},
        "b": {"type": "string", "title": "B", "default": "x"},
    },
    "required": ["a"],
}
PAIR = {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}
MANY = 10**30

# (annotation, its schema without title, what is taken and as what, what is refused and why)
ROWS: list[tuple[Any, dict[str, Any], list[tuple[str, Any]], list[tuple[str, str]]]] = [
    (str, {"type": "string"}, [('"a"', "a"), ('""', "")],
     [("1", "string_type"), ("null", "string_type")]),
    (int, {"type": "integer"},
     [("1", 1), ('"1"', 1), ("2.0", 2), ("true", 1), (str(MANY), MANY)],
     [("1.5", "int_from_float"), ("1e400", "finite_number"), ('"a"', "int_parsing")]),
    (float, {"type": "number"},
     [("1", 1.0), ('"1.5"', 1.5), ("Infinity", math.inf), ("1e999", math.inf)],
     [('"a"', "float_parsing"), ("[]", "float_type")]),
    (bool, {"type": "boolean"},
     [("true", True), ('"yes"', True), ('"on"', True), ("1", True), ("0", False)],
     [("2", "bool_parsing")]),
    (bytes, {"type": "string", "format": "binary"},
     [('"é"', "é".encode()), ('"aGk="', b"aGk=")], [("1", "bytes_type")]),
    (None, {"type": "null"}, [("null", None)], [("1", "none_required")]),
    (list, {"type": "array", "items": {}}, [('[1,"a"]', [1, "a"])], [("1", "list_type")]),
    (list[int], {"type": "array", "items": {"type": "integer"}}, [('[1,"2"]', [1, 2])],
     [('[1,"a"]', "int_parsing")]),
    (typing.List[int], {"type": "array", "items": {"type": "integer"}}, [("[1]", [1])], []),  # noqa: UP006
    (dict, {"type": "object", "properties": {}, "additionalProperties": True},
     [('{"a":1}', {"a": 1})], [("[]", "dict_type")]),
    (dict[str, int], {"type": "object", "properties": {},
                      "additionalProperties": {"type": "integer"}},
     [('{"a":"1"}', {"a": 1})], [('{"a":"b"}', "int_parsing")]),
    (dict[int, str], {"type": "object", "properties": {},
                      "additionalProperties": {"type": "string"}},
     [('{"1":"b"}', {1: "b"})], [('{"a":"b"}', "int_parsing")]),
    (tuple[int, str], {**PAIR, "prefixItems": [{"type": "integer"}, {"type": "string"}]},
     [('[1,"a"]', (1, "a"))], [("[1]", "missing"), ('[1,"a",2]', "too_long")]),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, [("[1,2]", (1, 2))], []),
    (Pair, {"type": "array", "items": {}, "minItems": 1, "maxItems": 2, "prefixItems": [
        {"type": "integer", "title": "A"}, {"type": "string", "title": "B", "default": "x"}]},
     [('[1,"a"]', Pair(1, "a")), ('{"a":1}', Pair(1))], [('["q"]', "int_parsing")]),
    (set[int], {"type": "array", "uniqueItems": True, "items": {"type": "integer"}},
     [("[1,1,2]", {1, 2})], [('["a"]', "int_parsing")]),
    (frozenset[str], {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
     [('["a"]', frozenset("a"))], []),
    (int | None, {"type": "integer", OR: [NULL]}, [("1", 1), ("null", None)],
     [('"a"', "int_parsing")]),
    (int | str, {"type": "integer", OR: [{"type": "string"}]},
     [("1", 1), ('"1"', "1"), ('"a"', "a")],
     [("null", "int_type")]),
    (Path | None, {"type": "file", "format": "binary", OR: [NULL]}, [("null", None)],
     [('"a"', "path_type")]),
    (bytes | int, {"type": "string", "format": "binary", OR: [{"type": "integer"}]},
     [('"1"', b"1"), ("1", 1)], []),
    (Color, {"enum": ["red"], "type": "string"}, [('"red"', Color.RED)], [('"blue"', "enum")]),
    (Number, {"enum": [1], "type": "integer"}, [("1", Number.ONE)], [("2", "enum")]),
    (Literal["a", "b", 3], {"enum": ["a", "b", 3]}, [('"a"', "a"), ("3", 3)],
     [('"c"', "literal_error")]),
    (datetime, {"type": "string", "format": "date-time"},
     [('"2026-03-01T12:00:00Z"', datetime(2026, 3, 1, 12, tzinfo=UTC))],
     [('"noon"', "datetime_from_date_parsing")]),
    (date, {"type": "string", "format": "date"}, [('"2026-03-01"', date(2026, 3, 1))],
     [('"1"', "date_from_datetime_inexact")]),
    (time, {"type": "string", "format": "time"}, [('"12:30"', time(12, 30))],
     [('"x"', "time_parsing")]),
    (timedelta, {"type": "string", "format": "duration"},
     [('"PT5S"', timedelta(seconds=5)), ("1.5", timedelta(seconds=1.5))],
     [('"x"', "time_delta_parsing")]),
    (UUID, {"type": "string", "format": "uuid"}, [(f'"{UUID(int=5)}"', UUID(int=5))],
     [('"x"', "uuid_parsing")]),
    (Decimal, {"type": "number", OR: [{"type": "string"}]},
     [('"1.10"', Decimal("1.10")), ("2", Decimal(2))],
     [('"x"', "decimal_parsing")]),
    (Sub, SUB, [('{"a":1,"other":2}', Sub(a=1))],
     [("{}", "missing"), ("[1]", "model_type"), ('{"a":"q"}', "int_parsing")]),
    (Data, SUB, [('{"a":"1"}', Data(1))], [("{}", "missing"), ("[1]", "dataclass_type")]),
    (NewDict, {"type": "object", "required": ["a"], "properties": {
        "a": {"type": "integer", "title": "A"}, "b": {"type": "string", "title": "B"}}},
     [('{"a":"1"}', {"a": 1})], [("{}", "missing")]),
    (OldDict, {"type": "object", "required": ["a"],
               "properties": {"a": {"type": "integer", "title": "A"}}},
     [('{"a":"1"}', {"a": 1})], [("{}", "missing")]),
    (list[Sub], {"type": "array", "items": {**SUB, "title": "Sub"}}, [('[{"a":1}]', [Sub(a=1)])],
     [('[{"a":"q"}]', "int_parsing")]),
    (dict[str, Sub], {"type": "object", "properties": {},
                      "additionalProperties": {**SUB, "title": "Sub"}},
     [('{"k":{"a":1}}', {"k": Sub(a=1)})], []),
    (HttpUrl, {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
     [('"http://a.b/c"', HttpUrl("http://a.b/c"))], [('"q"', "url_parsing")]),
    (SecretStr, {"type": "string", "format": "password", "writeOnly": True},
     [('"s"', SecretStr("s"))], [("1", "string_type")]),
    (LIST_IN_TEXT, {"type": "string", "contentMediaType": "application/json",
                    "contentSchema": {"type": "array", "items": {"type": "integer"}}},
     [('"[1]"', [1])], [('"["', "json_invalid")]),
    (UserId, {"type": "integer"}, [('"1"', 1)], [('"a"', "int_parsing")]),
    (Alias, {"type": "array", "items": {"type": "integer"}}, [('["1"]', [1])], []),
    (FilePath, {"type": "file", "format": "binary"}, [], [('"/etc/passwd"', "path_type")]),
    (Any, {}, [("null", None), ('{"a":[1]}', {"a": [1]})], []),
    (Annotated[int, Ge(0), Lt(9)], {"type": "integer", "minimum": 0, "exclusiveMaximum": 9},
     [("0", 0)], [("9", "less_than"), ("-1", "greater_than_equal")]),
    (Annotated[int, Gt(0), MultipleOf(100)],
     {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 100}, [("200", 200)],
     [("150", "multiple_of")]),
    (Annotated[str, MaxLen(2)], {"type": "string", "maxLength": 2}, [('"ab"', "ab")],
     [('"abc"', "string_too_long")]),
    (Annotated[list[int], MaxLen(1)],
     {"type": "array", "maxItems": 1, "items": {"type": "integer"}}, [("[1]", [1])],
     [("[1,2]", "too_long")]),
    (Annotated[bytes, MaxLen(2)], {"type": "string", "format": "binary"}, [('"ab"', b"ab")],
     [('"abc"', "too_long")]),
    (Annotated[str, Field(pattern="^a", description="d", examples=["ab"])],
     {"type": "string", "pattern": "^a", "description": "d", "examples": ["ab"]}, [('"ab"', "ab")],
     [('"b"', "string_pattern_mismatch")]),
]  # fmt: skip


def spec_of(annotation: Any) -> MethodSpec:
    def f(self, x) -> int: ...

    f.__annotations__["x"] = annotation
    return method_spec(Sub, f, name="f", route="/f")


@pytest.mark.parametrize(
    ("annotation", "schema", "taken", "wrong"), ROWS, ids=[str(row[0])[:40] for row in ROWS]
)
def test_an_input(annotation, schema, taken, wrong):
    spec = spec_of(annotation)
    (route,) = service_schema("S", "", [spec])["routes"]
    described = route["input"]["properties"]["x"]
    described.pop("title", None)
    assert described == schema
    for text, value in taken:
        got = spec.decode_arguments(JSON, f'{{"x":{text}}}'.encode())[0].kwargs["x"]
        assert got == value
        assert type(got) is type(value)
        sent = spec.encode_arguments((got if annotation is not LIST_IN_TEXT else text[1:-1],), {})
        assert spec.decode_arguments(CALL, sent)[0].kwargs["x"] == value
    for text, kind in wrong:
        with pytest.raises(InvalidArgument) as caught:
            spec.decode_arguments(JSON, f'{{"x":{text}}}'.encode())
        violation = caught.value.violations[0]
        assert (violation.path[0], violation.type) == ("x", kind)
        assert caught.value.message.endswith("validation error for Input")


def test_bytes_in_base64_are_decoded():
    found = spec_of(Base64Bytes).decode_arguments(JSON, b'{"x":"aGk="}')[0]
    assert found.kwargs == {"x": b"hi"}


def test_not_a_number_is_a_float():
    (value,) = spec_of(float).decode_arguments(JSON, b'{"x":NaN}')[0].kwargs.values()
    assert math.isnan(value)


def test_a_parameter_without_annotation_takes_anything():
    def f(self, x): ...

    spec = method_spec(Sub, f, name="f", route="/f")
    assert spec.decode_arguments(JSON, b'{"x":[{"a":null}]}')[0].kwargs == {"x": [{"a": None}]}


def test_a_recursive_model_is_read_at_any_depth():
    found = spec_of(Node).decode_arguments(JSON, b'{"x":{"children":[{"children":[{}]}]}}')[0]
    assert found.kwargs["x"].children[0].children == [Node()]


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_json_is_refused(depth):
    body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(InvalidArgument) as caught:
        spec_of(Any).decode_arguments(JSON, body)
    assert caught.value.violations[0].type == "json_invalid"


def test_the_arm_of_a_union_is_in_the_path():
    with pytest.raises(InvalidArgument) as caught:
        spec_of(int | Sub).decode_arguments(JSON, b'{"x":{"a":"q"}}')
    assert [each.path for each in caught.value.violations] == [("x", "int"), ("x", "Sub", "a")]


def test_the_arms_of_a_union_with_files_have_the_names_of_their_types():
    with pytest.raises(InvalidArgument) as caught:
        spec_of(Path | int | list[bytes] | None).decode_arguments(JSON, b'{"x":"q"}')
    paths = [each.path for each in caught.value.violations]
    assert paths == [("x", "Path"), ("x", "int"), ("x", "list")]


def test_items_of_a_stream_are_of_the_types_of_inputs():
    async def f(self, items: AsyncIterator[OldDict]) -> int: ...

    spec = method_spec(Sub, f, name="f", route="/f")
    assert spec.decode_item(JSON, b'{"a":"1"}') == {"a": 1}
