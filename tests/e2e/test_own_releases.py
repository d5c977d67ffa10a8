"""Releases of the mesh's own services: built in one folder, run without it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mesh.client import GrpcClient
from tests.e2e.upped import LONG, Upped, upped

pytestmark = pytest.mark.timeout(400)

SERVICE = """
from pathlib import Path

import mesh

WORDS = Path(__file__).with_name("words.txt")


@mesh.service
class Shouter:
    @mesh.api
    def shout(self, text: str) -> str:
        return text.upper()


@mesh.service
class Greeter:
    shouter = mesh.depends(Shouter)

    @mesh.api
    def greet(self, name: str = "you") -> str:
        return f"{WORDS.read_text()} {self.shouter.shout(name)}"
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upped]:
    with upped(tmp_path_factory.mktemp("mesh")) as made:
        yield made


def built(mesh: Upped, folder: Path, version: str) -> None:
    """Builds and pushes a release whose code is nowhere else afterwards."""
    folder.mkdir()
    (folder / "greeting.py").write_text(SERVICE)
    (folder / "words.txt").write_text(version)
    tag = f"greeter:{version}"
    mesh.runs("build", "greeting:Greeter", "--folder", str(folder), "--version", version)
    mesh.runs("push", tag)
    shutil.rmtree(folder)


def test_a_release_runs_without_the_folder_that_it_is_from(mesh: Upped, tmp_path: Path) -> None:
    home = {"BENTOML_HOME": str(tmp_path / "home")}
    mesh.environ |= home
    built(mesh, tmp_path / "one", "1.0")
    built(mesh, tmp_path / "two", "2.0")
    shutil.rmtree(tmp_path / "home")
    mesh.runs("deploy", "greeter:1.0", "--name", "hello", "--replicas", "2")
    url = f"{mesh.url}/e/hello/greet"
    assert httpx.post(url, json={"name": "bob"}, timeout=LONG).text == "1.0 BOB"
    with GrpcClient(mesh.target, endpoint="hello") as client:
        assert client.call("greet", name="ann") == "1.0 ANN"
    view = json.loads(mesh.runs("deploy", "greeter:2.0", "--name", "hello", "--json"))
    assert (view["revision"], view["config"]["release"]) == (2, "greeter:2.0")
    mesh.running("hello", 2)
    assert httpx.post(url, json={"name": "bob"}, timeout=LONG).text == "2.0 BOB"
    mesh.runs("deployment", "rollback", "hello")
    mesh.running("hello", 3)
    assert httpx.post(url, json={"name": "bob"}, timeout=LONG).text == "1.0 BOB"


def test_what_is_deployed_comes_back_with_the_mesh(mesh: Upped) -> None:
    mesh.down()
    mesh.up()
    mesh.running("hello", 3)
    assert httpx.post(f"{mesh.url}/e/hello/greet", json={}, timeout=LONG).text == "1.0 YOU"
    (newest, *_) = json.loads(mesh.runs("releases", "greeter", "--remote", "--json"))
    assert newest["tag"] == "greeter:2.0"
