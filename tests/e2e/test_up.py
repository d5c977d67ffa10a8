"""A mesh in the background, used as a platform team uses it: from `mesh up` to `mesh down`."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from mesh import ControlClient
from mesh.ports import free_port
from tests.e2e.clients import eventually

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
APP = re.findall(r"^```python\n(# app\.py\n.*?)^```$", README, re.MULTILINE | re.DOTALL)[0]
SAYS = "the other one is loaded"
OTHER = f"""
import mesh
from app import Classifier as First

@mesh.service(name="Classifier")
class Classifier(First):
    def __init__(self) -> None:
        super().__init__()
        print("{SAYS}", flush=True)
"""
BROKEN = "raise OSError('no model here')\n"
LATE = """
import mesh
from app import Classifier as First

@mesh.service(name="Classifier")
class Classifier(First):
    def __init__(self) -> None:
        raise OSError("no model here")
"""
FILE = """
name: classifier
target: app:Classifier
canary:
  versions:
    v2: {target: "other:Classifier", weight: 20}
"""
BODY = {"rows": [[1, 5, 2, 0]]}


class Platform:
    """Runs `mesh` in a folder with modules, with a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.ports = ["--port", str(free_port("127.0.0.1"))]
        self.ports += ["--control-port", str(free_port("127.0.0.1"))]
        self.url = f"http://127.0.0.1:{self.ports[1]}"

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "MESH_HOME": str(self.state), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-c", "from mesh.cli.main import main; main()", *arguments],
            cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=110,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def up(self) -> Any:
        return self.json("up", *self.ports, "--num-cpus", "4")

    def classify(self, prefix: str = "") -> httpx.Response:
        return httpx.post(f"{self.url}{prefix}/classify", json=BODY, timeout=30)

    def reaches(self, prefix: str = "") -> None:
        """Waits until the gateway has the route: the snapshot comes after the answer."""
        eventually(lambda: self.classify(prefix).status_code == 200, f"{prefix}/classify answers")

    def weights(self) -> dict[str, int]:
        found = self.json("deployment", "get", "classifier")["versions"]
        return {each["name"]: each["weight"] for each in found}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    for name, text in (("app", APP), ("other", OTHER), ("late", LATE), ("broken", BROKEN)):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "canary.yaml").write_text(FILE)
    made = Platform(tmp_path)
    yield made
    made.run("down")


@pytest.mark.timeout(400)
def test_a_platform_from_up_to_down(platform: Platform) -> None:
    up = platform.up()
    assert up["url"] == platform.url
    family = psutil.Process(up["pid"]).children(recursive=True)
    assert platform.up() == up, "a second one says where the first is"

    first = platform.json("deploy", "app:Classifier", "--label", "team=a")
    assert (first["name"], first["revision"], first["status"]) == ("classifier", 1, "running")
    platform.reaches()
    assert platform.classify().json() == [1]
    (listed,) = platform.json("deployment", "list", "--label", "team=a")
    assert listed["uid"] == first["uid"]

    scaled = platform.json("deploy", "app:Classifier", "--replicas", "2")
    assert [service["ready"] for service in scaled["versions"][0]["services"]] == [2, 2]
    assert len(platform.json("replicas", "classifier")) == 4

    platform.json("deploy", "canary.yaml")
    assert platform.weights() == {"main": 80, "v2": 20}
    platform.json("canary", "set", "classifier", "v2=50")
    assert platform.weights() == {"main": 50, "v2": 50}
    platform.json("canary", "promote", "classifier", "v2")
    assert platform.json("deployment", "get", "classifier")["config"]["target"] == (
        "other:Classifier"
    )
    back = platform.json("deployment", "rollback", "classifier", "1")
    assert (back["status"], back["config"]["target"]) == ("running", "app:Classifier")
    numbers = [each["number"] for each in platform.json("deployment", "revisions", "classifier")]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == back["revision"]

    platform.json("endpoint", "set", "front", "classifier=1")
    platform.reaches("/e/front")
    assert platform.json("endpoint", "get", "front")["config"]["deployments"] == {"classifier": 1}

    kinds = {each["kind"] for each in platform.json("deployment", "events", "classifier")}
    assert {"change", "status"} <= kinds

    assert platform.json("down") == {"stopped": True}
    assert not [process for process in family if process.is_running()]
    again = platform.up()
    assert again["pid"] != up["pid"]
    with ControlClient(state=platform.state) as client:
        assert client.wait("classifier", 90).revision == back["revision"]
    platform.reaches()

    assert platform.json("deployment", "delete", "classifier", "--yes") == {"deleted": "classifier"}
    eventually(lambda: platform.json("deployment", "list") == [], "nothing is deployed")
    assert platform.json("down") == {"stopped": True}
    done = platform.run("status", "--json")
    assert (done.returncode, json.loads(done.stdout)["running"]) == (1, False)


@pytest.mark.timeout(300)
def test_what_a_canary_does_and_writes_can_be_seen(platform: Platform) -> None:
    platform.up()
    platform.json("deploy", "canary.yaml")
    platform.reaches()
    assert SAYS in platform.run("deployment", "logs", "classifier").stdout
    main, canary = platform.json("canary", "status", "classifier")["versions"]
    assert (main["name"], main["weight"]) == ("main", 80)
    assert (canary["name"], canary["weight"]) == ("v2", 20)
    aborted = platform.json("canary", "abort", "classifier")
    assert [each["weight"] for each in aborted["versions"]] == [100, 0]


@pytest.mark.timeout(300)
def test_a_deployment_that_cannot_start_leaves_the_old_one_serving(platform: Platform) -> None:
    platform.up()
    platform.json("deploy", "app:Classifier")
    done = platform.run("deploy", "late:Classifier", "--name", "classifier")
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert "no model here" in error
    assert "the replicas of before serve on" in error
    assert platform.classify().json() == [1]
    back = platform.json("deployment", "rollback", "classifier")
    assert back["status"] == "running"
    done = platform.run("deploy", "broken:Classifier")
    assert (done.returncode, "no model here" in done.stderr) == (1, True)


def test_a_mesh_that_cannot_start_says_why_and_leaves_nothing(platform: Platform) -> None:
    taken = platform.ports[1]
    with socket.create_server(("127.0.0.1", int(taken))):
        done = platform.run("up", *platform.ports)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: --port {taken}: cannot listen")
    assert not (platform.state / "mesh.json").exists()
