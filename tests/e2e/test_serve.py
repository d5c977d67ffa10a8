"""`mesh serve`, run as a user runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import grpc
import httpx
import psutil
import pytest

from mesh import ControlClient
from mesh.client import GrpcClient
from mesh.errors import Unauthenticated
from mesh.ports import free_port
from mesh.serving.home import Home
from tests.e2e.clients import PATIENCE, eventually
from tests.observe.otlp_server import OtlpServer

MODULE = """
import asyncio
import os
import mesh

@mesh.service
class Words:
    @mesh.api
    async def count(self, text: str) -> int:
        return len(text.split())

@mesh.service
class Reader:
    words = mesh.depends(Words)

    @mesh.api
    async def read(self, text: str) -> int:
        return await self.words.to_async.count(text)

@mesh.service
class Nosy:
    @mesh.api
    async def seen(self) -> list[str]:
        return [name for name, value in os.environ.items() if "none-of-yours" in value]

@mesh.service(name="Reader")
class Canary(Reader):
    pass

@mesh.service(resources={"gpu": 64})
class Greedy(Reader):
    pass

@mesh.service(resources={"cpu": 64})
class Hungry(Reader):
    pass

@mesh.service
class Broken:
    def __init__(self) -> None:
        raise OSError("no [model] here")

    @mesh.api
    async def nothing(self) -> None:
        pass
"""
START_WAIT = 60.0
"""Seconds in which a command starts, or fails to, on a busy machine."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a module of services, as a user would be in."""
    (tmp_path / "reading.py").write_text(MODULE)
    (tmp_path / "wrong.py").write_text("import no_such_module\n")
    (tmp_path / "raises.py").write_text("1 / 0\n")
    return tmp_path


