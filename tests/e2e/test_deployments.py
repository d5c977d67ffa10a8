"""Canaries, promotion, lost replicas and resources, under load where that matters."""

import os
import signal

import httpx
import pytest

from mesh.errors import Unavailable
from mesh.testing import LocalMesh
from tests.e2e.clients import Deployed, eventually, load
from tests.e2e.conftest import Deploy
from tests.e2e.services import Eager, Failing, Greedy, NewWho, Who
from tests.e2e.shares import within

WHO = "/who.v1.WhoService/Who"
CANARY = {"versions": {"next": {"weight": 20}}}


def http_pid(deployed: Deployed) -> int:
    reply = deployed.http.post("/who")
    assert reply.status_code == 200, reply.text
    pid: int = reply.json()["pid"]
    return pid


def test_a_canary_takes_its_share_over_http_and_over_grpc(deploy: Deploy) -> None:
    with deploy(Who, "shares", canaries={"next": NewWho}, canary=CANARY) as deployed:
        draws = 1400
        over_http = [
            deployed.http.post("/who").headers["x-mesh-version"] for _ in range(draws)
        ].count("next")
        over_grpc = [
            deployed.grpc.call_with("who", {})[1]["x-mesh-version"] for _ in range(draws)
        ].count("next")
        # Its package leads elsewhere: to the first endpoint that has it.
        over_rpc = [
            deployed.typed_version(WHO, mesh_endpoint="shares") for _ in range(draws)
        ].count("next")
        assert within(over_http, draws, 0.2)
        assert within(over_grpc, draws, 0.2)
        assert within(over_rpc, draws, 0.2)
        asked = {"mesh_endpoint": "shares", "mesh_version": "next"}
        assert deployed.typed_version(WHO, **asked) == "next"
        named = {"x-mesh-version": "next"}
        assert deployed.versions(20, headers=named) == {"next": 20}
        assert deployed.http.post("/is_new", headers=named).json() is True


def test_a_sticky_canary_keeps_each_user_at_one_version(deploy: Deploy) -> None:
    canary = {"route_type": "header", "route_by": "X-User", "versions": {"next": {"weight": 50}}}
    with deploy(Who, "sticky", canaries={"next": NewWho}, canary=canary) as deployed:
        users = [deployed.versions(6, headers={"x-user": f"user-{n}"}) for n in range(20)]
        assert all(len(seen) == 1 for seen in users)
        for number, seen in enumerate(users):
            (version,) = seen
            asked = {"x_mesh_endpoint": "sticky", "x_user": f"user-{number}"}
            assert deployed.typed_version(WHO, **asked) == version, "as over HTTP"
        assert {version for seen in users for version in seen} == {"main", "next"}


def test_a_promotion_under_load_fails_no_call_and_restarts_no_replica(
    deploy: Deploy, shared: LocalMesh, tracing: dict[str, str]
) -> None:
    canary = {"versions": {"next": {"weight": 20, "replicas": 2, "envs": tracing}}}
    with deploy(Who, "promoted", canaries={"next": NewWho}, canary=canary) as deployed:
        named = {"x-mesh-version": "next"}

        def canary_pids() -> set[int]:
            return {deployed.http.post("/who", headers=named).json()["pid"] for _ in range(40)}

        before = eventually(lambda: found if len(found := canary_pids()) == 2 else None)
        calls = [
            lambda: http_pid(deployed),
            lambda: http_pid(deployed),
            lambda: int(deployed.grpc.call("who")["pid"]),
        ]
        with load(*calls) as running:
            running.wait_for(200)
            shared.deploy(NewWho, name="promoted", envs=tracing, replicas=2)
            eventually(lambda: set(deployed.versions(2)) == {"main"})
            running.pids.clear()
            running.wait_for(400)
            after = set(running.pids)
            # Replicas of the old release drain meanwhile; what they had is answered.
            eventually(lambda: _ready(shared, "promoted") == 2)
            running.wait_for(100)
        assert running.failures == []
        assert before <= after
        assert deployed.http.post("/is_new").json() is True
        eventually(lambda: {http_pid(deployed) for _ in range(20)} == before)


def _ready(shared: LocalMesh, name: str) -> int:
    (status,) = shared.running.control.status(name)
    return sum(service.ready for version in status.versions for service in version.services)


