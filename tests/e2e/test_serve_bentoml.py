"""`mesh serve` of services that were written for BentoML, run as a user runs it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mesh.client import GrpcClient
from tests.e2e.test_serve import Serve

SHOP = """
from pathlib import Path
import bentoml

@bentoml.service
class Prices:
    @bentoml.api
    def price(self, name: str) -> int:
        return len(name)

@bentoml.service
class Shop:
    prices = bentoml.depends(Prices)

    @bentoml.on_deployment
    def prepare():
        with Path("events.txt").open("a") as events:
            events.write("deployed ")

    @bentoml.on_shutdown
    def over(self):
        with Path(self.folder, "events.txt").open("a") as events:
            events.write("over ")

    def __init__(self):
        self.folder = Path(__file__).parent

    @bentoml.api
    def total(self, names: list[str]) -> int:
        return sum(self.prices.price(name=name) for name in names)
"""
OWN = """
import mesh

@mesh.service(name="Shop")
class Shop:
    @mesh.api
    def total(self, names: list[str]) -> int:
        return -len(names)
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serve]:
    """A BentoML service, found by its module alone, with a canary that is the mesh's own."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "own.py").write_text(OWN)
    config = {
        "target": "shop",
        "canary": {"versions": {"next": {"target": "own:Shop", "weight": 50}}},
    }
    (tmp_path / "mesh.json").write_text(json.dumps(config))
    ours = Serve(tmp_path, "--config", "mesh.json")
    yield ours
    ours.close()


def test_a_service_of_bentoml_runs_from_its_class_to_ctrl_c_beside_its_successor(
    served: Serve, tmp_path: Path
) -> None:
    served.wait_for("Ctrl-C")
    (curl,) = re.findall(r"^\s*(curl .*)$", served.output, re.MULTILINE)
    subprocess.run(curl, shell=True, capture_output=True, text=True, check=True)
    url = f"http://127.0.0.1:{served.port}"
    found = {}
    while found.keys() != {"main", "next"}:
        reply = httpx.post(f"{url}/total", json={"names": ["ab", "c"]})
        found[reply.headers["x-mesh-version"]] = (reply.json(), reply.headers.get("server"))
    assert found["main"] == (3, "BentoML Service/Shop")
    assert found["next"][0] == -2
    wrong = httpx.post(f"{url}/total", json={}, headers={"x-mesh-version": "main"})
    assert wrong.status_code == 400
    with GrpcClient(f"127.0.0.1:{served.port}", version="main") as client:
        assert client.call("total", names=["abc"]) == 3
    assert (tmp_path / "events.txt").read_text() == "deployed "
    assert served.end() == 0
    assert (tmp_path / "events.txt").read_text() == "deployed over "
    assert "Traceback" not in served.output
