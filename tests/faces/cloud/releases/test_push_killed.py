"""The real `bentoml` is killed or interrupted in the middle of a push, and pushes again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import eventually
from tests.faces.cloud.bento_client import BentoClient, tree
from tests.faces.cloud.held import held_wire
from tests.faces.cloud.rig import TOKEN, Rig, rigged

BENTO = "/api/v1/bento_repositories/tiny/bentos/v1"
MODEL = "/api/v1/model_repositories/large/models/v1"
SIZE = 64 * 2**20
HALF = SIZE // 2
LARGE = 101 * 2**20
"""Bytes that are pushed in parts."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of `bentoml` with a bento `tiny:v1` of 64 MiB, and a model `large:v1`."""
    folder = tmp_path_factory.mktemp("built")
    client = BentoClient(folder / "home", "http://127.0.0.1:9", "none")
    (folder / "svc").mkdir()
    with (folder / "svc" / "weights.bin").open("wb") as file:
        for _ in range(SIZE // 2**20):
            file.write(os.urandom(2**20))
    client.build(folder / "svc")
    client.make_model(name="large", size=LARGE)
    return client.home


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def rig(releases: Path) -> Iterator[Rig]:
    with rigged(releases=str(releases)) as made:
        yield made


def interrupted(rig: Rig, home: Path, by: signal.Signals, *command: str) -> int:
    """Pushes until half has come, and is ended then; gives the exit status."""
    with held_wire(rig.url, HALF) as wire:
        client = BentoClient(home, wire.url, TOKEN)
        with subprocess.Popen(
            [sys.executable, "-m", "bentoml", *command],
            cwd=home,
            env=client.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                assert wire.reached.wait(100)
                process.send_signal(by)
                status = process.wait(100)
            finally:
                process.kill()
        wire.cut()
        return status


def left(releases: Path) -> list[str]:
    """What is in the store."""
    return sorted(str(path.relative_to(releases)) for path in releases.rglob("*") if path.is_file())


def shown(rig: Rig, path: str) -> Any:
    return rig.asked.get(path).json()


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_push_that_was_ended_in_the_middle_ends_well_the_next_time(
    rig: Rig, built: Path, releases: Path, tmp_path: Path, by: signal.Signals
) -> None:
    status = interrupted(rig, built, by, "push", "tiny:v1")
    assert status == -by if by is signal.SIGKILL else status != 0
    eventually(lambda: shown(rig, BENTO)["upload_status"] == "failed", "it is known to have failed")
    assert left(releases) == []
    assert "Successfully pushed" in BentoClient(built, rig.url, TOKEN).run("push", "tiny:v1")
    assert shown(rig, BENTO)["upload_status"] == "success"
    (archive,) = left(releases)
    assert archive.startswith("sha256/")
    other = BentoClient(tmp_path / "other", rig.url, TOKEN)
    other.run("pull", "tiny:v1")
    assert tree(other.bento("tiny/v1")) == tree(built / "bentos" / "tiny" / "v1")


def test_a_push_in_parts_that_was_killed_ends_well_the_next_time(
    rig: Rig, built: Path, releases: Path, tmp_path: Path
) -> None:
    assert interrupted(rig, built, signal.SIGKILL, "models", "push", "large:v1") == -signal.SIGKILL
    assert shown(rig, MODEL)["upload_status"] == "uploading"
    client = BentoClient(built, rig.url, TOKEN)
    assert "Successfully pushed" in client.run("models", "push", "large:v1")
    assert shown(rig, MODEL)["upload_status"] == "success"
    (archive,) = left(releases)
    assert archive.startswith("sha256/")
    other = BentoClient(tmp_path / "other", rig.url, TOKEN)
    other.run("models", "pull", "large:v1")
    assert tree(other.model("large/v1")) == tree(built / "models" / "large" / "v1")
