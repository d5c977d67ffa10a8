"""The number of replicas follows the load, to zero and back, on a real mesh."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from mesh import ControlClient
from mesh.client import GrpcClient
from mesh.client.control.values import DeploymentView
from mesh.config import DeploymentConfig, parse
from mesh.errors import MeshError, Unavailable
from mesh.io.arguments import encode_call
from mesh.serving.application import Release, application
from mesh.testing import LocalMesh
from tests.cluster.processes import called
from tests.e2e.clients import Deployed, eventually, load
from tests.e2e.conftest import Deploy
from tests.e2e.scaling_services import Above, Elastic

PATIENCE = 90.0
"""Seconds that a busy machine has for what takes a few."""
NEIGHBOURS = 30
"""Calls by which one that is sent at the same time may be overtaken."""
AT_ONCE = {"scale_up_stabilization_window": 0, "scale_down_stabilization_window": 0}
TO_ZERO = {"min_replicas": 0, "max_replicas": 2, "scale_to_zero_after": 1, "policy": AT_ONCE}


@pytest.fixture(scope="module")
def control(shared: LocalMesh) -> Iterator[ControlClient]:
    with ControlClient(shared.running.control_url) as client:
        yield client


def scaling(least: int, most: int, **policy: Any) -> Mapping[str, Any]:
    return {"min_replicas": least, "max_replicas": most, "policy": {**AT_ONCE, **policy}}


def elastic(traffic: Mapping[str, Any], bounds: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"services": {"Elastic": {"traffic": traffic, "scaling": bounds, **more}}}


def numbers(view: DeploymentView) -> dict[str, tuple[int, int]]:
    """Desired and ready replicas of each service of `main`."""
    return {each.name: (each.desired, each.ready) for each in view.versions[0].services}


def becomes(control: ControlClient, name: str, wanted: int, service: str = "Elastic") -> None:
    """Waits until so many replicas of a service are wanted and ready."""
    eventually(
        lambda: numbers(control.deployments.get(name))[service] == (wanted, wanted),
        f"{wanted} replicas of {service}",
        PATIENCE,
    )


def sleeps(control: ControlClient, name: str) -> None:
    def is_empty() -> bool:
        is_told = control.deployments.get(name).status == "scaled-to-zero"
        return is_told and not control.replicas(name)

    eventually(is_empty, f"{name} sleeps", PATIENCE)


def told(control: ControlClient, name: str) -> list[str]:
    """Why its numbers changed, the oldest first."""
    events = control.deployments.events(name)
    return [each.reason for each in reversed(events) if each.kind == "scaling"]


def holding(deployed: Deployed, seconds: float = 0.2) -> Callable[[], int]:
    """A call over HTTP that takes so long; returns the pid of its replica."""

    def call() -> int:
        reply = deployed.http.post("/hold", json={"seconds": seconds})
        assert reply.status_code == 200, reply.text
        return int(reply.json())

    return call


@contextmanager
def watched(control: ControlClient, name: str) -> Iterator[list[tuple[float, int, int]]]:
    """When the number of replicas changed while a block ran: seconds, desired, ready."""
    seen: list[tuple[float, int, int]] = []
    over = threading.Event()
    began = time.monotonic()

    def watch() -> None:
        while not over.wait(0.1):
            now = numbers(control.deployments.get(name))["Elastic"]
            if not seen or seen[-1][1:] != now:
                seen.append((time.monotonic() - began, *now))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.timeout(300)
def test_replicas_follow_the_calls_in_flight_up_and_down(
    deploy: Deploy, control: ControlClient
) -> None:
    config = elastic({"concurrency": 2}, scaling(1, 4))
    with deploy(Elastic, "steps", **config) as deployed:
        # Calls are long, so that what lies between two of them does not count.
        assert numbers(control.deployments.get("steps")) == {"Elastic": (1, 1)}
        with watched(control, "steps") as seen, load(*[holding(deployed, 8.0)] * 5) as running:
            becomes(control, "steps", 3)  # ceil(5 / 2)
            running.wait_for(10)
            eventually(lambda: len(running.pids) == 3, "all three take calls", PATIENCE)
        print("steps", seen)
        assert running.failures == []
        assert max(desired for _, desired, _ in seen) == 3
        becomes(control, "steps", 1)
        reasons = told(control, "steps")
        assert reasons[0].startswith("main: Elastic: in flight")
        assert any("-> 3" in reason for reason in reasons)
        assert reasons[-1].endswith("-> 1")
        assert control.deployments.get("steps").status == "running"


@pytest.mark.timeout(300)
def test_bounds_hold_and_what_is_disabled_does_not_move(
    deploy: Deploy, control: ControlClient
) -> None:
    bounded = elastic({"concurrency": 1}, scaling(1, 2))
    still = elastic({"concurrency": 1}, scaling(1, 9, scale_up_behavior="disabled"))
    stays = elastic({"concurrency": 1}, scaling(1, 2, scale_down_behavior="disabled"))
    with (
        deploy(Elastic, "bounded", **bounded) as one,
        deploy(Elastic, "still", **still) as other,
        deploy(Elastic, "stays", **stays) as third,
    ):
        with load(*(holding(each) for each in (one, other, third) for _ in range(4))) as running:
            becomes(control, "bounded", 2)
            becomes(control, "stays", 2)
            running.wait_for(20)
        assert numbers(control.deployments.get("bounded")) == {"Elastic": (2, 2)}
        assert numbers(control.deployments.get("still")) == {"Elastic": (1, 1)}
        assert told(control, "still") == []
        becomes(control, "bounded", 1)
        assert numbers(control.deployments.get("stays")) == {"Elastic": (2, 2)}


@pytest.mark.timeout(300)
def test_a_service_that_sleeps_wakes_for_a_call_and_its_time_begins_then(
    deploy: Deploy, control: ControlClient, shared: LocalMesh
) -> None:
    config = elastic({"concurrency": 4, "timeout": 5}, TO_ZERO, envs={"START_SECONDS": "6"})
    with deploy(Elastic, "sleepy", **config) as deployed:
        sleeps(control, "sleepy")
        with ThreadPoolExecutor(3) as pool:
            calls = [
                pool.submit(holding(deployed, 0.1)),
                pool.submit(deployed.grpc.call, "hold", seconds=0.1),
                pool.submit(holding(deployed, 0.1)),
            ]
            assert all(call.result(PATIENCE) for call in calls)
        sleeps(control, "sleepy")
        ready = eventually(
            lambda: deployed.http.get("/readyz").status_code == 200, "/readyz wakes", PATIENCE
        )
        assert ready
        sleeps(control, "sleepy")
        reply = deployed.http.post("/hold", json={"seconds": 20})
        assert reply.status_code == 504, "its time ends all the same"
        assert any("no load for" in reason for reason in told(control, "sleepy"))
        assert any("queued" in reason and "0 -> 1" in reason for reason in told(control, "sleepy"))


@pytest.mark.timeout(300)
def test_a_graph_sleeps_and_wakes_as_far_as_it_is_called(
    deploy: Deploy, control: ControlClient
) -> None:
    with deploy(Above, "graph", scaling=TO_ZERO) as deployed:
        sleeps(control, "graph")
        assert deployed.http.post("/double", json={"x": 4}).json() == 8
        sleeps(control, "graph")
        assert deployed.grpc.call("alone") > 0
        below = numbers(control.deployments.get("graph"))["Below"]
        assert below == (0, 0), "nobody has called it"
        sleeps(control, "graph")


@pytest.mark.timeout(300)
def test_a_call_that_no_replica_comes_for_is_told_so(
    shared: LocalMesh, control: ControlClient
) -> None:
    config = elastic({"concurrency": 1}, TO_ZERO, cold_start_timeout=2)
    config["services"]["Elastic"]["resources"] = {"custom": {"unobtainium": 1}}
    document = {"name": "stuck", "target": "tests:Elastic", **config}
    parsed = parse(DeploymentConfig, document, what="stuck")
    shared.running.control.apply(application(parsed, {"main": Release.of_class(Elastic)}).document)
    try:
        with GrpcClient(shared.target, endpoint="stuck") as client:
            url = f"{shared.url}/e/stuck/hold"
            body = {"seconds": 0}
            eventually(lambda: httpx.post(url, json=body, timeout=60).status_code == 503)
            reply = httpx.post(url, json=body, timeout=60)
            assert reply.status_code == 503
            assert "no replica of Elastic came up within 2 s" in reply.text
            with pytest.raises(Unavailable, match="no replica of Elastic came up within 2 s"):
                client.call("hold", seconds=0)
        status = control.deployments.get("stuck")
        assert "needs 1 unobtainium, the cluster has 0" in status.reason
    finally:
        shared.running.control.delete("stuck")


@pytest.mark.timeout(300)
def test_a_burst_waits_in_line_and_the_line_adds_replicas(
    deploy: Deploy, control: ControlClient, shared: LocalMesh, tracing: dict[str, str]
) -> None:
    one = elastic({"concurrency": 1, "external_queue": True, "queue_limit": 80}, scaling(1, 1))
    with deploy(Elastic, "line", **one) as deployed:
        take = deployed.channel.unary_unary("/mesh.v1.Inference/Call")
        # A channel that has yet to connect sends what waits in an order of its own.
        take(encode_call("order", {}), metadata=[("mesh-endpoint", "line")], timeout=PATIENCE)
        calls = [
            take.future(
                encode_call("take", {"number": number, "seconds": 0.02}),
                metadata=[("mesh-endpoint", "line")],
                timeout=PATIENCE,
            )
            for number in range(60)
        ]
        for call in calls:
            call.result()
        order = deployed.grpc.call("order")
        assert sorted(order) == list(range(60)), "none was refused"
        # The way to the gateway mixes neighbours; the line itself mixes nothing.
        assert max(abs(place - number) for place, number in enumerate(order)) <= NEIGHBOURS
        (before,) = control.replicas("line")
        more = elastic({"concurrency": 1, "external_queue": True, "queue_limit": 80}, scaling(1, 3))
        shared.deploy(Elastic, name="line", envs=tracing, **more)
        with load(*[holding(deployed, 0.1)] * 12) as running:
            becomes(control, "line", 3)
            eventually(lambda: len(running.pids) == 3, "three take calls", PATIENCE)
            ids = {each.id for each in control.replicas("line")}
            assert before.id in ids, "more room restarts nobody"
        assert running.failures == []
        assert any("queued" in reason for reason in told(control, "line"))


@pytest.mark.timeout(300)
def test_requests_per_second_and_busy_cores_add_replicas(
    deploy: Deploy, control: ControlClient
) -> None:
    by_rate = elastic({}, scaling(1, 2, metrics=[{"type": "qps", "value": 5}]))
    by_core = elastic({}, scaling(1, 2, metrics=[{"type": "cpu", "value": 15}]))
    with (
        deploy(Elastic, "rate", **by_rate) as rate,
        deploy(Elastic, "core", **by_core) as core,
    ):

        def spin() -> int:
            reply = core.http.post("/spin", json={"seconds": 0.1})
            assert reply.status_code == 200, reply.text
            return int(reply.json())

        with load(*[holding(rate, 0.05)] * 2, spin) as running:
            becomes(control, "rate", 2)
            becomes(control, "core", 2)
        assert running.failures == []
        assert any("qps" in reason for reason in told(control, "rate"))
        assert any("cpu" in reason for reason in told(control, "core"))


@pytest.mark.timeout(300)
def test_numbers_are_kept_by_a_rollout_a_promotion_and_a_new_controller(
    deploy: Deploy, control: ControlClient, shared: LocalMesh
) -> None:
    def config(envs: Mapping[str, str], **more: Any) -> dict[str, Any]:
        return elastic({"concurrency": 2}, scaling(1, 3), envs=envs) | more

    with deploy(Elastic, "kept", **config({})) as deployed:
        with load(*[holding(deployed, 8.0)] * 9) as running:
            becomes(control, "kept", 3)
            shared.deploy(Elastic, name="kept", **config({"NEXT": "1"}))

            def is_over() -> bool:
                view = control.deployments.get("kept")
                assert numbers(view)["Elastic"][0] == 3
                return view.status == "running" and not view.versions[0].replacing

            eventually(is_over, "the rollout ends", PATIENCE)
            eventually(lambda: len(control.replicas("kept")) == 3, "the old ones end", PATIENCE)
            before = {each.id for each in control.replicas("kept")}
            running.wait_for(5)
            kill_controller()
            eventually(lambda: _is_back(control, "kept"), "a new controller", PATIENCE)
            running.wait_for(10)
            after = {each.id for each in control.replicas("kept")}
            assert after == before, told(control, "kept")
            assert numbers(control.deployments.get("kept")) == {"Elastic": (3, 3)}
            same = {"services": {"Elastic": {"traffic": {"concurrency": 2}}}}
            canary = {"versions": {"next": {"weight": 20, "envs": {"NEXT": "2"}, **same}}}
            shared.deploy(
                Elastic,
                name="kept",
                canaries={"next": Elastic},
                **config({"NEXT": "1"}, canary=canary),
            )
            control.canary.promote("kept")
            eventually(is_over, "the canary has all", PATIENCE)
        assert running.failures == []


def kill_controller() -> None:
    """Ends the process of the controller; Ray makes another one."""
    (found,) = called("ControllerActor")
    found.kill()
    psutil.wait_procs([found], PATIENCE)


def _is_back(control: ControlClient, name: str) -> bool:
    try:
        return control.deployments.get(name).status == "running"
    except MeshError:
        return False
