"""application/x-www-form-urlencoded: text by names."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings, strategies as st

from mesh.errors import TooLarge
from mesh.io.bodies.limits import Limits
from mesh.io.types.file import File
from tests.io.bodies.rig import URLENCODED, fault, read, splits


def test_values_are_json_where_they_can_be_and_else_text() -> None:
    found = read("scalars", URLENCODED, b"text=123&number=7&real=1e3&anything=%5B1%5D&flag=on")
    assert found["text"] == "123"
    assert (found["number"], found["real"], found["flag"]) == (7, 1000.0, True)
    assert found["anything"] == [1]


@pytest.mark.parametrize("space", [b"", b"\n "])
def test_a_json_object_is_read_as_such(space: bytes) -> None:
    # `curl -d '{…}'` without a header says that it is a form.
    found = read("scalars", URLENCODED, space + b'{"text": "a&b=c%20+", "number": 7}')
    assert (found["text"], found["number"]) == ("a&b=c%20+", 7)
    broken = fault(lambda: read("scalars", URLENCODED, b'{"text": '))
    assert broken == (400, [("json_invalid", ())])


def test_spaces_and_percent_signs_are_decoded() -> None:
    assert read("scalars", URLENCODED, b"text=a+b%20%2B%C3%A9")["text"] == "a b +é"
    assert read("scalars", URLENCODED, "text=é".encode())["text"] == "é"
    assert read("scalars", f"{URLENCODED}; charset=utf-8", b"text=")["text"] == ""


def test_values_of_one_name_are_a_list() -> None:
    assert read("lists", URLENCODED, b"numbers=1&numbers=2&words=3") == {
        "numbers": [1, 2],
        "words": ["3"],
    }


def test_a_url_stands_for_a_file() -> None:
    def fetch(uri: str, _new_path: Any) -> File:
        return File(uri.encode())

    body = urlencode({"file": "http://host/x.png"}).encode()
    assert read("file", URLENCODED, body, fetch=fetch)["file"] == b"http://host/x.png"
    assert read("optional", URLENCODED, b"file=")["file"] is None


def test_the_fields_of_a_root_model_are_the_names() -> None:
    found = read("root_model", URLENCODED, b"image=data:,i&title=1&pages=data:,a&pages=data:,b")
    assert found == {"image": b"i", "pages": [b"a", b"b"], "title": "1"}


def test_a_root_text_takes_the_body_as_it_is() -> None:
    assert read("root_text", URLENCODED, b"a=1&b=%20") == "a=1&b=%20"


def test_an_empty_body_has_no_arguments() -> None:
    assert fault(lambda: read("scalars", URLENCODED, b"")) == (400, [("missing", ("text",))])
    assert read("optional", URLENCODED, b"") == {"file": None, "n": 0}


@pytest.mark.parametrize("body", [b"text=%FF", b"text=\xff"])
def test_text_that_is_no_utf_8_is_400_and_named(body: bytes) -> None:
    assert fault(lambda: read("scalars", URLENCODED, body)) == (
        400, [("string_unicode", ("text",))],
    )  # fmt: skip


def test_what_means_nothing_is_left_out() -> None:
    assert read("scalars", URLENCODED, b"&&text=a&=1&other=%FF&%FF=2&x")["text"] == "a"


def test_too_many_values_are_413() -> None:
    with pytest.raises(TooLarge, match="more than 1000 fields"):
        read("scalars", URLENCODED, b"text=a&" * 10_000)


def test_a_body_over_its_limit_is_413_before_it_is_in_memory() -> None:
    pieces = [b"text=", *[b"x" * 1000] * 100]
    with pytest.raises(TooLarge):
        read("scalars", URLENCODED, pieces, limits=Limits(texts=10_000))


@settings(deadline=None)
@given(st.text(max_size=50), st.integers(), st.lists(st.integers(0, 500), max_size=8))
def test_any_split_of_the_bytes_gives_what_was_sent(text: str, number: int, at: list[int]) -> None:
    quoted = f'"{text}"' if text.strip().startswith('"') else text
    body = urlencode({"text": quoted, "number": number}).encode()
    found = read("scalars", URLENCODED, splits(body, at))
    assert found["number"] == number
    if quoted == text:
        assert found["text"] == text
