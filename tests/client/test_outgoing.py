"""Arguments on their way out: what becomes a file, and what goes into a body."""

import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from python_multipart.multipart import parse_options_header

from mesh.call import CALL
from mesh.client.content import Content, content
from mesh.client.description import MethodDescription, ServiceDescription
from mesh.client.outgoing import OpenedFile, in_memory, is_light, is_once, outgoing
from mesh.client.typed import Typed
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.file import File
from tests.client.scripted import Shop, schema_of

SHOP = ServiceDescription.of_json(schema_of(Shop))
SCAN = SHOP.method("scan")

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def body(method: MethodDescription, **arguments: Any) -> tuple[Content, bytes]:
    with ExitStack() as files:
        made = content(method, arguments, files)
        pieces = (each if isinstance(each, bytes) else each.read() for each in made.pieces)
        size = made.size()
        whole = b"".join(pieces)
    assert size in (None, len(whole))
    return made, whole


@given(plain)
def test_plain_values_stay_as_they_are(value: Any) -> None:
    assert outgoing(value, "rows", SCAN) == value


@given(plain)
def test_results_without_types_stay_as_they_are(value: Any) -> None:
    assert Typed(CallIntake(Folder())).value(value, {}) == value


@given(plain)
def test_arguments_without_files_are_one_message(value: Any) -> None:
    made, _ = body(SHOP.method("buy"), n=value)
    assert made.media_type == CALL


@given(st.text(min_size=1), st.binary(max_size=200), plain)
def test_a_form_can_be_read_back(filename: str, data: bytes, note: Any) -> None:
    made, whole = body(SCAN, page=File(data, "text/plain", filename), note=note)
    essence, options = parse_options_header(made.media_type)
    assert essence == b"multipart/form-data"
    parts = whole.split(b"--" + options[b"boundary"])
    assert len(parts) == 4
    head, _, found = parts[1].partition(b"\r\n\r\n")
    assert found == data + b"\r\n"
    assert len(head.strip().splitlines()) >= 2 or "\n" in filename
    assert parts[-1] == b"--\r\n"


def test_what_stands_for_a_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hi")
    for given_ in (path, str(path)):
        found = outgoing(given_, "page", SCAN)
        assert (found.path, found.filename, found.media_type) == (path, "a.txt", "text/plain")
    assert outgoing(b"hi", "page", SCAN).data == b"hi"
    assert outgoing("https://host/a.txt", "page", SCAN) == "https://host/a.txt"
    assert outgoing(str(path), "note", SCAN) == str(path)


def test_an_opened_file_can_be_sent_once(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hi")
    with path.open("rb") as opened:
        found = outgoing(opened, "page", SCAN)
        assert isinstance(found, OpenedFile)
        assert is_once(found)
        assert in_memory(found) == File(b"hi", "text/plain", "a.txt")
    assert not is_once(outgoing(path, "page", SCAN))


def test_a_pipe_has_no_size() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    made = content(SCAN, {"page": OpenedFile(Pipe(b"abc"))}, ExitStack())
    assert made.size() is None


def test_files_opened_for_a_body_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hi")
    with ExitStack() as files:
        made = content(SCAN, {"page": outgoing(path, "page", SCAN)}, files)
        (opened,) = (each for each in made.pieces if not isinstance(each, bytes))
        assert not opened.closed
    assert opened.closed


@pytest.mark.parametrize("value", [1, "a", [1, 2], {"a": None}, np.ones(3)])
def test_small_values_are_light(value: Any) -> None:
    assert is_light(value)


@pytest.mark.parametrize("value", ["a" * 100_000, Path("a"), [0] * 1000, np.ones(100_000)])
def test_large_values_and_files_are_not(value: Any) -> None:
    assert not is_light(value)
