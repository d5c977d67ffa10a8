"""A mesh with the conformance service, its exported .proto, and what the clients said."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.cluster.start import Session
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.conformance.cases import CASES
from tests.conformance.export import exported
from tests.conformance.languages import REQUIRED, Outcome, run
from tests.conformance.programs import Absent
from tests.conformance.service import Conformance

SAID = pytest.StashKey[dict[str, Outcome | str]]()
"""By language what its program said, or why it was not run."""


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


class Clients:
    """Runs the program of each language once, when it is first asked for."""

    def __init__(self, said: dict[str, Outcome | str], protos: Path, target: str) -> None:
        self._said = said
        self._protos = protos
        self._target = target

    def outcome(self, language: str) -> Outcome:
        """What its program said. Skips the test where the toolchain is absent, but not in CI."""
        if language not in self._said:
            try:
                self._said[language] = run(language, self._protos, self._target)
            except Absent as absent:
                self._said[language] = f"not run: {absent}"
        said = self._said[language]
        if isinstance(said, Outcome):
            return said
        if language in REQUIRED and os.environ.get("CI"):
            pytest.fail(f"{language} is {said}")
        pytest.skip(said)


@pytest.fixture(scope="package")
def clients(pytestconfig: pytest.Config, protos: Path, target: str) -> Clients:
    """The programs of all languages."""
    return Clients(pytestconfig.stash.setdefault(SAID, {}), protos, target)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line for each language, so that one which was not run is never taken for passed."""
    for language, said in config.stash.get(SAID, {}).items():
        if isinstance(said, Outcome):
            passed = len(said.passed & CASES.keys())
            told = f"{passed} calls ok" if passed == len(CASES) else f"{passed} of {len(CASES)} ok"
        else:
            told = said
        terminalreporter.write_line(f"conformance {language}: {told}")
