"""Canaries on a real mesh: weights through every gateway, and progressions that end by themselves.

The mesh runs in the background, with two gateways and a store in SQLite; all goes through its
control API and its commands.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from mesh.client.control.values import CanaryView, VersionTraffic
from mesh.v1 import inference_pb2
from tests.e2e.background import PATIENCE, Background, traffic
from tests.e2e.clients import eventually
from tests.e2e.shares import within

pytestmark = pytest.mark.timeout(300)

WHICH = "/answer.v1.AnswerService/Which"
ITEMS = "/answer.v1.AnswerService/Items"
ONE_ITEM = b"\x08\x01"
"""`n: 1`, for Items."""


def canary(service: str, **progression: Any) -> dict[str, Any]:
    """A canary `next`, with a progression whose steps are short."""
    version = {"target": f"tests.e2e.canary_services:{service}"}
    return {"versions": {"next": version}, "progression": {"wait": 1, **progression}}


def version(view: CanaryView, name: str) -> VersionTraffic:
    (found,) = [each for each in view.versions if each.name == name]
    return found


def ended(mesh: Background, name: str) -> CanaryView:
    """The status of a canary when its progression has ended."""

    def look() -> CanaryView | None:
        view = mesh.control.canary.status(name)
        is_over = view.progression is None or view.progression.state != "running"
        return view if is_over else None

    view = eventually(look, "the progression ends", PATIENCE)
    assert view is not None
    return view


def replicas(mesh: Background, name: str, release: str) -> set[str]:
    """The replicas of a release that are ready."""
    found = mesh.control.replicas(name)
    return {each.id for each in found if (each.version_id, each.phase) == (release, "ready")}


def releases(mesh: Background, name: str) -> dict[str, str]:
    """The id of each version, by its name."""
    return {each.name: each.id for each in mesh.control.deployments.get(name).versions}


def test_a_canary_that_fails_a_tenth_of_its_calls_is_taken_back_by_itself(
    background: Background,
) -> None:
    plan = canary("Failing", steps=[20, 50, 100], min_requests=300)
    background.deploy("Answer", "tenth", canary=plan)
    with traffic(f"{background.url}/e/tenth") as sent:
        view = ended(background, "tenth")
        before = sum(sent.codes.values())
        eventually(lambda: sum(sent.codes.values()) > before + 50, "more requests", PATIENCE)
    assert view.progression is not None
    assert view.progression.state == "aborted"
    assert {each.name: each.weight for each in view.versions} == {"main": 100, "next": 0}
    why = view.progression.reason
    assert why.startswith("error rate ")
    assert "worse by more than 1 %" in why
    now = background.control.deployments.get("tenth")
    assert {each.name: each.weight for each in now.versions} == {"main": 100, "next": 0}
    assert why in now.reason
    told = background.control.deployments.events("tenth")
    assert any(why in event.reason for event in told)
    shown = " ".join(background.run("canary", "status", "tenth").split())
    assert "progression of next aborted" in shown
    assert why in shown
    assert {key[0] for key in sent.failed} == {"next"}
    with traffic(f"{background.url}/e/tenth") as after:
        eventually(lambda: sum(after.codes.values()) > 100, "requests", PATIENCE)
    assert {key[0] for key in after.codes} == {"main"}
    background.control.deployments.delete("tenth")


def test_a_good_canary_becomes_main_by_itself_and_keeps_its_replicas(
    background: Background,
) -> None:
    plan = canary("Good", steps=[25, 50, 100], min_requests=40)
    background.deploy("Answer", "promoted", canary=plan)
    before = releases(background, "promoted")
    kept = replicas(background, "promoted", before["next"])
    assert len(kept) == 1
    with traffic(f"{background.url}/e/promoted") as sent:
        view = ended(background, "promoted")
        eventually(
            lambda: not replicas(background, "promoted", before["main"]), "main ends", PATIENCE
        )
    assert not sent.failed
    assert [each.name for each in view.versions] == ["main"]
    assert releases(background, "promoted") == {"main": before["next"]}
    assert replicas(background, "promoted", before["next"]) == kept
    told = [event.reason for event in background.control.deployments.events("promoted")]
    assert told.index("canary next: 100 %") < told.index("canary next: 50 %"), "the newest first"
    assert any("canary next promoted: it has passed all steps" in reason for reason in told)
    background.control.deployments.delete("promoted")


def test_a_slow_canary_is_taken_back_by_itself(background: Background) -> None:
    plan = canary("Slow", steps=[10, 100], min_requests=200, risk=0.2, max_error_increase=None)
    background.deploy("Answer", "slow", canary=plan)
    with traffic(f"{background.url}/e/slow", threads=24) as sent:
        view = ended(background, "slow")
    assert view.progression is not None
    assert view.progression.state == "aborted"
    assert view.progression.reason.startswith("p99 latency ")
    assert "more than 2 times as long" in view.progression.reason
    assert version(view, "next").weight == 0
    assert not sent.failed
    background.control.deployments.delete("slow")


def test_a_progression_goes_on_when_the_controller_was_killed(background: Background) -> None:
    plan = canary("Good", steps=[20, 40, 100], min_requests=60)
    background.deploy("Answer", "killed", canary=plan)
    before = releases(background, "killed")
    kept = replicas(background, "killed", before["next"])

    def step() -> int:
        view = background.control.canary.status("killed")
        assert view.progression is not None
        return view.progression.step

    with traffic(f"{background.url}/e/killed") as sent:
        eventually(lambda: step() == 1, "the second step", PATIENCE)
        background.kill_controller()
        view = background.when_back(lambda: background.control.canary.status("killed"))
        if view.progression is not None:  # else it has ended already
            assert view.progression.step >= 1, "it is where it was"
            assert view.progression.state in ("running", "done")
        ended(background, "killed")
        eventually(
            lambda: not replicas(background, "killed", before["main"]), "main ends", PATIENCE
        )
    assert not sent.failed
    assert releases(background, "killed") == {"main": before["next"]}
    assert replicas(background, "killed", before["next"]) == kept
    background.control.deployments.delete("killed")


class Callers:
    """Asks which version answers, in four ways, through one gateway after the other."""

    def __init__(self, mesh: Background, name: str) -> None:
        self.name = name
        self._opened = [mesh.through(gateway) for gateway in mesh.gateways]
        self.clients = [each.__enter__() for each in self._opened]
        self.channels = [
            grpc.insecure_channel(mesh.target, [("grpc.use_local_subchannel_pool", 1)])
            for _ in range(4)
        ]

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        for opened in self._opened:
            opened.__exit__(None, None, None)

    def http(self, number: int, query: str = "", **fields: str) -> str:
        client = self.clients[number % len(self.clients)]
        reply = client.post(f"/e/{self.name}/which{query}", headers=fields)
        assert reply.status_code == 200, reply.text
        return reply.headers["x-mesh-version"]

    def http_stream(self, number: int, query: str = "", **fields: str) -> str:
        client = self.clients[number % len(self.clients)]
        reply = client.post(f"/e/{self.name}/items{query}", json={"n": 1}, headers=fields)
        assert reply.status_code == 200, reply.text
        return reply.headers["x-mesh-version"]

    def _metadata(self, fields: dict[str, str]) -> list[tuple[str, str]]:
        return [("x-mesh-endpoint", self.name), *fields.items()]

    def rpc(self, number: int, **fields: str) -> str:
        channel = self.channels[number % len(self.channels)]
        call = channel.unary_unary(WHICH)
        _, ended = call.with_call(b"", metadata=self._metadata(fields), timeout=PATIENCE)
        return str(dict(ended.initial_metadata())["x-mesh-version"])

    def rpc_stream(self, number: int, **fields: str) -> str:
        channel = self.channels[number % len(self.channels)]
        stream = channel.unary_stream(ITEMS)(
            ONE_ITEM, metadata=self._metadata(fields), timeout=PATIENCE
        )
        assert len(list(stream)) == 1
        return str(dict(stream.initial_metadata())["x-mesh-version"])

    def generic(self, number: int, **fields: str) -> str:
        channel = self.channels[number % len(self.channels)]
        request = inference_pb2.CallRequest(method="which").SerializeToString()
        call = channel.unary_unary("/mesh.v1.Inference/Call")
        _, ended = call.with_call(request, metadata=self._metadata(fields), timeout=PATIENCE)
        return str(dict(ended.initial_metadata())["x-mesh-version"])

    @property
    def ways(self) -> list[Callable[..., str]]:
        return [self.http, self.http_stream, self.rpc, self.rpc_stream, self.generic]


def weighted(background: Background, name: str, weight: int, **rule: str) -> Callers:
    """A deployment with a canary of a fixed weight, and its callers."""
    versions = {"next": {"target": "tests.e2e.canary_services:Good", "weight": weight}}
    background.deploy("Answer", name, canary={"versions": versions, **rule})
    return Callers(background, name)


def test_a_weight_holds_for_http_for_grpc_and_for_streams(background: Background) -> None:
    callers = weighted(background, "random", 30)
    for way in callers.ways:
        seen = Counter(way(number) for number in range(320))
        assert within(seen["next"], 320, 0.3), (way.__name__, seen)
        assert set(seen) == {"main", "next"}
    callers.close()
    background.control.deployments.delete("random")


def test_a_value_of_a_header_leads_to_one_version_on_every_gateway_and_protocol(
    background: Background,
) -> None:
    callers = weighted(background, "sticky", 40, route_type="header", route_by="x-user")
    users = [f"user-{number}" for number in range(40)]
    found = {}
    for user in users:
        seen = {way(number, **{"x-user": user}) for way in callers.ways for number in range(2)}
        assert len(seen) == 1, user
        (found[user],) = seen
    assert set(found.values()) == {"main", "next"}
    background.control.canary.set("sticky", {"next": 60})
    for user in users:
        now = callers.http(0, **{"x-user": user})
        assert now == "next" or found[user] == "main", "a greater weight takes from main alone"
    callers.close()
    background.control.deployments.delete("sticky")


def test_a_value_of_the_query_leads_to_one_version_on_every_gateway(
    background: Background,
) -> None:
    callers = weighted(background, "asked", 40, route_type="query", route_by="user")
    found = []
    for user in range(40):
        seen = {
            way(number, f"?user={user}")
            for way in (callers.http, callers.http_stream)
            for number in range(2)
        }
        assert len(seen) == 1, user
        found += seen
    assert set(found) == {"main", "next"}
    callers.close()
    background.control.deployments.delete("asked")


def test_new_weights_hold_for_the_next_requests_of_clients_that_stay_connected(
    background: Background,
) -> None:
    callers = weighted(background, "moved", 0)

    def seen() -> set[str]:
        return {way(number) for way in callers.ways for number in range(4)}

    assert seen() == {"main"}
    for weight in (100, 0, 100, 0, 100):
        background.control.canary.set("moved", {"next": weight})
        assert seen() == {"next" if weight else "main"}
    background.run("canary", "abort", "moved")
    assert seen() == {"main"}
    background.run("canary", "set", "moved", "next=100")
    assert seen() == {"next"}
    background.run("canary", "set", "moved", "next=0")
    release = releases(background, "moved")["next"]
    background.run("canary", "promote", "moved")
    answered = background.control.canary.status("moved")
    assert [each.name for each in answered.versions] == ["main"]
    assert seen() == {"main"}
    assert releases(background, "moved") == {"main": release}
    callers.close()
    background.control.deployments.delete("moved")


def test_metrics_of_each_version_agree_with_what_was_sent(background: Background) -> None:
    versions = {"next": {"target": "tests.e2e.canary_services:Failing", "weight": 30}}
    background.deploy("Answer", "counted", canary={"versions": versions})
    with traffic(f"{background.url}/e/counted") as sent:
        eventually(lambda: sum(sent.codes.values()) >= 600, "requests", PATIENCE)

    def agreed() -> CanaryView | None:
        view = background.control.canary.status("counted")
        told = {each.name: (each.requests, each.errors) for each in view.versions}
        return view if told == wanted else None

    wanted = {
        name: (sent.codes[name, 200] + sent.codes[name, 500], sent.codes[name, 500])
        for name in ("main", "next")
    }
    assert wanted["next"][1] > 0
    view = eventually(agreed, f"the control API tells of {wanted}", PATIENCE)
    assert view is not None
    for each in view.versions:
        assert each.error_rate == pytest.approx(each.errors / each.requests)
        assert each.p50 is not None
        assert each.p90 is not None
        assert each.p99 is not None
        assert 0 < each.p50 <= each.p90 <= each.p99
    shown = json.loads(background.run("canary", "status", "counted", "--json"))
    assert {each["name"]: each["requests"] for each in shown["versions"]} == {
        name: requests for name, (requests, _) in wanted.items()
    }
    background.control.deployments.delete("counted")
