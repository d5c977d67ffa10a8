"""Where results go: to people, to programs, into files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from mesh.cli.kept import Keeper
from mesh.cli.output import ForPeople, ForPrograms, Raw, ToFile
from mesh.cli.plain import plain
from mesh.client.description import ServiceDescription
from mesh.errors import ConfigError
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.file import File
from tests.client.scripted import schema_of
from tests.contract.service import Types

TYPES = plain(ServiceDescription.of_json(schema_of(Types)))
PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.fixture
def came(tmp_path: Path) -> CallIntake:
    """Puts files where a client puts those that it receives."""
    return CallIntake(Folder(tmp_path))


def keeper(folder: Path, method: str = "mixed") -> Keeper:
    return Keeper(folder, TYPES.methods[method])


def written(folder: Path, *values: Any, method: str = "mixed") -> bytes:
    stream = io.BytesIO()
    output = ForPrograms(stream, keeper(folder, method))
    for value in values:
        output.item(value) if len(values) > 1 else output.result(value)
    output.end()
    return stream.getvalue()


def told(folder: Path, *items: Any) -> str:
    console = Console(file=io.StringIO(), width=60)
    output = ForPeople(console, keeper(folder))
    for item in items:
        output.item(item)
    output.end()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", b'"text"\n'),
        (np.array([[1, 2]], np.float32), b"[[1,2]]\n"),
        (np.array([np.nan]), b"[NaN]\n"),
        (pd.DataFrame({"a": [1]}), b'[{"a":1}]\n'),
        ({"a": [None, True]}, b'{"a":[null,true]}\n'),
        (b"printable", b'"printable"\n'),
    ],
)
def test_programs_read_a_line_of_json(tmp_path: Path, value: Any, expected: bytes) -> None:
    found = written(tmp_path, value)
    assert found.replace(b".0", b"") == expected


def test_programs_read_a_line_for_each_item(tmp_path: Path) -> None:
    assert written(tmp_path, 1, "two", b"3") == b'1\n"two"\n"3"\n'


def test_files_are_kept_and_their_paths_told(tmp_path: Path, came: CallIntake) -> None:
    value = {"file": came.keep(File(b"ab", filename="m.txt")), "number": 3}
    folder = tmp_path / "made" / "for it"
    for name in ("m.txt", "m-1.txt"):
        path = folder / name
        assert written(folder, value) == b'{"file":"%b","number":3}\n' % str(path).encode()
        assert path.read_bytes() == b"ab"


@pytest.mark.parametrize(
    ("method", "content", "name"),
    [
        ("image", PNG, "image.png"),
        ("image", b"\xff\xd8\xff\xe0", "image.jpg"),
        ("image", b"RIFF\0\0\0\0WEBPVP8 ", "image.webp"),
        ("speech", b"unknown", "speech.bin"),
    ],
)
def test_a_file_without_a_name_is_called_after_method_and_content(
    tmp_path: Path, came: CallIntake, method: str, content: bytes, name: str
) -> None:
    written(tmp_path, came.keep(File(content)), method=method)
    assert (tmp_path / name).read_bytes() == content


def test_bytes_that_are_no_text_are_kept_as_a_file(tmp_path: Path) -> None:
    written(tmp_path, b"\x89PNG...", method="picture")
    written(tmp_path, b"\x00\xff", method="binary")
    assert (tmp_path / "picture.png").read_bytes() == b"\x89PNG..."
    assert (tmp_path / "binary.bin").read_bytes() == b"\x00\xff"


def test_pieces_of_text_are_put_together_and_other_items_have_lines(tmp_path: Path) -> None:
    assert told(tmp_path, "to ", "be", 5, "or\n", b"not") == "to be\n5\nor\n<3 bytes>\n"
    assert told(tmp_path) == ""


def test_content_goes_out_as_it_is(tmp_path: Path, came: CallIntake) -> None:
    stream = io.BytesIO()
    output = Raw(lambda: stream, "", keeper(tmp_path))
    for value in (came.keep(File(b"\x00file", filename="f")), b"\xff", "text", [1]):
        output.item(value)
    assert stream.getvalue() == b"\x00file\xfftext[1]\n"


def test_a_file_of_ones_own_is_overwritten_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"old")
    said: list[str] = []
    output = ToFile(path, keeper(tmp_path), lambda text: said.append(text.plain))
    output.result(np.ones(2, np.float16))
    output.end()
    assert np.load(path).dtype == np.float16
    assert said == [f"{path}  {path.stat().st_size} bytes"]


def test_a_call_without_a_result_leaves_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    ToFile(path, keeper(tmp_path), lambda _: pytest.fail("nothing was written")).end()
    assert path.read_bytes() == b"old"


def test_what_cannot_be_written_is_named(tmp_path: Path, came: CallIntake) -> None:
    (tmp_path / "file").touch()
    value = came.keep(File(b"ab", filename="m.txt"))
    with pytest.raises(ConfigError, match=r"cannot write .*file/m\.txt"):
        written(tmp_path / "file", value)
    with pytest.raises(ConfigError, match=r"--out .*No such file"):
        ToFile(tmp_path / "no" / "x", keeper(tmp_path), lambda _: None).result("text")
