"""The two servers: BentoML's own and the mesh, both with the services of this folder."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from mesh.cluster.start import Session
from mesh.config import DeploymentConfig, parse
from mesh.ports import free_port
from mesh.serving.application import Release, application
from mesh.serving.run import Place, RunningMesh

FOLDER = str(Path(__file__).parent)
TARGETS = {"main": "services:Main", "prefixed": "services:Prefixed"}
START_WAIT = 90.0
"""Seconds that a server has to answer."""


@contextmanager
def bentoml_server(target: str, health: str) -> Iterator[Callable[[], str]]:
    """`bentoml serve`, with a home of its own, until the block ends.

    Gives a function that waits until it answers, and returns its address.
    """
    port = free_port("127.0.0.1")
    with tempfile.TemporaryDirectory() as home:
        log = Path(home, "log")
        env = {**os.environ, "BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}
        env.pop("PROMETHEUS_MULTIPROC_DIR", None)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "bentoml", "serve", target),
                    *("--working-dir", FOLDER, "--port", str(port), "--host", "127.0.0.1"),
                ],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # its supervisor starts processes of its own
            )
        try:
            url = f"http://127.0.0.1:{port}"
            yield lambda: _wait(process, url, health, log)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, health: str, log: Path) -> str:
    until = time.monotonic() + START_WAIT
    while True:
        try:
            if httpx.get(url + health, timeout=5).status_code == 200:
                return url
        except httpx.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)  # between two looks: a server that starts tells nobody when it listens


@contextmanager
def mesh_server(session: Session) -> Iterator[str]:
    """The address of a mesh with all of TARGETS as deployments of these names."""
    with RunningMesh(Place(control_port=None), session=session) as running:
        for name, target in TARGETS.items():
            config = parse(DeploymentConfig, {"name": name, "target": target}, what=name)
            release = Release.of_target(target, [FOLDER])
            running.deploy(application(config, {"main": release}))
        try:
            yield running.url
        finally:
            for name in TARGETS:
                running.control.delete(name)
