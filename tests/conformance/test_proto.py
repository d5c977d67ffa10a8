"""The exported .proto keeps the style of others, and its breaking changes are those that buf sees.

https://buf.build/docs/lint/rules/ and https://buf.build/docs/breaking/rules/
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mesh.io.rpc.breaking import breaks
from mesh.io.rpc.protoc import compiled
from tests.conformance.export import MESH
from tests.conformance.programs import Absent, built, make

BUF = Path(__file__).parent / "buf"
PROTO = "conformance/v1/conformance.proto"
Buf = Callable[..., str]

pytestmark = pytest.mark.timeout(300)  # the first test installs buf


@pytest.fixture(scope="module")
def buf() -> Buf:
    """Runs buf; returns what it finds, a line for each."""
    try:
        out = built(BUF)
    except Absent as absent:
        pytest.skip(f"not run: {absent}")

    def run(*arguments: object) -> str:
        status, said, wrong = make(BUF, "run", OUT=out, ARGS=" ".join(map(str, arguments)))
        assert status == 0 or said, wrong
        return said

    return run


@pytest.fixture
def module(protos: Path, tmp_path: Path) -> Path:
    """The exported files and buf's settings for them."""
    folder = tmp_path / "module"
    shutil.copytree(protos, folder)
    shutil.copy(BUF / "buf.yaml", folder)
    return folder


def test_the_proto_from_the_code_is_that_of_the_deployed_service(protos: Path) -> None:
    command = [MESH, "proto", "tests.conformance.service:Conformance"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == (protos / PROTO).read_text()


def test_buf_finds_nothing_in_the_style_of_the_exported_proto(buf: Buf, module: Path) -> None:
    assert buf("lint", module, *_only(module)) == ""


def test_buf_would_find_a_name_in_another_style(buf: Buf, module: Path) -> None:
    new = _changed(module, "double radius = 1;", "double Radius = 1;")
    assert "lower_snake_case" in buf("lint", new, *_only(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("double radius = 1;", "double radius = 1;\n  string more = 2;"),
        ("rpc Tree(TreeRequest) returns (TreeResponse);", ""),
        ("rpc Tree(", "rpc Bush(TreeRequest) returns (TreeResponse);\n  rpc Tree("),
        ("rpc Count(CountRequest) returns (stream", "rpc Count(CountRequest) returns ("),
        ("rpc Tree(TreeRequest)", "rpc Tree(FormRequest)"),
        ("double width = 1;", ""),
        ("double width = 1;", 'reserved 1;\n  reserved "width";'),
        ("double width = 1;", "double breadth = 1;"),
        ("double width = 1;", "double width = 3;"),
        ("double width = 1;", "float width = 1;"),
        ("double width = 1;", "optional double width = 1;"),
        ("repeated string names = 1;", "string names = 1;"),
        ("map<int64, string> names", "map<int32, string> names"),
        ("string value_str = 2;", "string value_str = 2;\n    bool value_bool = 3;"),
        ("string value_str = 2;", ""),
        ("COLOUR_RED = 1;", "COLOUR_RED = 1;\n  COLOUR_GREEN = 3;"),
        ("COLOUR_RED = 1;", ""),
        ("COLOUR_RED = 1;", "COLOUR_PINK = 1;"),
        ("COLOUR_RED = 1;", "COLOUR_RED = 3;"),
    ],
)
def test_what_breaks_clients_is_what_buf_says(buf: Buf, module: Path, old: str, new: str) -> None:
    changed = _changed(module, old, new)
    before, after = (compiled(root / PROTO, [root]) for root in (module, changed))
    theirs = buf("breaking", changed, "--against", module)
    assert bool(breaks(before, after)) == bool(theirs), (breaks(before, after), theirs)


def _only(module: Path) -> list[object]:
    """What has buf look at our own files and not at those of google.rpc."""
    return ["--path", module / "conformance", "--path", module / "mesh"]


def _changed(module: Path, old: str, new: str) -> Path:
    """The same files but for a change in the service's own."""
    folder = module.with_name("changed")
    shutil.copytree(module, folder)
    text = (folder / PROTO).read_text()
    assert old in text
    (folder / PROTO).write_text(text.replace(old, new, 1))
    return folder
