"""Instance types, GPUs, the cluster, its parts and labels over the cloud API."""

import json
from typing import Any

from mesh.config import Resources
from mesh.control.instance_types import instance_types
from mesh.serving.described import described
from tests.cluster.fake_cluster import World
from tests.faces.cloud.rig import Rig, rigged

TYPES = "/api/v1/instance_types"
ADMIN = "/api/admin/v1/resource_instances"
GPUS = "/api/admin/v1/gpu_configs"
SHELF = "tests.client.control.shelf:BookShelf"


def deploy(rig: Rig, **settings: Any) -> None:
    found = described(SHELF, {"name": "d1", **settings}, ["."])
    rig.plane.apply(json.dumps(found.document).encode())


def kind(name: str = "cpu.3", **requests: Any) -> dict[str, Any]:
    amounts = requests or {"cpu": "3", "memory": "6Gi"}
    return {"name": name, "config": {"price": None, "resources": {"requests": amounts}}}


def test_the_types_that_are_built_in_are_listed_as_clients_want_them(rig: Rig) -> None:
    found = {each["name"]: each for each in rig.asked.get(f"{TYPES}?cluster=").json()}
    one = found["cpu.1"]
    assert one["display_name"] == "cpu.1"
    assert one["active"]
    assert one["config"]["group"] == "cpu"
    assert one["config"]["price"] == ""
    amounts = {"cpu": "1", "memory": "2Gi", "gpu": "0", "custom": {}}
    assert one["config"]["resources"]["requests"] == amounts
    assert found["gpu.l4.1"]["config"]["gpu_config"]["type"] == "L4"


def test_a_type_that_no_node_holds_is_not_active() -> None:
    world = World(resources={"CPU": 2.0, "memory": 2.0**33})
    with rigged(world=world) as rig:
        found = {each["name"]: each["active"] for each in rig.asked.get(TYPES).json()}
    assert (found["cpu.2"], found["cpu.4"], found["gpu.l4.1"]) == (True, False, False)


def test_an_administrator_sets_types_that_deployments_then_may_name(rig: Rig) -> None:
    assert rig.asked.post(ADMIN, json=kind()).status_code == 200
    assert rig.asked.post(ADMIN, json=kind()).status_code == 409
    assert "cpu.3" in {each["name"] for each in rig.asked.get(TYPES).json()}
    thread, running = rig.plane._started()
    assert running._store is not None
    known = thread.wait(instance_types(running._store.catalogue))
    assert known == {"cpu.3": Resources(cpu=3, memory=6 * 2**30)}
    change = {"config": kind(cpu="4")["config"], "description": "more"}
    changed = rig.asked.patch(f"{ADMIN}/cpu.3", json=change).json()
    assert changed["config"]["resources"]["requests"]["cpu"] == "4"
    assert rig.asked.get(f"{ADMIN}/cpu.3").json()["description"] == "more"
    assert rig.asked.delete(f"{ADMIN}/cpu.3").status_code == 200
    assert rig.asked.get(f"{ADMIN}/cpu.3").status_code == 404


def test_a_built_in_type_is_changed_by_one_that_goes_before_it(rig: Rig) -> None:
    assert rig.asked.delete(f"{ADMIN}/cpu.1").status_code == 422
    rig.asked.patch(f"{ADMIN}/cpu.1", json={"description": "ours"})
    assert rig.asked.get(f"{ADMIN}/cpu.1").json()["description"] == "ours"
    assert rig.asked.delete(f"{ADMIN}/cpu.1").status_code == 200
    assert rig.asked.get(f"{ADMIN}/cpu.1").json()["description"] == "1 CPU, 2Gi"


def test_a_type_that_is_in_use_stays(rig: Rig) -> None:
    rig.asked.patch(f"{ADMIN}/cpu.1", json={"description": "ours"})
    deploy(rig, services={"BookShelf": {"instance_type": "cpu.1"}})
    refused = rig.asked.delete(f"{ADMIN}/cpu.1")
    assert refused.status_code == 422
    assert refused.json()["error"] == "the instance type 'cpu.1' is used by d1"


