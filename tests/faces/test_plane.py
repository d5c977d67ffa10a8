"""The control plane over gRPC and HTTP, with replicas in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any, Self

import grpc
import httpx
import pytest

from mesh.cluster.local import LocalCluster
from mesh.control.loads import Outcomes, Report
from mesh.control.status import DeploymentPhase, DeploymentStatus
from mesh.control.store.memory import MemoryStore
from mesh.errors import ConfigError, FailedPrecondition, NotFound, Unavailable
from mesh.faces.addresses import Addresses, PlaneConfig
from mesh.faces.plane import ControlPlane
from mesh.link.watch import Watch
from mesh.ports import free_port
from mesh.releases.blobs import DiskBlobs
from mesh.traffic.snapshot import Snapshot
from mesh.v1 import control_pb2, control_pb2_grpc
from tests.cluster.hosts import FAILS

HOST = "tests.cluster.hosts:FakeHost"


def plane(port: int = 0, http_port: int | None = None) -> ControlPlane:
    config = PlaneConfig("127.0.0.1", port, "127.0.0.1", http_port)
    return ControlPlane(config, lambda: LocalCluster(host=HOST))


@pytest.fixture
def running() -> Iterator[ControlPlane]:
    ours = plane(http_port=0)
    ours.start()
    yield ours
    ours.stop()


def document(target: str = "works", replicas: int = 1, name: str = "d", **more: Any) -> bytes:
    service = {
        "name": "Main",
        "methods": [{"name": "predict", "route": "/predict", "kind": 1}],
        "config": {},
    }
    manifest = {"entry": "Main", "services": {"Main": service}}
    source = {"target": target, **more}
    config = {"name": name, "target": target, "replicas": replicas}
    value = {"config": config, "versions": {"main": {"manifest": manifest, "source": source}}}
    return json.dumps(value).encode()


class Follower:
    """A watch on a loop of its own in the test: waits for snapshots that the test wants."""

    def __init__(self, address: str) -> None:
        self.lost = asyncio.Event()
        self.watch = Watch(address, "test", lambda _: self._news.set(), Random(1), self._pause)
        self._news = asyncio.Event()

    async def _pause(self, seconds: float) -> None:
        self.lost.set()
        await asyncio.sleep(seconds)

    async def __aenter__(self) -> Self:
        self.watch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.watch.close()

    async def until(self, replicas: int, newer_than: Snapshot | None = None) -> Snapshot:
        async with asyncio.timeout(30):
            while count(self.watch.snapshot) != replicas or (
                newer_than and not self.watch.snapshot.is_newer_than(newer_than)
            ):
                self._news.clear()
                await self._news.wait()
        return self.watch.snapshot


def count(snapshot: Snapshot) -> int:
    return sum(
        len(service.replicas)
        for deployment in snapshot.deployments.values()
        for version in deployment.versions
        for service in version.services.values()
    )


def wait_for(ours: ControlPlane, phase: DeploymentPhase) -> DeploymentStatus:
    """Follows the snapshots and the status until the deployment `d` is that far."""
    while (found := ours.status("d")[0]).phase is not phase:
        pass
    return found


def stub(ours: ControlPlane) -> Iterator[Any]:
    with grpc.insecure_channel(ours.start().grpc) as channel:
        yield control_pb2_grpc.ControlStub(channel)


@pytest.fixture
def control(running: ControlPlane) -> Iterator[Any]:
    yield from stub(running)


def test_watchers_get_the_snapshots_of_what_is_applied(running: ControlPlane) -> None:
    async def main() -> None:
        async with Follower(running.start().grpc) as follower:
            await asyncio.to_thread(running.apply, document(replicas=2))
            snapshot = await follower.until(2)
            (version,) = snapshot.deployments["d"].versions
            assert version.services["Main"].methods["predict"].route == "/predict"
            assert snapshot.default_endpoint == "d"
            await asyncio.to_thread(running.delete, "d")
            await follower.until(0, newer_than=snapshot)

    asyncio.run(main())


def test_a_second_watcher_gets_the_current_snapshot_at_once(running: ControlPlane) -> None:
    async def main() -> None:
        running.apply(document())
        address = running.start().grpc
        async with Follower(address) as one, Follower(address) as two:
            assert await one.until(1) == await two.until(1)

    asyncio.run(main())


def test_a_watcher_keeps_its_snapshot_while_the_controller_is_away_and_finds_the_next() -> None:
    async def main() -> None:
        port = free_port("127.0.0.1")
        first = plane(port=port)
        address = first.start().grpc
        first.apply(document())
        async with Follower(address) as follower:
            before = await follower.until(1)
            await asyncio.to_thread(first.stop)
            await follower.lost.wait()
            assert not follower.watch.connected
            assert follower.watch.snapshot is before
            second = plane(port=port)
            await asyncio.to_thread(second.start)
            await asyncio.to_thread(second.apply, document(replicas=2))
            after = await follower.until(2)
            assert after.epoch > before.epoch
            await asyncio.to_thread(second.stop)

    asyncio.run(main())


def test_a_watch_without_a_controller_waits_longer_each_time_but_not_forever() -> None:
    async def main() -> None:
        pauses: list[float] = []
        enough = asyncio.Event()

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 12:
                enough.set()
                await asyncio.Event().wait()

        watch = Watch("127.0.0.1:1", "test", lambda _: None, Random(3), pause)
        watch.start()
        await enough.wait()
        assert repr(watch) == "<Watch test of 127.0.0.1:1: snapshot 0, 12 failures in a row>"
        await watch.close()
        limits = [min(5.0, 0.1 * 2**n) for n in range(12)]
        assert all(limit / 2 <= p <= limit for p, limit in zip(pauses, limits, strict=True))

    asyncio.run(main())


def test_a_listener_that_raises_does_not_end_the_watch(running: ControlPlane) -> None:
    async def main() -> None:
        news: asyncio.Queue[Snapshot] = asyncio.Queue()

        def listen(snapshot: Snapshot) -> None:
            news.put_nowait(snapshot)
            raise ValueError("a bad listener")

        watch = Watch(running.start().grpc, "test", listen, Random(1))
        watch.start()
        running.apply(document())
        while count(await news.get()) != 1:
            pass
        await watch.close()

    asyncio.run(main())


def test_apply_status_and_delete_work_over_grpc(running: ControlPlane, control: Any) -> None:
    reply = control.Apply(control_pb2.ApplyRequest(deployment_json=document()))
    assert reply.revision == 1
    wait_for(running, DeploymentPhase.RUNNING)
    (status,) = control.Status(control_pb2.StatusRequest()).deployments
    assert (status.name, status.phase) == ("d", control_pb2.DEPLOYMENT_PHASE_RUNNING)
    (service,) = status.versions[0].services
    assert (service.name, service.desired, service.ready) == ("Main", 1, 1)
    control.Delete(control_pb2.DeleteRequest(deployment="d"))


@pytest.mark.parametrize(
    ("call", "request_", "code", "text"),
    [
        ("Apply", control_pb2.ApplyRequest(deployment_json=b"{"), "INVALID_ARGUMENT", "not JSON"),
        (
            "Apply",
            control_pb2.ApplyRequest(deployment_json=document(code="gASV")),
            "INVALID_ARGUMENT",
            "versions.main.source.code: there is no such setting",
        ),
        ("Status", control_pb2.StatusRequest(deployment="x"), "NOT_FOUND", "no deployment 'x'"),
        ("Delete", control_pb2.DeleteRequest(deployment="x"), "NOT_FOUND", "no deployment 'x'"),
    ],
)
def test_errors_are_statuses_with_one_sentence(
    control: Any, call: str, request_: Any, code: str, text: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(control, call)(request_)
    assert caught.value.code().name == code
    assert text in caught.value.details()
    assert "\n" not in caught.value.details()


def test_why_it_failed_is_in_the_status(running: ControlPlane) -> None:
    running.apply(document(FAILS))
    found = wait_for(running, DeploymentPhase.FAILED)
    assert found.reason == "main: Main: ModuleNotFoundError: No module named 'numbat'"


def test_http_tells_health_status_and_metrics(running: ControlPlane) -> None:
    with httpx.Client(base_url=f"http://{running.start().http}") as http:
        assert http.get("/livez").text == "ok"
        assert http.get("/readyz").status_code == 200
        running.apply(document(replicas=2))
        wait_for(running, DeploymentPhase.RUNNING)
        assert http.get("/readyz").text == "ok"
        (status,) = http.get("/status").json()["deployments"]
        assert (status["name"], status["phase"], status["revision"]) == ("d", "running", 1)
        refused = http.get("/status", params={"deployment": "x"})
        assert (refused.status_code, refused.json()["error"]) == (404, "there is no deployment 'x'")
        metrics = http.get("/metrics").text
        labels = 'deployment="d",service="Main",version="main"'
        assert f"mesh_replicas_ready{{{labels}}} 2.0" in metrics.replace(
            'deployment="d",version="main",service="Main"', labels
        )
        assert "mesh_snapshots_total " in metrics
        assert "mesh_watchers 0.0" in metrics


def test_http_says_that_a_deployment_is_not_ready(running: ControlPlane) -> None:
    running.apply(document(FAILS))
    wait_for(running, DeploymentPhase.FAILED)
    found = httpx.get(f"http://{running.start().http}/readyz")
    assert (found.status_code, found.text) == (503, "d: failed\n")


def test_a_controller_whose_deployments_are_terminated_is_ready(running: ControlPlane) -> None:
    running.apply(document())
    wait_for(running, DeploymentPhase.RUNNING)
    with httpx.Client(base_url=f"http://{running.start().http}") as http:
        assert http.post("/api/mesh/v1/deployments/d/terminate").status_code == 200
        wait_for(running, DeploymentPhase.TERMINATED)
        assert http.get("/readyz").text == "ok"


def test_an_address_that_is_taken_is_one_clear_line(running: ControlPlane) -> None:
    taken = running.start()
    port = int(taken.grpc.rpartition(":")[2])
    with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port}"):
        plane(port).start()
    port = int(taken.http.rpartition(":")[2])
    with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
        plane(http_port=port).start()


def test_a_plane_that_is_stopped_in_order_writes_down_what_was_used() -> None:
    store = MemoryStore()
    config = PlaneConfig("127.0.0.1", 0, "127.0.0.1", None)
    ours = ControlPlane(config, lambda: LocalCluster(host=HOST), lambda: store)
    ours.start()
    try:
        ours.apply(document())
        thread, running = ours._started()

        async def report() -> None:
            (version,) = running.controller.current("d").versions.values()
            running.controller.report(Report("gateway", outcomes={("d", version): Outcomes(9, 2)}))

        thread.wait(report())
    finally:
        ours.stop()
    (found,) = asyncio.run(store.reopened().journal.used(0.0, 9e12))
    assert (found.deployment, found.requests, found.errors) == ("d", 9, 2)


def test_a_plane_starts_once_and_stops_twice() -> None:
    ours = plane()
    with pytest.raises(Unavailable):
        ours.status()
    addresses = ours.start()
    assert ours.start() == addresses
    assert addresses == Addresses(addresses.grpc, "")
    ours.stop()
    ours.stop()
    with pytest.raises(FailedPrecondition):
        ours.status()


def test_wrong_use_is_told_by_the_errors_of_the_mesh(running: ControlPlane) -> None:
    with pytest.raises(ConfigError):
        running.apply(b"[]")
    with pytest.raises(NotFound):
        running.delete("x")


def test_nodes_read_archives_from_the_control_plane(tmp_path: Path) -> None:
    config = PlaneConfig(http_port=0, releases=str(tmp_path))
    ours = ControlPlane(config, lambda: LocalCluster(host=HOST))
    ours.start()
    try:

        async def content() -> AsyncIterator[bytes]:
            yield b"0123456789"

        digest, _ = asyncio.run(DiskBlobs(tmp_path).put(content(), 10))
        assert ours.blob(digest, 4, 3) == b"456"
        assert ours.blob(digest, 10, 3) == b""
        with pytest.raises(NotFound):
            ours.blob(f"sha256:{'0' * 64}", 0, 1)
    finally:
        ours.stop()


def test_a_control_plane_without_http_has_no_archives() -> None:
    ours = plane()
    ours.start()
    try:
        with pytest.raises(NotFound, match="there are no archives"):
            ours.blob(f"sha256:{'0' * 64}", 0, 1)
    finally:
        ours.stop()
