"""The controller as a Ray actor, and the Ray that a mesh starts for itself."""

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
import ray

from mesh.cluster.control import Control
from mesh.cluster.embedded import OPTIONAL, SECRETS, environment, families
from mesh.cluster.ray_actors import CONTROLLER, NAMESPACE
from mesh.cluster.start import Session, connect, start_local
from mesh.control.status import DeploymentPhase, DeploymentStatus
from mesh.errors import ConfigError, FailedPrecondition, NotFound, Unavailable
from mesh.traffic.snapshot import Deployment, Snapshot
from tests.cluster.hosts import FAILS
from tests.cluster.processes import command
from tests.e2e.clients import PATIENCE
from tests.faces.test_plane import Follower, document

HOST = "tests.cluster.hosts:FakeHost"


@pytest.fixture
def control(ray_session: Session) -> Iterator[Control]:
    ours = ray_session.start_controller(http_port=0, replica_host=HOST)
    yield ours
    ours.close()


def apply(control: Control, target: str = "works", replicas: int = 1) -> int:
    return control.apply(json.loads(document(target, replicas)))


def wait_for(control: Control, phase: DeploymentPhase) -> DeploymentStatus:
    while (found := control.status("d")[0]).phase is not phase:
        time.sleep(0.02)
    return found


def test_a_deployment_is_applied_shown_and_deleted(control: Control) -> None:
    assert apply(control, replicas=2) == 1
    found = wait_for(control, DeploymentPhase.RUNNING)
    assert found.versions[0].services[0].ready == 2
    control.close()


def test_why_a_replica_cannot_start_is_in_the_status(control: Control) -> None:
    apply(control, FAILS)
    found = wait_for(control, DeploymentPhase.FAILED)
    assert found.reason == "main: Main: ModuleNotFoundError: No module named 'numbat'"


def test_errors_of_the_controller_arrive_as_they_were_raised(control: Control) -> None:
    with pytest.raises(ConfigError, match=r"config\.name"):
        control.apply({"config": {"name": "NO", "target": "m:A"}, "versions": {}})
    with pytest.raises(NotFound, match="there is no deployment 'x'"):
        control.delete("x")


def test_a_busy_port_is_one_clear_line(ray_session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port}: Address"):
            ray_session.start_controller(http_port=port)


def test_a_second_start_finds_the_controller_that_runs(
    control: Control, ray_session: Session
) -> None:
    assert ray_session.start_controller(http_port=0).addresses == control.addresses


def test_a_controller_that_dies_comes_back_where_it_was_and_restarts_no_replica(
    control: Control,
) -> None:
    async def main() -> None:
        async with Follower(control.addresses.grpc) as follower:
            await asyncio.to_thread(apply, control)
            before = await follower.until(1)
            await asyncio.to_thread(kill_controller, control)
            await follower.lost.wait()
            assert follower.watch.snapshot is before
            await asyncio.to_thread(apply_when_back, control)
            after = await follower.until(1, newer_than=before)
            assert without_uids(after) == without_uids(before)

    asyncio.run(main())


def without_uids(snapshot: Snapshot) -> dict[str, Deployment]:
    """The deployments; a controller that keeps them in memory made them anew, as others."""
    return {name: replace(each, uid="") for name, each in snapshot.deployments.items()}


def kill_controller(control: Control) -> None:
    """Kills its process, as the kernel would. It is found by the port it listens on."""
    port = int(control.addresses.grpc.rpartition(":")[2])
    for process in families([psutil.Process()]):
        try:
            held = [c.laddr.port for c in process.net_connections() if c.status == "LISTEN"]
        except psutil.Error:
            continue
        if port in held and process.pid != os.getpid():
            process.kill()
            return
    raise AssertionError("nobody listens there")


def apply_when_back(control: Control) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            apply(control)
            return
        except Unavailable:
            assert time.monotonic() < until, "the controller did not come back"
            time.sleep(0.1)  # between two looks: whoever comes back tells nobody


def test_what_a_mesh_does_not_need_of_ray_does_not_run(ray_session: Session) -> None:
    assert ray_session.local
    lines = [command(process) for process in families(psutil.Process().children())]
    assert any("gcs_server" in line for line in lines)
    assert not [line for line in lines if any(program in line for program in OPTIONAL)]


def test_ray_asks_for_a_token_that_is_not_the_users(ray_session: Session) -> None:
    assert ray_session.local
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_ray_starts_replicas_with_the_priority_of_everyone(ray_session: Session) -> None:
    assert ray_session.local

    @ray.remote(num_cpus=0)
    def niceness() -> int:
        return os.nice(0)

    assert ray.get(niceness.remote()) == os.nice(0)


def test_a_process_is_in_one_cluster_at_most(ray_session: Session) -> None:
    assert ray_session.local
    with pytest.raises(FailedPrecondition):
        start_local()
    with pytest.raises(FailedPrecondition):
        connect("auto")


def test_settings_of_the_user_hold_and_ours_do_not_stay() -> None:
    environ = {"RAY_worker_niceness": "5"}
    with environment(environ=environ):
        assert environ["RAY_worker_niceness"] == "5"
        assert environ["RAY_enable_worker_prestart"] == "0"
    assert environ == {"RAY_worker_niceness": "5"}


def test_secrets_of_the_control_plane_are_hidden_from_what_ray_starts() -> None:
    before = dict.fromkeys(SECRETS, "s3cret") | {"OTHER": "x"}
    environ = dict(before)
    with environment(environ=environ):
        assert "s3cret" not in environ.values()
        assert environ["OTHER"] == "x"
    assert environ == before


def test_no_controller_stays_without_its_session(ray_session: Session) -> None:
    ray_session.start_controller(http_port=0).close()
    with pytest.raises(ValueError, match="Failed to look up"):
        ray.get_actor(CONTROLLER, namespace=NAMESPACE)
