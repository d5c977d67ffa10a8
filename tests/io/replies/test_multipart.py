"""Results with files in them as multipart bodies, which other people's parsers put together."""

import json
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from PIL import Image
from pydantic import BaseModel

from mesh.io.replies.body import ReplyBody
from mesh.io.replies.multipart import multipart
from mesh.io.types.file import File

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
files = st.builds(
    File, st.binary(), st.sampled_from(["", "image/png", "text/plain; charset=utf-8"]),
    names.map(lambda name: name.replace("/", "_")) | st.just(""),
)  # fmt: skip
values = st.recursive(
    st.none() | st.integers() | st.text(st.characters(codec="utf-8")) | files,
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
    max_leaves=8,
)


def parts_of(body: ReplyBody) -> list[Message]:
    data = b"".join(body.pieces())
    assert body.size == len(data)
    whole = message_from_bytes(
        f"Content-Type: {body.media_type}\r\n\r\n".encode() + data, policy=HTTP
    )
    assert not whole.defects
    assert whole.is_multipart()
    return list(whole.iter_parts())  # type: ignore[attr-defined]  # of the HTTP policy's class


def name_of(part: Message) -> str:
    return str(part.get_param("name", header="content-disposition"))


def put_together(body: ReplyBody) -> Any:
    """The value with each file as its media type and content."""
    first, *rest = parts_of(body)
    assert (first.get_content_type(), name_of(first)) == ("application/json", "result")
    found = {
        name_of(part): (part.get_content_type(), part.get_payload(decode=True)) for part in rest
    }
    assert len(found) == len(rest)
    return json.loads(
        first.get_payload(decode=True),
        object_hook=lambda item: found.pop(item["$part"]) if list(item) == ["$part"] else item,
    )


def expected(value: Any) -> Any:
    if isinstance(value, File):
        media_type = value.media_type.partition(";")[0] or "application/octet-stream"
        return (media_type, value.data)
    if isinstance(value, dict):
        return {key: expected(each) for key, each in value.items()}
    return [expected(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("subtype", ["mixed", "form-data"])
@given(value=values)
def test_a_parser_of_mail_puts_the_result_together_again(subtype, value):
    body = multipart(subtype, value)
    if body is not None:
        assert put_together(body) == expected(value)


def test_parts_are_named_by_the_path_to_the_file(tmp_path: Path):
    path = tmp_path / "o é.txt"
    path.write_bytes(b"on disk")
    value = {
        "doc": {"image": File(b"1", "image/png")},
        "docs": [File(path=path, media_type="text/plain"), {"a.b": File(b"3", filename="x.bin")}],
        "doc.image": File(b"4"),
        "n": 1,
    }
    body = multipart("mixed", value)
    assert body is not None
    assert path in body.parts  # read when it is sent
    _, *rest = parts_of(body)
    assert [name_of(part) for part in rest] == [
        *("doc.image", "docs.0", "docs.1.a.b", "doc.image~2"),
    ]
    assert [part.get_filename() for part in rest] == [
        *("image.png", "o e.txt", "x.bin", "image~2.bin"),
    ]
    assert b"filename*=utf-8''o%20%C3%A9.txt" in b"".join(body.pieces())
    assert [part.get_content_type() for part in rest][:2] == ["image/png", "text/plain"]
    assert put_together(body)["docs"][0] == ("text/plain", b"on disk")


def test_a_part_never_takes_the_name_of_the_result():
    body = multipart("form-data", {"result": File(b"1")})
    assert body is not None
    assert [name_of(part) for part in parts_of(body)] == ["result", "result~2"]
    body = multipart("form-data", File(b"1"))
    assert body is not None
    assert put_together(body) == ("application/octet-stream", b"1")


class Doc(BaseModel):
    model_config = {"arbitrary_types_allowed": True}

    image: Image.Image


def test_files_are_found_where_no_annotation_tells_of_them(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a")
    body = multipart("mixed", {"p": path, "doc": Doc(image=Image.new("L", (1, 1)))})
    assert body is not None
    assert put_together(body)["p"] == ("text/plain", b"a")
    assert [name_of(part) for part in parts_of(body)] == ["result", "p", "doc.image"]


@pytest.mark.parametrize("value", [None, 1, "a", b"a", [], {"a": [1]}, File(uri="https://a/b")])
def test_a_value_without_files_has_no_parts(value):
    assert multipart("mixed", value) is None


def test_names_start_no_header_field_of_their_own():
    evil = 'a"\r\nX-Evil: 1\r\n\r\n--'
    body = multipart("mixed", {evil: File(b"1", "a/b\r\nX-Evil: 2", evil)})
    assert body is not None
    _, part = parts_of(body)
    assert "x-evil" not in part
    assert name_of(part) == "a___X-Evil:_1____--"
