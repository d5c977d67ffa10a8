"""Bodies that are the root input itself."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mesh.call import CALL, JSON
from mesh.io.arguments import encode_call
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.file import File
from tests.io.bodies.rig import FORM, URLENCODED, bound_of, fault, read, splits

ANY = ["", JSON, "text/plain", "image/png", "application/x-npy", URLENCODED]


@pytest.mark.parametrize("media_type", [*ANY, FORM])
def test_a_text_is_the_body_with_nothing_taken_off(media_type: str) -> None:
    for text in ("hello", '"hello"', "", " né ", "{}", "null"):
        assert read("root_text", media_type, text.encode()) == text


def test_the_default_of_a_text_is_that_of_an_empty_body() -> None:
    assert read("root_default", "text/plain", b"") == "given"
    assert read("root_default", "text/plain", b" ") == " "


def test_a_text_that_is_no_utf_8_is_400() -> None:
    status, faults = fault(lambda: read("root_text", "text/plain", b"a\xff"))
    assert status == 400
    assert [kind for kind, _ in faults] == ["string_unicode"]


@pytest.mark.parametrize("media_type", ANY)
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_a_file_is_the_body_whatever_it_is_called(media_type: str, size: int) -> None:
    data = (b"\0\xff\r\n" * size)[:size]
    assert read("root_file", media_type, [data[:3], data[3:]]) == data
    assert read("root_bytes", media_type, [data[:3], data[3:]]) == data


def test_a_file_is_in_the_calls_folder_and_has_no_name() -> None:
    folder = Folder()
    try:
        (path,) = bound_of("root_file", "x/y", b"a" * 100_000, "", CallIntake(folder)).args
        assert path.parent == folder.path
        assert path.suffix == ""
    finally:
        folder.remove()


@pytest.mark.parametrize(
    ("media_type", "body"),
    [("text/plain", b"http://host/x\n"), (JSON, b'"http://host/x"'), ("", b"http://host/x")],
)
def test_a_body_that_is_a_url_is_fetched_for_a_file_and_not_for_bytes(
    media_type: str, body: bytes
) -> None:
    def fetch(uri: str, _new_path: Any) -> File:
        return File(uri.encode() + b"!")

    assert read("root_file", media_type, body, fetch=fetch) == b"http://host/x!"
    assert read("root_bytes", media_type, body, fetch=fetch) == body


def test_a_json_string_may_be_a_data_url() -> None:
    assert read("root_file", JSON, b'"data:;base64,aGk="') == b"hi"
    assert read("root_file", "text/plain", b'"data:;base64,aGk="') == b'"data:;base64,aGk="'
    assert read("root_file", JSON, b'"not closed') == b'"not closed'


@pytest.mark.parametrize("body", [b"http is fine", b"http://a b", b"httpd.conf", b"http:"])
def test_a_body_that_only_looks_like_a_url_is_the_file(body: bytes) -> None:
    assert read("root_file", "text/plain", body) == body


def test_a_form_is_no_file() -> None:
    status, faults = fault(lambda: read("root_file", FORM, b"--five-hundred--"))
    assert (status, [kind for kind, _ in faults]) == (400, ["path_type"])


def test_a_root_input_in_a_call_is_its_argument() -> None:
    assert read("root_text", CALL, encode_call("root_text", {"text": "é"})) == "é"
    assert read("root_bytes", CALL, encode_call("root_bytes", {"data": b"\xff"})) == b"\xff"


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_split_of_the_bytes_gives_the_same_file(data: bytes, places: list[int]) -> None:
    assert read("root_bytes", "", splits(data, places)) == data
