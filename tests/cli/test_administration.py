"""`mesh instance-type`, `mesh quota` and `mesh user`, against a real control plane."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from mesh.access.principal import Role
from mesh.cli.main import app
from tests.faces.cloud.rig import TOKEN, Rig, rigged

TYPES = """\
instance_types:
  small: {cpu: 500m, memory: 1Gi, description: for tries}
  gpu.h100.1: {cpu: 8, memory: 64Gi, gpu: 1, gpu_type: H100}
"""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rigged() as made:
        yield made


def run(rig: Rig, *words: str, token: str = TOKEN) -> Any:
    env = {"MESH_CONTROL_URL": rig.url, "MESH_CONTROL_TOKEN": token, "COLUMNS": "140"}
    return CliRunner(env=env).invoke(app, [*words])


def good(rig: Rig, *words: str) -> str:
    done = run(rig, *words)
    assert done.exit_code == 0, (done.output, done.exception)
    return str(done.stdout)


def good_json(rig: Rig, *words: str) -> Any:
    return json.loads(good(rig, *words, "--json"))


def bad(rig: Rig, *words: str, token: str = TOKEN) -> str:
    done = run(rig, *words, token=token)
    assert done.exit_code == 1
    return f"{done.output}{done.exception}"


def test_instance_types_are_made_changed_listed_and_deleted(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "types.yaml"
    file.write_text(TYPES)
    made = good_json(rig, "instance-type", "apply", str(file))
    assert [each["name"] for each in made] == ["small", "gpu.h100.1"]
    assert made[0]["config"]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert made[1]["config"]["gpu_config"]["type"] == "H100"
    assert made[1]["config"]["resources"]["requests"]["gpu"] == "1"
    file.write_text("name: small\ncpu: 2\n")
    good(rig, "instance-type", "apply", str(file))
    found = {each["name"]: each for each in good_json(rig, "instance-type", "list")}
    assert found["small"]["config"]["resources"]["requests"] == {"cpu": "2"}
    assert found["small"]["description"] == "for tries"
    assert "cpu.1" in found
    shown = good(rig, "instance-type", "list", "--search", "h100")
    assert "H100" in shown
    assert "no node is large enough" in shown
    assert "small" not in shown
    assert good(rig, "instance-type", "delete", "small", "--yes") == "small is deleted\n"
    assert "there is no instance type 'small'" in bad(rig, "instance-type", "delete", "small", "-y")
    assert "built in" in bad(rig, "instance-type", "delete", "cpu.1", "--yes")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cpu: 2", "give a name"),
        ("name: x\ncores: 2", "x: cores: there is no such setting"),
        ("instance_types: [1]", "give types by name"),
        ("name: x\ncpu: many", "cpu: input should be a valid number"),
    ],
)
def test_a_wrong_type_is_refused_and_named(rig: Rig, tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "types.yaml"
    file.write_text(text)
    assert why in bad(rig, "instance-type", "apply", str(file))
    assert "x" not in {each["name"] for each in good_json(rig, "instance-type", "list")}


def test_quotas_are_set_assigned_and_deleted(rig: Rig) -> None:
    assert "no quotas" in good(rig, "quota", "list")
    made = good_json(rig, "quota", "set", "small", "deployment_count=2", "bento_size=2Gi")
    assert made == [
        {
            "name": "small",
            "limits": {"deployment_count": 2, "bento_size": "2Gi"},
            "organizations": [],
        }
    ]
    good(rig, "quota", "assign", "default", "small")
    changed = good_json(rig, "quota", "set", "small", "bento_size=", "resource_cpu_limit=1.5")
    assert changed == [
        {
            "name": "small",
            "limits": {"deployment_count": 2, "resource_cpu_limit": "1.5"},
            "organizations": ["default"],
        }
    ]
    shown = good(rig, "quota", "list")
    assert "deployment_count 2" in shown
    assert "default" in shown
    assert "holds for default" in bad(rig, "quota", "delete", "small", "--yes")
    assert "no limits" in good(rig, "quota", "assign", "default")
    assert good_json(rig, "quota", "list")[0]["organizations"] == []
    good(rig, "quota", "delete", "small", "--yes")
    assert good_json(rig, "quota", "list") == []


def test_a_wrong_quota_is_refused_and_named(rig: Rig) -> None:
    assert "KEY=VALUE" in bad(rig, "quota", "set", "q", "deployment_count")
    unknown = bad(rig, "quota", "set", "q", "a=1")
    assert "a: there is no such limit; there are deployment_count" in unknown
    assert "deployment_count" in bad(rig, "quota", "set", "q", "deployment_count=-1")
    assert "there is no" in bad(rig, "quota", "assign", "default", "q")
    assert "there is no" in bad(rig, "quota", "assign", "nowhere", "")
    assert good_json(rig, "quota", "list") == []


def test_who_is_invited_becomes_a_member_with_the_link(rig: Rig) -> None:
    link = good(rig, "user", "add", "ann", "--email", "ann@example.com", "--role", "guest").strip()
    assert link.startswith(rig.url)
    code = parse_qs(urlsplit(link).query)["invitation_code"][0]
    person = {"name": "ann", "email": "ann@example.com", "password": "correct horse", "token": code}
    with rig.as_("") as nobody:
        assert nobody.post("/api/v1/auth/register", json=person).status_code == 200
    found = {each["name"]: each["role"] for each in good_json(rig, "user", "list")}
    assert found["ann"] == "guest"
    assert "ann@example.com" in good(rig, "user", "list")
    good(rig, "user", "remove", "ann", "--yes")
    assert "ann" not in good(rig, "user", "list")
    assert "ann" in bad(rig, "user", "remove", "ann", "--yes")
    king = run(rig, "user", "add", "bob", "--email", "b@example.com", "--role", "king")
    assert king.exit_code == 2
    assert "'king' is not one of 'admin', 'developer', 'api_user', 'guest'" in king.stderr


def test_members_are_added_listed_changed_and_removed(rig: Rig) -> None:
    token = rig.member("ann", Role.GUEST)
    rig.member("bob", Role.DEVELOPER)
    found = {each["name"]: each for each in good_json(rig, "member", "list")}
    assert {name: each["role"] for name, each in found.items()} == {
        "owner": "admin",
        "ann": "guest",
        "bob": "developer",
    }
    shown = good(rig, "member", "list")
    assert "ann@example.com" in shown
    assert shown.split()[:4] == ["member", "email", "role", "age"]
    made = good_json(rig, "member", "add", "ann", "bob", "--role", "api_user")
    assert [(each["name"], each["role"]) for each in made] == [
        ("ann", "api_user"),
        ("bob", "api_user"),
    ]
    assert good(rig, "member", "set", "bob", "admin") == "the role of bob is admin\n"
    assert good_json(rig, "member", "set", "ann", "guest")["role"] == "guest"
    assert "a guest may not write members" in bad(rig, "member", "set", "bob", "guest", token=token)
    assert good(rig, "member", "remove", "bob", "--yes") == "bob is removed\n"
    assert [each["name"] for each in good_json(rig, "member", "list")] == ["ann", "owner"]
    assert "'bob' is no member" in bad(rig, "member", "set", "bob", "guest")
    assert "there is no user 'carl'" in bad(rig, "member", "add", "ann", "carl")
    assert "stays an administrator" in bad(rig, "member", "remove", "owner", "--yes")
    assert run(rig, "member", "set", "ann", "king").exit_code == 2


def test_a_member_is_invited_with_a_link(rig: Rig) -> None:
    done = run(rig, "member", "invite", "eve@example.com", "--role", "guest")
    assert done.stderr.startswith("eve@example.com (guest): send them this link")
    assert "invitation_code=" in done.stdout
    assert good_json(rig, "member", "invite", "eve@example.com")["role"] == "developer"


def test_who_is_no_administrator_sets_nothing(rig: Rig, tmp_path: Path) -> None:
    token = rig.member("dev", Role.DEVELOPER)
    file = tmp_path / "types.yaml"
    file.write_text(TYPES)
    for words in (
        ("instance-type", "apply", str(file)),
        ("quota", "set", "small", "deployment_count=2"),
        ("user", "add", "x", "--email", "x@example.com"),
        ("secret", "rotate-key", "--yes"),
    ):
        assert "a developer may not write" in bad(rig, *words, token=token)
