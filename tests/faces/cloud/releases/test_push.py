"""The real `bentoml` pushes to a mesh and pulls from it."""

import shutil
from pathlib import Path

import pytest

from tests.faces.cloud.bento_client import WITH_MODEL, BentoClient, tree
from tests.faces.cloud.rig import TOKEN, Rig

BENTO = "/api/v1/bento_repositories/tiny/bentos/v1"
MODEL = "/api/v1/model_repositories/weights/models/v1"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of `bentoml` with a bento `tiny:v1` that has a model `weights:v1`."""
    folder = tmp_path_factory.mktemp("built")
    client = BentoClient(folder / "home", "http://127.0.0.1:9", "none")
    client.make_model()
    client.build(folder / "svc", WITH_MODEL)
    return client.home


@pytest.fixture
def client(rig: Rig, built: Path, tmp_path: Path) -> BentoClient:
    return BentoClient(shutil.copytree(built, tmp_path / "home", symlinks=True), rig.url, TOKEN)


def test_a_bento_and_its_model_come_back_as_they_were(rig: Rig, client: BentoClient) -> None:
    before = tree(client.bento("tiny/v1")), tree(client.model("weights/v1"))
    assert "Successfully pushed" in client.run("push", "tiny:v1")
    shown = rig.asked.get(BENTO).json()
    assert (shown["upload_status"], shown["name"]) == ("success", "v1")
    assert [each["name"] for each in shown["models"]] == ["v1"]
    shutil.rmtree(client.home)
    client.home.mkdir()
    client.run("pull", "tiny:v1")
    client.run("models", "pull", "weights")  # the newest
    assert (tree(client.bento("tiny/v1")), tree(client.model("weights/v1"))) == before


def test_what_is_there_is_not_pushed_again_unless_it_is_forced(
    rig: Rig, client: BentoClient
) -> None:
    client.run("push", "tiny:v1")
    first = rig.asked.get(BENTO).json()
    assert "already exists" in client.run("push", "tiny:v1")
    assert rig.asked.get(BENTO).json() == first
    (client.bento("tiny/v1") / "README.md").write_text("another")
    client.run("push", "tiny:v1", "--force")
    assert rig.asked.get(BENTO).json()["upload_finished_at"] > first["upload_finished_at"]
    client.run("delete", "tiny:v1", "--yes")
    client.run("pull", "tiny:v1")
    assert (client.bento("tiny/v1") / "README.md").read_text() == "another"


def test_large_models_are_pushed_in_parts_and_come_back(rig: Rig, client: BentoClient) -> None:
    size = 101 * 2**20
    found = client.model("weights/v1") / "weights.bin"
    with found.open("ab") as file:
        file.truncate(size)
    assert "Successfully" in client.run("models", "push", "weights:v1")
    shown = rig.asked.get(MODEL).json()
    assert (shown["transmission_strategy"], shown["upload_status"]) == ("presigned_url", "success")
    shutil.rmtree(client.home / "models")
    client.run("models", "pull", "weights:v1")
    assert found.stat().st_size == size
    with found.open("rb") as file:
        assert file.read(9) == b"weights\0\0"


def test_a_wrong_token_is_told(client: BentoClient) -> None:
    client.token = "wrong"
    assert "401" in client.run("models", "push", "weights:v1", fails=True)


def test_lists_of_the_python_client_have_what_was_pushed(client: BentoClient) -> None:
    client.run("push", "tiny:v1")
    said = client.python(
        "from bentoml._internal.cloud import BentoCloudClient\n"
        "client = BentoCloudClient()\n"
        "print([b.repository.name + ':' + b.name for b in client.bento.list().items])\n"
        "print([m.repository.name + ':' + m.name for m in client.model.list().items])\n"
        "print(client.bento.get('tiny', None).manifest.services[0].name)\n"
    )
    assert said.splitlines() == ["['tiny:v1']", "['weights:v1']", "Tiny"]
