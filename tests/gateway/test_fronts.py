"""Services whose HTTP is not the mesh's own: error forms, fields, pages, origins, metrics."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.service_metrics import ServiceMetrics
from mesh.edge import PLAIN, Cors, Dialect, Edge
from mesh.observe.metrics import render
from tests.gateway.asgi_client import Exchange
from tests.gateway.rig import World, world
from tests.gateway.services import Demo
from tests.link.rig import run
from tests.replica.rig import Running, snapshot, version

EDGE = Edge(
    dialect=Dialect.BENTOML,
    prefix="/v1",
    cors=Cors(origins=("http://shop.example",), methods=("GET", "POST")),
    metrics="shelf",
    buckets=(0.5, 1.0),
    trace_header=True,
)


@asynccontextmanager
async def front(edge: Edge = EDGE) -> AsyncIterator[World]:
    found = version(Demo, {"Demo": ("one",)})
    services = {name: replace(each, edge=edge) for name, each in found.services.items()}
    table = snapshot(replace(found, services=services))
    async with world(Running(Demo(), "one"), table=table) as made:
        yield made


def test_replies_of_methods_carry_the_fields_of_their_server() -> None:
    async def main() -> None:
        async with front() as made:
            reply = await made.post("/greet", {"name": "you"})
            assert reply.header("server") == "BentoML Service/Demo"
            assert len(reply.header("x-bentoml-request-id")) == 16
            assert len(reply.header("x-bentoml-trace-id")) == 32

    run(main())


def test_refusals_that_are_the_servers_own_carry_none() -> None:
    async def main() -> None:
        async with front() as made:
            reply = await made.get("/nowhere")
            assert (reply.status, reply.body) == (404, b"Not Found")
            assert not reply.header("server")

    run(main())


def test_pages_are_at_the_root_and_under_the_prefix() -> None:
    async def main() -> None:
        async with front() as made:
            for path in ("/readyz", "/v1/readyz", "/livez", "/v1/healthz", "/v1/schema.json"):
                assert (await made.get(path)).status == 200, path
            assert (await made.get("/v1/livez/")).header("location") == "/v1/livez"
            refused = await made.post("/v1/readyz")
            assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")

    run(main())


def test_other_origins_are_told_what_the_service_allows() -> None:
    async def main() -> None:
        async with front() as made:
            headers = [("origin", "http://shop.example")]
            reply = await made.post("/greet", {"name": "you"}, headers=headers)
            assert reply.header("access-control-allow-origin") == "http://shop.example"
            asked = [*headers, ("access-control-request-method", "POST")]
            preflight = await made.get("/greet", headers=asked, verb="OPTIONS")
            assert (preflight.status, preflight.body) == (200, b"OK")
            other = await made.post(
                "/greet", {"name": "you"}, headers=[("origin", "http://other.example")]
            )
            assert not other.header("access-control-allow-origin")

    run(main())


def test_requests_are_counted_under_the_names_of_the_dialect() -> None:
    async def main() -> None:
        async with front() as made:
            await made.post("/greet", {"name": "you"})
            await made.get("/random/path")
            text = render(made.gateway.services).decode()
            labels = 'runner_name="Demo",service_name="Demo",service_version="not available"'
            assert (
                f'shelf_request_total{{endpoint="/greet",http_response_code="200",{labels}}} 1.0'
                in _sorted(text)
            )
            assert "/random/path" not in text
            assert 'le="0.5"' in text

    run(main())


def _sorted(text: str) -> str:
    """The text with the labels of each sample in alphabetical order."""
    lines = []
    for line in text.splitlines():
        name, brace, rest = line.partition("{")
        labels, _, value = rest.partition("}")
        lines.append(f"{name}{{{','.join(sorted(labels.split(',')))}}}{value}" if brace else line)
    return "\n".join(lines)


def test_services_of_the_mesh_have_no_front() -> None:
    async def main() -> None:
        async with front(PLAIN) as made:
            reply = await made.post("/greet", {"name": "you"})
            assert not reply.header("server")
            assert render(made.gateway.services) == b""

    run(main())


def test_a_namespace_without_requests_shows_nothing() -> None:
    assert render(ServiceMetrics()) == b""


def test_errors_have_the_form_of_the_dialect() -> None:
    async def main() -> None:
        async with front() as made:
            reply = await made.post("/greet", {})
            assert reply.status == 400
            assert json.loads(reply.body)["detail"][0]["loc"] == ["name"]
            assert reply.header("server") == "BentoML Service/Demo"

    run(main())


def test_a_preflight_whose_client_has_gone_is_no_fault() -> None:
    async def main() -> None:
        async with front() as made:
            headers = [
                ("origin", "http://shop.example"),
                ("access-control-request-method", "POST"),
            ]
            exchange = Exchange(made.gateway, "OPTIONS", "/greet", headers)
            await exchange.leave()
            assert (await exchange.done()).error is None

    run(main())
