from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import OCTETS, File
from mesh.io.types.kind import Checked
from mesh.io.types.path import PathKind, wire_value
from mesh.io.types.registry import kind_of

ANY = PathKind()
MP3 = PathKind(ContentType("audio/mp3"))


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[CallIntake]:
    def fetch(uri: str, _new_path: object) -> File:
        return File(uri.encode(), "audio/mpeg", "fetched.mp3")

    folder = Folder(tmp_path)
    yield CallIntake(folder, fetch)
    folder.remove()


def faults(kind: PathKind, value: Any, intake: CallIntake | None) -> list[tuple[str, str]]:
    adapter = TypeAdapter(Annotated[Path, kind])
    with pytest.raises(ValidationError) as error:
        adapter.validate_python(value, context=intake)
    return [(fault["type"], fault["msg"]) for fault in error.value.errors()]


def test_an_uploaded_file_gets_a_path_of_its_own(intake: CallIntake, tmp_path: Path) -> None:
    path = ANY.load(File(b"content", "audio/mpeg", "a.mp3"), intake)
    assert path.read_bytes() == b"content"
    assert path.name.endswith("a.mp3")
    assert path.is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("text", "content", "name"),
    [
        ("data:,hello", b"hello", ""),
        ("data:audio/mpeg;name=a.mp3;base64,aGk=", b"hi", "-a.mp3"),
        ("https://example.com/x", b"https://example.com/x", "-fetched.mp3"),
        ("HTTP://example.com", b"HTTP://example.com", "-fetched.mp3"),
    ],
)
def test_urls_are_files(intake: CallIntake, text: str, content: bytes, name: str) -> None:
    path = ANY.load(text, intake)
    assert path.read_bytes() == content
    assert path.name.endswith(name)


@pytest.mark.parametrize("value", ["/etc/passwd", "a.txt", "", "file:///etc/passwd", 1, None, []])
def test_nothing_else_is_a_file(intake: CallIntake, value: Any) -> None:
    assert faults(ANY, value, intake) == [("path_type", "Invalid file type")]


def test_a_wrong_content_type_is_refused_and_not_kept(intake: CallIntake, tmp_path: Path) -> None:
    message = "Value error, Invalid content type audio/wav, expected audio/mp3"
    assert faults(MP3, File(b"x", "audio/wav"), intake) == [("value_error", message)]
    assert list(tmp_path.iterdir()) == []


def test_a_right_content_type_goes_by_several_names_or_is_not_given(intake: CallIntake) -> None:
    for media_type in ("audio/mp3", "audio/mpeg", ""):
        assert MP3.load(File(b"x", media_type), intake).read_bytes() == b"x"
    assert MP3.load("https://example.com/a", intake).exists()


def test_where_the_sender_knows_no_type_the_name_may_tell_it(intake: CallIntake) -> None:
    octets = "application/octet-stream"  # which is what curl says of an mp3
    assert MP3.load(File(b"x", octets, "a.mp3"), intake).suffix == ".mp3"
    for name in ("", "a", "a.wav"):
        message = f"Value error, Invalid content type {octets}, expected audio/mp3"
        assert faults(MP3, File(b"x", octets, name), intake) == [("value_error", message)]


def test_where_no_files_are_taken_they_are_an_error() -> None:
    assert faults(ANY, File(b"x"), None)[0][0] == "value_error"
    assert faults(ANY, "https://example.com", None)[0][0] == "value_error"


def test_a_result_is_a_file_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"x")
    adapter = TypeAdapter(Annotated[Path, Checked(ANY)])
    assert adapter.validate_python(path) == path
    assert adapter.validate_python(str(path)) == path
    for wrong in (tmp_path / "none", tmp_path, "", b"x", None, "a\0b"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        (ANY, "a.mp3", "audio/mpeg"),
        (ANY, "a", OCTETS),
        (MP3, "a.mp3", "audio/mp3"),
        (PathKind(ContentType("custom-type")), "a.bin", "custom-type"),
        (PathKind(ContentType("video/*")), "a.mp4", "video/mp4"),
        (PathKind(ContentType("video/*")), "a", OCTETS),
    ],
)
def test_the_declared_media_type_goes_before_the_guessed(
    kind: PathKind, name: str, media_type: str
) -> None:
    path = Path("/somewhere") / name
    assert kind.wire(path) == File(media_type=media_type, filename=name, path=path)


def test_the_wire_value_of_a_path_is_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(ValueError, match="there is no file"):
        wire_value(path)
    path.write_bytes(b"x")
    assert wire_value(path).read() == b"x"


def test_the_schema_has_the_words_clients_know() -> None:
    assert kind_of(Path) == ANY
    assert ANY.json_schema() == {"type": "file", "format": "binary"}
    assert ANY.marked(ContentType("audio/mp3")).json_schema() == {
        "type": "file",
        "format": "audio",
        "content_type": "audio/mp3",
    }
    with pytest.raises(TypeError, match="says nothing about a file"):
        ANY.marked("x")
