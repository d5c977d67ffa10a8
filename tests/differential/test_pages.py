"""Pages that describe the service, its metrics, and what happens when it is busy."""

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.differential.conftest import Side

HELD = 6.0
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


def _samples(text: str, prefix: str) -> dict[Any, list[float]]:
    """Samples of the families of that prefix; of process ids only that there is one."""
    found = defaultdict(list)
    for family in text_string_to_metric_families(text):
        if family.name.startswith(prefix):
            for name, labels, value, *_ in family.samples:
                fields = sorted((each, each == "pid" or text) for each, text in labels.items())
                found[family.type, family.documentation, name, str(fields)].append(value)
    return {key: sorted(values) for key, values in found.items()}


def test_metrics_of_the_users_own_are_the_same(theirs: Side, ours: Side) -> None:
    """Of all processes of the graph: counted together, but gauges that are each process's own."""
    pages = []
    for side in (theirs, ours):
        client = side.clients["main"]
        for kind, price in (("tea", 3), ("tea", 20), ("cake", 1)):
            client.post("/sell", json={"kind": kind, "price": price})
        pages.append(client.get("/metrics"))
    expected, found = (_samples(page.text, "shop_") for page in pages)
    assert found == expected
    assert found["counter", "What was sold.", "shop_sold_total", "[('kind', 'tea')]"] == [4]
    assert pages[1].headers["content-type"] == pages[0].headers["content-type"]
    assert "python_info" not in pages[1].text


def test_a_service_edits_its_page_of_metrics(theirs: Side, ours: Side) -> None:
    for side in (theirs, ours):
        client = side.clients["prefixed"]
        client.post("/v1/env", json={})
        text = client.get("/v1/metrics").text
        assert text.endswith("# the end\n")
        assert "shelf_asked_total{" in text
        assert "shelf_request_total{" not in text


def _hold(side: Side) -> list[tuple[int, str]]:
    """Statuses and texts of two calls at once, and of the pages meanwhile."""
    client = side.clients["prefixed"]
    client.post("/v1/set_ready", json={"ready": True})
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.post, "/v1/hold", json={"seconds": HELD}) for _ in range(2)]
        first = next(as_completed(calls)).result()  # who is refused is told so at once
        assert first.headers.get("server", "") == ""
        pages = [client.get(f"/v1/{page}") for page in ("livez", "readyz")]
        replies = [first, *pages, *(call.result() for call in calls)]
    client.post("/v1/set_ready", json={"ready": False})
    return sorted({(reply.status_code, reply.text) for reply in replies})


def test_a_service_that_is_busy_refuses_calls_and_answers_for_its_health(
    theirs: Side, ours: Side
) -> None:
    with ThreadPoolExecutor(2) as both:
        expected, found = both.map(_hold, (theirs, ours))
    assert found == expected
    assert found[-1] == (429, '{"error":"Too many requests"}')


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
