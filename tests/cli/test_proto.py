"""`mesh proto`, as the command that it is."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from mesh.cli.proto import _write
from mesh.errors import ConfigError

APP = """\
import mesh


@mesh.service
class Greeter:
    @mesh.api
    def greet(self, name: str{more}) -> str:
        \"\"\"Greets somebody.\"\"\"
        return name
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def proto(tmp_path: Path) -> Run:
    (tmp_path / "app.py").write_text(APP.format(more=""))

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [Path(sys.executable).with_name("mesh"), "proto", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_text_goes_to_standard_output_and_nothing_is_written(
    proto: Run, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    done = proto("app:Greeter")
    assert done.returncode == 0, done.stderr
    assert "  // Greets somebody.\n  rpc Greet(GreetRequest) returns" in done.stdout
    assert [each for each in sorted(tmp_path.iterdir()) if each.name != "__pycache__"] == before


def test_out_writes_what_protoc_needs_and_keeps_the_numbers(proto: Run, tmp_path: Path) -> None:
    assert proto("app", "--out", "protos").returncode == 0
    written = tmp_path / "protos/greeter/v1/greeter.proto"
    first = written.read_text()
    changed = APP.format(more="").replace("name: str", "title: str, name: str")
    (tmp_path / "app.py").write_text(changed)
    assert proto("app", "--check", str(written)).stdout.strip().endswith("nothing breaks")
    assert proto("app", "--out", "protos").returncode == 0
    assert "string name = 1;" in first
    assert "string title = 2;\n  string name = 1;" in written.read_text()
    assert not list(tmp_path.glob("**/*.new")), "nothing half written is left"


def test_versions_of_one_service_may_share_a_lock(proto: Run, tmp_path: Path) -> None:
    shared = APP.format(more="").replace("@mesh.service", '@mesh.service(lock="shared.lock")')
    (tmp_path / "app.py").write_text(shared)
    (tmp_path / "app_v2.py").write_text(shared.replace("name: str", "title: str, name: str"))
    assert proto("app", "--out", "protos").returncode == 0
    assert "string title = 2;\n  string name = 1;" in proto("app_v2").stdout
    assert (tmp_path / "shared.lock").exists()
    assert not (tmp_path / "app.proto.lock").exists()


def test_a_new_parameter_that_must_be_given_breaks(proto: Run, tmp_path: Path) -> None:
    proto("app", "--out", "protos")
    changed = APP.format(more=", x: int | bool").replace("import mesh", "import mesh", 1)
    (tmp_path / "app.py").write_text(changed)
    done = proto("app", "--check", "protos/greeter/v1/greeter.proto")
    assert done.returncode == 1
    assert "it is new and required" in done.stdout


def test_check_lists_what_breaks_and_exits_with_1(proto: Run, tmp_path: Path) -> None:
    proto("app", "--out", "protos")
    (tmp_path / "app.py").write_text(APP.format(more="").replace("name: str", "name: int"))
    done = proto("app", "--check", "protos/greeter/v1/greeter.proto")
    assert done.returncode == 1
    assert "1 breaking change since protos/greeter/v1/greeter.proto" in done.stdout
    assert "greeter.v1.GreetRequest.name" in done.stdout
    assert "its type was string and is int64" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "give either a TARGET or --endpoint URL"),
        (("app", "--endpoint", "http://localhost:1"), 2, "give either a TARGET or --endpoint URL"),
        (("nothing",), 1, "cannot import 'nothing'"),
        (("app", "--check", "none.proto"), 1, "there is no file 'none.proto'"),
        (("app", "--check", "app.py"), 1, "app.py:1:"),
        (("app", "--out", "app.py"), 1, "--out app.py"),
        (("--endpoint", "http://127.0.0.1:9"), 1, "error:"),
    ],
)
def test_what_is_wrong_is_one_line(
    proto: Run, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = proto(*arguments)
    assert done.returncode == code
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["../x.proto", "/tmp/x.proto", "a/../../x.proto", ""])
def test_a_server_can_t_choose_what_is_written_where(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is written"):
        _write(tmp_path / "out", [FileDescriptorProto(name=name)], None)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_broken_is_named(proto: Run, tmp_path: Path) -> None:
    (tmp_path / "app.proto.lock").write_text("{")
    done = proto("app")
    assert done.returncode == 1
    assert "app.proto.lock is no lock of field numbers" in done.stderr
