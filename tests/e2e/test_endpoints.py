"""Endpoints on a real mesh, from a deployment file and the control API to both gateways."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import psutil
import pytest

from mesh.errors import InvalidArgument, MeshError
from mesh.loops import LoopThread
from tests.cluster.processes import command
from tests.e2e.background import PATIENCE, Background
from tests.e2e.clients import eventually
from tests.e2e.shares import within
from tests.gateway.outside import grpc_server, http_server

pytestmark = pytest.mark.timeout(300)

T = TypeVar("T")
FILE = """
deployments:
  - name: first
    target: tests.e2e.canary_services:Work
    envs: {WHO: first}
    canary:
      versions:
        v2: {target: "tests.e2e.canary_services:Work", envs: {WHO: first, RELEASE: "2"}}
  - name: second
    target: tests.e2e.canary_services:Work
    envs: {WHO: second}
  - name: low
    target: tests.e2e.canary_services:Work
    envs: {WHO: low}
    scaling: {min_replicas: 0, max_replicas: 1, policy: {scale_down_behavior: fast}}
  - name: shadow
    target: tests.e2e.canary_services:Shadow
    envs: {WHO: shadow}
endpoints:
  front: {deployments: {first: 1, second: 3}}
  to-first: {deployments: {first: 1}}
  to-second: {deployments: {second: 1}}
  to-shadow: {deployments: {shadow: 1}}
  over:
    deployments: {first: 1, low: 1}
    load_balance: overflow
    overflow_scale_out_delay: 3
  room: {deployments: {first: 1, second: 1}, load_balance: capacity}
  ruled:
    deployments: {first: 1}
    rules:
      - {headers: {x-team: {exact: b}}, deployment: second}
      - {headers: {x-beta: {present: true}}, deployment: first, version: v2}
  by-cookie: {deployments: {first: 1, second: 1}, session: {cookie: sid}}
  by-header: {deployments: {first: 1, second: 1}, session: {header: X-User}}
  mirrored: {deployments: {first: 1}, mirror: {deployment: shadow}}