def test_a_replica_that_is_killed_is_replaced_and_only_its_own_calls_fail(deploy: Deploy) -> None:
    with deploy(Who, "killed", replicas=2) as deployed:
        pids = eventually(
            lambda: found if len(found := {http_pid(deployed) for _ in range(20)}) == 2 else None
        )
        victim = min(pids)

        def held() -> int:
            reply = deployed.http.post("/hold", json={"seconds": 0.05})
            assert reply.status_code == 200, reply.text
            return int(reply.json())

        calls = [held, held, lambda: int(deployed.grpc.call("who")["pid"])]
        with load(*calls) as running:
            running.wait_for(100)
            os.kill(victim, signal.SIGKILL)
            running.wait_for(100)
            eventually(lambda: set(running.pids) - pids, "a new replica takes calls")
            running.wait_for(100)
        # Each of the two threads whose method may not be run twice had one call at most there.
        assert len(running.failures) <= 2
        assert all("503" in failure or "replica is gone" in failure for failure in running.failures)


def test_replicas_run_at_the_usual_priority(deploy: Deploy) -> None:
    with deploy(Who, "polite") as deployed:
        assert deployed.http.post("/who").json()["nice"] == 0


def test_logical_gpus_are_shared_by_halves_and_taken_whole(deploy: Deploy) -> None:
    half = {"services": {"Who": {"resources": {"gpu": 0.5}}}}
    whole = {"services": {"Who": {"resources": {"gpu": 1}}}}
    with deploy(Who, "halves", replicas=2, **half) as halves, deploy(Who, "whole", **whole) as one:
        seen: dict[int, str] = {}
        while len(seen) < 2:
            said = halves.http.post("/who").json()
            seen[said["pid"]] = said["gpus"]
        devices = set(seen.values())
        assert len(devices) == 1
        assert devices <= {"0", "1"}
        assert one.http.post("/who").json()["gpus"] in {"0", "1"} - devices


def test_a_service_that_needs_more_than_there_is_says_what(shared: LocalMesh) -> None:
    with pytest.raises(Unavailable) as failed:
        shared.deploy(Greedy, name="greedy")
    assert failed.value.message == (
        "deployment 'greedy' cannot start: main: Greedy: needs 64 gpu, the cluster has 2"
    )
    assert httpx.post(f"{shared.url}/e/greedy/nothing").status_code == 503
    shared.running.control.delete("greedy")


def test_a_service_that_cannot_be_made_says_why_in_one_line(shared: LocalMesh) -> None:
    with pytest.raises(Unavailable) as failed:
        shared.deploy(Failing, name="failing")
    assert failed.value.message == (
        "deployment 'failing' cannot start: main: Failing: Failing.__init__ failed:"
        " RuntimeError: the model is missing [really]"
    )
    shared.running.control.delete("failing")


def test_a_release_that_never_gets_ready_leaves_the_old_one_serving(
    deploy: Deploy, shared: LocalMesh
) -> None:
    with deploy(Who, "careful") as deployed:
        pid = http_pid(deployed)
        with pytest.raises(Unavailable):
            shared.deploy(Failing, name="careful")
        assert http_pid(deployed) == pid


def test_a_class_that_no_module_holds_is_served(deploy: Deploy) -> None:
    source = (
        "import mesh\n"
        "@mesh.service\n"
        "class Notebook:\n"
        "    @mesh.api\n"
        "    async def twice(self, x: int) -> int:\n"
        "        return 2 * x\n"
    )
    names: dict[str, object] = {"__name__": "__main__"}
    exec(source, names)
    notebook = names["Notebook"]
    assert isinstance(notebook, type)
    with deploy(notebook, "notebook") as deployed:
        assert deployed.http.post("/twice", json={"x": 4}).json() == 8


def test_both_gateways_of_one_port_take_requests(deploy: Deploy, shared: LocalMesh) -> None:
    first, second = shared.running.gateway_pids
    assert first != second
    with deploy(Who, "both") as deployed:
        seen = set()

        def asked() -> bool:
            # The kernel gives each new connection to one of them.
            with httpx.Client(base_url=shared.url) as client:
                assert client.post("/e/both/who").status_code == 200
                text = client.get("/metrics").text
                seen.add("".join(line for line in text.splitlines() if '"both"' in line))
            return len(seen) > 3

        eventually(asked)
        assert deployed.http.post("/who").status_code == 200


def test_a_service_may_call_its_dependency_when_it_is_made(deploy: Deploy) -> None:
    with deploy(Eager, "eager") as deployed:
        assert deployed.http.post("/stored").json() == 4.0
