"""Standbys over the cloud API."""

from mesh.access.principal import Role
from tests.cluster.fake_cluster import World
from tests.faces.cloud.rig import Rig, rigged

CLUSTER = "/api/v1/clusters/default"
HERE = f"{CLUSTER}/standby_instances"


def wants(rig: Rig, **numbers: object) -> int:
    body = {"standby_instances": {name.replace("_", "."): each for name, each in numbers.items()}}
    return rig.asked.patch(HERE, json=body).status_code


def told(rig: Rig) -> object:
    return rig.asked.get(CLUSTER).json()["config"]["standby_instances"]


def test_so_many_are_kept_as_are_wanted_and_no_others(rig: Rig) -> None:
    assert told(rig) == {}
    body = {"standby_instances": {"cpu.1": 2, "gpu.l4.1": 1}}
    changed = rig.asked.patch(HERE, json=body).json()
    assert changed["standby_instances"] == {"cpu.1": 2, "gpu.l4.1": 1}
    # None of the nodes has a GPU of this type.
    assert told(rig) == {
        "cpu.1": {"wanted": 2, "ready": 2},
        "gpu.l4.1": {"wanted": 1, "ready": 0},
    }
    rig.asked.patch(CLUSTER, json={"description": "ours"})
    (listed,) = rig.asked.get("/api/v1/clusters").json()["items"]
    assert (listed["description"], listed["standby_instances"]["cpu.1"]) == ("ours", 2)
    assert wants(rig, cpu_1=0, cpu_2=1) == 200
    assert told(rig) == {"cpu.2": {"wanted": 1, "ready": 1}}
    assert rig.asked.patch(HERE, json={"standby_instances": None}).status_code == 200
    assert told(rig) == {"cpu.2": {"wanted": 1, "ready": 1}}


def test_what_cannot_be_kept_is_refused_and_changes_nothing(rig: Rig) -> None:
    assert wants(rig, cpu_1=1) == 200
    for wrong in (-1, 1001, "many", [], 2**70):
        assert wants(rig, cpu_1=wrong) in (400, 422), wrong
    assert wants(rig, cpu_7=1) in (400, 422)
    assert wants(rig, cpu_1=None, cpu_2=None) == 200
    assert told(rig) == {}
    assert rig.asked.patch(HERE, json={"standby_instances": []}).status_code in (400, 422)
    other = CLUSTER.replace("default", "other")
    assert rig.asked.patch(f"{other}/standby_instances", json={}).status_code == 404


def test_only_administrators_set_them(rig: Rig) -> None:
    developer = rig.as_(rig.member("dev", Role.DEVELOPER))
    assert developer.patch(HERE, json={"standby_instances": {"cpu.1": 1}}).status_code == 403
    assert told(rig) == {}


def test_the_next_controller_keeps_as_many(rig: Rig) -> None:
    assert wants(rig, cpu_1=3) == 200
    _, running = rig.plane._started()
    store = running._store
    assert store is not None
    with rigged(lambda: store, World()) as after:
        while told(after) != {"cpu.1": {"wanted": 3, "ready": 3}}:
            pass
