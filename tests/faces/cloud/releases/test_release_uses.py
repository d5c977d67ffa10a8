"""Lists of the deployments that run a release or a model, and what may not be deleted."""

import time
from collections.abc import Iterator

import pytest

from tests.faces.cloud.releases.test_registry import (
    BENTO,
    REPOSITORIES,
    WEIGHTS,
    model,
    pushed,
    registered,
)
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.cloud.shelf import Shelf

DEPLOYMENTS = "/api/v2/deployments"


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    made.put("tiny:v1")
    made.put("tiny:v2")
    yield made
    made.free()


@pytest.fixture
def rig(shelf: Shelf) -> Iterator[Rig]:
    with rigged(shelf=shelf) as made:
        yield made


def deployed(rig: Rig, name: str, bento: str) -> None:
    sent = {"name": name, "bento": bento, "services": {}, "envs": [], "secrets": []}
    rig.asked.post(DEPLOYMENTS, json=sent).raise_for_status()


def names(rig: Rig, path: str, q: str = "") -> list[str]:
    return [each["name"] for each in rig.asked.get(path, params={"q": q}).json()["items"]]


def test_the_deployments_of_a_release_and_of_a_model_are_listed(rig: Rig) -> None:
    model(rig)
    registered(rig)
    registered(rig, "v2", models=[])
    deployed(rig, "d1", "tiny:v1")
    deployed(rig, "d2", "tiny:v2")
    assert names(rig, f"{BENTO}/deployments") == ["d1"]
    assert names(rig, f"{WEIGHTS}/deployments") == ["d1"]
    assert names(rig, f"{REPOSITORIES}/tiny/deployments") == ["d2", "d1"]
    assert names(rig, f"{REPOSITORIES}/tiny/deployments", "d1") == ["d1"]
    assert rig.asked.get(f"{REPOSITORIES}/none/deployments").status_code == 404


def test_a_release_that_a_deployment_waits_for_or_runs_is_not_deleted(
    rig: Rig, shelf: Shelf
) -> None:
    registered(rig)
    pushed(rig)
    shelf.hold()
    deployed(rig, "d1", "tiny:v1")
    refused = {"error": "bento tiny:v1 is used by deployment d1"}
    waiting = rig.asked.delete(BENTO)
    assert (waiting.status_code, waiting.json()) == (409, refused)
    shelf.free()
    deadline = time.monotonic() + 30
    while rig.asked.get(f"{DEPLOYMENTS}/d1").json()["status"] != "running":
        assert time.monotonic() < deadline
    assert rig.asked.delete(BENTO).json() == refused
