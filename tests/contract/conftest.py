"""One real mesh with the service of every type."""

from collections.abc import Iterator

import httpx
import pytest

from mesh.cluster.start import Session
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.contract.service import Types


# Not for the session: meshes in one Ray share a controller, and so the default endpoint.
@pytest.fixture(scope="module")
def served(ray_session: Session) -> Iterator[LocalMesh]:
    """The mesh, with the service as its default endpoint."""
    running = RunningMesh(Place(), session=ray_session)
    mesh = LocalMesh(running)
    try:
        mesh.deploy(Types, name="types")
        yield mesh
        running.control.delete("types")
    finally:
        mesh.close()
        running.stop()


@pytest.fixture(scope="module")
def http(served: LocalMesh) -> Iterator[httpx.Client]:
    """A plain HTTP client of it."""
    with httpx.Client(base_url=served.url, timeout=30) as client:
        yield client
