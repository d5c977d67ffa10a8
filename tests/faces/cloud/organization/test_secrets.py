"""Secrets over the cloud API."""

import json
from typing import Any

from mesh.control.store.catalogue import Deeds
from mesh.serving.described import described
from tests.e2e.clients import eventually
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.cloud.shelf import Shelf

SECRETS = "/api/v1/org_secrets"


def sent(name: str = "s1", **values: str) -> dict[str, Any]:
    """What the official client sends, explicit nulls and all."""
    items = [{"key": key, "sub_path": None, "value": value} for key, value in values.items()]
    content = {"type": "env", "items": items, "path": None, "stage": "runtime"}
    return {"name": name, "content": content, "description": None}


def test_a_secret_goes_in_and_its_values_never_come_out(rig: Rig) -> None:
    made = rig.asked.post(SECRETS, params={"cluster": ""}, json=sent(KEY="s3cret"))
    assert made.status_code == 200
    assert made.json()["content"] == {
        "type": "env",
        "stage": "runtime",
        "path": "",
        "items": [{"key": "KEY", "sub_path": ""}],
    }
    assert made.json()["description"] == ""
    assert made.json()["cluster"]["name"] == "default"
    assert rig.asked.get(f"{SECRETS}/s1").json() == made.json()
    listed = rig.asked.get(SECRETS)
    assert listed.json()["items"] == [made.json()]
    assert "s3cret" not in made.text + listed.text
    assert rig.asked.post(SECRETS, json=sent(KEY="x")).status_code == 409


def test_what_is_installed_for_a_release_gets_the_secrets_of_its_stage() -> None:
    shelf = Shelf()
    shelf.put("tiny:v1")
    with rigged(shelf=shelf) as rig:
        for stage in ("build", "runtime", "all"):
            given = sent(stage, **{stage.upper(): "s3same"})
            given["content"]["stage"] = stage
            assert rig.asked.post(SECRETS, json=given).status_code == 200
        versions = {"next": {"bento": "tiny:v1", "weight": 1}}
        wanted = {
            "name": "d",
            "bento": "tiny:v1",
            "secrets": ["build", "runtime", "all"],
            "canary": {"route_type": "random", "versions": versions},
            "envs": [
                {"name": f"ENV_{stage}", "value": "s3same", "stage": stage}
                for stage in ("build", "runtime", "all", "")
            ],
        }
        assert rig.asked.post("/api/v2/deployments", json=wanted).status_code == 200
        (process, *_) = eventually(lambda: list(rig.world.processes()), "a replica runs")
        launch = process.launch
    assert [build.envs.keys() for build in shelf.given] == [launch.build.envs.keys()]
    assert launch.build.envs.keys() == {"BUILD", "ALL", "ENV_build", "ENV_all"}
    assert launch.secrets.envs.keys() == {"RUNTIME", "ALL"}
    assert launch.envs.keys() == {"ENV_runtime", "ENV_all", "ENV_"}


def test_a_client_that_asks_for_ten_of_all_gets_all(rig: Rig) -> None:
    for number in range(12):
        assert rig.asked.post(SECRETS, json=sent(f"s{number}", A="1")).status_code == 200
    asked = {"count": "10", "q": "", "search": "", "start": "0", "all": "true"}
    assert len(rig.asked.get(SECRETS, params=asked).json()["items"]) == 12
    few = rig.asked.get(SECRETS, params={**asked, "all": ""}).json()
    assert (len(few["items"]), few["count"], few["total"]) == (10, 10, 12)
    named = rig.asked.get(SECRETS, params={**asked, "search": "s11"}).json()
    assert [each["name"] for each in named["items"]] == ["s11"]


def test_a_change_replaces_the_content_as_a_whole(rig: Rig) -> None:
    rig.asked.post(SECRETS, json={**sent(A="1", B="2"), "description": "about"})
    change = {key: value for key, value in sent(C="3").items() if key != "name"}
    changed = rig.asked.patch(f"{SECRETS}/s1", json=change).json()
    assert [item["key"] for item in changed["content"]["items"]] == ["C"]
    assert changed["description"] == "about"
    missing = rig.asked.patch(f"{SECRETS}/s2", json=change)
    assert missing.status_code == 404
    assert missing.json() == {"error": "there is no secret 's2'"}


