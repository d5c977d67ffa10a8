"""The control API over the controller itself, with replicas in this process."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from mesh import ControlClient
from mesh.cluster.local import LocalCluster
from mesh.errors import ConfigError, FailedPrecondition, InvalidArgument, NotFound, Unauthenticated
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from mesh.serving.application import Application
from tests.cluster.hosts import FAILS
from tests.faces.test_plane import HOST, document

TOKEN = "t0ken"


@pytest.fixture
def client() -> Iterator[ControlClient]:
    config = PlaneConfig("127.0.0.1", 0, "127.0.0.1", 0, token=TOKEN)
    plane = ControlPlane(config, lambda: LocalCluster(host=HOST))
    try:
        with ControlClient(plane.start().http, TOKEN) as client:
            yield client
    finally:
        plane.stop()


def application(target: str = "works", replicas: int = 1) -> Application:
    return Application(json.loads(document(target, replicas)))


def test_a_deployment_lives_through_all_verbs(client: ControlClient) -> None:
    assert client.apply(application(), cause="first").revision == 1
    assert client.wait("d", 30, revision=1).ready == 1
    client.apply(application(replicas=2))
    assert client.wait("d", 30, revision=2).ready == 2
    assert client.deployments.rollback("d", 1).revision == 3
    assert client.deployments.restart("d").revision == 4
    assert client.wait("d", 30, revision=4).status == "running"
    assert client.deployments.set_labels("d", {"k": "v"}).labels == {"k": "v"}
    assert [each.name for each in client.deployments.list(labels={"k": "v"})] == ["d"]
    causes = [each.cause for each in client.deployments.revisions("d")]
    assert (causes[-1], len(causes)) == ("first", 5)
    client.endpoints.apply("front", {"deployments": {"d": 1}})
    assert client.endpoints.terminate("front").intent == "terminate"
    assert client.endpoints.start("front").config["deployments"] == {"d": 1}
    client.endpoints.delete("front")
    assert client.deployments.terminate("d").intent == "terminate"
    assert client.deployments.start("d").intent == "run"
    assert client.wait("d", 30).status == "running"
    found = client.status()
    assert (found.ready, found.deployments) == (True, {"running": 1})
    assert found.snapshot > 0
    kinds = {each.kind for each in client.deployments.events("d")}
    assert kinds == {"change", "status"}
    client.deployments.delete("d")


def test_what_cannot_start_is_told_with_its_reason(client: ControlClient) -> None:
    client.apply(application())
    client.wait("d", 30)
    client.apply(application(FAILS))
    with pytest.raises(FailedPrecondition, match="'d' is failed: main: Main: "):
        client.wait("d", 30, revision=2)
    phases = {(each.phase, each.version_id) for each in client.replicas("d")}
    assert "ready" in {phase for phase, _ in phases}
    client.deployments.rollback("d", 1)
    assert client.wait("d", 30, revision=3).status == "running"


def test_what_is_wrong_is_refused(client: ControlClient) -> None:
    with pytest.raises(NotFound):
        client.deployments.get("d")
    with pytest.raises((InvalidArgument, ConfigError)):
        client.endpoints.apply("front", {"deployments": {"none": 1}})
    client.apply(application())
    with pytest.raises(NotFound):
        client.deployments.rollback("d", 7)
    with pytest.raises((NotFound, FailedPrecondition)):
        client.canary.promote("d", "v2")


def test_only_probes_are_open(client: ControlClient) -> None:
    for path in ("/livez", "/metrics"):
        assert httpx.get(f"{client.url}{path}").status_code == 200
    assert httpx.get(f"{client.url}/status").status_code == 401
    fields = {"authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{client.url}/status", headers=fields).json() == {"deployments": []}
    with ControlClient(client.url) as other, pytest.raises(Unauthenticated):
        other.deployments.list()


def test_a_connection_may_be_idle_longer_than_clients_keep_it(client: ControlClient) -> None:
    host, _, port = client.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: mesh\r\n\r\n")
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
        connection.settimeout(6)  # httpx keeps one for five seconds
        with pytest.raises(TimeoutError):
            connection.recv(2**16)
