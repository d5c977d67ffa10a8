"""Deployments of releases through our own API and commands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh import ControlClient
from mesh.cli.main import app
from mesh.cli.meant import means_release
from mesh.errors import FailedPrecondition, InvalidArgument, MeshError, NotFound, PermissionDenied
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.faces.cloud.shelf import NO_TORCH, Shelf

FILE = """
deployments:
  - {name: a, release: "tiny:v1", replicas: 2}
  - name: b
    release: tiny:v1
    canary: {versions: {next: {release: "tiny:v2", weight: 20}}}
endpoints:
  front: {deployments: {a: 3, b: 1}}
"""
APP = """
import mesh


@mesh.service
class App:
    @mesh.api
    def f(self) -> int:
        return 1
"""


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    made.put("tiny:v1")
    made.put("tiny:v2")
    yield made
    made.free()


@pytest.fixture
def rig(shelf: Shelf) -> Iterator[Rig]:
    with rigged(shelf=shelf) as made:
        yield made


@pytest.fixture
def client(rig: Rig) -> Iterator[ControlClient]:
    with ControlClient(rig.url, TOKEN) as made:
        yield made


def mesh(rig: Rig, *arguments: str) -> Any:
    env = {"MESH_CONTROL_URL": rig.url, "MESH_CONTROL_TOKEN": TOKEN, "COLUMNS": "120"}
    return CliRunner(env=env).invoke(app, list(arguments))


def test_a_release_is_deployed_by_its_tag(rig: Rig) -> None:
    result = mesh(rig, "deploy", "tiny:v1", "--replicas", "2", "--label", "team=a", "--json")
    assert result.exit_code == 0, result.output
    view = json.loads(result.stdout)
    assert (view["name"], view["status"]) == ("tiny", "running")
    assert (view["config"]["release"], view["labels"]) == ("tiny:v1", {"team": "a"})
    again = json.loads(mesh(rig, "deploy", "tiny:v2", "--json").stdout)
    assert (again["config"]["release"], again["revision"]) == ("tiny:v2", 2)


def test_a_file_deploys_releases_canaries_and_endpoints(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(FILE)
    result = mesh(rig, "deploy", str(file), "--json")
    assert result.exit_code == 0, result.output
    a, b = json.loads(result.stdout)
    assert [each["name"] for each in b["versions"]] == ["main", "next"]
    assert a["versions"][0]["services"][0]["ready"] == 2
    endpoint = json.loads(mesh(rig, "endpoint", "get", "front", "--json").stdout)
    assert endpoint["config"]["deployments"] == {"a": 3, "b": 1}


def test_a_release_that_is_built_is_seen_and_can_be_given_up(
    rig: Rig, shelf: Shelf, client: ControlClient
) -> None:
    shelf.hold()
    result = mesh(rig, "deploy", "tiny:v1", "--no-wait")
    assert result.exit_code == 0, result.output
    assert "tiny: on the way" in result.stderr
    (build,) = client.builds()
    assert (build.name, build.stage, build.config["release"]) == ("tiny", "building", "tiny:v1")
    client.give_up("tiny")
    assert client.builds() == ()
    with pytest.raises(NotFound):
        client.give_up("tiny")


def test_a_release_that_cannot_run_is_told_with_its_line(
    rig: Rig, shelf: Shelf, client: ControlClient
) -> None:
    shelf.broken["tiny:v2"] = NO_TORCH
    mesh(rig, "deploy", "tiny:v1")
    result = mesh(rig, "deploy", "tiny:v2")
    assert result.exit_code == 1
    assert NO_TORCH.message in result.stderr
    assert client.deployments.get("tiny").config["release"] == "tiny:v1"
    with pytest.raises(FailedPrecondition, match="torch"):
        list(client.building("tiny"))


def test_a_release_that_cannot_run_is_listed_and_forgotten(rig: Rig, shelf: Shelf) -> None:
    shelf.broken["tiny:v2"] = NO_TORCH
    assert mesh(rig, "deploy", "tiny:v2", "--name", "fresh").exit_code == 1
    mesh(rig, "deploy", "tiny:v1")
    assert mesh(rig, "deploy", "tiny:v2").exit_code == 1
    fresh, tiny = (
        next(row for row in mesh(rig, "deployment", "list").stdout.splitlines() if name in row)
        for name in (" fresh ", " tiny ")
    )
    assert "failed" in fresh
    assert "running" in tiny
    for row in (fresh, tiny):
        assert "tiny:v2 cannot be deployed" in row
    for name in ("fresh", "tiny"):
        assert NO_TORCH.message in mesh(rig, "deployment", "get", name).stdout
        assert mesh(rig, "deployment", "delete", name, "--yes").exit_code == 0
    assert "no deployments" in mesh(rig, "deployment", "list").stdout
    assert mesh(rig, "deployment", "delete", "fresh", "--yes").exit_code == 1


def test_revisions_and_deployments_name_their_releases(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(FILE)
    mesh(rig, "deploy", str(file))
    assert "running  tiny:v1, next tiny:v2\n" in mesh(rig, "deployment", "get", "b").stdout
    assert "main tiny:v1, next tiny:v2" in mesh(rig, "deployment", "revisions", "b").stdout


def test_the_reason_of_a_failure_is_told_once(rig: Rig, shelf: Shelf) -> None:
    shelf.broken["tiny:v1"] = NO_TORCH
    assert mesh(rig, "deploy", "tiny:v1").stderr.count(NO_TORCH.message) == 1


def test_a_release_of_this_machine_is_to_be_pushed_first(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    assert "mesh push" not in mesh(rig, "deploy", "app:1").stderr
    code = tmp_path / "code"
    code.mkdir()
    (code / "only_here.py").write_text(APP)
    built = mesh(rig, "build", "only_here:App", "--folder", str(code), "--version", "1")
    assert built.exit_code == 0, built.output
    assert "mesh push app:1 sends it" in mesh(rig, "deploy", "app:1").stderr
    assert "no release 'other' was built" in mesh(rig, "releases", "other").stdout


def test_what_is_not_there_is_told_at_once(rig: Rig, client: ControlClient) -> None:
    with pytest.raises(InvalidArgument, match="there is no release 'nothing:v1'"):
        client.deploy_release({"name": "x", "release": "nothing:v1"})
    assert "nothing:v1" in mesh(rig, "deploy", "nothing:v1").stderr
    assert client.builds() == ()


def test_a_guest_deploys_nothing(rig: Rig) -> None:
    token = rig.member("gus", "guest")
    with ControlClient(rig.url, token) as guest, pytest.raises(PermissionDenied):
        guest.deploy_release({"name": "x", "release": "tiny:v1"})


def test_what_another_organization_builds_is_not_seen(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    mesh(rig, "deploy", "tiny:v1", "--no-wait")
    rig.asked.post("/api/v1/orgs", json={"name": "others", "description": ""}).raise_for_status()
    token = rig.member("olga", "developer", "others")
    with ControlClient(rig.url, token) as other:
        assert other.builds() == ()
        with pytest.raises(NotFound):
            other.give_up("tiny")


def test_what_another_organization_builds_is_not_taken_over(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    mesh(rig, "deploy", "tiny:v1", "--no-wait")
    rig.wait(rig.access.organizations.make("others", "owner"))
    rig.asked.post(
        "/api/admin/v1/orgs/others/clusters", json={"name": "default"}
    ).raise_for_status()
    token = rig.member("olga", "developer", "others")
    with (
        ControlClient(rig.url, token) as other,
        pytest.raises(MeshError, match="another organization"),
    ):
        other.deploy_release({"name": "tiny", "release": "tiny:v2"})
    with ControlClient(rig.url, TOKEN) as owner:
        (build,) = owner.builds()
        assert build.config["release"] == "tiny:v1"
        shelf.free()
        list(owner.building("tiny"))
        assert owner.deployments.get("tiny").config["release"] == "tiny:v1"


def test_what_runs_for_another_organization_stays_as_it_is(rig: Rig, shelf: Shelf) -> None:
    mesh(rig, "deploy", "tiny:v1")
    shelf.hold()
    rig.wait(rig.access.organizations.make("others", "owner"))
    rig.asked.post(
        "/api/admin/v1/orgs/others/clusters", json={"name": "default"}
    ).raise_for_status()
    token = rig.member("olga", "developer", "others")
    with (
        ControlClient(rig.url, token) as other,
        pytest.raises(MeshError, match="another organization"),
    ):
        other.deploy_release({"name": "tiny", "release": "tiny:v2"})
    assert rig.asked.get("/api/v2/deployments/tiny").json()["status"] == "running"


def test_a_module_of_the_folder_goes_before_a_release(tmp_path: Path) -> None:
    assert means_release("tiny:v1", tmp_path)
    (tmp_path / "tiny.py").write_text("")
    assert not means_release("tiny:v1", tmp_path)
    assert not means_release("app:Service", tmp_path)
