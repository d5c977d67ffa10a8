"""What runs and what it writes, over WebSockets, to the library that the real client uses."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from httpx_ws import WebSocketDisconnect, WebSocketSession, WebSocketUpgradeError, connect_ws

from mesh.access.principal import Role
from tests.e2e.clients import eventually
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.rig import TOKEN, Rig
from tests.faces.test_plane import document


@contextmanager
def talking(rig: Rig, path: str, token: str = TOKEN) -> Iterator[WebSocketSession]:
    with (
        httpx.Client(headers={TOKEN_HEADER: token}, trust_env=False) as client,
        connect_ws(f"{rig.url.replace('http', 'ws')}{path}", client) as socket,
    ):
        yield socket


def phases(message: dict[str, Any]) -> list[str]:
    assert (message["type"], message["message"]) == ("success", "")
    return [each["status"]["phase"] for each in message["payload"]]


def replica_of(rig: Rig, name: str = "d") -> str:
    """The id of the replica of a deployment, once it is ready."""

    def ready() -> bool:
        return rig.plane.status(name)[0].phase.label == "running"

    eventually(ready, f"{name} runs")
    return next(each.launch.replica_id for each in rig.world.processes())


def test_pods_are_told_and_told_again_when_they_change(rig: Rig) -> None:
    rig.plane.apply(document())
    with talking(rig, "/ws/v2/deployments/d/pods?organization_name=default&cluster=") as socket:
        while phases(message := socket.receive_json(timeout=30)) != ["Running"]:
            pass
        (pod,) = message["payload"]
        assert pod["labels"]["yatai.ai/bento-function-component-type"] == "api-server"
        assert (pod["runner_name"], pod["pod_status"]["status"]) == ("Main", "Running")
        assert pod["namespace"] == "default"
        rig.plane.apply(document(replicas=2))
        while phases(socket.receive_json(timeout=30)) != ["Running", "Running"]:
            pass


def test_pods_of_a_cluster_are_selected_by_labels(rig: Rig) -> None:
    rig.plane.apply(document())
    rig.plane.apply(document(name="e"))
    path = "/ws/v1/clusters/default/pods?selector=yatai.ai/bento-deployment=e"
    with talking(rig, path) as socket:
        while not (payload := socket.receive_json(timeout=30)["payload"]):
            pass
        assert {each["labels"]["yatai.ai/bento-deployment"] for each in payload} == {"e"}


def test_what_is_not_there_is_told_in_an_envelope(rig: Rig) -> None:
    for path in (
        "/ws/v2/deployments/nobody/pods",
        "/ws/v1/clusters/other/pods",
        "/ws/v1/clusters/default/tail?pod_name=nobody",
    ):
        with talking(rig, path) as socket:
            message = socket.receive_json(timeout=30)
        assert (message["type"], message["payload"]) == ("error", None)
        assert "there is no" in message["message"]


def test_nobody_listens_without_a_token(rig: Rig) -> None:
    with pytest.raises(WebSocketUpgradeError), talking(rig, "/ws/v1/clusters/default/pods", "no"):
        pass


def no_more(socket: WebSocketSession) -> str:
    """What the error is that a stream ends with."""
    while (message := socket.receive_json(timeout=30))["type"] != "error":
        pass
    assert message["payload"] is None
    with pytest.raises(WebSocketDisconnect):
        socket.receive_json(timeout=30)
    return str(message["message"])


@pytest.mark.parametrize(
    "path",
    [
        "/ws/v2/deployments/d/pods",
        "/ws/v1/clusters/default/pods",
        "/ws/v1/subscription/resource",
    ],
)
def test_a_token_that_is_revoked_hears_no_more(rig: Rig, path: str) -> None:
    rig.plane.apply(document())
    replica_of(rig)
    with talking(rig, path, rig.member("ann", "developer")) as socket:
        if "pods" in path:
            assert socket.receive_json(timeout=30)["type"] == "success"
        (uid,) = (each.uid for each in rig.access.roll.tokens.values() if each.user == "ann")
        rig.wait(rig.access.tokens.revoke("default", uid))
        assert "token" in no_more(socket)


def test_who_may_no_more_hears_no_more_of_a_log(rig: Rig) -> None:
    rig.plane.apply(document())
    path = f"/ws/v1/clusters/default/tail?pod_name={replica_of(rig)}"
    next(rig.world.processes()).write("first\n")
    with talking(rig, path, rig.member("ann", "developer")) as socket:
        socket.send_json(asks(follow=True))
        assert text_of(socket.receive_json(timeout=30)).endswith("first\n")
        rig.wait(rig.access.members.change("default", "ann", Role.API_USER))
        assert "changed meanwhile" in no_more(socket)


def text_of(message: dict[str, Any]) -> str:
    return "".join(base64.b64decode(each).decode() for each in message["payload"]["items"])


def asks(follow: bool) -> dict[str, Any]:
    payload = {"id": "q1", "container_name": "main", "follow": follow, "tail_lines": 50}
    return {"type": "data", "payload": payload}


def test_a_log_is_told_as_it_grows(rig: Rig) -> None:
    rig.plane.apply(document())
    replica = replica_of(rig)
    process = next(rig.world.processes())
    process.write("first ü\n")
    with talking(
        rig, f"/ws/v1/clusters/default/tail?namespace=default&pod_name={replica}"
    ) as socket:
        socket.send_json(asks(follow=True))
        message = socket.receive_json(timeout=30)
        assert message["payload"]["req_id"] == "q1"
        assert text_of(message).endswith("says\nfirst ü\n")
        process.write("second\n" * 20_000)
        told = ""
        while len(told) < 7 * 20_000:
            message = socket.receive_json(timeout=30)
            assert message["payload"]["type"] == "append"
            told += text_of(message)
        assert told == "second\n" * 20_000
        socket.send_json({"type": "heartbeat"})
        process.write("third\n")
        assert text_of(socket.receive_json(timeout=30)) == "third\n"


def test_a_log_that_is_not_followed_ends(rig: Rig) -> None:
    rig.plane.apply(document())
    replica = replica_of(rig)
    next(rig.world.processes()).write("all\n")
    with talking(rig, f"/ws/v1/clusters/default/tail?pod_name={replica}") as socket:
        socket.send_json(asks(follow=False))
        assert text_of(socket.receive_json(timeout=30)).endswith("says\nall\n")
        assert socket.receive_json(timeout=30) == {
            "type": "success",
            "message": "EOF",
            "payload": None,
        }


@pytest.mark.parametrize("wrong", ["nonsense", "[]", '{"type":"data","payload":7}'])
def test_a_message_that_is_none_is_told(rig: Rig, wrong: str) -> None:
    rig.plane.apply(document())
    replica = replica_of(rig)
    with talking(rig, f"/ws/v1/clusters/default/tail?pod_name={replica}") as socket:
        socket.send_text(wrong)
        message = socket.receive_json(timeout=30)
        assert message["type"] == "error"
