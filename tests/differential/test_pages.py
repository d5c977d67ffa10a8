"""Pages that describe the service, its metrics, and what happens when it is busy."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.differential.conftest import Side

HELD = 2.0
"""Seconds that a call holds the one place of a service; the other comes in between."""


def test_the_names_of_the_metrics_are_the_same(theirs: Side, ours: Side) -> None:
    """Ours has no histogram of batches and no websockets; pid is a label of BentoML's workers."""
    samples = []
    for side in (theirs, ours):
        client = side.clients["prefixed"]
        client.post("/v1/env", json={})
        text = client.get("/v1/metrics").text
        found = set()
        for name, labels in re.findall(r"^(shelf_\w+){([^}]*)}", text, re.MULTILINE):
            names = {each.partition("=")[0] for each in labels.split(",")} - {"pid"}
            found.add((name, frozenset(names)))
        samples.append(found)
    expected, found = samples
    assert found == expected


def _hold(client: httpx.Client) -> list[int]:
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.post, "/v1/hold", json={"seconds": HELD}) for _ in range(2)]
        return sorted(call.result().status_code for call in calls)


def test_a_service_that_is_busy_refuses(theirs: Side, ours: Side) -> None:
    assert _hold(theirs.clients["prefixed"]) == _hold(ours.clients["prefixed"]) == [200, 429]


def test_the_schema_has_the_same_routes(theirs: Side, ours: Side) -> None:
    for service in theirs.clients:
        expected, found = (
            side.clients[service].get("/schema.json").json() for side in (theirs, ours)
        )
        for key in ("name", "type", "description", "paths"):
            assert found.get(key) == expected.get(key)
        routes = [_by_name(document) for document in (expected, found)]
        assert routes[0].keys() == routes[1].keys()
        for name, route in routes[0].items():
            ours_of = routes[1][name]
            assert ours_of["route"] == route["route"], name
            assert ours_of["is_task"] == route["is_task"], name
            assert _inputs(ours_of) == _inputs(route), name
            assert bool(ours_of["output"].get("is_stream")) == bool(
                route["output"].get("is_stream")
            )


def _by_name(document: dict[str, Any]) -> dict[str, Any]:
    return {route["name"]: route for route in document["routes"]}


_READ = ("type", "format", "dtype", "shape", "orient", "columns", "pil", "root_input", "default")
"""Keywords by which BentoML's client encodes."""


def _inputs(route: dict[str, Any]) -> dict[str, Any]:
    schema = route["input"]
    if schema.get("root_input"):
        # Ours tells of a default of the whole body, which counts there.
        return {"root": {key: schema[key] for key in _READ[:-1] if key in schema}}
    return {
        name: {key: each[key] for key in _READ if key in each}
        for name, each in schema["properties"].items()
    }
