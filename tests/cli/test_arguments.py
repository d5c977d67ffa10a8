"""Arguments on a command line, as values of the types that methods have."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from mesh.cli.arguments import Items, arguments
from mesh.cli.failure import WrongUsage
from mesh.client.description import MethodDescription, ServiceDescription
from mesh.io.bodies.npy import write_npy
from mesh.io.types.file import File
from tests.cli.services import Talk, Unions
from tests.client.scripted import schema_of
from tests.contract.service import Types

TYPES = ServiceDescription.of_json(schema_of(Types))
TALK = ServiceDescription.of_json(schema_of(Talk))
UNIONS = ServiceDescription.of_json(schema_of(Unions))


def method(name: str) -> MethodDescription:
    return TYPES.methods.get(name) or TALK.methods[name]


def parsed(name: str, *texts: str, stdin: bytes = b"") -> dict[str, Any]:
    return arguments(method(name), texts, io.BytesIO(stdin))


def wrong(name: str, *texts: str, stdin: bytes = b"") -> WrongUsage:
    with pytest.raises(WrongUsage) as caught:
        parsed(name, *texts, stdin=stdin)
    return caught.value


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("text", ["x=123"], {"x": "123"}),
        ("text", ["x="], {"x": ""}),
        ("text", ["x=a=b"], {"x": "a=b"}),
        ("text", ["x=@@ada"], {"x": "@ada"}),
        ("whole", ["x=5"], {"x": 5}),
        ("whole", ['x="5"'], {"x": "5"}),
        ("real", ["x=-1.5e3"], {"x": -1500.0}),
        ("truth", ["x=true"], {"x": True}),
        ("maybe", ["x=null"], {"x": None}),
        ("maybe", [], {}),
        ("binary", ["x=hi"], {"x": b"hi"}),
        ("colour", ["x=red"], {"x": "red"}),
        ("choice", ["x=3"], {"x": 3}),
        ("choice", ["x=a"], {"x": "a"}),
        ("anything", ["x=text"], {"x": "text"}),
        ("anything", ["x=[1]"], {"x": [1]}),
        ("numbers", ["x=[1, 2]"], {"x": [1, 2]}),
        ("numbers", ["x=1"], {"x": [1]}),
        ("numbers", ["x=1", "x=2"], {"x": [1, 2]}),
        ("pair", ["x=1", "x=2"], {"x": [1, "2"]}),
        ("array", ["x=[[1,2],[3,4]]"], {"x": [[1, 2], [3, 4]]}),
        ("arrays", ["x=[1,2]", "x=[3]"], {"x": [[1, 2], [3]]}),
        ("model", ['x={"a": 1}'], {"x": {"a": 1}}),
        ("model", ["x.a=1", "x.b=2"], {"x": {"a": 1, "b": "2"}}),
        ("nested", ["x.sub.a=1"], {"x": {"sub": {"a": 1}}}),
        ("tree", ["x.value=1", 'x.children={"value": 2}'],
         {"x": {"value": 1, "children": [{"value": 2}]}}),
        ("scores", ["x.a=1", "x.b=2"], {"x": {"a": 1, "b": 2}}),
        ("keywords", ["a=1", "kwargs.b=2"], {"a": 1, "kwargs": {"b": 2}}),
        ("frame", ['x=[{"a": 1}]'], {"x": [{"a": 1}]}),
        ("file", ["x=http://h/a"], {"x": "http://h/a"}),
        ("root_text", ["plain=text"], {"x": "plain=text"}),
        ("root_text", ["x=named"], {"x": "named"}),
        ("root_list", ['["a"]'], {"x": ["a"]}),
        ("root_list", ["a", "b"], {"x": ["a", "b"]}),
        ("root_model", ["x.a=1"], {"x": {"a": 1}}),
        ("root_default", [], {}),
    ],
)  # fmt: skip
def test_texts_become_what_the_parameter_is(
    name: str, texts: list[str], expected: dict[str, Any]
) -> None:
    assert parsed(name, *texts) == expected


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("number_or_text", ["v=hi"], "hi"),
        ("number_or_text", ["v=5"], 5),
        ("number_or_text", ['v="5"'], "5"),
        ("number_or_text", ["v=[1]"], "[1]"),
        ("optional", ["v=null"], None),
        ("optional", ["v=hi"], "hi"),
        ("numbers", ["v=[1]"], [1]),
        ("one_or_many", ["v=a"], "a"),
        ("one_or_many", ["v=a", "v=b"], ["a", "b"]),
        ("one_or_many", ['v=["a"]'], ["a"]),
        ("file_or_text", ["v=hi"], "hi"),
        ("part_or_number", ["v=1"], 1),
        ("part_or_number", ["v.name=n", "v.size=2"], {"name": "n", "size": 2}),
        ("word_or_array", ["v=all"], "all"),
        ("word_or_array", ["v=[1]"], [1]),
    ],
)
def test_a_union_takes_what_one_of_its_arms_takes(
    name: str, texts: list[str], expected: Any
) -> None:
    found = arguments(UNIONS.methods[name], texts, io.BytesIO())
    assert found == {"v": expected}
    assert type(found["v"]) is type(expected)


def test_a_source_for_a_union_is_read_as_the_arm_that_reads_it(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(2))
    (tmp_path / "a.txt").write_text("all")

    def read(name: str, path: str) -> Any:
        return arguments(UNIONS.methods[name], [f"v=@{tmp_path / path}"], io.BytesIO())["v"]

    assert read("file_or_text", "a.txt") == tmp_path / "a.txt"
    assert read("word_or_array", "x.npy").tolist() == [1, 1]
    assert read("word_or_array", "a.txt") == "all"
    assert read("number_or_text", "a.txt") == "all"


def test_what_no_arm_takes_is_refused_with_all_of_them() -> None:
    with pytest.raises(WrongUsage, match=r"^v: expected int \| list\[int\], not 'hi'$"):
        arguments(UNIONS.methods["numbers"], ["v=hi"], io.BytesIO())
    with pytest.raises(WrongUsage, match="has no field 'nme'"):
        arguments(UNIONS.methods["part_or_number"], ["v.nme=hi"], io.BytesIO())


@given(st.text())
def test_any_text_that_does_not_begin_with_an_at_arrives_as_it_is(text: str) -> None:
    said = f"@{text}" if text.startswith("@") else text
    assert parsed("text", f"x={said}") == {"x": text}
    assert parsed("root_text", f"x={said}") == {"x": text}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(VALUES)
def test_any_json_arrives_as_it_is(value: Any) -> None:
    text = json.dumps(value)
    assert parsed("anything", f"x={text}") == {"x": value}
    assert parsed("anything", "x=@-", stdin=text.encode()) == {"x": value}


@given(st.lists(st.integers() | st.floats(allow_nan=False)))
def test_a_list_is_the_same_in_json_and_by_repeating_its_name(values: list[float]) -> None:
    given_each = [f"x={json.dumps(value)}" for value in values]
    if values:
        assert parsed("numbers", *given_each) == {"x": values}
    assert parsed("numbers", f"x={json.dumps(values)}") == {"x": values}


@given(st.sampled_from(sorted(TYPES.methods)), st.lists(st.text(max_size=8), max_size=3))
def test_whatever_is_typed_is_understood_or_told_to_be_wrong(name: str, texts: list[str]) -> None:
    # Of the disk nothing is asked: what follows an @ could be the name of any file.
    safe = [f"x={text.replace('@', '')}" for text in texts]
    try:
        given_values = parsed(name, *safe)
    except WrongUsage as error:
        assert error.message
        assert error.hint.startswith(name)
    else:
        assert given_values.keys() <= {*method(name).parameters}


def test_numbers_that_are_not_finite_can_be_given() -> None:
    assert math.isnan(parsed("real", "x=NaN")["x"])


@pytest.mark.parametrize(
    ("name", "texts", "message"),
    [
        ("whole", ["x=abc"], "x: expected int, not 'abc'"),
        ("model", ["x.a=q"], "x.a: expected int, not 'q'"),
        ("numbers", ["x=1", "x=q"], "x: expected int, not 'q'"),
        ("array", ["x=[1"], "x: expected ndarray, not '[1'"),
        ("colour", ["x=green"], "x: 'green' is none of red, blue"),
        ("whole", ["x=1", "x=2"], "x: given 2 times, but it takes one value"),
        ("whole", ["y=1", "x=1"], "whole() has no parameter 'y'"),
        ("whole", ["5"], "'5' is no argument: give name=value"),
        ("bounded", ["prompt=p"], "bounded() lacks 'temperature', 'tokens'"),
        ("model", ['x={"a": 1}', "x.b=c"], "x: give it as a whole or by its fields, not both"),
        ("model", ["x.c=1"], "x: Sub{a: int, b: str = 'x'} has no field 'c'"),
        ("text", ["x.c=1"], "x: str has no field 'c'"),
        ("file", ["x=a.txt"], "x: takes a file, as x=@FILE, or a URL"),
        ("file", ["x=@/no/such"], "x: cannot read /no/such: No such file or directory"),
        ("file", ["x=@/"], "x: cannot read /: Is a directory"),
        ("total", [], "total() lacks 'numbers'"),
        ("total", ["numbers=1", "numbers=q"], "numbers: expected int, not 'q'"),
    ],
)
def test_what_is_wrong_is_named(name: str, texts: list[str], message: str) -> None:
    assert wrong(name, *texts).message == message


def test_the_method_is_shown_to_who_got_an_argument_wrong() -> None:
    assert wrong("file", "y=1").hint == "file(x: File, note: str = '') -> str"
    assert wrong("root_whole", "x").hint == "root_whole(x: int, /) -> int"


class TestFiles:
    def test_files_and_images_stay_where_they_are(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(b"image")
        assert parsed("file", f"x=@{path}") == {"x": path}
        assert parsed("root_image", f"@{path}") == {"x": path}
        assert parsed("files", f"x=@{path}", f"x=@{path}") == {"x": [path, path]}
        assert parsed("files", f"x=@{path}") == {"x": [path]}
        assert parsed("document", "x.title=t", f"x.scan=@{path}") == {
            "x": {"title": "t", "scan": path}
        }

    def test_a_file_on_stdin_has_the_type_that_the_method_asks_for(self) -> None:
        assert parsed("audio", "x=@-", stdin=b"mp3") == {"x": File(b"mp3", "audio/mp3")}
        (found,) = parsed("image", "x=@-", stdin=b"png").values()
        assert (found.data, found.media_type) == (b"png", "application/octet-stream")

    def test_stdin_is_for_one_argument(self) -> None:
        error = wrong("file", "x=@-", "note=@-", stdin=b"text")
        assert error.message == "note: stdin is taken by another argument"

    def test_text_bytes_and_json_are_what_a_file_holds(self, tmp_path: Path) -> None:
        path = tmp_path / "held"
        path.write_text('{"a": 1}')
        assert parsed("text", f"x=@{path}") == {"x": '{"a": 1}'}
        assert parsed("binary", f"x=@{path}") == {"x": b'{"a": 1}'}
        assert parsed("model", f"x=@{path}") == {"x": {"a": 1}}
        assert parsed("models", f"x=@{path}") == {"x": [{"a": 1}]}
        path.write_text("[1, 2]")
        assert parsed("numbers", f"x=@{path}") == {"x": [1, 2]}

    def test_arrays_are_read_from_npy_and_json(self) -> None:
        array = np.array([[1, 2]], np.float16)
        (found,) = parsed("array", "x=@-", stdin=write_npy(array)).values()
        assert (found.dtype, found.tolist()) == (array.dtype, array.tolist())
        assert parsed("array", "x=@-", stdin=b"[1, 2]") == {"x": [1, 2]}
        (many,) = parsed("arrays", "x=@-", stdin=write_npy(array)).values()
        assert many[0].dtype == array.dtype

    def test_tables_are_read_from_all_that_tables_are_kept_in(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        frame.to_csv(tmp_path / "csv", index=False)
        frame.to_feather(tmp_path / "arrow")
        frame.to_parquet(tmp_path / "parquet")
        for each in ("csv", "arrow", "parquet"):
            (found,) = parsed("frame", f"x=@{tmp_path / each}").values()
            pd.testing.assert_frame_equal(found, frame)
        assert parsed("frame", "x=@-", stdin=b' [{"a": 1}]') == {"x": [{"a": 1}]}

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("text", b"\xff", "x: - is no text in UTF-8"),
            ("array", b"P6", "x: - is not an .npy file or JSON: "),
            ("array", b"\x93NUMPY", "x: -: "),
            ("model", b"{", "x: - is not JSON: "),
            ("frame", b"PAR1", "x: - is no table that can be read: "),
            ("frame", b"", "x: - is no table that can be read: "),
        ],
    )
    def test_what_is_no_such_content_is_told(self, name: str, content: bytes, message: str) -> None:
        assert wrong(name, "x=@-", stdin=content).message.startswith(message)


class TestStreams:
    def items(self, name: str, *texts: str, stdin: bytes = b"") -> Items:
        (found,) = parsed(name, *texts, stdin=stdin).values()
        assert isinstance(found, Items)
        return found

    def test_a_repeated_name_and_lines_of_json_are_items_in_order(self) -> None:
        found = self.items("total", "numbers=1", "numbers=@-", "numbers=4", stdin=b"2\n\n3\r\n")
        assert list(found) == [1, 2, 3, 4]

    def test_bytes_come_in_pieces(self) -> None:
        content = bytes(100_000)
        pieces = list(self.items("size", "chunks=@-", stdin=content))
        assert len(pieces) > 1
        assert b"".join(pieces) == content

    def test_an_item_is_there_before_the_next_line_is(self) -> None:
        class Lines(io.BytesIO):
            read_lines = 0

            def __next__(self) -> bytes:
                self.read_lines += 1
                return super().__next__()

        stdin = Lines(b"1\n2\n")
        (found,) = arguments(method("total"), ["numbers=@-"], stdin).values()
        assert (next(found), stdin.read_lines) == (1, 1)
        assert (next(found), stdin.read_lines) == (2, 2)

    def test_a_line_that_is_no_item_is_remembered(self) -> None:
        found = self.items("total", "numbers=@-", stdin=b"1\nx\n")
        assert next(found) == 1
        with pytest.raises(WrongUsage):
            next(found)
        assert found.fault is not None
        assert found.fault.message == "numbers: line 2: expected int, not 'x'"
