"""`mesh secret`: what goes in, and that no value comes out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh.cli.main import app
from mesh.control.store import open_store
from tests.faces.cloud.rig import TOKEN, Rig, rigged


@pytest.fixture
def rig() -> Any:
    with rigged() as made:
        yield made


def run(rig: Rig, *words: str, **more: Any) -> Any:
    env = {"MESH_CONTROL_URL": rig.url, "MESH_CONTROL_TOKEN": TOKEN, "COLUMNS": "120"}
    return CliRunner(env=env).invoke(app, ["secret", *words], **more)


def test_values_come_from_words_files_and_standard_input_and_are_never_shown(
    rig: Rig, tmp_path: Path
) -> None:
    (tmp_path / "pem").write_text("s3cret-file")
    (tmp_path / "env").write_text("# about\nENV=s3cret-env\n")
    files = ["--from-file", f"PEM={tmp_path / 'pem'}", "--from-env-file", str(tmp_path / "env")]
    made = run(rig, "create", "s1", "A=s3cret-a", "IN=-", *files, input="s3cret-in\n")
    assert made.exit_code == 0, made.output
    listed = run(rig, "list", "--json")
    [view] = json.loads(listed.stdout)
    assert {item["key"] for item in view["content"]["items"]} == {"A", "IN", "ENV", "PEM"}
    assert "s3cret" not in made.output + listed.output
    assert run(rig, "apply", "s1", "B=1", "-d", "for tests").exit_code == 0
    assert "B" in run(rig, "list").stdout
    [kept] = json.loads(run(rig, "apply", "s1", "B=2", "--json").stdout)
    assert kept["description"] == "for tests"
    assert run(rig, "delete", "s1", "--yes").exit_code == 0
    assert "no secrets" in run(rig, "list").stdout


def test_files_are_mounted_where_it_is_said(rig: Rig) -> None:
    made = run(rig, "create", "s1", "a.pem=x", "--type", "file", "--path", "certs", "--json")
    [view] = json.loads(made.stdout)
    assert view["content"]["path"] == "$BENTOML_HOME/certs"


def test_what_is_wrong_is_told_without_values(rig: Rig) -> None:
    for words in (
        ["create", "s", "s3cret"],
        ["create", "s", "1=s3cret"],
        ["apply", "t", "A=s3cret"],
    ):
        failed = run(rig, *words)
        assert failed.exit_code != 0
        assert "s3cret" not in failed.output


def test_the_key_that_secrets_are_encrypted_with_is_replaced_while_the_mesh_runs(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mesh.db.key"
    with rigged(lambda: open_store(str(tmp_path / "mesh.db"), None)) as rig:
        assert run(rig, "create", "s1", "A=s3cret").exit_code == 0
        before = file.read_bytes()
        told = json.loads(run(rig, "rotate-key", "--yes", "--json").stdout)
        assert told["secrets"] >= 1
        assert file.read_bytes() not in (before, b"")
        assert len(file.read_bytes()) == len(before)
        assert run(rig, "apply", "s1", "A=s3cret-2").exit_code == 0
        assert "secrets are encrypted" in run(rig, "rotate-key", "--yes").stdout
        events = {"q": "resource_type:secret_key"}
        found = rig.asked.get("/api/v1/current_org/events", params=events).json()["items"]
        told = [(e["creator"]["name"], e["operation_name"], e["status"]) for e in found]
        assert told == [("owner", "renewed", "success")] * 2
    with rigged(lambda: open_store(str(tmp_path / "mesh.db"), None)) as rig:
        assert "s1" in run(rig, "list").stdout


def test_where_nothing_is_encrypted_there_is_no_key_to_replace(rig: Rig) -> None:
    failed = run(rig, "rotate-key", "--yes")
    assert failed.exit_code == 1
    assert "no secret key" in failed.output
    asked = run(rig, "rotate-key")
    assert "say --yes" in str(asked.exception)
