import mimetypes
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from mesh.io.files.name import MAX_BYTES, base_name, given_name, guess_media_type


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cat.png", "cat.png"),
        ("o é.png", "o é.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.png", "cat.png"),
        ("a/b/", "b"),
        ("..", ""),
        ("a/..", ""),
        ("...", ""),
        (" a. ", "a"),
        (".bashrc", ".bashrc"),
        ("a\0b\r\nc.txt", "abc.txt"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\ud800.txt", "a.txt"),
        ("a.txt:stream", "a.txt_stream"),
        ("con", "_con"),
        ("NUL.tar.gz", "_NUL.tar.gz"),
        ("com1 .txt", "_com1 .txt"),
        ("console.txt", "console.txt"),
        ("", ""),
    ],
)
def test_a_base_name_is_harmless(given: str, kept: str) -> None:
    assert base_name(given) == kept


def test_a_long_name_keeps_its_suffix() -> None:
    name = base_name("é" * 500 + ".tar.jpeg")
    assert name.endswith(".jpeg")
    assert len(name.encode()) <= MAX_BYTES


@given(st.text(st.characters(), max_size=400) | st.text("./\\ \0:con1é", max_size=60))
@example("." * 200 + "a")
@example("a" * 140 + " " * 20 + ".txt")
@example("nul" + " " * 200 + ".x")
def test_every_base_name_is_a_file_of_any_folder_and_its_own_base_name(given: str) -> None:
    name = base_name(given)
    assert base_name(name) == name
    assert len(name.encode()) <= MAX_BYTES + 1
    assert name not in (".", "..")
    if name:
        assert Path(name).name == name
        assert not {"/", "\\", "\0", "\n", '"'} & set(name)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.png", "image/png"),
        ("A.JPG", "image/jpeg"),
        ("a.mp3", "audio/mpeg"),
        ("a.webp", "image/webp"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.txt", "text/plain"),
        ("data:text/html,a.png", "image/png"),
        ("a.nothing", ""),
        ("a", ""),
        ("", ""),
    ],
)
def test_the_end_of_a_name_suggests_a_media_type(name: str, media_type: str) -> None:
    assert guess_media_type(name) == media_type


def test_what_this_machine_thinks_of_suffixes_does_not_matter() -> None:
    assert mimetypes.guess_type("a.surprise")[0] is None
    mimetypes.add_type("application/x-surprise", ".surprise")
    assert guess_media_type("a.surprise") == ""


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/tmp/mesh-call-x/0123456789abcdef-a.txt", "a.txt"),
        ("/tmp/mesh-call-x/0123456789abcdef-0123456789abcdef-a.txt", "0123456789abcdef-a.txt"),
        ("/tmp/mesh-call-x/0123456789abcdef", "0123456789abcdef"),
        ("/tmp/mesh-call-x/output.txt", "output.txt"),
        ("/models/0123456789abcdef-a.txt", "0123456789abcdef-a.txt"),
    ],
)
def test_a_file_that_came_with_the_call_is_sent_under_its_own_name(path: str, name: str) -> None:
    assert given_name(Path(path)) == name
