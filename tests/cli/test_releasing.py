"""`mesh deploy NAME:VERSION`: what is said of a release that the mesh has not got."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh.cli.main import app
from tests.faces.cloud.rig import TOKEN, Rig, rigged

SERVICE = """
from mesh import api, service

@service
class Hello:
    @api
    def greet(self) -> str:
        return "hello"
"""


@pytest.fixture
def rig() -> Any:
    with rigged() as made:
        yield made


def run(rig: Rig, home: Path, *words: str) -> Any:
    env = {
        "MESH_CONTROL_URL": rig.url,
        "MESH_CONTROL_TOKEN": TOKEN,
        "BENTOML_HOME": str(home),
        "MESH_HOME": str(home),
        "COLUMNS": "200",
    }
    return CliRunner(env=env).invoke(app, words)


def test_what_was_not_pushed_is_a_release_to_push(rig: Rig, tmp_path: Path) -> None:
    failed = run(rig, tmp_path, "deploy", "nothing:1")
    assert failed.exit_code != 0
    assert "there is no release 'nothing:1'; mesh releases --remote lists" in failed.output
    code = tmp_path / "code"
    code.mkdir()
    (code / "kept_here.py").write_text(SERVICE)
    target = ("kept_here:Hello", "--folder", str(code), "--version", "1")
    built = run(rig, tmp_path, "build", *target)
    assert built.exit_code == 0, built.exception
    failed = run(rig, tmp_path, "deploy", "hello:1")
    assert "'hello:1'; it is on this machine only: mesh push hello:1 sends it" in failed.output
