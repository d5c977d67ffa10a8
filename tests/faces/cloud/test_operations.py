"""Every operation that BentoCloud publishes: routed, or refused in words that a client shows."""

import asyncio
import json
import re

import httpx
import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.types import Message

from mesh.access.directory import Directory
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.cloud.absent import ABSENT, ABSENT_STREAMS, CLOSED, absent
from mesh.faces.cloud.app import ROUTES, cloud_api, cloud_app
from mesh.faces.cloud.backing import Backing
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.published import operations
from tests.faces.cloud.rig import Rig
from tests.faces.rest.memory import MemoryVerbs

TOKEN = "t0ken"


@pytest.fixture
def backing() -> Backing:
    kept = MemoryCatalogue()
    return Backing(MemoryVerbs(), kept, kept, asyncio.run(Directory.opened(kept, TOKEN)))


def plain(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def routed(backing: Backing) -> set[tuple[str, str]]:
    """The operations that the app has, apart from those that it refuses."""
    found = set()
    for family in ROUTES:
        for route in family(backing).routes if family is not absent else ():
            if isinstance(route, APIRoute):
                found |= {(method, plain(route.path)) for method in route.methods}
            elif isinstance(route, APIWebSocketRoute):
                found.add(("GET", plain(route.path)))
    return found


def asked(backing: Backing, method: str, path: str, token: str = "") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(cloud_app(backing))
        async with httpx.AsyncClient(transport=transport, base_url="http://mesh") as client:
            headers = {TOKEN_HEADER: token} if token else {}
            return await client.request(method, plain(path).replace("{}", "x"), headers=headers)

    return asyncio.run(ask())


async def opened(backing: Backing, path: str) -> list[Message]:
    """What the server says to a WebSocket of whose client nothing is heard."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    address = plain(path).replace("{}", "x")
    fields = [(TOKEN_HEADER.lower().encode(), TOKEN.encode())]
    scope = {"type": "websocket", "path": address, "headers": fields, "query_string": b""}
    await cloud_app(backing)(scope, receive, send)
    return said


def test_everything_that_serves_a_mesh_is_routed(backing: Backing) -> None:
    ours = {each for each, group in operations().items() if group in "AB"}
    there = routed(backing)
    missing = {each for each in ours if (each[0], plain(each[1])) not in there}
    assert there, "no family has a route"
    assert not missing


# Of what is not part of a mesh, these are of use: how its own parts do.
COMPONENTS = {path for _, path in operations() if path.endswith("/yatai_components")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param(*each, id=" ".join(each))
        for each, group in operations().items()
        if group == "C" and each[1] not in COMPONENTS
    ],
)
def test_what_is_not_part_of_a_mesh_says_so_in_one_line(
    backing: Backing, method: str, path: str
) -> None:
    reply = asked(backing, method, path, TOKEN)
    assert reply.status_code == 501
    [(key, line)] = reply.json().items()
    assert key == "error"
    assert re.fullmatch(r".+ (is|are) not part of a self-hosted mesh", line)
    assert "x-trace-id" not in reply.headers


@pytest.mark.parametrize("path", [path for paths in ABSENT_STREAMS.values() for path in paths])
def test_a_stream_that_is_not_part_of_a_mesh_closes_with_the_reason(
    backing: Backing, path: str
) -> None:
    accepted, told, closed = asyncio.run(opened(backing, path))
    assert accepted["type"] == "websocket.accept"
    message = json.loads(told["text"])
    assert message["type"] == "error"
    assert message["payload"] is None
    assert "not part of a self-hosted mesh" in message["message"]
    assert closed["type"] == "websocket.close"
    assert (closed["code"], closed["reason"]) == (CLOSED, message["message"])


def test_what_is_refused_wants_a_token_as_anything_else(backing: Backing) -> None:
    assert asked(backing, "GET", "/api/v1/lago/plans").status_code == 401


def test_the_document_of_the_api_says_who_may_ask_and_how_failures_look(backing: Backing) -> None:
    document = cloud_api(backing).openapi()
    assert document["components"]["securitySchemes"]["token"]["name"] == TOKEN_HEADER
    assert document["paths"]["/api/v1/version"]["get"]["security"] == []
    for path, found in document["paths"].items():
        assert path not in {each for paths in ABSENT.values() for each in paths}
        for operation in found.values():
            assert "security" in operation
            for status in ("400", "401", "403", "404", "409", "413", "422", "429", "503"):
                told = operation["responses"][status]["content"]["application/json"]["schema"]
                assert told == {"$ref": "#/components/schemas/Failure"}
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


def test_a_method_that_is_not_there_is_refused_with_those_that_are(backing: Backing) -> None:
    reply = asked(backing, "PUT", "/api/v1/org_secrets", TOKEN)
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET, POST"


def test_a_path_with_a_line_break_is_not_found_in_one_line(rig: Rig) -> None:
    reply = rig.asked.get("/api/v1/org_secrets/a%0Ab")
    assert (reply.status_code, list(reply.json())) == (404, ["error"])
