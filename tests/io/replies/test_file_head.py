import pytest
from hypothesis import given, strategies as st

from mesh.io.files.name import base_name
from mesh.io.replies.file_head import content_disposition, filename_of, headers_of
from mesh.io.types.file import File


@pytest.mark.parametrize(
    ("media_type", "name", "field"),
    [
        ("audio/mpeg", "output.mp3", 'attachment; filename="output.mp3"'),
        ("image/png", "a b.png", 'inline; filename="a b.png"'),
        ("", "o é.png", "attachment; filename=\"o e.png\"; filename*=utf-8''o%20%C3%A9.png"),
        ("", "日.txt", "attachment; filename=\"_.txt\"; filename*=utf-8''%E6%97%A5.txt"),
        ("", "", "attachment"),
        ("", "../up\r\nX: y", 'attachment; filename="upX_ y"'),
        ("", 'a".exe', 'attachment; filename="a_.exe"'),
    ],
)
def test_images_are_shown_and_other_files_are_saved_under_their_name(
    media_type: str, name: str, field: str
) -> None:
    assert content_disposition(File(media_type=media_type, filename=name)) == field


@given(st.text(st.characters()))
def test_every_name_is_one_field_and_comes_back_from_it(name: str) -> None:
    field = content_disposition(File(filename=name))
    assert field.isascii()
    assert field.isprintable()
    assert filename_of(field) == base_name(name)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("", ""),
        ("inline", ""),
        ("attachment; filename=plain.txt", "plain.txt"),
        ('attachment;FILENAME="a b.txt"; x=y', "a b.txt"),
        (r'attachment; filename="a \"b\".txt"', "a _b_.txt"),
        ("attachment; filename=a.txt; filename*=UTF-8'en'%C3%A9.txt", "é.txt"),
        ("attachment; filename=a.txt; filename*=latin'x'y", "a.txt"),
        ("attachment; filename=../../a.txt", "a.txt"),
        ("attachment; filename*=utf-8''..%2F..%2Fa.txt", "a.txt"),
        ('attachment; filename="open', ""),
    ],
)
def test_the_name_in_a_field_is_a_base_name(field: str, name: str) -> None:
    assert filename_of(field) == name


def test_a_file_on_disk_has_an_age() -> None:
    file = File(media_type="text/plain", filename="a.txt")
    assert headers_of(file, 3, 1_700_000_000_123_456_789) == (
        ("content-length", "3"),
        ("content-disposition", 'attachment; filename="a.txt"'),
        ("accept-ranges", "bytes"),
        ("etag", f'"{1_700_000_000_123_456_789:x}-3"'),
        ("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT"),
    )


def test_a_file_in_memory_has_a_length_and_perhaps_a_name() -> None:
    assert headers_of(File(b"abc"), 3) == (("content-length", "3"),)
    assert dict(headers_of(File(b"", filename="a"), 0))["content-disposition"]