class Serve:
    """`mesh serve` with its output, in a session of its own."""

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.port = free_port("127.0.0.1")
        self.control_port = free_port("127.0.0.1")
        self._output = Path(folder, "output.txt")
        with self._output.open("wb") as output:
            self.process = self._start(folder, arguments, env or {}, output)
        self.family: set[psutil.Process] = set()

    def _start(
        self, folder: Path, arguments: tuple[str, ...], env: dict[str, str], output: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        ports = ["--port", str(self.port), "--control-port", str(self.control_port)]
        return subprocess.Popen(
            [Path(sys.executable).with_name("mesh"), "serve", *ports, *arguments],
            cwd=folder,
            env={**os.environ, "MESH_HOME": str(folder / "state"), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def look(self) -> None:
        """Notes the processes that there are now."""
        try:
            self.family |= set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return

    def wait_for(self, text: str) -> None:
        def found() -> bool:
            self.look()
            assert self.process.poll() is None, self.output
            return text in self.output

        eventually(found, text, START_WAIT)

    def end(self, number: int = signal.SIGINT) -> int:
        """The exit code after a signal; fails if a process is left."""
        self.look()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.check_gone()
        return code

    def check_gone(self) -> None:
        _, left = psutil.wait_procs(self.family, timeout=PATIENCE)
        assert not left, f"still there: {left}"

    def close(self) -> None:
        if self.process.poll() is None:
            self.look()
            self.process.kill()
            self.process.wait()
        for process in self.family:
            if process.is_running():
                process.kill()


@pytest.fixture
def serve(folder: Path) -> Iterator["list[Serve]"]:
    """What a test has started, ended whatever happens."""
    started: list[Serve] = []
    yield started
    for each in started:
        each.close()


def test_it_serves_a_config_with_a_canary_until_ctrl_c_and_leaves_no_process(
    folder: Path, serve: list[Serve], tracing: dict[str, str], collector: OtlpServer
) -> None:
    config = {
        "target": "reading:Reader",
        "name": "reader",
        "canary": {"versions": {"next": {"target": "reading:Canary", "weight": 20}}},
    }
    (folder / "mesh.json").write_text(json.dumps(config))
    ours = Serve(folder, "--config", "mesh.json", "--gateways", "2", env=tracing)
    serve.append(ours)
    ours.wait_for("Ctrl-C")
    text = ours.output
    assert "Reader is ready" in text
    assert f"http://127.0.0.1:{ours.port}" in text
    # Both examples work as they are printed.
    (curl,) = re.findall(r"^\s*(curl .*)$", text, re.MULTILINE)
    said = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True)
    assert said.stdout == "1"
    (python,) = re.findall(r"^\s*(python .*)$", text, re.MULTILINE)
    python = python.replace("python", sys.executable, 1)
    said = subprocess.run(python, shell=True, capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"
    url = f"http://127.0.0.1:{ours.port}"
    seen = set()
    while seen != {"main", "next"}:
        seen.add(httpx.post(f"{url}/read", json={"text": "a b"}).headers["x-mesh-version"])
    with GrpcClient(f"127.0.0.1:{ours.port}", version="next") as client:
        assert client.call("read", text="a b c") == 3
    control = httpx.get(f"http://127.0.0.1:{ours.control_port}/metrics")
    assert "mesh_" in control.text
    _check_trace(url, collector)
    assert ours.end() == 0
    assert "Traceback" not in ours.output
    with socket.create_server(("127.0.0.1", ours.port)):
        pass  # the port is free again


def _check_trace(url: str, collector: OtlpServer) -> None:
    """Replicas of an own Ray have the tracing settings from the environment of the command."""
    trace = "ab" * 16
    headers = {"traceparent": f"00-{trace}-{'cd' * 8}-01"}
    httpx.post(f"{url}/read", json={"text": "a"}, headers=headers)

    def services() -> list[str]:
        return sorted(span.service for span in collector.spans if span.trace_id == trace)

    eventually(lambda: services() == ["Reader", "Reader", "Words", "mesh-gateway"])


@pytest.mark.parametrize(
    ("step", "number", "code"),
    [
        ("starting the controller", signal.SIGTERM, signal.SIGTERM),
        ("starting replicas", signal.SIGINT, 130),
    ],
)
def test_a_signal_during_the_start_leaves_no_process(
    folder: Path, serve: list[Serve], step: str, number: int, code: int
) -> None:
    ours = Serve(folder, "reading:Reader")
    serve.append(ours)
    ours.wait_for(step)
    assert ours.end(number) == code
    assert "Traceback" not in ours.output


def failure(folder: Path, serve: list[Serve], *arguments: str) -> str:
    """The last line of a command that fails with exit code 1, without a traceback."""
    ours = Serve(folder, *arguments)
    serve.append(ours)

    def ended() -> bool:
        ours.look()
        return ours.process.poll() is not None

    eventually(ended, "the end of the command", START_WAIT)
    assert ours.process.returncode == 1, ours.output
    assert "Traceback" not in ours.output
    ours.check_gone()
    errors = [line for line in ours.output.splitlines() if line.startswith("error: ")]
    (line,) = errors
    assert ours.output.endswith(f"{line}\n")
    return line.removeprefix("error: ")


def test_a_second_ctrl_c_does_not_wait_for_calls(folder: Path, serve: list[Serve]) -> None:
    (folder / "slow.py").write_text(
        "import asyncio, mesh\n@mesh.service\nclass Slow:\n    @mesh.api\n"
        "    async def wait(self) -> int:\n        await asyncio.Event().wait()\n"
    )
    # Calls have longer to finish than this test waits for the end.
    ours = Serve(folder, "slow:Slow", "--grace", str(int(2 * PATIENCE)))
    serve.append(ours)
    ours.wait_for("is ready")
    assert "slow.v1.SlowService" in ours.output
    with grpc.insecure_channel(f"127.0.0.1:{ours.port}") as channel:
        call = channel.unary_unary("/slow.v1.SlowService/Wait").future(b"")
        page = f"http://127.0.0.1:{ours.port}/metrics"
        eventually(lambda: _in_flight(page), "the call has begun")
        ours.process.send_signal(signal.SIGINT)
        eventually(lambda: "Ctrl-C again ends them" in ours.output)
        assert ours.end() == 0
        assert call.exception() is not None


def _in_flight(page: str) -> bool:
    lines = httpx.get(page).text.splitlines()
    return any("in_flight" in line and line.endswith(" 1.0") for line in lines)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("reading:Nobody", "module 'reading' has no 'Nobody'"),
        ("nothing:Reader", "cannot import 'nothing': No module named 'nothing'"),
        ("wrong:Reader", "cannot import 'wrong'"),
        ("raises:Reader", "ZeroDivisionError: division by zero"),
        ("reading:asyncio", "is not a service: decorate with @mesh.service"),
    ],
)
def test_a_wrong_target_is_one_line(
    folder: Path, serve: list[Serve], target: str, message: str
) -> None:
    assert message in failure(folder, serve, target)


def test_a_wrong_config_is_one_line(folder: Path, serve: list[Serve]) -> None:
    (folder / "mesh.yaml").write_text("target: reading:Reader\nname: x\n'[/replicass]': 2\n")
    line = failure(folder, serve, "--config", "mesh.yaml")
    assert line == "mesh.yaml: [/replicass]: there is no such setting"
    (folder / "mesh.yaml").write_text("{")
    assert "not YAML or JSON" in failure(folder, serve, "--config", "mesh.yaml")
    assert "No such file" in failure(folder, serve, "--config", "none.yaml")


def test_a_busy_port_is_one_line(folder: Path, serve: list[Serve]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = failure(folder, serve, "reading:Reader", "--port", str(port))
        assert line == f"--port {port}: cannot listen on 127.0.0.1: Address already in use"


def test_missing_resources_and_failing_services_are_one_line(
    folder: Path, serve: list[Serve]
) -> None:
    line = failure(folder, serve, "reading:Greedy")
    assert "Greedy: needs 64 gpu, the cluster has 0" in line
    line = failure(folder, serve, "reading:Hungry", "--num-cpus", "7")
    assert "Hungry: needs 64 cpu, the cluster has 7" in line
    line = failure(folder, serve, "reading:Broken")
    assert line.endswith("Broken.__init__ failed: OSError: no [model] here")


def test_commands_find_the_token_of_a_mesh_that_is_served(folder: Path, serve: list[Serve]) -> None:
    ours = Serve(folder, "reading:Reader")
    serve.append(ours)
    ours.wait_for("Ctrl-C")
    state = folder / "state"
    token = Path(state, "token").read_text().strip()
    assert token not in ours.output
    endpoint = f"http://127.0.0.1:{ours.control_port}"
    (login,) = re.findall(r"^\s*(bentoml cloud login .*)$", ours.output, re.MULTILINE)
    said = subprocess.run(
        login.replace("bentoml", "echo", 1), shell=True, capture_output=True, text=True, check=True
    )
    assert said.stdout == f"cloud login --endpoint {endpoint} --api-token {token}\n"
    with ControlClient(endpoint, "wrong") as client, pytest.raises(Unauthenticated):
        client.status()
    with ControlClient(state=state) as client:
        assert client.url == endpoint
        assert [each.name for each in client.deployments.list()] == ["reader"]
    # Nothing else is kept out of the folder.
    with Home(state).held():
        assert ours.end() == 0
    assert sorted(path.name for path in state.rglob("*")) == ["lock", "serving", "token"]


def test_a_service_sees_no_secrets_of_the_control_plane(folder: Path, serve: list[Serve]) -> None:
    secret = "none-of-yours" + "A" * 30 + "="  # 32 bytes in Base64
    env = {
        "MESH_SECRET_KEY": secret,
        "MESH_CONTROL_TOKEN": "none-of-yours",
        "MESH_OIDC_CLIENT_SECRET": "none-of-yours",
        "OF_THE_USER": "none-of-yours, but known",
    }
    ours = Serve(folder, "reading:Nosy", "--store", str(folder / "mesh.db"), env=env)
    serve.append(ours)
    ours.wait_for("Ctrl-C")
    seen = httpx.post(f"http://127.0.0.1:{ours.port}/seen").json()
    assert seen == ["OF_THE_USER"]
    # The controller has its key all the same: else it had made one.
    assert (folder / "mesh.db").exists()
    assert not (folder / "mesh.db.key").exists()
    assert ours.end() == 0
