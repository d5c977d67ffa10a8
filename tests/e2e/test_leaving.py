"""A gateway that is told to end, as Kubernetes does it, in front of clients of all kinds."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.cluster.start import Session
from mesh.serving.gateways import GRACE, GatewayProcess
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.e2e.clients import PATIENCE, eventually, load
from tests.e2e.raw_http2 import RawHttp2
from tests.e2e.services import Shop

TOTAL, WAIT = "/shop.v1.ShopService/Total", "/shop.v1.ShopService/Wait"
ITEM = b"\x0a\x02ab"


@pytest.fixture
def made(ray_session: Session, request: pytest.FixtureRequest) -> Iterator[LocalMesh]:
    """A mesh with two gateways on one port; its controller is that of the other tests.

    Calls have the usual grace, unless the test says another one.
    """
    grace = getattr(request, "param", GRACE)
    running = RunningMesh(Place(gateways=2, control_port=None, grace=grace), session=ray_session)
    mesh = LocalMesh(running)
    try:
        mesh.deploy(Shop, name="leaving", services={"Shop": {"traffic": {"timeout": 200}}})
        yield mesh
    finally:
        mesh.close()
        running.stop()  # and waits until the deployment is gone


def channel(mesh: LocalMesh) -> grpc.Channel:
    """A channel with a connection of its own."""
    return grpc.insecure_channel(mesh.target, [("grpc.use_local_subchannel_pool", 1)])


def test_no_call_fails_when_one_of_two_gateways_is_told_to_end(made: LocalMesh) -> None:
    gateway = made.running._gateways[0]
    with ExitStack() as stack:
        channels = [stack.enter_context(channel(made)) for _ in range(12)]
        idle, busy, waiting = channels[:4], channels[4:8], channels[8:]
        for each in channels:
            each.unary_unary(TOTAL)(ITEM)
        web = [stack.enter_context(httpx.Client()) for _ in range(2)]

        def asks(each: grpc.Channel) -> Callable[[], int]:
            return lambda: len(each.unary_unary(TOTAL)(ITEM, timeout=PATIENCE))

        def posts(each: httpx.Client) -> Callable[[], int]:
            return lambda: each.post(f"{made.url}/e/leaving/total", json={"items": []}).status_code

        with load(*map(asks, busy), *map(posts, web)) as calls:
            calls.wait_for(200)
            long = [
                each.unary_unary(WAIT).future(b"\x09" + struct.pack("<d", 2.0), timeout=PATIENCE)
                for each in waiting
            ]
            gateway.leave()
            assert gateway.process.wait(PATIENCE) == 0
            assert [len(each.result()) for each in long] == [9] * len(long)
            calls.wait_for(200)
            # Clients that had nothing to say in all that time hear of it only now.
            late = [each.unary_unary(TOTAL)(ITEM, timeout=PATIENCE) for each in idle]
            assert [len(each) for each in late] == [9] * 4
        assert calls.failures == []
        assert set(calls.pids) == {9, 200}


def test_idle_connections_are_told_with_goaway_and_watches_with_a_status(made: LocalMesh) -> None:
    with channel(made) as watching, ExitStack() as stack:
        watches = health_pb2_grpc.HealthStub(watching).Watch(health_pb2.HealthCheckRequest())
        assert next(watches).status == health_pb2.HealthCheckResponse.SERVING
        raw = [stack.enter_context(RawHttp2(made.target)) for _ in range(8)]
        for gateway in made.running._gateways:
            gateway.leave()
        for connection in raw:
            while not connection.is_closed:
                connection.read()
            assert connection.goaway == 0
        assert next(watches).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as ended:
            next(watches)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert ended.value.details() == "the gateway is going away"
    for gateway in made.running._gateways:
        assert gateway.process.wait(PATIENCE) == 0
    assert not gateway._admin.with_name("admin-address.pressure").exists()


def test_a_mesh_that_stops_lets_calls_finish(made: LocalMesh) -> None:
    with ExitStack() as stack:
        channels = [stack.enter_context(channel(made)) for _ in range(6)]
        long = [
            each.unary_unary(WAIT).future(b"\x09" + struct.pack("<d", 1.0), timeout=PATIENCE)
            for each in channels
        ]
        gateways = made.running._gateways
        eventually(lambda: sum(map(_asked, gateways)) == len(long), "the calls have begun")
        made.running._stop_gateways()
        assert [len(each.result()) for each in long] == [9] * len(long)


def test_calls_that_take_longer_than_the_grace_are_ended(ray_session: Session) -> None:
    place = Place(control_port=None, grace=0)
    running = RunningMesh(place, session=ray_session)
    mesh = LocalMesh(running)
    try:
        mesh.deploy(Shop, name="hurried")
        with channel(mesh) as waiting:
            long = waiting.unary_unary(WAIT).future(b"\x09" + struct.pack("<d", 15.0), timeout=30)
            (gateway,) = running._gateways
            eventually(lambda: _asked(gateway) == 1, "the call has begun")
            gateway.leave()
            with pytest.raises(grpc.RpcError) as ended:
                long.result()
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            assert gateway.process.wait(8) == 0, "before its usual grace is over"
    finally:
        mesh.close()
        running.stop()


@pytest.mark.parametrize("made", [120], indirect=True)
def test_a_second_signal_ends_a_gateway_at_once(made: LocalMesh) -> None:
    first, second = made.running._gateways
    with channel(made) as waiting:
        long = waiting.unary_unary(WAIT).future(b"\x09" + struct.pack("<d", 110.0), timeout=180)
        eventually(lambda: _asked(first) + _asked(second) == 1, "the call has begun")
        for gateway in (first, second):
            gateway.leave()
        eventually(lambda: not _takes_connections(made), "both are leaving")
        assert first.is_running or second.is_running
        for gateway in (first, second):
            gateway.process.terminate()
            assert gateway.process.wait(60) == 0, "before the call is over, and its grace"
        with pytest.raises(grpc.RpcError) as ended:
            long.result()
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE


def _asked(gateway: GatewayProcess) -> int:
    """Calls that run through the gateway."""
    name = "http.ingress_http.downstream_rq_active"
    return int(gateway._ask(f"/stats?filter=^{name}$").partition(b": ")[2])


def _takes_connections(mesh: LocalMesh) -> bool:
    host, _, port = mesh.target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True
