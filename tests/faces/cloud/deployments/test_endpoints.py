"""Endpoints over the cloud API."""

import json
from typing import Any

import pytest

from mesh.access.principal import Role
from mesh.serving.described import described
from tests.control.test_controller import app
from tests.faces.cloud.rig import Rig

ENDPOINTS = "/api/v1/endpoints"
KEY = "sk-0123456789"


@pytest.fixture
def uids(rig: Rig) -> dict[str, str]:
    """The uids of the deployments d1 and d2, by name."""
    for name in ("d1", "d2"):
        application = described("tests.client.control.shelf:BookShelf", {"name": name}, ["."])
        rig.plane.apply(json.dumps(application.document).encode())
    return {each.name: each.uid for each in rig.plane._running.controller.deployments()}


def sent(name: str = "front", **more: Any) -> dict[str, Any]:
    """A body with all keys, as clients send it."""
    return {
        "name": name,
        "domain": None,
        "protocol": None,
        "strategy": None,
        "load_balance": None,
        "deployment_ids": None,
        "deployment_weights": None,
        "upstreams": None,
        "overflow_scale_out_delay": None,
        **more,
    }


def made(rig: Rig, **more: Any) -> dict[str, Any]:
    reply = rig.asked.post(ENDPOINTS, json=sent(**more))
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_an_endpoint_over_deployments_is_made_and_shown(rig: Rig, uids: dict[str, str]) -> None:
    weights = {uids["d1"]: 3, uids["d2"]: 1}
    endpoint = made(
        rig,
        deployment_ids=[uids["d2"], uids["d1"]],
        deployment_weights=weights,
        load_balance="overflow",
        overflow_scale_out_delay=7,
        protocol="openai",
        strategy="model",
        domain="example.com",
    )
    assert endpoint["resource_type"] == "endpoint"
    assert endpoint["manifest"]["deployment_ids"] == [uids["d2"], uids["d1"]]
    assert endpoint["manifest"]["deployment_weights"] == weights
    assert (endpoint["load_balance"], endpoint["overflow_scale_out_delay"]) == ("overflow", 7)
    assert (endpoint["protocol"], endpoint["strategy"]) == ("openai", "model")
    assert endpoint["domain"] == "example.com"
    assert endpoint["url"].endswith("/e/front")
    assert [each["name"] for each in endpoint["deployments"]] == ["d2", "d1"]
    assert endpoint["organization"]["name"] == "default"
    assert rig.asked.get(f"{ENDPOINTS}/{endpoint['uid']}").json()["name"] == "front"
    assert rig.asked.get(f"{ENDPOINTS}/front").json()["uid"] == endpoint["uid"]
    (record,) = rig.plane._running.controller.endpoints()
    assert list(record.config["deployments"].items()) == [("d2", 1), ("d1", 3)]


def test_deployments_can_be_named(rig: Rig, uids: dict[str, str]) -> None:
    endpoint = made(rig, deployment_ids=["d1"])
    assert endpoint["manifest"]["deployment_weights"] == {uids["d1"]: 1}
    assert endpoint["load_balance"] == "weighted"


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        ({"deployment_ids": ["d1"], "load_balance": "fair"}, 400, "weighted, overflow, capacity"),
        ({"deployment_ids": ["d9"]}, 400, "there is no deployment 'd9'"),
        ({"deployment_ids": ["d1"], "deployment_weights": {"d2": 1}}, 400, "not among"),
        ({"deployment_ids": ["d1"], "deployment_weights": {"d1": -1}}, 400, "deployment_weights"),
        ({}, 400, "an endpoint needs one at least"),
        ({"upstreams": [{"url": "nowhere", "api_key": KEY}]}, 400, "upstreams.0.url"),
        ({"upstreams": [{"url": "https://x.example", "api_key": f"{KEY} é"}]}, 400, "api_key"),
        ({"upstreams": [{"url": "https://x.example", "api_key": [KEY]}]}, 400, "api_key"),
        ({"name": "No Name", "deployment_ids": ["d1"]}, 400, "name"),
        ({"name": None, "deployment_ids": ["d1"]}, 400, "name"),
    ],
)
def test_what_makes_no_endpoint_is_told_without_keys(
    rig: Rig, uids: dict[str, str], more: dict[str, Any], status: int, told: str
) -> None:
    reply = rig.asked.post(ENDPOINTS, json=sent(**more))
    assert (reply.status_code, told in reply.json()["error"]) == (status, True), reply.text
    assert KEY not in reply.text


