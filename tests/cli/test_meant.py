"""What `mesh deploy NAME` takes: a file, a module of the folder, or the newest release."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh.cli.failure import exit_code
from mesh.cli.main import app
from tests.faces.cloud.deployments.test_deploy_cli import Finds
from tests.faces.cloud.releases.test_registry import pushed, registered
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.releases.tars import BENTO as TINY, bento

Run = Callable[..., Any]
BENTO = "/api/v1/bento_repositories/tiny/bentos"
BUILT = """\
service: service:Tiny
name: tiny
version: '9'
creation_time: '2026-01-02T03:04:05+00:00'
"""


@pytest.fixture
def rig() -> Iterator[Rig]:
    """With tiny:v1 and then tiny:v2, and tiny:v3 that was never uploaded."""
    with rigged(builder=Finds()) as made:
        for version in ("v1", "v2"):
            registered(made, version, models=[])
            content = bento(document=TINY.replace(b"v1", version.encode()))
            pushed(made, content, f"{BENTO}/{version}")
        registered(made, "v3", models=[])
        yield made


@pytest.fixture
def run(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `mesh deploy` in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    env = {
        "MESH_CONTROL_URL": rig.url,
        "MESH_CONTROL_TOKEN": TOKEN,
        "BENTOML_HOME": str(tmp_path / "bentos"),
        "COLUMNS": "200",
    }
    return lambda *words: CliRunner(env=env).invoke(app, ["deploy", *words])


@pytest.mark.parametrize("source", ["tiny", "tiny:latest"])
def test_a_name_alone_is_its_newest_release_that_was_uploaded(run: Run, source: str) -> None:
    done = run(source, "--json")
    assert done.exit_code == 0, done.output
    assert "tiny:v2 is the newest release of that name" in done.stderr
    view = json.loads(done.stdout)
    assert (view["name"], view["config"]["release"]) == ("tiny", "tiny:v2")


def test_what_is_in_the_folder_goes_before_a_release(run: Run) -> None:
    Path("tiny.py").write_text("")
    done = run("tiny")
    assert done.exit_code == 1
    assert "module 'tiny' has no service" in str(done.exception)
    Path("tiny").write_text("[]")
    assert "tiny: expected keys and values" in str(run("tiny").exception)


def test_a_name_of_nothing_tells_what_was_tried_and_what_would_do(run: Run, rig: Rig) -> None:
    done = run("no-such-name")
    assert (exit_code(done.exception), done.stdout) == (2, "")
    assert f"{Path.cwd()} has no file or module 'no-such-name'" in str(done.exception)
    assert f"no release 'no-such-name' was pushed to the mesh at {rig.url}" in str(done.exception)
    assert "mesh releases --remote" in done.exception.hint
    assert "file" not in str(run("no-such-name:latest").exception)


def test_a_release_of_this_machine_only_is_to_be_pushed_first(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "bentos/bentos/other/9"
    folder.mkdir(parents=True)
    (folder / "bento.yaml").write_text(BUILT)
    assert "mesh push other:9 sends it" in run("other").exception.hint


def test_an_installed_module_is_a_target_where_no_release_has_its_name(run: Run) -> None:
    assert "module 'tomllib' has no service" in str(run("tomllib").exception)