def test_what_replicas_could_not_be_given_is_refused_without_its_value(rig: Rig) -> None:
    wrong = sent(KEY="s3cret")
    wrong["content"]["items"] *= 2
    refused = rig.asked.post(SECRETS, json=wrong)
    assert refused.status_code == 400
    assert refused.json() == {"error": "content.items: 'KEY' is there more than once"}
    for body in (
        sent("-", KEY="s3cret"),
        sent(**{"a b": "s3cret"}),
        {**sent(KEY="s3cret"), "content": {"type": "s3cret"}},
        {"name": "s", "content": {"type": "env", "items": [{"value": "s3cret"}]}},
        {"name": "s"},
    ):
        refused = rig.asked.post(SECRETS, json=body)
        assert refused.status_code == 400
        assert "s3cret" not in refused.text
    assert rig.asked.get(f"{SECRETS}/s1").status_code == 404


def test_other_clusters_there_are_none(rig: Rig) -> None:
    for reply in (
        rig.asked.get(SECRETS, params={"cluster": "west"}),
        rig.asked.post(SECRETS, params={"cluster": "west"}, json=sent(A="1")),
    ):
        assert reply.status_code == 404
        assert "'west'" in reply.json()["error"]


def test_a_secret_is_deleted_once_nothing_runs_with_it(rig: Rig) -> None:
    rig.asked.post(SECRETS, json=sent(A="1"))
    settings = {"name": "d1", "secrets": ["s1"]}
    application = described("tests.client.control.shelf:BookShelf", settings, ["."])
    rig.plane.apply(json.dumps(application.document).encode())
    used = rig.asked.get(f"{SECRETS}/s1").json()
    assert [each["name"] for each in used["deployments"]] == ["d1"]
    refused = rig.asked.delete(f"{SECRETS}/s1")
    assert refused.status_code == 422
    assert "used by d1" in refused.json()["error"]
    thread, running = rig.plane._started()
    thread.wait(running.controller.terminate("d1"))
    assert rig.asked.delete(f"{SECRETS}/s1").status_code == 200
    assert rig.asked.delete(f"{SECRETS}/s1").status_code == 404


def test_names_are_checked_together(rig: Rig) -> None:
    rig.asked.post(SECRETS, json=sent(A="1"))
    checked = rig.asked.post(f"{SECRETS}_check", json={"names": ["s1", "s2"]}).json()
    assert [each["name"] for each in checked["items"]] == ["s1"]
    assert checked["message"] == ["there is no secret 's2'"]
    assert rig.asked.post(f"{SECRETS}_check", json={"names": None}).json()["items"] == []


def test_templates_name_the_keys_that_services_want(rig: Rig) -> None:
    found = {each["name"]: each for each in rig.asked.get(f"{SECRETS}_template").json()}
    assert set(found) >= {"openai", "aws", "huggingface", "github"}
    assert [item["key"] for item in found["openai"]["content"]["items"]] == ["OPENAI_API_KEY"]


def test_what_was_done_is_noted_without_values(rig: Rig) -> None:
    rig.asked.post(SECRETS, json=sent(KEY="s3cret"))
    rig.asked.patch(f"{SECRETS}/s1", json={"content": sent(NEW="s3cret")["content"]})
    rig.asked.delete(f"{SECRETS}/s1")
    thread, running = rig.plane._started()
    assert running._store is not None
    noted = thread.wait(running._store.journal.deeds(Deeds(resource_types=("secret",))))
    assert [(deed.operation, deed.name, deed.status) for deed in noted] == [
        ("deleted", "s1", "success"),
        ("updated", "s1", "success"),
        ("created", "s1", "success"),
    ]
    assert "KEY" in str(noted)
    assert "s3cret" not in str(noted)
