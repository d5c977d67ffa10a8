"""Tokens over the cloud API."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mesh.control.store.catalogue import Deeds
from mesh.serving.described import described
from tests.faces.cloud.rig import Rig

TOKENS = "/api/v1/api_tokens"


def sent(name: str = "t", **changed: Any) -> dict[str, Any]:
    """What the official client sends, explicit nulls and all."""
    return {"name": name, "description": None, "scopes": None, "expired_at": None, **changed}


def test_the_text_of_a_token_is_told_once(rig: Rig) -> None:
    made = rig.asked.post(TOKENS, json=sent(description="mine")).json()
    text = made["token"]
    assert text.startswith("mesh_")
    assert made["scopes"] == ["api"]
    assert made["expired_at"] is made["last_used_at"] is None
    assert (made["user"]["name"], made["organization"]["name"]) == ("owner", "default")
    assert (made["is_api_token"], made["is_access_token"], made["is_expired"]) == (
        True,
        False,
        False,
    )
    with rig.as_(text) as asked:
        assert asked.get("/api/v1/auth/current").json()["name"] == "owner"
        got, listed = asked.get(f"{TOKENS}/{made['uid']}"), asked.get(TOKENS)
        assert got.json()["token"] == ""
        assert got.json()["last_used_at"] is not None
        assert listed.json()["total"] == 1
        gone = asked.delete(f"{TOKENS}/{made['uid']}")
        assert asked.get("/api/v1/auth/current").status_code == 401
    deeds = rig.wait(rig.plane._running._store.journal.deeds(Deeds()))
    assert [each.operation for each in deeds] == ["deleted", "created"]
    assert {each.name for each in deeds} == {"t"}
    for told in (got.text, listed.text, gone.text, repr(deeds), repr(rig.access)):
        assert text not in told
    assert rig.asked.get(f"{TOKENS}/{made['uid']}").status_code == 404


def test_a_monitoring_token_reads_and_no_more(rig: Rig) -> None:
    made = rig.asked.post(TOKENS, json=sent(is_monitoring_token=True)).json()
    assert made["is_monitoring_token"] is True
    assert made["scopes"] == ["read_cluster", "read_organization"]
    with rig.as_(made["token"]) as asked:
        assert asked.get("/metrics").status_code == 200
        assert asked.get("/api/v2/deployments").status_code == 200
        assert asked.post("/api/v2/deployments", json={}).status_code == 403
    wide = rig.asked.post(TOKENS, json=sent(is_monitoring_token=True, scopes=["api"]))
    assert wide.status_code == 400
    assert rig.asked.post(TOKENS, json=sent()).json()["is_monitoring_token"] is False


def test_a_token_for_endpoints_opens_what_they_lead_to(rig: Rig) -> None:
    made = rig.asked.post(TOKENS, json=sent(is_global_router_access=True)).json()
    assert (made["is_global_router_access"], made["is_global_access"]) == (True, False)
    assert made["scopes"] == []
    (grant,) = (each for each in rig.access.grants().values() if each.organization == "default")
    assert grant.everything


def test_what_is_wrong_with_a_token_is_told(rig: Rig) -> None:
    wrong = {
        "scopes": ["write_all"],
        "expired_at": "soon",
        "deployment_uids": ["none"],
        "name": "",
    }
    for key, value in wrong.items():
        reply = rig.asked.post(TOKENS, json=sent(**{key: value}))
        assert reply.status_code in (400, 404), key
    reply = rig.asked.post(TOKENS, json=sent(scopes=["api", "write_all"]))
    assert reply.json()["error"].startswith("'write_all' is no scope: there are api, ")
    lone = json.dumps(sent("\ud800"))
    assert rig.asked.post(TOKENS, content=lone).status_code == 400
    assert rig.asked.post(TOKENS, json=sent("x" * 2000)).status_code == 400
    assert rig.asked.get(TOKENS).json()["total"] == 0


@pytest.mark.parametrize(
    ("text", "zone"), [("%Y-%m-%d %H:%M:%S.%f", 0), ("%Y-%m-%dT%H:%M:%S.%f+02:00", 2)]
)
def test_when_a_token_expires_is_read_leniently(rig: Rig, text: str, zone: int) -> None:
    then = datetime.now(UTC) + timedelta(days=30)
    told = (then + timedelta(hours=zone)).strftime(text)
    made = rig.asked.post(TOKENS, json=sent(expired_at=told)).json()
    assert datetime.fromisoformat(made["expired_at"]) == then
    past = (then - timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = rig.asked.patch(f"{TOKENS}/{made['uid']}", json={"expired_at": past}).json()
    assert changed["is_expired"]
    reply = rig.as_(made["token"]).get(TOKENS)
    assert (reply.status_code, reply.json()) == (401, {"error": "the token 't' has expired"})


def test_a_change_leaves_what_is_absent(rig: Rig) -> None:
    made = rig.asked.post(TOKENS, json=sent(description="mine", scopes=["read_cluster"])).json()
    where = f"{TOKENS}/{made['uid']}"
    changed = rig.asked.patch(where, json={"description": None, "scopes": ["write_cluster"]})
    assert changed.json()["scopes"] == ["write_cluster"]
    assert changed.json()["description"] == "mine"
    assert rig.asked.patch(where, json={"scopes": []}).status_code == 400


def test_who_sees_and_changes_which_tokens(rig: Rig) -> None:
    ann, bob, eve = (
        rig.as_(rig.member(name, role))
        for name, role in (("ann", "admin"), ("bob", "developer"), ("eve", "developer"))
    )
    shared = ann.post(TOKENS, json=sent("shared", is_organization_token=True)).json()
    assert shared["is_organization_token"]
    own = {
        who: [each["name"] for each in asked.get(TOKENS).json()["items"]]
        for who, asked in (("ann", ann), ("bob", bob), ("eve", eve))
    }
    assert own == {
        "ann": ["shared", "of-eve", "of-bob", "of-ann"],
        "bob": ["shared", "of-bob"],
        "eve": ["shared", "of-eve"],
    }
    of_eve = next(
        each["uid"] for each in ann.get(TOKENS).json()["items"] if each["name"] == "of-eve"
    )
    assert bob.get(f"{TOKENS}/{of_eve}").status_code == 404
    assert bob.delete(f"{TOKENS}/{of_eve}").status_code == 404
    assert bob.get(f"{TOKENS}/{shared['uid']}").status_code == 200
    assert bob.delete(f"{TOKENS}/{shared['uid']}").status_code == 403
    assert bob.patch(f"{TOKENS}/{shared['uid']}", json={"scopes": ["api"]}).status_code == 403
    assert bob.post(TOKENS, json=sent(is_organization_token=True)).status_code == 403
    assert ann.delete(f"{TOKENS}/{of_eve}").status_code == 200
    assert eve.get(TOKENS).status_code == 401
    with rig.as_(shared["token"]) as asked:
        assert asked.get("/api/v1/auth/current").json()["name"] == "token:shared"
        assert [each["name"] for each in asked.get(TOKENS).json()["items"]] == ["shared"]
        assert asked.post(TOKENS, json=sent()).status_code == 422


def test_tokens_are_listed_by_page_and_name(rig: Rig) -> None:
    for number in range(5):
        rig.asked.post(TOKENS, json=sent(f"t{number}"))
    query = {"start": "1", "count": "2", "q": "", "search": ""}
    found = rig.asked.get(TOKENS, params=query).json()
    assert [each["name"] for each in found["items"]] == ["t3", "t2"]
    assert (found["start"], found["count"], found["total"]) == (1, 2, 5)
    named = rig.asked.get(TOKENS, params={"search": "t4"}).json()
    assert [each["name"] for each in named["items"]] == ["t4"]


def test_which_tokens_open_a_deployment(rig: Rig) -> None:
    for name in ("d1", "d2"):
        application = described("tests.client.control.shelf:BookShelf", {"name": name}, ["."])
        rig.plane.apply(json.dumps(application.document).encode())
    uids = {each.name: each.uid for each in rig.plane._running.controller.deployments()}
    one = rig.asked.post(TOKENS, json=sent("one", deployment_uids=[uids["d1"]])).json()
    assert (one["scopes"], one["deployment_names"]) == ([], ["d1"])
    assert one["is_access_token"]
    assert not one["is_api_token"]
    rig.asked.post(TOKENS, json=sent("all", is_global_access=True))
    rig.asked.post(TOKENS, json=sent("any", scopes=["api"]))
    rig.asked.post(TOKENS, json=sent("none", scopes=["write_cluster"]))

    def opening(name: str) -> list[str]:
        found = rig.asked.get(f"/api/v2/deployments/{name}/api_tokens", params={"cluster": ""})
        return [each["name"] for each in found.json()["items"]]

    assert opening("d1") == ["any", "all", "one"]
    assert opening("d2") == ["any", "all"]
    assert rig.asked.get("/api/v2/deployments/d3/api_tokens").status_code == 404
