"""JSON bodies, and those whose media type nobody knows."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from mesh.call import JSON
from mesh.errors import UnsupportedMediaType
from tests.io.bodies.rig import fault, read, splits

BODY = json.dumps({"text": "né\u2028", "number": 7, "anything": {"a": [1, None]}}).encode()


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_arguments(places: list[int]) -> None:
    found = read("scalars", JSON, splits(BODY, places))
    assert (found["text"], found["number"]) == ("né\u2028", 7)
    assert found["anything"] == {"a": [1, None]}


@pytest.mark.parametrize(
    "media_type",
    ["", "text/xml", "application/json; charset=utf-8", "APPLICATION/JSON", "image/png", "x",
     "application/vnd.bentoml+arrow"],
)  # fmt: skip
def test_what_nobody_knows_is_read_as_json(media_type: str) -> None:
    assert read("scalars", media_type, b'{"text": "a"}')["text"] == "a"


@pytest.mark.parametrize(
    "media_type", ["application/vnd.bentoml+pickle", "application/x-pickle", "Application/PICKLE"]
)
@pytest.mark.parametrize("method", ["scalars", "root_text", "root_file"])
def test_pickles_are_415(method: str, media_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="can carry code"):
        read(method, media_type, b"cos\nsystem\n(S'true'\ntR.")


def test_files_in_json_are_data_urls() -> None:
    body = b'{"file": "data:text/plain;base64,aGk="}'
    assert read("file", JSON, body)["file"] == b"hi"
    nested = b'{"docs": [{"image": "data:,a", "pages": ["data:,b"]}]}'
    assert read("many", JSON, nested)["docs"] == [{"image": b"a", "pages": [b"b"], "title": ""}]


@pytest.mark.parametrize(
    "given",
    ['"/etc/passwd"', '"../x"', '"file:///etc/passwd"', "5", "{}", '{"path": "/etc/passwd"}', '""'],
)
def test_no_text_in_json_names_a_file_of_this_machine(given: str) -> None:
    body = f'{{"file": {given}}}'.encode()
    assert fault(lambda: read("file", JSON, body)) == (400, [("path_type", ("file",))])


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"anything": ' + b"[" * 100_000, b'{"anything": ' + b'{"a":' * 100_000,
     b'{"number": ' + b"1" * 10_000 + b"}", b"nul", b'{"text": "\\ud800"}', b"\0"],
)  # fmt: skip
def test_what_cannot_be_read_is_400(body: bytes) -> None:
    assert fault(lambda: read("scalars", JSON, body)) == (400, [("json_invalid", ())])


def test_numbers_that_json_does_not_know_are_floats() -> None:
    found = read("scalars", JSON, b'{"text": "", "real": NaN, "anything": [1e999, -Infinity]}')
    assert found["real"] != found["real"]
    assert found["anything"] == [float("inf"), float("-inf")]


@pytest.mark.parametrize(
    ("method", "body", "got"),
    [
        ("root_int", b"5", 5), ("root_int", b' "5" ', 5), ("root_seven", b"", 7),
        ("root_seven", b"8", 8),
    ],
)  # fmt: skip
def test_a_root_input_is_the_whole_body(method: str, body: bytes, got: int) -> None:
    assert read(method, JSON, body) == got


@pytest.mark.parametrize("method", ["root_int", "root_seven", "root_array", "root_model"])
def test_a_broken_root_body_is_400(method: str) -> None:
    assert fault(lambda: read(method, JSON, b"abc")) == (400, [("json_invalid", ())])


def test_an_empty_root_body_without_a_default_is_400() -> None:
    assert fault(lambda: read("root_int", JSON, b""))[0] == 400
