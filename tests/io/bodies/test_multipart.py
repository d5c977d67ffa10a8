"""multipart/form-data: fields and files by name."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mesh.errors import TooLarge
from mesh.io.bodies.limits import Limits
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.file import File
from tests.io.bodies.rig import (
    BOUNDARY,
    FORM,
    bound_of,
    fault,
    folder_of,
    form,
    part,
    read,
    said,
    splits,
)


def test_text_parts_are_json_where_they_can_be_and_else_text() -> None:
    body = form(
        part("text", b"hello"), part("number", b"7"), part("real", b"NaN"),
        part("flag", b"yes"), part("anything", b'{"a": [1, null]}'),
    )  # fmt: skip
    found = read("scalars", FORM, body)
    assert (found["text"], found["number"], found["flag"]) == ("hello", 7, True)
    assert found["real"] != found["real"]
    assert found["anything"] == {"a": [1, None]}


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (b"123", "123"), (b"null", "null"), (b'"123"', "123"), (b'"a\\n"', "a\n"), (b"", ""),
        (b'"open', '"open'), (b"[1]", "[1]"), (b" a ", " a "), (b"[" * 5000, "[" * 5000),
    ],
)  # fmt: skip
def test_a_text_input_takes_the_text_and_a_json_string_without_its_quotes(
    sent: bytes, got: str
) -> None:
    assert read("scalars", FORM, form(part("text", sent)))["text"] == got


def test_null_is_none_for_an_optional_text() -> None:
    assert read("scalars", FORM, form(part("text"), part("maybe", b"null")))["maybe"] is None


def test_parts_of_one_name_are_a_list() -> None:
    body = form(part("numbers", b"1"), part("numbers", b"2"), part("words", b"3"))
    assert read("lists", FORM, body) == {"numbers": [1, 2], "words": ["3"]}
    one = form(part("numbers", b"[4, 5]"), part("words", b'["a", "b"]'))
    assert read("lists", FORM, one) == {"numbers": [4, 5], "words": ["a", "b"]}


@pytest.mark.parametrize("filename", [None, "p.json"])
def test_a_model_is_a_json_part_or_a_file_of_json(filename: str | None) -> None:
    body = form(part("point", b'{"x": 1, "name": "a"}', filename), part("n", b"2"))
    assert read("model", FORM, body) == {"point": {"x": 1, "name": "a"}, "n": 2}


def test_a_file_lands_in_the_calls_folder_under_a_name_of_our_own() -> None:
    with folder_of(None) as folder:
        body = form(part("file", b"hi", "a.txt", "text/plain"), part("note", b"42"))
        bound = bound_of("file", FORM, body, "", CallIntake(folder))
        path = bound.kwargs["file"]
        assert path.parent == folder.path
        assert path.name.endswith("-a.txt")
        assert path.name != "a.txt"
        assert (path.read_bytes(), bound.kwargs["note"]) == (b"hi", "42")


@pytest.mark.parametrize(
    "filename",
    ["../../etc/passwd", "..\\..\\boot.ini", "/abs/olute", "nul\0byte", "..", ".", "a/", "x" * 3000,
     "\u202egpj.exe", "CON", "~root", "a\tb", "ü" * 300],
)  # fmt: skip
def test_no_file_name_leads_out_of_the_folder(filename: str, tmp_path: Path) -> None:
    with folder_of(tmp_path) as folder:
        body = form(part("file", b"hi", filename))
        path = bound_of("file", FORM, body, "", CallIntake(folder)).kwargs["file"]
        assert path.resolve().parent == folder.path.resolve()
        assert path.read_bytes() == b"hi"
        assert list(tmp_path.iterdir()) == [folder.path]


def test_of_several_parts_for_one_file_the_first_wins_and_a_list_takes_all() -> None:
    body = form(part("file", b"1", "a"), part("file", b"2", "b"))
    assert read("file", FORM, body)["file"] == b"1"
    body = form(part("files", b"1", "a"), part("files", b"2", "b"), part("files", b"", "c"))
    assert read("files", FORM, body) == {"files": [b"1", b"2", b""]}
    assert read("files", FORM, form(part("files", b"1", "a"))) == {"files": [b"1"]}


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_text_part_for_a_file_is_its_url(quote: bytes) -> None:
    asked: list[str] = []

    def fetch(uri: str, _new_path: Any) -> File:
        asked.append(uri)
        return File(b"fetched")

    def text(url: bytes) -> bytes:
        return form(part("file", quote + url + quote))

    assert read("file", FORM, text(b"http://host/x"), fetch=fetch)["file"] == b"fetched"
    assert read("file", FORM, text(b"data:;base64,aGk="))["file"] == b"hi"
    assert asked == ["http://host/x"]


def test_a_text_part_for_a_file_that_is_no_url_is_400() -> None:
    for text in (b"/etc/passwd", b"file:///etc/passwd", b"5", b"{}", b""):
        status, faults = fault(lambda text=text: read("file", FORM, form(part("file", text))))
        assert (status, faults) == (400, [("path_type", ("file",))])


def test_an_optional_file_may_be_left_out_empty_or_unchosen() -> None:
    for parts in ([], [part("file", b"")], [part("file", b"", "")], [part("file", b"null")]):
        assert read("optional", FORM, form(*parts))["file"] is None
    assert read("optional", FORM, form(part("file", b"", "empty.txt")))["file"] == b""


def test_the_media_type_of_a_part_is_checked_if_there_is_one() -> None:
    def body(media_type: str) -> bytes:
        return form(part("file", b"x", "a.mp3", media_type))

    assert read("audio", FORM, body("audio/mp3"))["file"] == b"x"
    assert read("audio", FORM, body(""))["file"] == b"x"
    status, faults = fault(lambda: read("audio", FORM, body("text/plain")))
    assert (status, faults) == (400, [("value_error", ("file",))])


def test_a_file_part_gives_its_content_to_text_and_bytes() -> None:
    body = form(part("file", b"f", "f"), part("note", "né".encode(), "note.txt"))
    assert read("file", FORM, body)["note"] == "né"
    point = part("point", b'{"x": 1}')
    for data in (part("data", b"\0\xff", "d.bin"), part("data", b"\0\xff", "d", "image/png")):
        assert read("mixed", FORM, form(part("file", b"f", "f"), point, data))["data"] == b"\0\xff"
    text = form(part("file", b"f", "f"), point, part("data", b"123"))
    assert read("mixed", FORM, text)["data"] == b"123"


def test_dotted_names_lead_to_nested_files() -> None:
    body = form(
        part("doc", b'{"title": "t"}'), part("doc.image", b"i", "i.png"),
        part("doc.pages.1", b"p1", "1"), part("doc.pages.0", b"p0", "0"),
    )  # fmt: skip
    doc = {"image": b"i", "pages": [b"p0", b"p1"], "title": "t"}
    assert read("nested", FORM, body) == {"doc": doc}
    body = form(
        part("doc.image", b"i", "i"), part("doc.pages", b"p", "p"), part("doc.pages", b"q", "q")
    )
    assert read("nested", FORM, body)["doc"]["pages"] == [b"p", b"q"]


def test_dotted_names_lead_into_lists_and_dicts() -> None:
    body = form(part("docs.0.image", b"a", "a"), part("docs.1.image", b"b", "b"))
    assert [doc["image"] for doc in read("many", FORM, body)["docs"]] == [b"a", b"b"]
    whole = part("docs", b'[{"title": "one"}, {"title": "two"}]')
    found = read(
        "many", FORM, form(part("docs.1.image", b"b", "b"), whole, part("docs.0.image", b"a", "a"))
    )
    assert [(doc["title"], doc["image"]) for doc in found["docs"]] == [("one", b"a"), ("two", b"b")]
    body = form(part("files.a", b"1", "x"), part("files.b", b"2", "y"))
    assert read("named", FORM, body) == {"files": {"a": b"1", "b": b"2"}}


@pytest.mark.parametrize(
    "name", ["docs.7.image", "docs.-1.image", "docs.x.image", "docs.99999999999"]
)
def test_a_name_that_leads_nowhere_is_400(name: str) -> None:
    body = form(part("docs", b"[{}]"), part(name, b"a", "a"))
    assert fault(lambda: read("many", FORM, body))[0] == 400


def test_a_part_of_a_scalar_is_400() -> None:
    body = form(part("doc", b"5"), part("doc.image", b"a", "a"))
    assert fault(lambda: read("nested", FORM, body)) == (
        400, [("name_invalid", ("doc", "image"))],
    )  # fmt: skip


def test_the_fields_of_a_root_model_are_the_parts() -> None:
    body = form(
        part("image", b"i", "i"), part("pages", b"p", "p"), part("title", b"12"),
    )  # fmt: skip
    assert read("root_model", FORM, body) == {"image": b"i", "pages": [b"p"], "title": "12"}


def test_a_root_file_is_no_form() -> None:
    act = lambda: read("root_file", FORM, form(part("file", b"x", "x")))  # noqa: E731
    assert fault(act)[0] == 400
    assert fault(act)[1][0][0] == "path_type"
    assert said(act) == "Invalid file type"


def test_a_union_with_a_file_takes_either() -> None:
    assert read("either", FORM, form(part("value", b"content", "f")))["value"] == b"content"
    assert read("either", FORM, form(part("value", b"words")))["value"] == "words"


def test_parts_that_no_input_has_are_left_out_and_touch_no_disk() -> None:
    with folder_of(None) as folder:
        body = form(part("other", b"x" * 200_000, "o"), part("text", b"a"), part("more", b"1"))
        bound = bound_of("scalars", FORM, body, "", CallIntake(folder))
        assert bound.kwargs["text"] == "a"
        assert not folder.made


def test_a_file_name_may_be_written_the_way_that_rfc_7578_forbids() -> None:
    head = "Content-Disposition: form-data; name=file; filename*=utf-8''%C3%BC%2Fx.txt"
    body = f"--{BOUNDARY}\r\n{head}\r\n\r\nhi\r\n".encode() + form()
    with folder_of(None) as folder:
        path = bound_of("file", FORM, body, "", CallIntake(folder)).kwargs["file"]
        assert path.name.endswith("-x.txt")
        assert path.read_bytes() == b"hi"


def test_documents_that_are_files_are_bounded_together() -> None:
    body = form(*[part("words", b"x" * 1000, "w")] * 20)
    assert len(read("lists", FORM, body)["words"]) == 20
    act = lambda: read("lists", FORM, body, limits=Limits(documents=10_000))  # noqa: E731
    assert fault(act) == (413, [("too_large", ("words",))])


def test_a_document_that_is_refused_leaves_no_open_file() -> None:
    body = form(part("numbers", b"[" + b" " * 100_000 + b"]", filename="a.json"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(TooLarge):
        read("lists", FORM, body, limits=Limits(documents=10_000))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_missing_file_is_missing() -> None:
    assert fault(lambda: read("file", FORM, form(part("n", b"1")))) == (
        400, [("missing", ("file",))],
    )  # fmt: skip


BODY = form(
    part("file", bytes(range(256)) * 3 + f"\r\n--{BOUNDARY[:-1]}".encode(), "a.bin", "a/b"),
    part("note", "né\r\n".encode()),
    part("n", b"7"),
)
WHOLE = {
    "file": bytes(range(256)) * 3 + f"\r\n--{BOUNDARY[:-1]}".encode(),
    "note": "né\r\n",
    "n": 7,
}


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_arguments(places: list[int]) -> None:
    assert read("file", FORM, splits(BODY, places)) == WHOLE


def test_one_byte_at_a_time_gives_the_same_arguments() -> None:
    assert read("file", FORM, splits(BODY, range(len(BODY)))) == WHOLE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(BODY) - len("--\r\n") - 1))
def test_a_form_that_is_cut_off_is_400_and_says_where(size: int) -> None:
    status, faults = fault(lambda: read("file", FORM, BODY[:size]))
    assert (status, faults) == (400, [("multipart_invalid", ())])
    assert said(lambda: read("file", FORM, BODY[:size])).startswith(
        "Broken multipart: the body ends "
    )


@settings(deadline=None)
@given(content=st.binary(max_size=3000), name=st.text(max_size=30))
def test_what_is_sent_arrives(content: bytes, name: str) -> None:
    safe = name.replace('"', "").replace("\\", "").replace("\r", "").replace("\n", "")
    body = form(part("file", content, safe + "x"))
    assert read("file", FORM, body)["file"] == content


def broken(body: bytes, media_type: str = FORM) -> str:
    status, faults = fault(lambda: read("file", media_type, body))
    assert (status, faults) == (400, [("multipart_invalid", ())])
    return said(lambda: read("file", media_type, body))


@pytest.mark.parametrize(
    ("media_type", "text"),
    [
        ("multipart/form-data", "names no boundary"),
        ("multipart/form-data; boundary=", "names no boundary"),
        ("multipart/form-data; boundary=" + "x" * 71, "more than 70 characters"),
        ("multipart/form-data; boundary=" + "x" * 100_000, "more than 1024 characters"),
        ("multipart/form-data; boundary=other", "boundary"),
    ],
)
def test_a_boundary_that_is_missing_or_wrong_is_400(media_type: str, text: str) -> None:
    assert text in broken(BODY, media_type)


def test_broken_parts_are_400() -> None:
    assert "part 1 has no name" in broken(form(part(None, b"x")))
    assert "part 2 has no name" in broken(form(part("n", b"1"), part("", b"x")))
    assert "is no UTF-8" in broken(form(part(b"\xff", b"x")))
    assert "is no UTF-8" in broken(form(part("file", b"x", b"\xff")))
    no_header = f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode()
    assert "part 1 has no name" in broken(no_header)
    assert broken(b"junk" * 1000)
    assert broken(b"")


def test_a_header_without_end_is_400_before_it_is_in_memory() -> None:
    endless = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'.encode()
    pieces = [endless, *[b"x" * 1000] * 100]
    assert "header" in said(lambda: read("file", FORM, pieces)).lower()
    lines = [f"--{BOUNDARY}\r\n".encode(), *[b"X-A: b\r\n"] * 100_000]
    assert fault(lambda: read("file", FORM, lines))[0] == 400


def test_text_that_is_no_utf_8_is_400() -> None:
    assert fault(lambda: read("scalars", FORM, form(part("text", b"\xff")))) == (
        400, [("string_unicode", ("text",))],
    )  # fmt: skip


def test_a_text_part_over_its_limit_is_413_and_named() -> None:
    act = lambda: read("scalars", FORM, form(part("text", b"x" * (2**20 + 1))))  # noqa: E731
    assert fault(act) == (413, [("too_large", ("text",))])
    assert said(act) == "a field that is no file has at most 1048576 bytes"
    assert len(read("scalars", FORM, form(part("text", b"x" * 2**20)))["text"]) == 2**20


def test_a_text_part_over_its_limit_is_refused_before_it_ends() -> None:
    endless = [part("text", b"x" * 1000)[:-2], *[b"x" * 100_000] * 20]
    assert fault(lambda: read("scalars", FORM, endless))[0] == 413


@pytest.mark.parametrize("filename", [None, "f"])
def test_ten_thousand_parts_are_413(filename: str | None) -> None:
    body = part("files", b"x", filename) * 10_000
    with pytest.raises(TooLarge, match=r"more than 1000 (fields|files)"):
        read("files", FORM, body)


def test_all_text_of_a_form_together_is_bounded() -> None:
    body = form(*[part("words", b"x" * 1000)] * 20)
    with pytest.raises(TooLarge):
        read("lists", FORM, body, limits=Limits(texts=10_000))


def test_names_of_too_many_steps_are_413() -> None:
    body = form(part("doc" + ".a" * 500, b"x"))
    assert fault(lambda: read("nested", FORM, body))[0] == 413


def test_json_too_deep_to_read_is_400() -> None:
    body = form(part("point", b"[" * 100_000))
    assert fault(lambda: read("model", FORM, body)) == (400, [("json_invalid", ("point",))])
    body = form(part("point", b"[" * 100_000, "p.json"))
    assert fault(lambda: read("model", FORM, body)) == (400, [("json_invalid", ("point",))])


def test_a_file_is_never_in_memory_as_a_whole() -> None:
    piece = b"x" * 100_000
    with folder_of(None) as folder:
        head, tail = part("file", b"@@", "big").split(b"@@")
        pieces = [head, *[piece] * 300, tail, form()]
        tracemalloc.start()
        try:
            bound = bound_of("file", FORM, pieces, "", CallIntake(folder))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert bound.kwargs["file"].stat().st_size == 300 * len(piece)
        assert peak < 10 * len(piece)


def test_many_files_are_not_in_memory_together() -> None:
    limits = Limits(in_memory=1000, files_in_memory=5000)
    with folder_of(None) as folder:
        body = form(*[part("files", b"x" * 900, "f")] * 20)
        paths = bound_of("files", FORM, body, "", CallIntake(folder), limits).kwargs["files"]
        assert [path.stat().st_size for path in paths] == [900] * 20
        assert len([each for each in folder.path.iterdir() if "body-" in each.name]) == 15


def test_a_reader_whose_folder_is_gone_makes_no_other() -> None:
    folder = Folder()
    folder.remove()
    with pytest.raises(FileNotFoundError):
        read("file", FORM, form(part("file", b"x" * 100_000, "f")), folder=folder)
    assert not folder.made
