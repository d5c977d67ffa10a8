"""The list of endpoints: what those who look for a service are told."""

import json
from dataclasses import replace

from gateway.endpoints import endpoints
from mesh.traffic.snapshot import (
    EMPTY,
    Deployment,
    Endpoint,
    HeaderMatch,
    LoadBalance,
    MatchKind,
    Mirror,
    Rule,
    Session,
    Snapshot,
    Upstream,
    Version,
    WeightedDeployment,
)
from tests.gateway.rig import World, in_world
from tests.gateway.services import Demo
from tests.replica.rig import version

MAIN = version(Demo, {"Demo": ("one", "two")}, weight=80)
CANARY = version(Demo, {}, name="v2", weight=20)
TABLE = Snapshot(
    endpoints={
        "shop": Endpoint("shop", (WeightedDeployment("a", 3), WeightedDeployment("b", 1))),
        "demo": Endpoint("demo", (WeightedDeployment("a", 1),)),
        "bare": Endpoint("bare", (WeightedDeployment("gone", 1),)),
    },
    deployments={
        "a": Deployment("a", (MAIN, CANARY)),
        "b": Deployment("b", (replace(MAIN, id="b-1", weight=100),)),
    },
    default_endpoint="demo",
)


def test_each_endpoint_has_its_deployments_and_versions_with_their_weights() -> None:
    bare, demo, shop = json.loads(endpoints(TABLE))["endpoints"]
    assert bare == {
        "name": "bare",
        "is_default": False,
        "load_balance": "weighted",
        "deployments": [],
    }
    assert demo == {
        "name": "demo",
        "is_default": True,
        "load_balance": "weighted",
        "deployments": [
            {
                "weight": 1,
                "name": "a",
                "versions": [
                    {"name": "main", "entry": "Demo", "weight": 80, "replicas": 2},
                    {"name": "v2", "entry": "Demo", "weight": 20, "replicas": 0},
                ],
            }
        ],
    }
    assert [(each["name"], each["weight"]) for each in shop["deployments"]] == [("a", 3), ("b", 1)]
    assert not shop["is_default"]


def test_releases_of_one_name_are_one_version_while_one_takes_the_others_place() -> None:
    coming = replace(MAIN, id="a-2")
    table = replace(TABLE, deployments={"a": Deployment("a", (MAIN, coming, CANARY))})
    _, demo, _ = json.loads(endpoints(table))["endpoints"]
    versions = demo["deployments"][0]["versions"]
    assert [(v["name"], v["weight"], v["replicas"]) for v in versions] == [
        ("main", 80, 4),
        ("v2", 20, 0),
    ]


def test_a_version_without_its_entry_has_no_replicas() -> None:
    starting = Version("s-1", "main", "Demo", {}, 100)
    table = replace(TABLE, deployments={"a": Deployment("a", (starting,))})
    _, demo, _ = json.loads(endpoints(table))["endpoints"]
    assert demo["deployments"][0]["versions"][0]["replicas"] == 0


def test_what_else_decides_is_told_but_no_key_of_an_upstream() -> None:
    rule = Rule((HeaderMatch("x-user", MatchKind.PRESENT),), "b")
    endpoint = Endpoint(
        "shop",
        (WeightedDeployment("a", 3),),
        LoadBalance.OVERFLOW,
        upstreams=(Upstream("up", "https://up/v1", 2, "the secret key", "m"),),
        mirror=Mirror("b", 12.5),
        rules=(rule, rule),
        session=Session(cookie="sid", ttl=60),
    )
    body = endpoints(replace(TABLE, endpoints={"shop": endpoint}))
    (shop,) = json.loads(body)["endpoints"]
    assert b"secret" not in body
    assert shop["load_balance"] == "overflow"
    assert shop["upstreams"] == [{"url": "https://up/v1", "weight": 2, "model": "m"}]
    assert shop["mirror"] == {"deployment": "b", "percent": 12.5}
    assert shop["session"] == {"cookie": "sid", "ttl": 60}
    assert shop["rules"] == 2


def test_a_gateway_that_knows_nothing_lists_nothing() -> None:
    assert json.loads(endpoints(EMPTY)) == {"endpoints": []}


@in_world
async def test_the_gateway_answers_at_its_root_only(made: World) -> None:
    reply = await made.get("/endpoints.json")
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    (only,) = json.loads(reply.body)["endpoints"]
    assert (only["name"], only["is_default"]) == ("demo", True)
    assert (await made.get("/endpoints.json", verb="HEAD")).body == b""
    assert (await made.get("/e/demo/endpoints.json")).status == 404
    assert (await made.post("/endpoints.json")).status == 404
