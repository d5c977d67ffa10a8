"""`mesh standby`, against a real control plane."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh.cli.main import app
from tests.faces.cloud.rig import TOKEN, Rig, rigged


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rigged() as made:
        yield made


def run(rig: Rig, *arguments: str) -> Any:
    env = {"MESH_CONTROL_URL": rig.url, "MESH_CONTROL_TOKEN": TOKEN, "COLUMNS": "120"}
    return CliRunner(env=env).invoke(app, ["standby", *arguments])


def test_standbys_are_set_by_type_and_shown(rig: Rig) -> None:
    assert "no standbys" in run(rig, "show").stdout
    shown = run(rig, "set", "cpu.1=2", "gpu.l4.1=1")
    assert shown.exit_code == 0, shown.output
    assert [line.split() for line in shown.stdout.splitlines() if "." in line] == [
        ["cpu.1", "2", "2"],
        ["gpu.l4.1", "1", "0"],
    ]
    assert json.loads(run(rig, "set", "gpu.l4.1=0", "--json").stdout) == [
        {"instance_type": "cpu.1", "wanted": 2, "ready": 2}
    ]
    assert run(rig, "show").stdout.split() == run(rig, "set", "cpu.1=2").stdout.split()


@pytest.mark.parametrize("wrong", ["cpu.1", "=1", "cpu.1=", "cpu.1=-1", "cpu.1=²"])
def test_what_is_no_number_of_a_type_is_told(rig: Rig, wrong: str) -> None:
    result = run(rig, "set", wrong)
    assert result.exit_code != 0
    assert "say it as cpu.1=2" in str(result.exception)


def test_a_type_that_is_not_there_is_told(rig: Rig) -> None:
    assert "there is no instance type 'cpu.7'" in run(rig, "set", "cpu.7=1").stderr
