"""One real mesh with the service of every type, and one whose streams wait."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mesh.cluster.start import Session
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.cli.services import Talk, Unions
from tests.contract.service import Types

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-c", "from mesh.cli.main import main; main()"]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def served(ray_session: Session) -> Iterator[LocalMesh]:
    """The mesh; its default endpoint is `types`."""
    running = RunningMesh(Place(), session=ray_session)
    mesh = LocalMesh(running)
    try:
        mesh.deploy(Types, name="types")
        mesh.deploy(Talk, name="talk")
        mesh.deploy(Unions, name="unions")
        yield mesh
        running.control.delete("types")
        running.control.delete("talk")
        running.control.delete("unions")
    finally:
        mesh.close()
        running.stop()


@pytest.fixture
def start(served: LocalMesh, tmp_path: Path) -> Iterator[Start]:
    """Starts `mesh` with arguments, in a folder of its own, for that mesh."""
    started = []

    def popen(*arguments: str) -> "subprocess.Popen[bytes]":
        env = {**os.environ, "MESH_URL": served.url, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=tmp_path, env=env,
        )  # fmt: skip
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):  # of what it never read
                pipe.close()