def test_a_key_of_an_upstream_is_kept_and_never_told(rig: Rig) -> None:
    url = "https://api.example/v1"
    endpoint = made(rig, upstreams=[{"url": url, "model": "m", "api_key": KEY}])
    shown = {"url": url, "model": "m", "api_key": ""}
    assert endpoint["manifest"]["upstreams"] == [shown]
    assert endpoint["status"] == "running"
    # As a client would write back what it has read.
    changed = rig.asked.patch(
        f"{ENDPOINTS}/{endpoint['uid']}", json={"upstreams": [{**shown, "model": "n"}]}
    )
    assert changed.json()["manifest"]["upstreams"] == [{**shown, "model": "n"}]
    (record,) = rig.plane._running.controller.endpoints()
    assert record.keys == {0: KEY}
    renewed = rig.asked.patch(
        f"{ENDPOINTS}/{endpoint['uid']}", json={"upstreams": [{**shown, "api_key": "new"}]}
    )
    (record,) = rig.plane._running.controller.endpoints()
    assert record.keys == {0: "new"}
    everything = [
        rig.asked.get(ENDPOINTS).text,
        rig.asked.get("/api/v1/current_org/events").text,
        changed.text,
        renewed.text,
    ]
    assert KEY not in "".join(everything)


def test_a_change_keeps_what_it_does_not_say(rig: Rig, uids: dict[str, str]) -> None:
    before = made(
        rig,
        deployment_ids=["d1", "d2"],
        deployment_weights={"d1": 3, "d2": 1},
        protocol="openai",
        overflow_scale_out_delay=5,
    )
    nothing = {key: value for key, value in sent().items() if key != "name"}
    where = f"{ENDPOINTS}/{before['uid']}"
    after = rig.asked.patch(where, json=nothing).json()
    assert {**after, "updated_at": ""} == {
        **before,
        "updated_at": "",
        "manifest": after["manifest"],
    }
    assert after["manifest"]["deployment_weights"] == before["manifest"]["deployment_weights"]
    weights = {uids["d1"]: 1, uids["d2"]: 9}
    after = rig.asked.patch(where, json={"deployment_weights": weights, "strategy": "s"}).json()
    assert after["manifest"]["deployment_weights"] == weights
    assert (after["strategy"], after["protocol"], after["overflow_scale_out_delay"]) == (
        "s",
        "openai",
        5,
    )
    wrong = rig.asked.patch(where, json={"load_balance": "fair"})
    assert (wrong.status_code, "weighted" in wrong.json()["error"]) == (400, True)


def test_an_endpoint_is_terminated_started_and_deleted(rig: Rig, uids: dict[str, str]) -> None:
    uid = made(rig, deployment_ids=["d1"])["uid"]
    assert rig.asked.post(f"{ENDPOINTS}/{uid}/terminate").json()["status"] == "terminated"
    assert rig.asked.get(f"{ENDPOINTS}/{uid}").json()["status"] == "terminated"
    assert rig.asked.post(f"{ENDPOINTS}/{uid}/start").json()["status"] != "terminated"
    assert rig.asked.delete(f"{ENDPOINTS}/{uid}").json()["uid"] == uid
    assert rig.asked.get(f"{ENDPOINTS}/{uid}").status_code == 404
    assert rig.asked.delete(f"{ENDPOINTS}/{uid}").status_code == 404
    assert rig.asked.get("/api/v2/deployments/d1/endpoints").json()["total"] == 0


def test_the_endpoint_that_a_deployment_has_of_itself_is_not_deleted(
    rig: Rig, uids: dict[str, str]
) -> None:
    for named in ("d1", uids["d1"]):
        reply = rig.asked.delete(f"{ENDPOINTS}/{named}")
        assert reply.status_code == 404
        assert "delete the deployment" in reply.json()["error"]


def test_a_name_is_taken_once(rig: Rig, uids: dict[str, str]) -> None:
    made(rig, deployment_ids=["d1"])
    again = rig.asked.post(ENDPOINTS, json=sent(deployment_ids=["d2"]))
    assert (again.status_code, "already" in again.json()["error"]) == (409, True)
    # An endpoint with the name of a deployment goes before that's own.
    assert made(rig, name="d1", deployment_ids=["d2"])["name"] == "d1"