"""
SECRET = "sk-0123456789-of-an-upstream"


@pytest.fixture(scope="module")
def mesh(background: Background) -> Iterator[Background]:
    """The mesh with what the file says."""
    path = background.folder / "endpoints.yaml"
    path.write_text(FILE)
    background.run("deploy", str(path))
    for name in ("front", "mirrored", "over"):
        background.reaches(name)
    yield background
    for endpoint in background.control.endpoints.list():
        background.control.endpoints.delete(endpoint.name)
    for deployment in background.control.deployments.list():
        background.control.deployments.delete(deployment.name)


class Asking:
    """Asks endpoints over HTTP through both gateways, and over gRPC through one of them."""

    def __init__(self, mesh: Background) -> None:
        self._opened = [mesh.through(gateway) for gateway in mesh.gateways]
        self.clients = [each.__enter__() for each in self._opened]
        # One connection, so one gateway, which sees all calls that are under way.
        self.channel = grpc.insecure_channel(mesh.target, [("grpc.use_local_subchannel_pool", 1)])
        self._number = 0

    def close(self) -> None:
        self.channel.close()
        for opened in self._opened:
            opened.__exit__(None, None, None)

    def http(self, endpoint: str, method: str, body: Any = None, **fields: str) -> httpx.Response:
        self._number += 1
        client = self.clients[self._number % len(self.clients)]
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return client.post(f"/e/{endpoint}/{method}", json=body, headers=headers)

    def who(self, endpoint: str, **fields: str) -> str:
        """Who answers over HTTP: deployment and version."""
        reply = self.http(endpoint, "who", **fields)
        assert reply.status_code == 200, reply.text
        return reply.text

    def seen(self, endpoint: str) -> int:
        reply = self.http(endpoint, "seen")
        assert reply.status_code == 200, reply.text
        return int(reply.text)

    def rpc(self, endpoint: str, method: str, body: bytes = b"", **fields: str) -> Any:
        """The future of a typed call."""
        metadata = [("x-mesh-endpoint", endpoint)]
        metadata += [(name.replace("_", "-"), value) for name, value in fields.items()]
        call = self.channel.unary_unary(f"/work.v1.WorkService/{method}")
        return call.future(body, metadata=metadata, timeout=PATIENCE)

    def rpc_who(self, endpoint: str, **fields: str) -> str:
        reply: bytes = self.rpc(endpoint, "Who", **fields).result()
        return reply[2:].decode()  # the only field, which is text

    @contextmanager
    def held(self, endpoint: str, calls: int) -> Iterator[None]:
        """So many calls are under way at the endpoint for as long as the block runs."""
        before = self.seen(endpoint)
        futures = [self.rpc(endpoint, "Hold") for _ in range(calls)]
        eventually(lambda: self.seen(endpoint) == before + calls, "the calls run", PATIENCE)
        try:
            yield
        finally:
            self.http(endpoint, "let_go")
            for future in futures:
                future.result()
            self.http(endpoint, "hold_on")


@pytest.fixture
def asking(mesh: Background) -> Iterator[Asking]:
    made = Asking(mesh)
    yield made
    made.close()


def test_weights_divide_an_endpoint_and_several_lead_to_one_deployment(asking: Asking) -> None:
    over_http = Counter(asking.who("front") for _ in range(480))
    over_grpc = Counter(asking.rpc_who("front") for _ in range(480))
    for seen in (over_http, over_grpc):
        assert set(seen) == {"first/main", "second/main"}
        assert within(seen["first/main"], 480, 0.25)
    assert {asking.who("to-first") for _ in range(10)} == {"first/main"}
    assert {asking.who("to-second") for _ in range(10)} == {"second/main"}


def test_rules_lead_to_a_deployment_or_to_a_version(asking: Asking) -> None:
    assert asking.who("ruled") == "first/main"
    assert asking.who("ruled", x_team="b") == asking.rpc_who("ruled", x_team="b") == "second/main"
    assert asking.who("ruled", x_team="c") == "first/main"
    assert asking.who("ruled", x_beta="1") == asking.rpc_who("ruled", x_beta="") == "first/v2"


def test_an_endpoint_overflows_and_wakes_what_sleeps_after_its_delay(
    mesh: Background, asking: Asking
) -> None:
    eventually(lambda: not mesh.control.replicas("low"), "the lower one sleeps", PATIENCE)
    assert {asking.rpc_who("over") for _ in range(10)} == {"first/main"}
    with asking.held("to-first", 2):
        begun = time.monotonic()
        seen: list[str] = []

        def is_awake() -> bool:
            seen.append(asking.rpc_who("over"))
            return seen[-1] == "low/main"

        assert not mesh.control.replicas("low")
        eventually(is_awake, "the lower one takes a request", PATIENCE)
        assert time.monotonic() - begun >= 3
        assert set(seen[:-1]) == {"first/main"}, "until then the full one takes them"
        assert {asking.rpc_who("over") for _ in range(10)} == {"low/main"}
    eventually(lambda: asking.rpc_who("over") == "first/main", "room above is used", PATIENCE)


def test_capacity_goes_where_there_is_room(asking: Asking) -> None:
    with asking.held("to-first", 2):
        assert {asking.rpc_who("room") for _ in range(20)} == {"second/main"}
    seen = Counter(asking.rpc_who("room") for _ in range(320))
    assert within(seen["first/main"], 320, 0.5)


def test_a_session_stays_where_it_is_when_weights_change(mesh: Background, asking: Asking) -> None:
    cookies = []
    before = []
    for _ in range(30):
        reply = asking.http("by-cookie", "who")
        before.append(reply.text)
        cookies.append(reply.headers["set-cookie"].partition(";")[0])
        for client in asking.clients:
            client.cookies.clear()
    users = [f"user-{number}" for number in range(30)]
    before += [asking.who("by-header", x_user=user) for user in users]
    assert set(before) == {"first/main", "second/main"}

    def now() -> list[str]:
        by_cookie = [asking.who("by-cookie", cookie=cookie) for cookie in cookies]
        return by_cookie + [asking.who("by-header", x_user=user) for user in users]

    assert now() == before
    assert [asking.rpc_who("by-header", x_user=user) for user in users] == before[30:]
    for name in ("by-cookie", "by-header"):
        mesh.control.endpoints.set_weights(name, {"first": 1, "second": 4})
    after = now()
    pairs = list(zip(before, after, strict=True))
    assert all(new == old for old, new in pairs if old == "second/main")
    assert any(new != old for old, new in pairs), "some of the first's have to move"


def test_a_mirror_gets_copies_and_does_no_harm(asking: Asking) -> None:
    before = asking.seen("to-shadow")
    texts = ["fine", "fail", "slow"] * 6
    for text in texts:
        reply = asking.http("mirrored", "quick", {"text": text})
        assert (reply.status_code, reply.text) == (200, text)
    body = b"\x0a\x04fail"
    assert [asking.rpc("mirrored", "Quick", body).result() for _ in range(6)] == [body] * 6
    wanted = before + len(texts) + 6
    eventually(lambda: asking.seen("to-shadow") == wanted, "all were copied", PATIENCE)
    asking.http("to-shadow", "let_go")


def test_a_terminated_endpoint_says_so_until_it_is_started(
    mesh: Background, asking: Asking
) -> None:
    mesh.run("endpoint", "terminate", "front", "--yes")
    reply = asking.http("front", "who")
    assert reply.status_code == 503
    assert "endpoint 'front' is terminated" in reply.text
    with pytest.raises(grpc.RpcError) as failed:
        asking.rpc_who("front")
    found: Any = failed.value
    assert found.code() is grpc.StatusCode.UNAVAILABLE
    assert "endpoint 'front' is terminated" in found.details()
    assert asking.who("to-first") == "first/main", "others over its deployments go on"
    mesh.run("endpoint", "start", "front")
    assert asking.who("front") in ("first/main", "second/main")


class Outside:
    """Real servers outside the mesh, on a loop in a thread."""

    def __init__(self) -> None:
        self._thread = LoopThread("outside")
        self._opened: list[AbstractAsyncContextManager[Any]] = []

    def open(self, server: AbstractAsyncContextManager[T]) -> T:
        self._opened.append(server)
        return self._thread.wait(server.__aenter__())

    def close(self) -> None:
        for server in self._opened:
            self._thread.wait(server.__aexit__(None, None, None))
        self._thread.stop()


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside()
    yield made
    made.close()


def texts_of(mesh: Background) -> Iterator[tuple[str, bytes]]:
    """All that the mesh shows or writes, by where it is."""
    control = mesh.control
    for name in ("hosted", "called"):
        yield "the control API", repr(control.endpoints.get(name)).encode()
        yield "a command", mesh.run("endpoint", "get", name, "--json").encode()
    yield "the control API", repr(control.endpoints.list()).encode()
    yield "events", repr(control.events(count=1000)).encode()
    yield "metrics", httpx.get(f"{mesh.about['control_url']}/metrics").content
    yield "metrics", httpx.get(f"{mesh.url}/metrics").content
    yield "endpoints", httpx.get(f"{mesh.url}/endpoints.json").content
    for folder in (mesh.state, Path(mesh.about["replica_logs"])):
        for path in folder.rglob("*"):
            if path.is_file():
                with suppress(FileNotFoundError):  # what is written anew takes another's place
                    yield str(path), path.read_bytes()
    for process in psutil.Process(mesh.about["pid"]).children(recursive=True):
        yield "a command line", command(process).encode()


def test_upstreams_get_their_key_and_nobody_else_does(
    mesh: Background, asking: Asking, outside: Outside
) -> None:
    http = outside.open(http_server())
    rpc = outside.open(grpc_server())
    control = mesh.control
    control.endpoints.apply("hosted", {"upstreams": [{"url": http.url, "api_key": SECRET}]})
    control.endpoints.apply("called", {"upstreams": [{"url": rpc.url, "api_key": SECRET}]})
    call = asking.channel.unary_unary("/any.Service/Unary")

    def sent() -> None:
        told = asking.http("hosted", "echo/x", {"a": 1}, authorization="Bearer mine").json()
        assert ["authorization", f"Bearer {SECRET}"] in told["fields"]
        assert "Bearer mine" not in str(told)
        metadata = [("x-mesh-endpoint", "called"), ("authorization", "Bearer mine")]
        assert call(b"abc", metadata=metadata, timeout=PATIENCE) == b"cba"
        assert [v for k, v in rpc.metadata if k == "authorization"] == [f"Bearer {SECRET}"]

    sent()
    with pytest.raises((InvalidArgument, MeshError)) as failed:
        control.endpoints.apply(
            "hosted", {"upstreams": [{"url": http.url, "api_key": SECRET, "weight": "x"}]}
        )
    assert SECRET not in str(failed.value)
    assert control.endpoints.get("hosted").keyed == (0,)
    for where, text in texts_of(mesh):
        assert SECRET.encode() not in text, where

    before = control.endpoints.list()
    mesh.kill_controller()
    sent()
    assert mesh.when_back(control.endpoints.list) == before
    # What comes now is from the store: other weights, and no word of a key.
    upstreams = [{"url": http.url, "weight": 7}]
    mesh.when_back(lambda: control.endpoints.apply("hosted", {"upstreams": upstreams}))
    eventually(lambda: control.status().watchers >= 2, "gateways follow", PATIENCE)
    control.endpoints.apply("called", {"upstreams": [{"url": rpc.url, "weight": 7}]})
    sent()
    for name in ("hosted", "called"):
        control.endpoints.delete(name)


def test_what_leads_to_a_deleted_deployment_goes_elsewhere_or_says_so(
    mesh: Background, asking: Asking
) -> None:
    mesh.run("deployment", "delete", "second", "--yes")
    eventually(
        lambda: all(asking.who("front") == "first/main" for _ in range(10)), "moved", PATIENCE
    )

    assert "second/main" not in {asking.who("by-cookie") for _ in range(10)}
    refused = asking.http("ruled", "who", x_team="b")
    assert refused.status_code == 503
    assert "deployment 'second', to which a rule leads, has no ready replica" in refused.text
    shown = {each["name"] for each in json.loads(mesh.run("endpoint", "list", "--json"))}
    assert "to-second" not in shown, "it led nowhere else"
    assert {"front", "ruled", "by-cookie"} <= shown
    reply = asking.http("to-second", "who")
    assert reply.status_code == 404
    assert "to-second" in reply.text
    told = [each for each in mesh.control.events() if each.endpoint == "to-second"]
    assert told[0].reason == "deleted with deployment second"
