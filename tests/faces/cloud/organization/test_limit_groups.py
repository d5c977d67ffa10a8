"""Groups of limits over the cloud API, and what they keep a mesh from."""

import json
from typing import Any

import pytest

from mesh.errors import QuotaExceeded
from mesh.serving.described import described
from tests.faces.cloud.rig import Rig

GROUPS = "/api/admin/v1/limit_groups"
SHELF = "tests.client.control.shelf:BookShelf"


def document(name: str, **settings: Any) -> Any:
    return described(SHELF, {"name": name, **settings}, ["."]).document


def deploy(rig: Rig, name: str, **settings: Any) -> None:
    rig.plane.apply(json.dumps(document(name, **settings)).encode())


def limits(rig: Rig, **config: Any) -> None:
    made = rig.asked.post(GROUPS, json={"name": "small", "config": config, "visible": None})
    assert made.status_code == 200, made.text
    change = {"limit_group_name": "small", "config": None, "description": None}
    assert rig.asked.patch("/api/v1/orgs/default", json=change).status_code == 200


def test_a_group_is_made_changed_and_forgotten(rig: Rig) -> None:
    types = [{"name": "cpu.1", "active": True}, {"name": "gone", "active": True}]
    config = {"deployment_count": 2, "plan_type": "x", "resource_instance_list": types}
    sent = {"name": "small", "display_name": "Small", "config": config, "plan_code": ""}
    made = rig.asked.post(GROUPS, json=sent).json()
    assert made["config"] == config
    [allowed] = made["resource_instance_list"]
    assert (allowed["active"], allowed["resource_instance"]["name"]) == (True, "cpu.1")
    assert rig.asked.post(GROUPS, json=sent).status_code == 409
    change = {"description": "for tries", "config": {"deployment_count": None, "bento_count": 1}}
    changed = rig.asked.patch(f"{GROUPS}/small", json=change).json()
    assert (changed["description"], changed["config"]) == ("for tries", {"bento_count": 1})
    assert changed["display_name"] == "Small"
    assert rig.asked.get(f"{GROUPS}/small").json() == changed
    assert rig.asked.get(GROUPS).json()["items"] == [changed]
    assert rig.asked.delete(f"{GROUPS}/small").status_code == 200
    assert rig.asked.get(f"{GROUPS}/small").status_code == 404


@pytest.mark.parametrize(
    "config",
    [{"bento_count": -1}, {"bento_size": "big"}, {"roles": 1} | {"resource_cpu_limit": "x"}],
)
def test_what_is_no_limit_is_refused(rig: Rig, config: dict[str, Any]) -> None:
    refused = rig.asked.post(GROUPS, json={"name": "small", "config": config})
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("config: ")


def test_a_group_that_holds_for_somebody_stays(rig: Rig) -> None:
    limits(rig)
    refused = rig.asked.delete(f"{GROUPS}/small")
    assert refused.status_code == 422
    assert refused.json()["error"] == "the limit group 'small' holds for default"


def test_one_deployment_too_many_is_refused_and_the_others_go_on(rig: Rig) -> None:
    limits(rig, deployment_count=1)
    deploy(rig, "d1")
    with pytest.raises(QuotaExceeded, match="deployment_count of the group 'small' is 1"):
        deploy(rig, "d2")
    deploy(rig, "d1", labels={"a": "b"})
    rig.plane.delete("d1")
    deploy(rig, "d2")


def test_limits_hold_for_changes_and_for_what_is_started_again(rig: Rig) -> None:
    limits(rig, resource_cpu_limit=4)
    two = {"BookShelf": {"instance_type": "cpu.2", "replicas": 1}}
    four = {"BookShelf": {"instance_type": "cpu.2", "replicas": 2}}
    deploy(rig, "d1", services=two)
    deploy(rig, "d2", services=two)
    with pytest.raises(QuotaExceeded, match="d2 may reserve 4, other deployments 2"):
        deploy(rig, "d2", services=four)
    thread, running = rig.plane._started()
    thread.wait(running.controller.terminate("d1"))
    deploy(rig, "d2", services=four)
    with pytest.raises(QuotaExceeded, match="d1 may reserve 2, other deployments 4"):
        thread.wait(running.controller.start("d1"))
    deploy(rig, "d2", services=two)
    thread.wait(running.controller.start("d1"))
    with pytest.raises(QuotaExceeded, match="d2 may reserve 4"):
        thread.wait(running.controller.rollback("d2", 2))


def test_the_api_of_the_mesh_keeps_to_the_limits_too(rig: Rig) -> None:
    limits(rig, deployment_count=0)
    refused = rig.asked.post("/api/mesh/v1/deployments", json=document("d1"))
    assert refused.status_code == 403
    assert "deployment_count" in refused.json()["error"]


def test_an_organization_is_in_a_group_that_there_is_or_in_none(rig: Rig) -> None:
    limits(rig, deployment_count=0)
    missing = rig.asked.patch("/api/v1/orgs/default", json={"limit_group_name": "large"})
    assert missing.json() == {"error": "there is no limit group 'large'"}
    assert rig.asked.patch("/api/v1/orgs/default", json={"limit_group_name": ""}).status_code == 200
    deploy(rig, "d1")
    assert rig.asked.delete(f"{GROUPS}/small").status_code == 200


def test_one_member_too_many_is_refused(rig: Rig) -> None:
    limits(rig, member_count=2)
    ann = {"name": "ann", "email": "ann@x.example", "password": "correct horse 1", "role": "guest"}
    assert rig.asked.post("/api/v1/users", json=ann).status_code == 200
    ben = {**ann, "name": "ben", "email": "ben@x.example"}
    refused = rig.asked.post("/api/v1/users", json=ben)
    assert refused.status_code == 403
    assert "member_count of the group 'small' is 2" in refused.json()["error"]
    again = {"usernames": ["ann"], "role": "developer"}
    assert rig.asked.post("/api/v1/members", json=again).status_code == 200


def test_a_limit_that_is_none_is_told(rig: Rig) -> None:
    refused = rig.asked.post(
        "/api/admin/v1/limit_groups", json={"name": "g", "config": {"max_deployments": 1}}
    )
    assert refused.status_code == 400
    assert "config.max_deployments: there is no such limit" in refused.json()["error"]