def test_endpoints_are_listed_by_page_name_and_deployment(rig: Rig, uids: dict[str, str]) -> None:
    for number in range(4):
        made(rig, name=f"e{number}", deployment_ids=["d1" if number % 2 else "d2"])
    query = {"start": "1", "count": "2", "q": "", "search": ""}
    found = rig.asked.get(ENDPOINTS, params=query).json()
    assert [each["name"] for each in found["items"]] == ["e2", "e1"]
    assert (found["start"], found["count"], found["total"]) == (1, 2, 4)
    named = rig.asked.get(ENDPOINTS, params={"search": "3"}).json()
    assert [each["name"] for each in named["items"]] == ["e3"]
    rig.asked.post(f"{ENDPOINTS}/e0/terminate")
    ended = rig.asked.get(ENDPOINTS, params={"q": "status:terminated creator:@me"}).json()
    assert [each["name"] for each in ended["items"]] == ["e0"]
    params = {"cluster": "default", "namespace": ""}
    leading = rig.asked.get("/api/v2/deployments/d1/endpoints", params=params).json()
    assert [each["name"] for each in leading["items"]] == ["e3", "e1"]
    assert rig.asked.get("/api/v2/deployments/d9/endpoints").status_code == 404


def test_other_organizations_see_and_take_nothing(rig: Rig, uids: dict[str, str]) -> None:
    uid = made(rig, deployment_ids=["d1"])["uid"]
    rig.asked.post("/api/v1/orgs", json={"name": "west"})
    with rig.as_(rig.member("ann", Role.ADMIN, "west")) as asked:
        assert asked.get(ENDPOINTS).json()["total"] == 0
        for reply in (
            asked.get(f"{ENDPOINTS}/{uid}"),
            asked.patch(f"{ENDPOINTS}/{uid}", json={"strategy": "x"}),
            asked.post(f"{ENDPOINTS}/{uid}/terminate"),
            asked.delete(f"{ENDPOINTS}/{uid}"),
            asked.get("/api/v2/deployments/d1/endpoints"),
        ):
            assert reply.status_code == 404
        for body in (
            sent("other", deployment_ids=["d1"]),
            sent("other", deployment_ids=[uids["d1"]]),
        ):
            assert asked.post(ENDPOINTS, json=body).status_code == 400
        outside = [{"url": "https://x.example"}]
        for name in ("front", "d1"):
            assert asked.post(ENDPOINTS, json=sent(name, upstreams=outside)).status_code == 409


def test_what_it_names_is_not_what_another_organization_has_of_that_name(
    rig: Rig, uids: dict[str, str]
) -> None:
    controller = rig.plane._running.controller
    made(rig, deployment_ids=["d1", "d2"])
    rig.wait(controller.delete("d1"))
    rig.wait(controller.terminate("d2"))
    rig.wait(controller.apply(app(name="d1"), organization="west", by="ann"))
    found = rig.asked.get(f"{ENDPOINTS}/front").json()
    assert found["manifest"]["deployment_ids"] == ["d1", uids["d2"]]
    assert [each["name"] for each in found["deployments"]] == ["d2"]
    assert found["status"] == "unhealthy", "nothing runs that it leads to"
    (listed,) = rig.asked.get(ENDPOINTS).json()["items"]
    assert listed["deployments"] == found["deployments"]


def test_who_may_only_read_changes_nothing(rig: Rig, uids: dict[str, str]) -> None:
    uid = made(rig, deployment_ids=["d1"])["uid"]
    with rig.as_(rig.member("bob", Role.API_USER)) as asked:
        assert asked.get(f"{ENDPOINTS}/{uid}").status_code == 200
        assert asked.delete(f"{ENDPOINTS}/{uid}").status_code == 403
        assert asked.post(ENDPOINTS, json=sent("e", deployment_ids=["d1"])).status_code == 403


def test_how_far_each_gateway_is_is_told(rig: Rig, uids: dict[str, str]) -> None:
    controller = rig.plane._running.controller
    uid = made(rig, deployment_ids=["d1"])["uid"]
    assert rig.asked.get(f"{ENDPOINTS}/{uid}").json()["manifest"]["sync_status"] == {}

    async def follow() -> None:
        for name, number in (("gateway/1", 7), ("gateway/2", 9), ("gateway/2", 8)):
            controller.watchers.applied(controller.watchers.add(name), number)
        controller.watchers.add("replica/1", "d1")

    rig.wait(follow())
    told = rig.asked.get(f"{ENDPOINTS}/{uid}").json()["manifest"]["sync_status"]
    assert told == {"gateway/1": 7, "gateway/2": 8}
