"""The real `bentoml` deploys what it has pushed; only what runs in replicas is a double."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.control.plan import VersionDocument
from mesh.errors import FailedPrecondition
from mesh.launch import NO_SECRETS, Secrets
from mesh.releases.contract import Release
from tests.faces.cloud.bento_client import SERVICE, BentoClient
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.faces.cloud.shelf import document


class Finds:
    """A builder that finds the service `Tiny` in everything, but for versions that are `bad`."""

    async def describe(self, release: Release, build: Secrets = NO_SECRETS) -> VersionDocument:
        """As of Builder."""
        if release.version == "bad":
            raise FailedPrecondition("ModuleNotFoundError: No module named 'torch'")
        return VersionDocument.model_validate(document("service", release.digest, "Tiny"))


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rigged(builder=Finds()) as made:
        yield made


@pytest.fixture
def client(rig: Rig, tmp_path: Path) -> BentoClient:
    made = BentoClient(tmp_path / "home", rig.url, TOKEN)
    made.build(tmp_path / "service", SERVICE)
    return made


def until(rig: Rig, status: str) -> Any:
    deadline = time.monotonic() + 30
    while (found := rig.asked.get("/api/v2/deployments/d").json())["status"] != status:
        assert time.monotonic() < deadline, found["status"]
        time.sleep(0.01)
    return found


def test_a_bento_is_deployed_changed_and_ended(
    rig: Rig, client: BentoClient, tmp_path: Path
) -> None:
    def said(*command: str) -> Any:
        return json.loads(client.run("deployment", *command, "-o", "json"))

    client.run("deploy", "tiny:v1", "-n", "d", "--scaling-max", "3", "--env", "A=1")
    shown = said("get", "d")
    assert (shown["bento"], shown["status"]["status"]) == ("tiny:v1", "running")
    assert shown["endpoint_urls"] == ["http://gateway.test/e/d"]

    client.run("deployment", "update", "d", "--instance-type", "cpu.1")
    (service,) = until(rig, "running")["latest_revision"]["targets"][0]["config"][
        "services"
    ].values()
    assert (service["instance_type"], service["scaling"]["max_replicas"]) == ("cpu.1", 3)

    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "name": "d",
                "cluster": "default",
                "bento": "tiny:v1",
                "labels": [{"key": "team", "value": "vision"}],
                "services": {"Tiny": {"scaling": {"min_replicas": 1, "max_replicas": 2}}},
                "canary": {
                    "route_type": "random",
                    "versions": {"next": {"bento": "tiny:v1", "weight": 20}},
                },
            }
        )
    )
    client.run("deployment", "apply", "-f", str(config))
    routing = until(rig, "running")["manifest"]["routing"]
    assert routing["weights"] == {"main": 80, "next": 20}
    # The client reads the canary back, and sends it as a whole.
    client.run("deployment", "update", "d", "--env", "B=2")
    found = until(rig, "running")
    assert found["manifest"]["routing"]["weights"] == {"main": 80, "next": 20}
    assert found["labels"] == [{"key": "team", "value": "vision"}]

    assert [each["name"] for each in said("list", "--label", "team=vision")] == ["d"]
    assert said("list", "--label", "team=none") == []

    client.run("deployment", "terminate", "d", "--wait")
    assert said("get", "d")["status"]["status"] == "terminated"
    client.run("deployment", "update", "d")  # as `start` sends nothing
    until(rig, "running")
    client.run("deployment", "delete", "d")
    assert "not found" in client.run("deployment", "get", "d", fails=True)


def test_a_bento_that_cannot_be_built_ends_the_wait(
    rig: Rig, client: BentoClient, tmp_path: Path
) -> None:
    client.build(tmp_path / "service", SERVICE, "bad")
    client.run("deploy", "tiny:bad", "-n", "d", fails=True)
    (record, *_) = rig.asked.get("/api/v2/deployments/d/status_records").json()["items"]
    assert record["reason"] == "ModuleNotFoundError: No module named 'torch'"
    told = client.run("deploy", "tiny:v1", "-n", "e", "--secret", "none", "--no-wait", fails=True)
    assert "none" in told
