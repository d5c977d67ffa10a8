"""Deployments of the cloud API, over a whole control plane."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mesh.control.store.memory import MemoryStore
from tests.cluster.fake_cluster import Behaviour, World
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.cloud.shelf import NO_TORCH, Shelf

URL = "/api/v2/deployments"
NO_METRIC = {"type": "x", "value": 1}


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


def until(rig: Rig, name: str, status: str, done: Callable[[Any], bool] = bool) -> Any:
    """The deployment, when it has this status."""
    deadline = time.monotonic() + 30
    while True:
        found = rig.asked.get(f"{URL}/{name}").json()
        if found["status"] == status and done(found):
            return found
        assert time.monotonic() < deadline, f"{found['status']}, not {status}"
        time.sleep(0.01)


def body(bento: str = "tiny:v1", **more: Any) -> dict[str, Any]:
    """What the client sends, with every key of it."""
    return {
        "access_authorization": False,
        "envs": None,
        "labels": None,
        "secrets": None,
        "services": {},
        "canary": None,
        "bento": bento,
        **more,
    }


def service(**more: Any) -> dict[str, Any]:
    return {
        "instance_type": None,
        "scaling": {"min_replicas": 1, "max_replicas": 1, "policy": None},
        "envs": None,
        "deployment_strategy": None,
        "extras": None,
        "cold_start_timeout": None,
        "config_overrides": {},
        **more,
    }


def create(rig: Rig, name: str | None = "d", bento: str = "tiny:v1", **more: Any) -> Any:
    reply = rig.asked.post(f"{URL}?cluster=", json=body(bento, name=name, **{"dev": False, **more}))
    assert reply.status_code == 200, reply.text
    return reply.json()


def error(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]


def test_a_deployment_is_built_and_runs(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    made = create(rig, labels=[{"key": "team", "value": "vision"}])
    assert (made["name"], made["status"]) == ("d", "deploying")
    assert made["urls"] == ["http://gateway.test/e/d"]
    (target,) = made["latest_revision"]["targets"]
    assert (target["bento"]["repository"]["name"], target["bento"]["name"]) == ("tiny", "v1")
    assert rig.asked.get(f"{URL}/d?cluster=").json()["status"] == "deploying"
    shelf.free()
    found = until(rig, "d", "running")
    assert found["uid"] == made["uid"]
    assert found["labels"] == [{"key": "team", "value": "vision"}]
    assert found["creator"]["name"] == "owner"
    assert found["latest_revision"]["status"] == "active"
    assert found["manifest"]["routing"] is None
    assert found["manifest"]["replicas"] == {"Main": 1}


def test_an_organization_without_the_cluster_deploys_nothing(rig: Rig, shelf: Shelf) -> None:
    rig.asked.post("/api/v1/orgs", json={"name": "lab"})
    theirs = rig.as_(rig.member("ann", "admin", "lab"))
    refused = (403, "organization 'lab' may not use cluster 'default'")
    wanted = body(name="l", dev=False)
    assert error(theirs.post(URL, json=wanted)) == refused
    assert shelf.built == []
    allowed = rig.asked.post("/api/admin/v1/orgs/lab/clusters", json={"name": "default"})
    assert allowed.status_code == 200
    assert theirs.post(URL, json=wanted).status_code == 200


def test_what_is_set_comes_back(rig: Rig) -> None:
    policy = {
        "metrics": [{"type": "cpu", "value": 80}, {"type": "memory", "value": "2Gi"}],
        "scale_down_behavior": "stable",
        "scale_up_behavior": None,
        "scale_down_stabilization_window": 60,
        "scale_up_stabilization_window": None,
    }
    extras = {"bento_function_overrides": {"annotations": {"a": "b"}}}
    create(
        rig,
        envs=[{"name": "A", "value": "1"}],
        access_authorization=True,
        services={
            "Main": service(
                instance_type="cpu.1",
                scaling={"min_replicas": 0, "max_replicas": 3, "policy": policy},
                deployment_strategy="Recreate",
                cold_start_timeout=30,
                extras=extras,
                envs=[{"name": "B", "value": "2"}],
                config_overrides={"traffic": {"timeout": 5, "concurrency": 2}},
            )
        },
    )
    found = until(rig, "d", "running")
    config = found["latest_revision"]["targets"][0]["config"]
    assert config["access_authorization"] is True
    assert [(each["name"], each["value"]) for each in config["envs"]] == [("A", "1")]
    main = config["services"]["Main"]
    assert (main["instance_type"], main["deployment_strategy"]) == ("cpu.1", "Recreate")
    assert (main["cold_start_timeout"], main["coldstart_timeout"]) == (30, 30)
    assert main["extras"] == extras
    assert main["config_overrides"] == {"traffic": {"timeout": 5, "concurrency": 2}}
    scaling = main["scaling"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (0, 3)
    assert scaling["policy"]["metrics"] == [
        {"type": "cpu", "value": "80"},
        {"type": "memory", "value": "2Gi"},
    ]
    assert scaling["policy"]["scale_down_stabilization_window"] == 60


def test_canaries_have_targets_of_their_own_and_weights(rig: Rig) -> None:
    versions = {
        "next": {"bento": "tiny:v2", "weight": 30, "envs": None, "secrets": None, "services": {}}
    }
    canary = {"route_type": "header", "route_by": "x-user", "versions": versions}
    create(rig, canary=canary, envs=[{"name": "A", "value": "1"}])
    found = until(rig, "d", "running")
    targets = found["latest_revision"]["targets"]
    assert [each["name"] for each in targets] == ["main", "next"]
    assert [each["bento"]["version"] for each in targets] == ["v1", "v2"]
    routing = found["manifest"]["routing"]
    assert (routing["route_type"], routing["route_by"]) == ("header", "x-user")
    assert routing["weights"] == {"main": 70, "next": 30}
    launches = [each.launch for each in rig.world.processes()]
    assert {each.version: each.envs for each in launches} == {
        "main": {"A": "1"},
        "next": {"A": "1"},
    }


def test_a_put_keeps_what_is_absent_and_clears_what_is_null(rig: Rig) -> None:
    create(
        rig,
        description="first",
        labels=[{"key": "a", "value": "b"}],
        envs=[{"name": "A", "value": "1", "stage": "runtime"}],
        services={"Main": service(instance_type="cpu.1", enable_image_builder_colocation=True)},
    )
    until(rig, "d", "running")
    sent = body(envs=[{"name": "A", "value": "2"}], services={"Main": service()})
    found = rig.asked.put(f"{URL}/d?cluster=default", json=sent).json()
    config = found["latest_revision"]["targets"][0]["config"]
    assert found["description"] == "first"
    assert found["labels"] == [{"key": "a", "value": "b"}]
    assert config["envs"] == [{"name": "A", "value": "2", "stage": "runtime"}]
    assert config["services"]["Main"]["instance_type"] is None
    assert config["services"]["Main"]["enable_image_builder_colocation"] is True
    found = rig.asked.put(f"{URL}/d", json={"description": None, "envs": None}).json()
    assert found["description"] == ""
    assert found["latest_revision"]["targets"][0]["config"]["envs"] == []


def test_a_release_is_described_once(rig: Rig, shelf: Shelf) -> None:
    create(rig)
    until(rig, "d", "running")
    assert create(rig, "e")["status"] in ("deploying", "running")
    until(rig, "e", "running")
    assert shelf.built == ["tiny:v1"]


def test_the_newest_is_found_out_at_once(rig: Rig) -> None:
    made = create(rig, bento="tiny:latest")
    assert made["latest_revision"]["targets"][0]["bento"]["version"] == "v2"


def test_a_name_is_invented_where_none_is_given(rig: Rig) -> None:
    name = create(rig, None)["name"]
    assert name.startswith("tiny-")
    assert len(name) == len("tiny-") + 4


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        ({"name": "D"}, 400, "name: 'D' must be"),
        ({"name": "9d"}, 400, "name: '9d' must be"),
        ({"bento": "none:v1"}, 400, "bento: there is no release 'none:v1'"),
        ({"bento": None}, 400, "bento: say which"),
        ({"secrets": ["s1"]}, 400, "secrets: there is no secret 's1'"),
        (
            {"services": {"Main": {"instance_type": "none"}}},
            400,
            "services.Main.instance_type: there is no instance type 'none'",
        ),
        ({"services": {"Part": {}}}, 400, "services.Part: tiny:v1 has no such service"),
        (
            {"services": {"Main": {"scaling": {"min_replicas": -1}}}},
            400,
            "services.Main.scaling.min_replicas: ",
        ),
        (
            {
                "services": {
                    "Main": {"scaling": {"policy": {"metrics": [{"type": "x", "value": 1}]}}}
                }
            },
            400,
            "services.Main.scaling.policy.metrics.0.type: ",
        ),
        ({"services": {"Main": {"deployment_strategy": "x"}}}, 400, "Main.deployment_strategy: "),
        ({"envs": [{"name": "A=B", "value": ""}]}, 400, "envs.0.name: "),
        (
            {"canary": {"versions": {"a": {"bento": "none:1"}}}},
            400,
            "canary.versions.a.bento: there is no release",
        ),
        (
            {"canary": {"versions": {"a": {"bento": "tiny:v2", "weight": 101}}}},
            400,
            "canary.versions.a.weight: ",
        ),
        ({"canary": {"route_type": "header", "versions": {}}}, 400, "route_by"),
    ],
)
def test_what_is_wrong_is_refused_at_once(
    rig: Rig, more: dict[str, Any], status: int, told: str
) -> None:
    reply = rig.asked.post(URL, json=body(**{"name": "d", **more}))
    assert error(reply)[0] == status
    assert told in error(reply)[1]
    assert rig.asked.get(URL).json()["total"] == 0


def test_what_is_there_is_not_made_again(rig: Rig) -> None:
    create(rig)
    assert error(rig.asked.post(URL, json=body(name="d"))) == (
        409,
        "deployment 'd' already exists",
    )


def test_a_new_deployment_that_cannot_be_built_is_failed_and_tried_again(
    rig: Rig, shelf: Shelf
) -> None:
    shelf.broken["tiny:v1"] = NO_TORCH
    create(rig)
    until(rig, "d", "failed")
    records = rig.asked.get(f"{URL}/d/status_records").json()
    assert records["items"][0]["reason"] == NO_TORCH.message
    assert not list(rig.world.processes())
    shelf.broken.clear()
    assert rig.asked.put(f"{URL}/d", json=body()).json()["status"] == "deploying"
    until(rig, "d", "running")
    assert shelf.built == ["tiny:v1", "tiny:v1"]


def test_an_update_that_cannot_be_built_leaves_the_old_revision_serving(
    rig: Rig, shelf: Shelf
) -> None:
    create(rig)
    until(rig, "d", "running")
    (before,) = rig.world.processes()
    shelf.broken["tiny:v2"] = NO_TORCH
    rig.asked.put(f"{URL}/d", json=body("tiny:v2"))
    found = until(rig, "d", "failed")
    assert found["latest_revision"]["targets"][0]["bento"]["version"] == "v2"
    assert list(rig.world.processes()) == [before]
    revisions = rig.asked.get(f"{URL}/d/revisions").json()
    assert [each["status"] for each in revisions["items"]] == ["inactive", "active"]
    rig.asked.put(f"{URL}/d", json=body("tiny:v1"))
    assert until(rig, "d", "running")["latest_revision"]["name"] == "1"


def test_a_later_wish_goes_before_one_that_is_being_built(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    create(rig)
    rig.asked.put(f"{URL}/d", json=body("tiny:v2"))
    shelf.free()
    found = until(rig, "d", "running")
    assert found["latest_revision"]["targets"][0]["bento"]["version"] == "v2"
    assert found["latest_revision"]["name"] == "1"


def test_what_never_ran_is_terminated_started_and_deleted(rig: Rig, shelf: Shelf) -> None:
    shelf.broken["tiny:v1"] = NO_TORCH
    create(rig)
    until(rig, "d", "failed")
    assert rig.asked.post(f"{URL}/d/terminate?cluster=").json()["status"] == "terminated"
    shelf.broken.clear()
    rig.asked.put(f"{URL}/d", json=body())
    until(rig, "d", "running")
    shelf.broken["tiny:v2"] = NO_TORCH
    create(rig, "e", "tiny:v2")
    until(rig, "e", "failed")
    gone = rig.asked.delete(f"{URL}/e?cluster=")
    assert gone.status_code == 200
    assert rig.asked.get(f"{URL}/e").status_code == 404


def test_a_deployment_is_terminated_started_restarted_and_deleted(rig: Rig) -> None:
    create(rig)
    until(rig, "d", "running")
    assert rig.asked.post(f"{URL}/d/terminate").json()["status"] in ("terminating", "terminated")
    found = until(rig, "d", "terminated")
    assert found["latest_revision"]["targets"][0]["bento"]["name"] == "v1"
    rig.asked.put(f"{URL}/d", json=body())
    until(rig, "d", "running")
    (before,) = rig.world.processes()
    rig.asked.put(f"{URL}/d/void_update?cluster=")
    until(rig, "d", "running", lambda _: before not in list(rig.world.processes()))
    gone = rig.asked.delete(f"{URL}/d").json()
    assert (gone["name"], gone["status"]) == ("d", "terminating")
    assert error(rig.asked.get(f"{URL}/d")) == (404, "there is no deployment 'd'")
    assert error(rig.asked.delete(f"{URL}/d"))[0] == 404


def test_the_same_again_changes_nothing(rig: Rig) -> None:
    create(rig, services={"Main": service()})
    before = until(rig, "d", "running")
    after = rig.asked.put(f"{URL}/d", json=body(services={"Main": service()})).json()
    assert after["latest_revision"]["uid"] == before["latest_revision"]["uid"]


def test_labels_are_replaced(rig: Rig, shelf: Shelf) -> None:
    create(rig)
    until(rig, "d", "running")
    labels = [{"key": "a", "value": "b"}]
    assert rig.asked.put(f"{URL}/d/labels", json={"labels": labels}).json()["labels"] == labels
    shelf.hold()
    create(rig, "e", "tiny:v2")
    assert rig.asked.put(f"{URL}/e/labels", json={"labels": labels}).json()["labels"] == labels
    shelf.free()
    assert until(rig, "e", "running")["labels"] == labels


def test_what_was_is_told(rig: Rig) -> None:
    create(rig)
    until(rig, "d", "running")
    rig.asked.put(f"{URL}/d", json=body("tiny:v2"))
    until(rig, "d", "running", lambda each: each["latest_revision"]["name"] == "2")
    revisions = rig.asked.get(f"{URL}/d/revisions?start=&count=&q=&search=").json()
    assert [each["name"] for each in revisions["items"]] == ["2", "1"]
    last = revisions["items"][1]
    assert last["targets"][0]["bento"]["version"] == "v1"
    assert rig.asked.get(f"{URL}/d/revisions/{last['uid']}").json() == last
    assert error(rig.asked.get(f"{URL}/d/revisions/none"))[0] == 404
    records = rig.asked.get(f"{URL}/d/status_records?count=2").json()
    assert records["total"] >= 2
    assert records["items"][0]["status"] == "running"
    place = "organizations/default/clusters/default/namespaces/default"
    same = rig.asked.get(f"/api/admin/v1/{place}/deployments/d/status_records?count=2")
    assert same.json() == records


def test_what_a_release_does_not_get_is_told(rig: Rig, shelf: Shelf) -> None:
    shelf.warnings["tiny:v1"] = ("system packages are not installed: ffmpeg", "<b> is not run")
    create(rig)
    until(rig, "d", "running")
    records = rig.asked.get(f"{URL}/d/status_records").json()["items"]
    assert len({each["uid"] for each in records}) == len(records)
    warnings = [each for each in records if each["reason"].startswith("warning: ")]
    assert {each["reason"] for each in warnings} == {
        "warning: system packages are not installed: ffmpeg",
        "warning: <b> is not run",
    }
    assert {each["status"] for each in warnings} == {"deploying"}
    assert {each["deployment_revision"]["name"] for each in warnings} == {"1"}


def test_lists_have_what_is_asked_for(rig: Rig, shelf: Shelf) -> None:
    shelf.put("other:v1")
    shelf.broken["other:v1"] = NO_TORCH
    create(rig, "one", labels=[{"key": "team", "value": "a"}])
    create(rig, "two", labels=[{"key": "team", "value": "b"}])
    create(rig, "three", "other:v1")
    rig.asked.post(URL, json=body(name="four", dev=True))
    for name in ("one", "two", "four"):
        until(rig, name, "running")
    until(rig, "three", "failed")

    def names(**query: Any) -> list[str]:
        given = {"cluster": "", "all": "true", "count": "", "q": "", "search": "", "start": ""}
        found = rig.asked.get(URL, params=given | query).json()
        assert found["total"] >= len(found["items"])
        return [each["name"] for each in found["items"]]

    assert names() == ["four", "three", "two", "one"]
    assert names(count="2", start="1") == ["three", "two"]
    assert names(q="label:team=a") == ["one"]
    assert names(q="label:team=a label:team=b") == []
    assert names(q="label:team") == ["two", "one"]
    assert names(q="-label:team") == ["four", "three"]
    assert names(q="is:dev") == ["four"]
    assert names(q="not:dev sort:name-asc") == ["one", "three", "two"]
    assert names(q="status:failed") == ["three"]
    assert names(q="bento:tiny:v1 sort:created_at-asc") == ["one", "two", "four"]
    assert names(q="bento_repository:other") == ["three"]
    assert names(q="creator:@me tw") == ["two"]
    assert names(q="creator:nobody") == []
    assert names(search="o") == ["four", "two", "one"]
    assert names(cluster="default", all="") == ["four", "three", "two", "one"]
    assert names(cluster="elsewhere") == []
    for path in ("/api/v1/deployments", "/api/v1/deployments-wo-revisions"):
        assert rig.asked.get(path, params={"count": 1}).json()["items"][0]["name"] == "four"
    (one,) = rig.asked.get("/api/admin/v1/deployments?q=label:team=a").json()["items"]
    assert one["organization"]["name"] == "default"


def test_a_cluster_that_there_is_not_has_no_deployments(rig: Rig) -> None:
    create(rig)
    assert rig.asked.get(f"{URL}/d?cluster=elsewhere").status_code == 404
    assert rig.asked.post(f"{URL}?cluster=elsewhere", json=body(name="e")).status_code == 404


def test_a_build_goes_on_after_a_restart(shelf: Shelf) -> None:
    store = MemoryStore()
    shelf.hold()
    with rigged(lambda: store, shelf=shelf) as first:
        create(first)
    shelf.free()
    with rigged(store.reopened, shelf=shelf) as second:
        assert until(second, "d", "running")["creator"]["name"] == "owner"


def test_a_deployment_is_as_old_as_the_wish_for_it(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    wanted = create(rig)["created_at"]
    shelf.free()
    assert until(rig, "d", "running")["created_at"] == wanted


def test_what_failed_is_failed_after_a_restart(shelf: Shelf) -> None:
    store = MemoryStore()
    shelf.broken["tiny:v1"] = NO_TORCH
    with rigged(lambda: store, shelf=shelf) as first:
        create(first)
        until(first, "d", "failed")
    with rigged(store.reopened, shelf=shelf) as second:
        until(second, "d", "failed")
        assert shelf.built == ["tiny:v1"]


def test_replicas_that_cannot_start_are_a_failed_deployment(shelf: Shelf) -> None:
    with rigged(world=World(behave=lambda _: Behaviour(fails="no GPU")), shelf=shelf) as rig:
        create(rig)
        until(rig, "d", "failed")
        records = rig.asked.get(f"{URL}/d/status_records").json()["items"]
        assert "no GPU" in records[0]["reason"]


def test_a_release_is_advised_the_smallest_type_that_has_enough(rig: Rig, shelf: Shelf) -> None:
    made = shelf.put("big:v1")
    config = {"resources": {"cpu": "3", "memory": "1Gi"}, "traffic": {"timeout": 5}}
    services = [{"name": "Main", "config": config}]
    shelf.releases["big:v1"] = replace(made, manifest={**made.manifest, "services": services})
    url = "/api/v1/bento_repositories/big/bentos/v1/recommendation_configs?cluster=&distributed="
    found = rig.asked.get(url).json()
    assert found["services"]["Main"]["instance_type"] == found["instance_type"] == "cpu.4"
    assert found["traffic"]["timeout"] == 5
    lacks = {each["name"]: each["insufficient_resources"] for each in found["instance_types"]}
    assert (lacks["cpu.1"], lacks["cpu.8"]) == (["cpu"], [])
    assert error(rig.asked.get(url.replace("big", "none")))[0] == 404


def test_the_form_of_a_deployment_is_a_json_schema(rig: Rig) -> None:
    form = rig.asked.get("/api/v1/deployment_creation_json_schema").json()
    assert {"name", "bento", "services", "canary"} <= form["properties"].keys()
