from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st
from pydantic import Base64Bytes, TypeAdapter, ValidationError

from mesh.io.annotation import for_input
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.binary import BinaryKind
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import OCTETS, File
from mesh.io.types.registry import kind_of

PLAIN = BinaryKind()
PNG = BinaryKind(ContentType("image/png"))


@given(st.binary() | st.text())
def test_bytes_are_themselves_and_texts_their_utf_8(value: bytes | str) -> None:
    expected = value.encode() if isinstance(value, str) else value
    assert PLAIN.load(value, None) == PLAIN.check(value) == expected


def test_without_a_content_type_a_url_is_a_text() -> None:
    for text in ("data:,x", "http://example.com"):
        assert PLAIN.load(text, None) == text.encode()


def test_with_one_a_url_is_a_file() -> None:
    def fetch(uri: str, _new_path: object) -> File:
        return File(uri.encode(), "image/png")

    intake = CallIntake(Folder(), fetch)
    assert PNG.load("data:image/png,x", None) == b"x"
    assert PNG.load("http://a", intake) == PNG.load(File(uri="http://a"), intake) == b"http://a"
    assert PNG.load("text", None) == b"text"


def test_a_file_is_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    for kind in (PLAIN, PNG):
        assert kind.load(File(b"x", "image/png"), None) == b"x"
        assert kind.load(File(path=path), None) == b"x"


@pytest.mark.parametrize("value", [File(b"x", "text/plain"), "data:,x"])
def test_a_wrong_content_type_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"Invalid content type text/plain.*, expected image/png"):
        PNG.load(value, None)


@pytest.mark.parametrize("value", [1, None, [1], {}, "\ud800"])
def test_nothing_else_is_bytes(value: Any) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(Annotated[bytes, PLAIN]).validate_python(value)
    assert error.value.errors()[0]["type"] == "bytes_type"
    with pytest.raises(ValueError, match="Input should be"):
        PLAIN.check(value)


def test_results_of_a_known_media_type_are_files() -> None:
    assert PLAIN.wire(b"x") == b"x"
    assert PNG.wire(b"x") == File(b"x", "image/png")
    assert BinaryKind(ContentType("image/*")).wire(b"x") == File(b"x", OCTETS)
    assert PLAIN.check(bytearray(b"x")) == PLAIN.check(memoryview(b"x")) == b"x"


def test_the_schema_has_the_words_clients_know() -> None:
    assert kind_of(bytes) == PLAIN
    assert PLAIN.json_schema() == {"type": "string", "format": "binary"}
    assert PLAIN.marked(ContentType("image/png")).json_schema() == {
        "type": "string",
        "format": "binary",
        "media_type": "image/png",
    }
    with pytest.raises(TypeError, match="says nothing about bytes"):
        PLAIN.marked("x")


def test_bytes_that_travel_as_base64_are_left_to_pydantic() -> None:
    for annotation in (Base64Bytes, list[Base64Bytes], Base64Bytes | None):
        assert for_input(annotation) == annotation
    assert TypeAdapter(for_input(Base64Bytes)).validate_python("aGk=") == b"hi"
