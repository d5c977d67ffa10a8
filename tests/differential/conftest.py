"""Both servers, started once for all tests, and clients of each."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import httpx
import pytest

from mesh.cluster.start import Session
from tests.differential.servers import TARGETS, bentoml_server, mesh_server

HEALTH = {"main": "/readyz", "prefixed": "/v1/livez"}


class Side(NamedTuple):
    """One of the servers: the address of Main, and an HTTP client of each service by name."""

    url: str
    clients: dict[str, httpx.Client]


@pytest.fixture(scope="session")
def theirs() -> Iterator[Side]:
    """BentoML's own server, one for each service."""
    with ExitStack() as stack:
        waits = {
            name: stack.enter_context(bentoml_server(target, HEALTH[name]))
            for name, target in TARGETS.items()
        }
        urls = {name: wait() for name, wait in waits.items()}
        clients = {
            name: stack.enter_context(httpx.Client(base_url=url, timeout=60))
            for name, url in urls.items()
        }
        yield Side(urls["main"], clients)


# Not for the session: meshes in one Ray share a controller, and so the default endpoint.
@pytest.fixture(scope="package")
def ours(ray_session: Session) -> Iterator[Side]:
    """The mesh, with both services."""
    with ExitStack() as stack:
        url = stack.enter_context(mesh_server(ray_session))
        clients = {
            name: stack.enter_context(
                httpx.Client(base_url=url, timeout=60, headers={"x-mesh-endpoint": name})
            )
            for name in TARGETS
        }
        yield Side(url, clients)
