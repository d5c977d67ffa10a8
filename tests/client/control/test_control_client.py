"""`mesh.ControlClient` against the real API on a real socket, over verbs in memory."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import httpx
import pytest

import mesh
from mesh import ControlClient
from mesh.client.control.rollout import Progress, progress
from mesh.client.control.values import DeploymentView
from mesh.control.records import DeploymentRecord
from mesh.errors import (
    ConfigError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from tests.client.control.shelf import BookShelf
from tests.faces.rest.memory import MemoryVerbs
from tests.faces.rest.server import TOKEN, serving

ROOT = Path(__file__).parent.parent.parent.parent
SHELF = "tests.client.control.shelf:BookShelf"
CANARY = {"versions": {"v2": {"target": SHELF, "weight": 20}}}


@pytest.fixture
def verbs() -> MemoryVerbs:
    return MemoryVerbs()


@pytest.fixture
def client(verbs: MemoryVerbs) -> Iterator[ControlClient]:
    with serving(verbs) as url, ControlClient(url, TOKEN) as client:
        yield client


def test_a_target_is_deployed_under_the_name_of_its_service(client: ControlClient) -> None:
    view = client.deploy(SHELF, path=[ROOT], replicas=2, cause="first")
    assert (view.name, view.revision, view.desired) == ("book-shelf", 1, 2)
    assert view.created_at.tzinfo is UTC or view.created_at.utcoffset() is not None
    assert client.wait("book-shelf", revision=1).ready == 2
    (revision,) = client.deployments.revisions("book-shelf")
    assert (revision.cause, revision.current) == ("first", True)


def test_a_file_is_deployed_with_its_endpoints(client: ControlClient, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(
        """
        endpoints:
          front: {deployments: {one: 1, two: 3}}
        deployments:
          - {name: one, target: "tests.client.control.shelf:BookShelf"}
          - {name: two, target: "tests.client.control.shelf:BookShelf", replicas: 2}
        """
    )
    views = client.deploy_file(file, path=[ROOT], cause="from a file")
    assert [(each.name, each.revision) for each in views] == [("one", 1), ("two", 1)]
    assert client.endpoints.get("front").config["deployments"] == {"one": 1, "two": 3}
    assert client.deployments.revisions("two")[0].cause == "from a file"


def test_a_class_is_deployed_by_the_name_of_its_module(client: ControlClient) -> None:
    view = client.deploy(BookShelf, name="shelf", labels={"team": "a"})
    assert view.config["target"] == "tests.client.control.shelf:BookShelf"
    assert [each.name for each in client.deployments.list(labels={"team": "a"})] == ["shelf"]
    assert client.deployments.list(labels={"team": "b"}) == ()


def test_a_class_that_is_in_no_module_is_not_sent(client: ControlClient) -> None:
    @mesh.service
    class Local:
        @mesh.api
        def one(self) -> int:
            return 1

    with pytest.raises(ConfigError, match="Local is in no module that replicas can import"):
        client.deploy(Local)
    assert client.deployments.list() == ()


def test_a_wrong_setting_is_refused_before_anything_is_sent(client: ControlClient) -> None:
    with pytest.raises(ConfigError, match="replica: there is no such setting"):
        client.deploy(SHELF, path=[ROOT], replica=2)


def test_every_verb_of_a_deployment_reaches_it(client: ControlClient) -> None:
    client.deploy(SHELF, path=[ROOT], name="a")
    client.deploy(SHELF, path=[ROOT], name="a", replicas=3)
    deployments = client.deployments
    assert deployments.rollback("a", 1).revision == 3
    assert deployments.revision("a", 3).cause == "rollback to 1"
    assert deployments.restart("a").revision == 4
    assert deployments.set_labels("a", {"k": "v"}).labels == {"k": "v"}
    assert deployments.terminate("a").status == "terminating"
    assert deployments.start("a").status == "running"
    (event,) = deployments.events("a", count=1)
    assert (event.reason, event.by) == ("labels", "owner")
    assert [each.id for each in client.replicas("a")] == ["a-0"]
    assert client.replicas() == client.replicas("a")
    assert client.status().deployments == {"running": 1}
    deployments.delete("a")
    with pytest.raises(NotFound, match="there is no deployment 'a'"):
        deployments.get("a")


def test_names_of_any_characters_stay_names(client: ControlClient) -> None:
    with pytest.raises(NotFound):
        client.deployments.get("../endpoints?x#")


def test_canaries_and_endpoints_are_set(client: ControlClient) -> None:
    client.deploy(SHELF, path=[ROOT], name="a", canary=CANARY)
    assert client.canary.set("a", {"v2": 60}).versions[1].weight == 60
    assert [each.weight for each in client.canary.status("a").versions] == [40, 60]
    assert client.canary.abort("a").versions[1].weight == 0
    assert len(client.canary.promote("a", "v2").versions) == 1
    with pytest.raises(NotFound):
        client.canary.promote("a", "v2")
    upstream = {"url": "https://x.example", "api_key": "secret"}
    client.endpoints.apply("e", {"deployments": {"a": 1}, "upstreams": [upstream]})
    assert client.endpoints.get("e").warnings == ()
    changed = client.endpoints.set_weights("e", {"a": 7})
    assert (changed.config["deployments"], changed.keyed) == ({"a": 7}, (0,))
    assert client.endpoints.terminate("e").intent == "terminate"
    assert client.endpoints.start("e").intent == "run"
    assert client.endpoints.list() == (client.endpoints.get("e"),)
    client.endpoints.delete("e")
    assert client.endpoints.list() == ()


def test_waiting_ends_with_the_reason_of_what_failed(
    client: ControlClient, verbs: MemoryVerbs
) -> None:
    verbs.fails.add(SHELF)
    client.deploy(SHELF, path=[ROOT], name="a")
    with pytest.raises(FailedPrecondition, match="'a' is failed: main: Main: ImportError"):
        client.wait("a")


def test_waiting_for_what_does_not_come_ends_in_time(verbs: MemoryVerbs) -> None:
    now = 0.0

    def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    with (
        serving(verbs) as url,
        ControlClient(url, TOKEN, clock=lambda: now, pause=pause) as client,
    ):
        client.deploy(SHELF, path=[ROOT], name="a")
        with pytest.raises(DeadlineExceeded, match="'a' is running after 2 s"):
            client.wait("a", 2, revision=9)


def test_waiting_outlives_a_controller_that_is_away_for_a_while() -> None:
    class Restarted(MemoryVerbs):
        failures = 0

        def deployment(self, name: str) -> DeploymentRecord:
            if self.failures:
                self.failures -= 1
                raise Unavailable("no controller")
            return super().deployment(name)

    verbs = Restarted()
    with serving(verbs) as url, ControlClient(url, TOKEN, pause=lambda _: None) as client:
        client.deploy(SHELF, path=[ROOT], name="a")
        seen = client.follow("a", revision=2)
        assert next(seen).revision == 1
        client.deployments.restart("a")
        verbs.failures = 3
        assert next(seen).revision == 2
        assert verbs.failures == 0
        with pytest.raises(NotFound):
            client.wait("b")


def test_a_build_is_followed_while_a_controller_is_away() -> None:
    views = [
        httpx.Response(200, json={"name": "a", "stage": "building", "reason": "", "config": {},
                                  "updated_at": "2026-01-02T03:04:05Z"}),
        httpx.ConnectError("nobody"),
        httpx.Response(503, json={"error": "not yet"}),
        httpx.Response(404, json={"error": "nothing is made ready"}),
    ]  # fmt: skip

    def answer(_: httpx.Request) -> httpx.Response:
        found = views.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with ControlClient("http://mesh.test", TOKEN, pause=lambda _: None) as client:
        client._connection._client._transport = httpx.MockTransport(answer)
        assert [each.stage for each in client.building("a")] == ["building"]
    assert not views


def view(status: str, revision: int = 2) -> DeploymentView:
    return DeploymentView(
        name="a", uid="", created_at=None, updated_at=None, revision=revision, intent="run",  # type: ignore[arg-type]  # not looked at
        status=status, reason="", labels={}, config={}, versions=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("running", Progress.DONE),
        ("scaled-to-zero", Progress.DONE),
        ("failed", Progress.FAILED),
        ("terminated", Progress.FAILED),
        ("deploying", Progress.GOING),
        ("unhealthy", Progress.GOING),
        ("unknown", Progress.GOING),
    ],
)
def test_progress_is_told_by_status(status: str, expected: Progress) -> None:
    assert progress(view(status), 2) is expected
    assert progress(view(status), 3) is Progress.GOING


def test_logs_are_followed_as_they_are_written(client: ControlClient, verbs: MemoryVerbs) -> None:
    client.deploy(SHELF, path=[ROOT], name="a")
    verbs.written["a-0"] = "one\n"
    lines = client.logs("a", follow=True)
    assert next(lines).line == "one"
    verbs.written["a-0"] += "two\nthr"
    assert next(lines).line == "two"
    verbs.written["a-0"] += "ee\n"
    found = next(lines)
    assert (found.replica, found.line) == ("a-0", "three")
    client.deployments.delete("a")
    assert list(lines) == []


def test_a_server_that_stops_ends_logs_that_are_followed(verbs: MemoryVerbs) -> None:
    with serving(verbs) as url, ControlClient(url, TOKEN) as client:
        client.deploy(SHELF, path=[ROOT], name="a")
        verbs.written["a-0"] = "one\n"
        lines = client.logs("a", follow=True)
        assert next(lines).line == "one"
    with pytest.raises(Unavailable):
        list(lines)


def test_errors_are_those_of_the_controller(client: ControlClient) -> None:
    with pytest.raises(InvalidArgument, match=r"upstreams\.0\.url: expected http"):
        client.endpoints.apply("e", {"upstreams": [{"url": "ftp://x"}]})
    client.deploy(SHELF, path=[ROOT], name="a")
    client.deployments.terminate("a")
    with pytest.raises(FailedPrecondition, match="'a' is terminated"):
        client.deployments.restart("a")


def test_a_wrong_token_is_told_without_the_right_one(client: ControlClient) -> None:
    with ControlClient(client.url, "wrong") as other, pytest.raises(Unauthenticated) as caught:
        other.status()
    assert TOKEN not in caught.value.message
    assert "MESH_CONTROL_TOKEN" in caught.value.message


def test_where_nobody_answers_is_said() -> None:
    with ControlClient("http://127.0.0.1:1") as client, pytest.raises(Unavailable, match=r":1 "):
        client.status()


def test_a_control_client_that_only_asks_loads_neither_ray_nor_grpc_nor_numpy() -> None:
    program = (
        "import sys, mesh; mesh.ControlClient('http://127.0.0.1:1');"
        "print(*{'ray', 'grpc', 'numpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
