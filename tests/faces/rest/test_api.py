"""The control API in memory, route by route."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from mesh.access.contract import Access
from mesh.faces.rest.access import MAX_BODY
from mesh.faces.rest.app import rest_app
from mesh.faces.rest.logs import LONGEST_LINE, LogReader
from tests.access.owner import only_owner
from tests.faces.rest.memory import MemoryVerbs

UPSTREAM = {"url": "https://models.example.com/v1", "weight": 2}


def application(name: str = "shop", target: str = "app:Shop", **config: Any) -> dict[str, Any]:
    service = {
        "name": "Main",
        "methods": [{"name": "predict", "route": "/predict", "kind": 1}],
        "config": {},
    }
    version = {
        "manifest": {"entry": "Main", "services": {"Main": service}},
        "source": {"target": target},
    }
    canaries = config.get("canary", {}).get("versions", {})
    return {
        "config": {"name": name, "target": target, **config},
        "versions": dict.fromkeys(("main", *canaries), version),
    }


CANARY = {"versions": {"v2": {"target": "app2:Shop", "weight": 20}}}


class Api:
    """Asks an API in memory."""

    def __init__(self, verbs: MemoryVerbs, token: str = "") -> None:
        self.verbs = verbs
        self.let_in(only_owner(token))

    def let_in(self, access: Access) -> None:
        self._app = rest_app(self.verbs, access)

    def ask(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://mesh") as client:
                return await client.request(method, path, json=json, **more)

        return asyncio.run(exchange())

    def good(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        response = self.ask(method, path, json, **more)
        assert response.status_code in (200, 204), response.text
        return response.json() if response.content else None

    def bad(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, str]:
        response = self.ask(method, path, json, **more)
        assert "\n" not in response.text
        body = response.json()
        assert body.keys() == {"error"}
        return response.status_code, body["error"]


@pytest.fixture
def api() -> Api:
    return Api(MemoryVerbs())


@pytest.fixture
def shop(api: Api) -> Api:
    api.good("PUT", "/deployments/shop", application(canary=CANARY, labels={"team": "a"}))
    return api


def test_an_application_that_is_put_is_a_deployment(api: Api) -> None:
    made = api.good("PUT", "/deployments/shop", application(replicas=3))
    assert made["revision"] == 1
    assert made["status"] == "running"
    assert made["created_at"] == "2023-11-14T22:13:20.500000Z"
    (main,) = made["versions"]
    assert main["services"] == [{"name": "Main", "desired": 3, "ready": 3, "reason": ""}]
    assert api.good("GET", "/deployments/shop") == made


def test_the_same_application_again_changes_nothing(api: Api) -> None:
    api.good("POST", "/deployments", application())
    assert api.good("POST", "/deployments", application())["revision"] == 1
    assert api.good("POST", "/deployments", application(replicas=2))["revision"] == 2


def test_an_application_under_another_name_is_refused(api: Api) -> None:
    status, error = api.bad("PUT", "/deployments/other", application())
    assert (status, error) == (400, "config.name: 'shop' is not 'other'")


def test_a_wrong_setting_is_named_without_anything_being_changed(api: Api) -> None:
    wrong = application(replica=2, scaling={"min_replicas": -1})
    status, error = api.bad("PUT", "/deployments/shop", wrong)
    assert status == 400
    assert "config.replica: there is no such setting" in error
    assert "config.scaling.min_replicas: input should be greater" in error
    assert api.good("GET", "/deployments")["total"] == 0


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    headers = {"content-type": "application/json"}
    status, _ = api.bad("PUT", "/deployments/shop", content=b"{", headers=headers)
    assert status == 400


def test_deployments_are_listed_by_label_and_name(api: Api) -> None:
    for name, team in (("shop", "a"), ("shelf", "b"), ("bank", "a")):
        api.good("POST", "/deployments", application(name, labels={"team": team}))

    def names(**params: Any) -> list[str]:
        found = api.good("GET", "/deployments", params=params)
        return [each["name"] for each in found["items"]]

    assert names() == ["bank", "shelf", "shop"]
    assert names(search="sh") == ["shelf", "shop"]
    assert names(label="team=a") == ["bank", "shop"]
    assert names(label=["team=a", "team=b"]) == []
    assert names(label="team", start=1, count=1) == ["shelf"]
    assert api.good("GET", "/deployments", params={"count": 1})["total"] == 3


def test_a_parameter_out_of_its_bounds_is_named(api: Api) -> None:
    status, error = api.bad("GET", "/deployments", params={"count": 0})
    assert status == 400
    assert error.startswith("count: input should be greater")


def test_revisions_are_told_newest_first_and_can_be_gone_back_to(shop: Api) -> None:
    shop.good("PUT", "/deployments/shop", application(), params={"cause": "no more canary"})
    newest, first = shop.good("GET", "/deployments/shop/revisions")
    assert (newest["number"], newest["current"], newest["cause"]) == (2, True, "no more canary")
    assert first["versions"].keys() == {"main", "v2"}
    assert shop.good("GET", "/deployments/shop/revisions/1") == first
    back = shop.good("POST", "/deployments/shop/rollback", {"revision": 1})
    assert back["revision"] == 3
    assert [version["name"] for version in back["versions"]] == ["main", "v2"]
    assert shop.bad("POST", "/deployments/shop/rollback", {"revision": 9})[0] == 404
    assert shop.bad("GET", "/deployments/shop/revisions/9")[0] == 404
    status, error = shop.bad("POST", "/deployments/shop/rollback", {"to": 1})
    assert status == 400
    assert "to: there is no such setting" in error


def test_a_deployment_is_terminated_and_started_again(shop: Api) -> None:
    assert shop.good("POST", "/deployments/shop/terminate")["intent"] == "terminate"
    status, error = shop.bad("POST", "/deployments/shop/restart")
    assert (status, error) == (422, "'shop' is terminated")
    assert shop.good("POST", "/deployments/shop/start")["status"] == "running"


def test_a_restart_is_a_revision(shop: Api) -> None:
    assert shop.good("POST", "/deployments/shop/restart")["revision"] == 2
    assert shop.good("GET", "/deployments/shop/revisions/2")["generation"] == 1


def test_labels_are_replaced(shop: Api) -> None:
    changed = shop.good("PUT", "/deployments/shop/labels", {"labels": {"env": "prod"}})
    assert changed["labels"] == {"env": "prod"}


def test_a_deleted_deployment_is_gone(shop: Api) -> None:
    response = shop.ask("DELETE", "/deployments/shop")
    assert (response.status_code, response.content) == (204, b"")
    status, error = shop.bad("DELETE", "/deployments/shop")
    assert (status, error) == (404, "there is no deployment 'shop'")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/revisions", None),
        ("POST", "/terminate", None),
        ("POST", "/start", None),
        ("POST", "/restart", None),
        ("PUT", "/labels", {"labels": {}}),
        ("GET", "/events", None),
        ("GET", "/replicas", None),
        ("GET", "/logs", None),
        ("GET", "/canary", None),
        ("PUT", "/canary", {"weights": {"v2": 1}}),
        ("POST", "/canary/promote", {"version": "v2"}),
        ("POST", "/canary/abort", None),
    ],
)
def test_what_is_asked_of_no_deployment_is_not_found(
    api: Api, method: str, path: str, body: Any
) -> None:
    assert api.bad(method, f"/deployments/none{path}", body)[0] == 404


def weights(view: Mapping[str, Any]) -> dict[str, int]:
    return {version["name"]: version["weight"] for version in view["versions"]}


def test_a_canary_is_set_promoted_and_aborted(shop: Api) -> None:
    canary = shop.good("GET", "/deployments/shop/canary")
    assert weights(canary) == {"main": 80, "v2": 20}
    main, v2 = canary["versions"]
    assert (main["requests"], main["error_rate"], main["p99"]) == (90, 0.1, 0.03)
    assert (v2["requests"], v2["p50"]) == (0, None)
    assert canary["progression"] == {
        "version": "v2",
        "state": "aborted",
        "step": 1,
        "steps": [5, 25],
        "since": "2023-11-14T22:13:20.500000Z",
        "reason": "too many errors",
    }
    changed = shop.good("PUT", "/deployments/shop/canary", {"weights": {"v2": 50}})
    assert weights(changed) == {"main": 50, "v2": 50}
    assert weights(shop.good("POST", "/deployments/shop/canary/abort")) == {"main": 100, "v2": 0}
    assert shop.bad("POST", "/deployments/shop/canary/abort", {"version": "v3"})[0] == 404
    promoted = shop.good("POST", "/deployments/shop/canary/promote", {"version": "v2"})
    assert promoted["config"]["target"] == "app2:Shop"
    assert weights(promoted) == {"main": 100}


def test_the_only_canary_is_meant_if_none_is_named(shop: Api) -> None:
    promoted = shop.good("POST", "/deployments/shop/canary/promote")
    assert weights(promoted) == {"main": 100}


def test_events_of_a_deleted_deployment_stay(shop: Api) -> None:
    shop.good("DELETE", "/deployments/shop")
    assert len(shop.good("GET", "/deployments/shop/events")) == 1


def test_wrong_weights_are_named(shop: Api) -> None:
    status, error = shop.bad("PUT", "/deployments/shop/canary", {"weights": {"v2": 101}})
    assert status == 400
    assert error.startswith("weights.v2: input should be less")
    status, error = shop.bad("PUT", "/deployments/shop/canary", {"weights": {}})
    assert (status, error[:8]) == (400, "weights:")


def test_events_and_replicas_are_told_of_one_deployment_and_of_all(shop: Api) -> None:
    shop.good("PUT", "/deployments/bank", application("bank", replicas=2), params={"cause": "new"})
    (event,) = shop.good("GET", "/deployments/bank/events")
    assert (event["kind"], event["reason"], event["revision"]) == ("change", "new", 1)
    assert event["by"] == "owner"
    assert len(shop.good("GET", "/events")) == 2
    replicas = shop.good("GET", "/deployments/bank/replicas")
    assert [each["id"] for each in replicas] == ["bank-0", "bank-1"]
    assert len(shop.good("GET", "/replicas")) == 3


def test_a_mesh_is_told_in_numbers(shop: Api) -> None:
    shop.verbs.fails.add("bad:Bank")
    shop.good("PUT", "/deployments/bank", application("bank", "bad:Bank"))
    shop.good("PUT", "/endpoints/front", {"deployments": {"shop": 1}})
    assert shop.good("GET", "/status") == {
        "ready": True,
        "deployments": {"failed": 1, "running": 1},
        "replicas": {"ready": 1},
        "endpoints": 1,
        "snapshot": 0,
        "watchers": 0,
        "nodes": [],
    }
    assert shop.good("GET", "/deployments/bank")["reason"] == (
        "main: Main: ImportError: no such module"
    )


def test_logs_are_lines_with_the_replica_before_them(shop: Api) -> None:
    shop.good("PUT", "/deployments/shop", application(replicas=2))
    shop.verbs.written = {"shop-0": "one\ntwo\nth", "shop-1": "eins\n"}
    text = shop.ask("GET", "/deployments/shop/logs").text
    assert text.splitlines() == ["shop-0: one", "shop-0: two", "shop-1: eins", "shop-0: th"]
    only = shop.ask("GET", "/deployments/shop/logs", params={"replica": "shop-1"})
    assert only.text == "eins\n"
    headers = {"accept": "application/x-ndjson"}
    lines = shop.ask("GET", "/deployments/shop/logs", headers=headers).text.splitlines()
    assert lines[0] == '{"replica": "shop-0", "line": "one"}'
    status, error = shop.bad("GET", "/deployments/shop/logs", params={"replica": "bank-0"})
    assert (status, error) == (404, "there is no replica 'bank-0'")


def test_a_line_without_an_end_is_told_in_pieces_and_not_kept(shop: Api) -> None:
    shop.good("PUT", "/deployments/shop", application())

    async def main() -> None:
        reader = LogReader(shop.verbs, "shop", "shop-0", limit=2**20)
        shop.verbs.written = {"shop-0": "." * (LONGEST_LINE + 1)}
        assert await reader.read() == [("shop-0", "." * (LONGEST_LINE + 1))]
        shop.verbs.written["shop-0"] += "end"
        assert await reader.read() == []
        assert reader.unfinished() == [("shop-0", "end")]

    asyncio.run(main())


def test_of_a_long_log_the_end_is_told(shop: Api) -> None:
    shop.verbs.written = {"shop-0": "first\nsecond\nthird\n"}
    found = shop.ask("GET", "/deployments/shop/logs", params={"limit": 10, "replica": "shop-0"})
    assert found.text == "third\n"


def test_an_endpoint_is_made_changed_stopped_and_deleted(shop: Api) -> None:
    made = shop.good("PUT", "/endpoints/front", {"deployments": {"shop": 1}})
    assert made["config"]["load_balance"] == "weighted"
    assert [each["name"] for each in shop.good("GET", "/endpoints")] == ["front"]
    assert shop.good("POST", "/endpoints/front/terminate")["intent"] == "terminate"
    assert shop.good("POST", "/endpoints/front/start")["intent"] == "run"
    shop.good("DELETE", "/endpoints/front")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/terminate")):
        assert shop.bad(method, f"/endpoints/front{path}")[0] == 404


def test_an_endpoint_says_what_it_names_that_is_not_there(shop: Api) -> None:
    shop.good("PUT", "/deployments/bank", application("bank"))
    config = {
        "deployments": {"shop": 1, "bank": 1},
        "rules": [{"headers": {"x": {"present": True}}, "deployment": "shop", "version": "v9"}],
    }
    missing = "rules.0.version: deployment 'shop' has no version 'v9'"
    assert shop.good("PUT", "/endpoints/front", config)["warnings"] == [missing]
    shop.good("DELETE", "/deployments/bank")
    gone = "deployments: there is no deployment 'bank' any more"
    assert shop.good("GET", "/endpoints/front")["warnings"] == [gone, missing]
    assert [each["warnings"] for each in shop.good("GET", "/endpoints")] == [[gone, missing]]


def test_an_endpoint_over_what_is_not_there_is_refused(shop: Api) -> None:
    status, error = shop.bad("PUT", "/endpoints/front", {"deployments": {"none": 1}})
    assert (status, error) == (400, "endpoints.front: there is no deployment 'none'")
    assert shop.bad("PUT", "/endpoints/Front", {"deployments": {"shop": 1}})[0] == 400
    status, error = shop.bad("PUT", "/endpoints/front", {"upstreams": [{"url": "ftp://x"}]})
    assert status == 400
    assert error.startswith("upstreams.0.url: expected http")


def keys(api: Api, name: str) -> list[str]:
    record = api.verbs.endpoint(name)
    return [record.keys.get(place, "") for place, _ in enumerate(record.config["upstreams"])]


def test_keys_of_upstreams_are_in_no_answer(shop: Api) -> None:
    other = {"url": "https://models.example.com/v2"}
    config = {"upstreams": [{**UPSTREAM, "api_key": "s3cret"}, other]}
    answers = [
        shop.ask("PUT", "/endpoints/out", config).text,
        shop.ask("GET", "/endpoints").text,
        shop.ask("GET", "/endpoints/out").text,
        shop.ask("GET", "/events").text,
        shop.ask("PUT", "/endpoints/out", {"upstreams": [{"url": "x", "api_key": "s3cret"}]}).text,
    ]
    assert not any("s3cret" in answer or "api_key" in answer for answer in answers)
    assert shop.good("GET", "/endpoints/out")["keyed"] == [0]


def test_an_upstream_keeps_its_key_unless_it_is_given_another(shop: Api) -> None:
    other = {"url": "grpc://models.example.com:443"}
    shop.good("PUT", "/endpoints/out", {"upstreams": [{**UPSTREAM, "api_key": "one"}, other]})
    shop.good("PUT", "/endpoints/out", {"upstreams": [other, {**UPSTREAM, "weight": 5}]})
    assert keys(shop, "out") == ["", "one"]
    shop.good("PUT", "/endpoints/out", {"upstreams": [{**UPSTREAM, "api_key": "two"}]})
    assert keys(shop, "out") == ["two"]
    shop.good("PUT", "/endpoints/out", {"upstreams": [{**UPSTREAM, "api_key": ""}]})
    assert keys(shop, "out") == [""]


def test_what_is_not_there_is_said_in_one_line(api: Api) -> None:
    assert api.bad("GET", "/nothing") == (404, "there is no /nothing")
    assert api.bad("PATCH", "/deployments") == (405, "not by PATCH")


def test_a_fault_of_the_mesh_tells_nothing_of_itself() -> None:
    class Broken(MemoryVerbs):
        def endpoints(self) -> Any:
            raise ZeroDivisionError("a secret")

    assert Api(Broken()).bad("GET", "/endpoints") == (500, "internal error")


TOKEN = "t0ken"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"x-yatai-api-token": TOKEN},
    ],
)
def test_the_token_opens_the_api(headers: dict[str, str]) -> None:
    api = Api(MemoryVerbs(), TOKEN)
    assert api.good("GET", "/deployments", headers=headers)["total"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer t0kem"},
        {"authorization": f"Basic {TOKEN}"},
        {"x-yatai-api-token": ""},
        {"x-yatai-api-token": "t0ken2"},
    ],
)
@pytest.mark.parametrize("path", ["/deployments", "/openapi.json", "/nothing"])
def test_without_the_token_nothing_is_told(headers: dict[str, str], path: str) -> None:
    api = Api(MemoryVerbs(), TOKEN)
    response = api.ask("GET", path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in response.text
    assert response.json().keys() == {"error"}


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_pages_of_others_may_not_use_an_api_without_a_token(
    shop: Api, headers: dict[str, str]
) -> None:
    assert shop.bad("POST", "/deployments/shop/terminate", headers=headers)[0] == 403
    assert shop.good("GET", "/deployments/shop")["intent"] == "run"


@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_over_the_limit_is_refused(api: Api, is_told: bool) -> None:
    async def pieces() -> Any:
        for _ in range(MAX_BODY // 2**20 + 1):
            yield b" " * 2**20

    content: Any = pieces()
    headers = {"content-type": "application/json"}
    if is_told:
        headers["content-length"] = str(MAX_BODY + 1)
    status, error = api.bad("PUT", "/deployments/shop", content=content, headers=headers)
    assert (status, error) == (413, "a request of the control API holds at most 32 MiB")


def test_a_fault_is_told_in_one_line_whatever_it_is_called(api: Api) -> None:
    status, error = api.bad("PUT", "/deployments/shop/canary", {"weights": {"v\n2": "many"}})
    assert status == 400
    assert error.startswith("weights.v 2: ")
    assert "\n" not in error


def test_openapi_describes_every_route(api: Api) -> None:
    document = api.good("GET", "/openapi.json")
    routes = {f"{method.upper()} {path}" for path, of in document["paths"].items() for method in of}
    for route in ("PUT /deployments/{name}", "GET /deployments/{name}/logs", "GET /status"):
        assert route in routes
    for of in document["paths"].values():
        for operation in of.values():
            assert operation["security"] == [{"bearer": []}, {"token": []}]
            told = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert told == {"$ref": "#/components/schemas/Failure"}
    weights = document["components"]["schemas"]["WeightsBody"]["properties"]["weights"]
    assert weights["additionalProperties"] is False  # there are no other keys than those
    view = document["components"]["schemas"]["DeploymentView"]
    assert {"status", "reason", "versions"} <= view["properties"].keys()
