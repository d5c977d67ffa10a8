from urllib.parse import quote

import pytest
from hypothesis import example, given, strategies as st

from mesh.io.files.data_url import from_data_url, to_data_url
from mesh.io.files.name import base_name
from mesh.io.types.file import OCTETS, File


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("data:,hello", File(b"hello", "text/plain;charset=US-ASCII")),
        ("data:,", File(b"", "text/plain;charset=US-ASCII")),
        ("DATA:Text/HTML,%3Cb%3e", File(b"<b>", "text/html")),
        ("data:;charset=utf-8,%C3%A9", File("é".encode(), "text/plain;charset=utf-8")),
        ("data:image/png;base64,iVBO", File(b"\x89PN", "image/png")),
        ("data:image/png;BASE64,iQ", File(b"\x89", "image/png")),
        ("data:image/png;base64,iQ%3D%3D", File(b"\x89", "image/png")),
        ("data:;base64,aGk=", File(b"hi", "text/plain;charset=US-ASCII")),
        ('data:a/b;x=1;y="z";base64,aGk=', File(b"hi", 'a/b;x=1;y="z"')),
        ("data:a/b;name=..%2F%C3%A9.txt,x", File(b"x", "a/b", "é.txt")),
        ("data:a/b,x,y;base64", File(b"x,y;base64", "a/b")),
    ],
)
def test_a_data_url_holds_a_file(url: str, file: File) -> None:
    assert from_data_url(url) == file


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("data:image/png;base64", "no comma"),
        ("data:" + "a" * 2000 + ",x", "no comma"),
        ("http://a,b", "no comma"),
        ("data:image,x", "media type is none"),
        ("data:image/p ng,x", "media type is none"),
        ("data:a/b;x,y", "a parameter"),
        ("data:a/b;x=\r\ny,z", "a parameter"),
        ("data:a/b;base64;x=y,aGk=", "a parameter"),
        ("data:a/b;base64,aGk!", "not base64"),
        ("data:a/b;base64,a", "not base64"),
        ("data:a/b;base64,aG k=", "not base64"),
        ("data:a/b;base64,aGk=aGk=", "not base64"),
        ("data:a/b;base64,_-_-", "not base64"),
        ("data:a/b,100%", "a % without"),
        ("data:a/b,%zz", "a % without"),
        ("data:a/b,é", "not ASCII"),
        ("data:a/b,\ud800", "not ASCII"),
    ],
)
def test_a_wrong_data_url_is_told_what_is_wrong(url: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"Invalid data URL: .*{fault}"):
        from_data_url(url)


@given(st.binary(), st.sampled_from(["", "image/png", "text/plain;charset=utf-8"]), st.text())
def test_a_file_survives_being_a_data_url(data: bytes, media_type: str, name: str) -> None:
    returned = from_data_url(to_data_url(File(data, media_type, name)))
    assert returned == File(data, media_type or OCTETS, base_name(name))


@given(st.binary(), st.booleans())
@example(b"=\n=\r\n_ \t\n=3D%", False)
def test_every_byte_may_be_escaped(data: bytes, all_are: bool) -> None:
    text = "".join(f"%{byte:02x}" for byte in data) if all_are else quote(data, safe="=_.!/?,;")
    assert from_data_url(f"data:a/b,{text}").read() == data


@given(st.text(st.characters(max_codepoint=127, exclude_characters="%")))
def test_what_is_not_escaped_stays_as_it_is(text: str) -> None:
    assert from_data_url(f"data:a/b,%25{text}").read() == b"%" + text.encode()


@given(st.binary(max_size=3), st.text(max_size=50) | st.text('a/;=,"\\# \r\n', max_size=2000))
@example(b"", "a/" + "b" * 1020)
@example(b"", "a/b;" + ";".join("x=" + "y" * 200 for _ in range(9)))
@example(b"", "a/b;name=evil")
def test_any_media_type_gives_a_data_url_that_is_read(data: bytes, media_type: str) -> None:
    url = to_data_url(File(data, media_type, "é" * 200))
    assert url.isascii()
    assert from_data_url(url).read() == data


@given(st.text('data:;,/=%base64 "x', max_size=40))
def test_any_text_is_a_file_or_an_error(rest: str) -> None:
    try:
        assert isinstance(from_data_url(f"data:{rest}"), File)
    except ValueError as error:
        assert str(error).startswith("Invalid data URL")