def test_no_type_is_what_replicas_cannot_reserve(rig: Rig) -> None:
    for wrong in (kind("x", cpu="many"), kind("x", gpu=1.5), kind("Ä"), {"name": "x"}):
        assert rig.asked.post(ADMIN, json=wrong).status_code == 400


def test_gpus_say_how_much_memory_a_type_has(rig: Rig) -> None:
    l4 = {"name": "L4", "vendor": "nvidia", "memory": "24Gi"}
    assert rig.asked.post(GPUS, json=l4).status_code == 200
    assert [each["name"] for each in rig.asked.get(GPUS).json()] == ["L4"]
    shown = rig.asked.get(f"{ADMIN}/gpu.l4.1").json()
    assert shown["config"]["gpu_config"] == {"type": "L4", "memory": "24Gi"}
    assert rig.asked.patch(f"{GPUS}/L4", json={"memory": "23Gi"}).json()["memory"] == "23Gi"
    gpu = {"resources": {"requests": {"gpu": "1"}}, "gpu_config": {"type": "L4"}}
    rig.asked.post(ADMIN, json={"name": "gpu.x", "config": gpu})
    assert rig.asked.delete(f"{GPUS}/L4").json() == {"error": "the GPU 'L4' is that of gpu.x"}
    rig.asked.delete(f"{ADMIN}/gpu.x")
    assert rig.asked.delete(f"{GPUS}/L4").status_code == 200
    assert rig.asked.get(f"{GPUS}/L4").status_code == 404


def test_the_cluster_tells_of_its_nodes_and_what_they_offer() -> None:
    with rigged(world=World(nodes=2, resources={"CPU": 4.0})) as rig:
        [listed] = rig.asked.get("/api/v1/clusters").json()["items"]
        full = rig.asked.get("/api/v1/clusters/default").json()
        assert rig.asked.get("/api/v1/clusters/west").status_code == 404
    assert {each["name"] for each in listed["resource_instance_names"]} >= {"cpu.1"}
    assert len(full["config"]["nodes"]) == 2
    assert full["config"]["total"] == {"CPU": 8.0}
    assert full["organization"]["name"] == "default"


def test_there_is_one_cluster_whose_description_can_be_changed(rig: Rig) -> None:
    assert rig.asked.post("/api/v1/clusters", json={"name": "default"}).status_code == 409
    assert rig.asked.post("/api/v1/clusters", json={"name": "west"}).status_code == 422
    change = {"description": "ours", "config": None, "multi_tenancy": False}
    assert rig.asked.patch("/api/v1/clusters/default", json=change).status_code == 200
    [listed] = rig.asked.get("/api/v1/clusters").json()["items"]
    assert listed["description"] == "ours"
    assert rig.asked.get("/api/v1/clusters?search=west").json()["total"] == 0


def test_the_parts_of_a_mesh_say_how_they_are(rig: Rig) -> None:
    for path in ("yatai_components", "current_org/yatai_components"):
        found = {each["name"]: each for each in rig.asked.get(f"/api/v1/{path}").json()}
        assert found["store"]["description"] == "answers"
        assert found["gateways"]["latest_heartbeat_at"] is None
        assert "of 64 CPU free" in next(
            each["description"] for name, each in found.items() if name.startswith("node-")
        )
    assert rig.asked.get("/api/v1/clusters/default/yatai_components").status_code == 200
    assert rig.asked.get("/api/v1/clusters/west/yatai_components").status_code == 404


def test_labels_are_told_with_the_values_that_they_have(rig: Rig) -> None:
    deploy(rig, labels={"team": "vision"})
    assert rig.asked.get("/api/v1/labels?resource_type=deployment").json() == [
        {"key": "team", "values": ["vision"]}
    ]
    assert rig.asked.get("/api/v1/labels?resource_type=bento").json() == []


def test_version_and_info_want_no_token(rig: Rig) -> None:
    with rig.as_("") as stranger:
        assert stranger.get("/api/v1/version").json()["version"]
        assert stranger.get("/api/v1/info").json()["on_prem"]
        assert stranger.get(TYPES).status_code == 401
