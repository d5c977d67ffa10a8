"""Which changes of a .proto break its clients."""

from pathlib import Path

import pytest

from mesh.io.rpc.breaking import breaks
from mesh.io.rpc.protoc import compiled

OLD = """
syntax = "proto3";
package p.v1;
service S {
  rpc Get(GetRequest) returns (GetResponse);
  rpc List(GetRequest) returns (stream GetResponse);
}
message GetRequest {
  int64 a = 1;
  optional string b = 2;
  repeated int64 c = 3;
  map<string, int64> d = 4;
  oneof choice { int64 x = 5; string y = 6; }
  Colour colour = 7;
  message Inner { bool deep = 1; }
  Inner inner = 8;
}
message GetResponse { string result = 1; }
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
"""


def _breaks(tmp_path: Path, *changes: tuple[str, str]) -> list[tuple[str, str]]:
    new = OLD
    for old_text, new_text in changes:
        assert old_text in new
        new = new.replace(old_text, new_text)
    files = []
    for name, text in (("old", OLD), ("new", new)):
        path = tmp_path / f"{name}.proto"
        path.write_text(text)
        files.append(compiled(path, [tmp_path]))
    return [(each.where.removeprefix("p.v1."), each.what) for each in breaks(*files)]


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (("service S {", "service T {"), "S", "the service is gone"),
        (("rpc Get(", "rpc Fetch("), "S.Get", "the rpc is gone"),
        (
            ("Get(GetRequest) returns (GetResponse)", "Get(GetRequest) returns (GetRequest)"),
            "S.Get",
            "its responses were p.v1.GetResponse and are p.v1.GetRequest",
        ),
        (("(stream GetResponse)", "(GetResponse)"), "S.List", "streaming from the server ended"),
        (
            ("rpc Get(GetRequest)", "rpc Get(stream GetRequest)"),
            "S.Get",
            "streaming from the client began",
        ),
        (("int64 a = 1;", ""), "GetRequest.a", "the field is gone, and its number 1 is free"),
        (("int64 a = 1;", "reserved 1;"), "GetRequest.a", "the field is gone"),
        (("int64 a = 1;", "int64 a = 9;"), "GetRequest.a", "its number was 1 and is 9"),
        (("int64 a = 1;", "int64 z = 1;"), "GetRequest.a", "its name was a and is z"),
        (("int64 a = 1;", "int32 a = 1;"), "GetRequest.a", "its type was int64 and is int32"),
        (
            ("optional string b", "string b"),
            "GetRequest.b",
            "its cardinality was optional and is plain",
        ),
        (
            ("repeated int64 c", "int64 c"),
            "GetRequest.c",
            "its cardinality was repeated and is plain",
        ),
        (
            ("map<string, int64> d", "map<string, bool> d"),
            "GetRequest.DEntry",
            "the map's values were int64 and are bool",
        ),
        (
            ("int64 x = 5; string y = 6; }", "int64 x = 5; } string y = 6;"),
            "GetRequest.y",
            "its oneof was choice and is none",
        ),
        (("bool deep", "string deep"), "GetRequest.Inner.deep", "its type was bool and is string"),
        (("COLOUR_RED = 1;", ""), "Colour.COLOUR_RED", "the value is gone"),
        (("COLOUR_RED = 1", "COLOUR_RED = 2"), "Colour.COLOUR_RED", "its number was 1 and is 2"),
    ],
)
def test_a_broken_promise_is_named(
    tmp_path: Path, change: tuple[str, str], where: str, what: str
) -> None:
    assert (where, what) in _breaks(tmp_path, change)


def test_a_number_that_was_reserved_is_not_for_others(tmp_path: Path) -> None:
    old = OLD.replace("int64 a = 1;", "reserved 1;")
    files = []
    for name, text in (("old", old), ("new", OLD)):
        path = tmp_path / f"{name}.proto"
        path.write_text(text)
        files.append(compiled(path, [tmp_path]))
    (found,) = breaks(*files)
    assert (found.where, found.what) == ("p.v1.GetRequest.a", "its number 1 was reserved")
    (found, _) = breaks(*files, required={"p.v1.GetRequest.a"})
    assert breaks(files[1], files[1], required={"p.v1.GetRequest.a"}) == []


def test_a_range_without_an_end_is_no_list_of_numbers(tmp_path: Path) -> None:
    change = ("int64 a = 1;", "reserved 1; reserved 1000 to max;")
    assert ("GetRequest.a", "the field is gone") in _breaks(tmp_path, change)


@pytest.mark.parametrize(
    "change",
    [
        ("int64 a = 1;", "int64 a = 1; int64 added = 9;"),
        ("COLOUR_RED = 1;", "COLOUR_RED = 1; COLOUR_BLUE = 2;"),
        ("service S {", "service T {} service S {"),
        ("rpc Get(", "rpc More(GetRequest) returns (GetResponse); rpc Get("),
        ("int64 x = 5;", "int64 x = 5; bool z = 9;"),
        ("message GetResponse {", "message Another {} message GetResponse {"),
    ],
)
def test_additions_break_nothing(tmp_path: Path, change: tuple[str, str]) -> None:
    assert _breaks(tmp_path, change) == []
