"""A release on its way to a mesh and back, by our own commands and by the other's."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh import ControlClient
from mesh.cli.main import app
from mesh.client.control.connection import Connection
from mesh.client.control.releases import Releases
from mesh.client.control.whereabouts import Whereabouts
from mesh.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from mesh.packing.pack import Recipe, pack
from mesh.packing.shelf import Packed, Shelf
from tests.faces.cloud.bento_client import BentoClient, tree
from tests.faces.cloud.rig import TOKEN, Rig, rigged

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rigged() as made:
        yield made


@pytest.fixture
def packed(folder: Path, shelf: Shelf) -> Packed:
    return pack(Recipe("packed_service:Greeter", folder, version="1.0"), shelf, NOW)


class Commands:
    """`mesh`, with a shelf of its own."""

    def __init__(self, rig: Rig, shelf: Shelf, token: str = TOKEN) -> None:
        self.env = {
            "MESH_CONTROL_URL": rig.url,
            "MESH_CONTROL_TOKEN": token,
            "BENTOML_HOME": str(shelf.folder.parent),
            "COLUMNS": "120",
        }

    def run(self, *arguments: str) -> Any:
        return CliRunner(env=self.env).invoke(app, list(arguments))

    def text(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return str(result.stdout)


@pytest.fixture
def commands(rig: Rig, shelf: Shelf) -> Commands:
    return Commands(rig, shelf)


def test_a_release_comes_back_byte_by_byte(commands: Commands, packed: Packed) -> None:
    before = tree(packed.folder)
    assert "pushed greeter:1.0" in commands.text("push", "greeter:1.0")
    assert "is there already" in commands.text("push", "greeter")
    (far,) = json.loads(commands.text("releases", "--remote", "--json"))
    assert (far["tag"], far["status"]) == ("greeter:1.0", "success")
    assert "greeter:1.0" in commands.text("releases", "greeter", "--remote")
    shutil.rmtree(packed.folder)
    assert "pulled greeter:1.0" in commands.text("pull", "greeter")
    assert tree(packed.folder) == before
    assert "already" in commands.run("pull", "greeter:1.0").stderr
    commands.text("pull", "greeter:1.0", "--force")
    assert tree(packed.folder) == before


def test_the_other_command_pulls_what_we_push_and_we_what_it_pushes(
    rig: Rig, commands: Commands, packed: Packed, tmp_path: Path
) -> None:
    before = tree(packed.folder)
    commands.text("push", "greeter:1.0")
    other = BentoClient(tmp_path / "other", rig.url, TOKEN)
    other.run("pull", "greeter:1.0")
    assert tree(other.bento("greeter/1.0")) == before
    rig.asked.delete("/api/v1/bento_repositories/greeter/bentos/1.0").raise_for_status()
    other.run("push", "greeter:1.0")
    shutil.rmtree(packed.folder)
    commands.text("pull", "greeter:1.0")
    assert tree(packed.folder) == before


def test_a_large_release_goes_in_parts(rig: Rig, commands: Commands, packed: Packed) -> None:
    size = 101 * 2**20
    with (packed.folder / "src" / "weights.bin").open("wb") as file:
        file.truncate(size)
    heard: list[tuple[int, int]] = []
    with ControlClient(rig.url, TOKEN) as client:
        sent = client.releases.push(
            "greeter", "1.0", packed.folder, packed.manifest, moved=lambda *each: heard.append(each)
        )
    assert sent
    shown = rig.asked.get("/api/v1/bento_repositories/greeter/bentos/1.0").json()
    assert (shown["transmission_strategy"], shown["upload_status"]) == ("presigned_url", "success")
    assert heard[-1][0] == heard[-1][1] > size
    shutil.rmtree(packed.folder)
    commands.text("pull", "greeter:1.0")
    assert (packed.folder / "src" / "weights.bin").stat().st_size == size


def test_what_the_mesh_does_not_take_is_told(rig: Rig, packed: Packed) -> None:
    (packed.folder / "out").symlink_to("/etc/passwd")
    with (
        ControlClient(rig.url, TOKEN) as client,
        pytest.raises(InvalidArgument, match=r"a link out of its folder: 'out'"),
    ):
        client.releases.push("greeter", "1.0", packed.folder, packed.manifest)
    shown = rig.asked.get("/api/v1/bento_repositories/greeter/bentos/1.0").json()
    assert shown["upload_status"] == "failed"
    (packed.folder / "out").unlink()
    with ControlClient(rig.url, TOKEN) as client:
        assert client.releases.push("greeter", "1.0", packed.folder, packed.manifest)


class BreaksOff(Connection):
    """The reply to a completion breaks off when it has failed."""

    def raw(self, method: str, path: str, *rest: Any, **more: Any) -> bytes:
        try:
            return super().raw(method, path, *rest, **more)
        except InvalidArgument:
            if path.endswith("/complete_multipart_upload"):
                raise Unavailable("the reply broke off") from None
            raise


def test_what_the_mesh_does_not_take_in_parts_is_told_when_the_reply_breaks_off(
    rig: Rig, packed: Packed
) -> None:
    with (packed.folder / "src" / "weights.bin").open("wb") as file:
        file.truncate(101 * 2**20)
    (packed.folder / "out").symlink_to("/etc/passwd")
    connection = BreaksOff(Whereabouts(rig.url, TOKEN))
    with closing(connection), pytest.raises(FailedPrecondition, match="a link out of its folder"):
        Releases(connection).push("greeter", "1.0", packed.folder, packed.manifest)


def test_who_has_no_right_pushes_nothing(rig: Rig, packed: Packed) -> None:
    with ControlClient(rig.url, "wrong") as client, pytest.raises(Unauthenticated):
        client.releases.push("greeter", "1.0", packed.folder, packed.manifest)
    guest = rig.member("gus", "guest")
    with (
        ControlClient(rig.url, guest) as client,
        pytest.raises(PermissionDenied, match="may not write"),
    ):
        client.releases.push("greeter", "1.0", packed.folder, packed.manifest)


def test_programs_are_told_in_json(commands: Commands, packed: Packed) -> None:
    assert json.loads(commands.text("push", "greeter:1.0", "--json")) == {
        "tag": "greeter:1.0",
        "sent": True,
    }
    assert json.loads(commands.text("push", "greeter", "--json"))["sent"] is False
    pulled = json.loads(commands.text("pull", "greeter", "--force", "--json"))
    assert (pulled["tag"], pulled["service"]) == ("greeter:1.0", packed.service)


def test_what_is_not_there_is_told(commands: Commands) -> None:
    for command in ("push", "pull"):
        result = commands.run(command, "nothing:1")
        assert result.exit_code == 1
        told = result.stderr or str(result.exception)
        assert "nothing" in told
        assert isinstance(result.exception, (SystemExit, NotFound))
