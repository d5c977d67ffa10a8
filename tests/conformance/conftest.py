"""A mesh with the conformance service, its exported .proto, and what the clients said."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.cluster.start import Session
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.conformance.export import exported
from tests.conformance.languages import Said, run
from tests.conformance.runs import Clients, line
from tests.conformance.service import Conformance

SAID = pytest.StashKey[dict[str, Said]]()


# Not for the session: meshes in one Ray share a controller, and so the default endpoint.
@pytest.fixture(scope="package")
def target(ray_session: Session) -> Iterator[str]:
    """`host:port` of a mesh that serves it."""
    running = RunningMesh(Place(), session=ray_session)
    mesh = LocalMesh(running)
    try:
        mesh.deploy(Conformance, name="conformance")
        yield mesh.target
        running.control.delete("conformance")
    finally:
        mesh.close()
        running.stop()


@pytest.fixture(scope="package")
def protos(target: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the service's .proto and those that it imports."""
    return exported(f"http://{target}", tmp_path_factory.mktemp("protos"))


@pytest.fixture(scope="package")
def clients(pytestconfig: pytest.Config, protos: Path, target: str) -> Clients:
    """The programs of all languages."""
    said = pytestconfig.stash.setdefault(SAID, {})
    return Clients(said, lambda language: run(language, protos, target), in_ci="CI" in os.environ)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line for each language, so that one which was not run is never taken for passed."""
    for language, said in config.stash.get(SAID, {}).items():
        terminalreporter.write_line(line(language, said))
