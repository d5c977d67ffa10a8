"""Resources over WebSockets: told at once, and again when they change."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx_ws import WebSocketSession

from mesh.access.principal import Role
from mesh.faces.cloud.streams.subscriptions import MOST
from tests.faces.cloud.deployments.test_deployments import create
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.cloud.shelf import Shelf
from tests.faces.cloud.streams.test_sockets import talking

PATHS = ("/ws/v1/subscription/resource", "/ws/v2/subscription/resource")


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    made.put("tiny:v1")
    yield made
    made.free()


@pytest.fixture
def rig(shelf: Shelf) -> Iterator[Rig]:
    with rigged(shelf=shelf) as made:
        yield made


def subscribe(socket: WebSocketSession, kind: str, *uids: str, action: str = "subscribe") -> None:
    socket.send_json({"action": action, "resource_type": kind, "resource_uids": list(uids)})


def told(socket: WebSocketSession, kind: str) -> Any:
    """The next resource that is told."""
    message = socket.receive_json(timeout=30)
    assert (message["type"], message["message"]) == ("success", ""), message
    assert message["payload"]["resource_type"] == kind
    return message["payload"]["payload"]


def refused(socket: WebSocketSession) -> str:
    message = socket.receive_json(timeout=30)
    assert (message["type"], message["payload"]) == ("error", None)
    text: str = message["message"]
    return text


@pytest.mark.parametrize("path", PATHS)
def test_a_deployment_is_told_at_once_and_when_it_changes(
    rig: Rig, shelf: Shelf, path: str
) -> None:
    shelf.hold()
    made = create(rig)
    with talking(rig, path) as socket:
        subscribe(socket, "deployment", made["uid"])
        assert told(socket, "deployment") == made
        shelf.free()
        while (found := told(socket, "deployment"))["status"] != "running":
            assert found["name"] == "d"
        assert found == rig.asked.get("/api/v2/deployments/d").json()


def test_what_is_not_subscribed_to_any_more_is_not_told(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    first, second = create(rig, "one"), create(rig, "two")
    with talking(rig, PATHS[1]) as socket:
        subscribe(socket, "deployment", first["uid"], second["uid"])
        assert {told(socket, "deployment")["name"] for _ in range(2)} == {"one", "two"}
        subscribe(socket, "deployment", first["uid"], action="unsubscribe")
        shelf.free()
        found = []
        while not found or found[-1]["status"] != "running":
            found.append(told(socket, "deployment"))
        assert {each["name"] for each in found} == {"two"}


def test_a_repository_of_releases_is_told_when_it_changes(rig: Rig) -> None:
    address = "/api/v1/bento_repositories"
    made = rig.asked.post(address, json={"name": "shop", "description": ""}).json()
    with talking(rig, PATHS[0]) as socket:
        subscribe(socket, "bento_repository", made["uid"])
        assert told(socket, "bento_repository")["name"] == "shop"
        rig.asked.patch(f"{address}/shop", json={"description": "all of it"})
        assert told(socket, "bento_repository")["description"] == "all of it"


def test_what_is_wrong_is_told_and_the_rest_goes_on(rig: Rig) -> None:
    made = create(rig)
    with talking(rig, PATHS[1]) as socket:
        socket.send_json({"action": "steal"})
        assert "action" in refused(socket)
        subscribe(socket, "weather", "x")
        assert "weather" in refused(socket)
        subscribe(socket, "deployment", "nobody")
        assert "there is no deployment" in refused(socket)
        subscribe(socket, "deployment", *map(str, range(MOST + 1)))
        assert str(MOST) in refused(socket)
        socket.send_json({"action": "subscribe", "resource_type": "bento", "resource_uids": 7})
        assert "resource_uids" in refused(socket)
        subscribe(socket, "deployment", made["uid"])
        assert told(socket, "deployment")["name"] == "d"


def test_what_is_gone_is_told_once(rig: Rig, shelf: Shelf) -> None:
    shelf.hold()
    made = create(rig)
    with talking(rig, PATHS[1]) as socket:
        subscribe(socket, "deployment", made["uid"])
        told(socket, "deployment")
        rig.asked.delete("/api/v2/deployments/d")
        assert "there is no deployment" in refused(socket)


def test_nobody_follows_what_is_of_another_organization(rig: Rig) -> None:
    made = create(rig)
    rig.asked.post("/api/v1/orgs", json={"name": "other", "description": ""})
    stranger = rig.member("eve", Role.ADMIN, "other")
    with talking(rig, PATHS[1], stranger) as socket:
        subscribe(socket, "deployment", made["uid"])
        assert "there is no deployment" in refused(socket)
