"""Users of different roles with the real `bentoml`, and what quotas make of what they do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.access.principal import Role
from tests.faces.cloud.bento_client import SERVICE, BentoClient
from tests.faces.cloud.deployments.test_deploy_cli import Finds
from tests.faces.cloud.rig import TOKEN, Rig, rigged

DEPLOY = ("deploy", "tiny:v1", "--no-wait", "-n")


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rigged(builder=Finds()) as made:
        yield made


def client(rig: Rig, folder: Path, name: str, token: str) -> BentoClient:
    return BentoClient(folder / name, rig.url, token)


def deployed(rig: Rig) -> set[str]:
    return {each["name"] for each in rig.asked.get("/api/v2/deployments").json()["items"]}


def test_developers_deploy_and_endpoint_users_and_guests_do_not(rig: Rig, tmp_path: Path) -> None:
    dev = client(rig, tmp_path, "dev", rig.member("dev", Role.DEVELOPER))
    dev.build(tmp_path / "service", SERVICE)
    dev.run(*DEPLOY, "d")
    assert deployed(rig) == {"d"}
    creator = rig.asked.get("/api/v2/deployments/d").json()["creator"]["name"]
    assert creator == "dev"

    for role in (Role.API_USER, Role.GUEST):
        other = client(rig, tmp_path, role, rig.member(role, role))
        assert '"name": "d"' in other.run("deployment", "list", "-o", "json")
        refused = other.run(*DEPLOY, "e", fails=True)
        why = f'request failed with status code 403: {{"error":"{role}: a {role} may not write '
        assert why in refused
        assert "Traceback" not in refused
        refused = other.run("deployment", "terminate", "d", fails=True)
        assert f"{role}: a {role} may not " in refused
        refused = other.run("secret", "create", "keys", "A=s3cret", fails=True)
        assert f"{role}: a {role} may not write secrets" in refused
        assert "s3cret" not in refused
    assert deployed(rig) == {"d"}

    admin = client(rig, tmp_path, "boss", rig.member("boss", Role.ADMIN))
    admin.run("deployment", "terminate", "d")
    admin.run("deployment", "delete", "d")
    assert deployed(rig) == set()


def test_a_deployment_beyond_the_quota_is_refused_in_a_line(rig: Rig, tmp_path: Path) -> None:
    limits = {"name": "small", "config": {"deployment_count": 1}}
    assert rig.asked.post("/api/admin/v1/limit_groups", json=limits).status_code == 200
    change = {"limit_group_name": "small"}
    assert rig.asked.patch("/api/v1/orgs/default", json=change).status_code == 200
    bentoml = client(rig, tmp_path, "home", TOKEN)
    bentoml.build(tmp_path / "service", SERVICE)
    bentoml.run(*DEPLOY, "d1")
    refused = bentoml.run(*DEPLOY, "d2", fails=True)
    assert "deployment_count of the group 'small' is 1" in refused
    assert "Traceback" not in refused
    assert deployed(rig) == {"d1"}
    bentoml.run("deployment", "delete", "d1")
    bentoml.run(*DEPLOY, "d2")
    assert deployed(rig) == {"d2"}
