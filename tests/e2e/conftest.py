"""One real mesh for all tests: Ray, a controller, two gateways on one port, spans collected."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from mesh.cluster.start import Session
from mesh.ports import free_port
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.e2e.background import Background
from tests.e2e.clients import Deployed
from tests.e2e.services import Shop
from tests.observe.otlp_server import OtlpServer

Deploy = Callable[..., AbstractContextManager[Deployed]]


@pytest.fixture(scope="session")
def collector() -> Iterator[OtlpServer]:
    """Where all processes of the mesh send their spans."""
    with OtlpServer.start() as server:
        yield server


@pytest.fixture(scope="session")
def tracing(collector: OtlpServer) -> dict[str, str]:
    """The environment that asks for spans, soon after they ended."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


@pytest.fixture(scope="session")
def shared(
    ray_session: Session, tracing: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalMesh]:
    """The mesh, without a deployment. It keeps what is deployed: its controller may be killed."""
    place = Place(
        gateways=2,
        control_port=free_port("127.0.0.1"),
        store=f"sqlite:///{tmp_path_factory.mktemp('store') / 'mesh.db'}",
    )
    # Gateways have this environment from here; replicas, whose Ray may have been started by other
    # tests, have it from their deployments.
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tracing.items():
            patch.setenv(name, value)
        running = RunningMesh(place, session=ray_session)
    mesh = LocalMesh(running)
    try:
        yield mesh
    finally:
        mesh.close()
        running.stop()


@pytest.fixture(scope="session")
def deploy(shared: LocalMesh, tracing: dict[str, str]) -> Deploy:
    """Runs a deployment for as long as a block lasts."""

    @contextmanager
    def deployed(service: type, name: str, **config: Any) -> Iterator[Deployed]:
        envs = {**tracing, **config.pop("envs", {})}
        shared.deploy(service, name=name, envs=envs, **config)
        found = Deployed(shared, name)
        try:
            yield found
        finally:
            found.close()
            shared.running.control.delete(name)

    return deployed


@pytest.fixture(scope="session")
def shop(deploy: Deploy) -> Iterator[Deployed]:
    """Shop and Prices, one replica each."""
    assert os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") is None
    with deploy(Shop, "shop") as deployed:
        yield deployed


@pytest.fixture(scope="session")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """A mesh in the background, with nothing deployed by itself."""
    made = Background(tmp_path_factory.mktemp("background"))
    yield made
    made.down()
