"""A folder of code becomes a release that `bentoml` knows as well."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mesh.errors import AlreadyExists, ConfigError, NotFound
from mesh.packing.pack import Recipe, pack
from mesh.packing.shelf import Shelf
from mesh.packing.tag import Tag

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TARGET = "packed_service:Greeter"


def made(folder: Path, shelf: Shelf, now: datetime = NOW, **more: Any) -> Any:
    return pack(Recipe(TARGET, folder, **more), shelf, now)


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_release_has_the_code_and_says_what_it_is(folder: Path, shelf: Shelf) -> None:
    packed = made(folder, shelf, labels={"team": "vision"})
    assert packed.tag.name == "greeter"
    assert packed.tag.version.startswith("20260102-030405-")
    assert (packed.service, packed.created_at) == (TARGET, NOW)
    manifest = packed.manifest
    assert manifest["entry_service"] == "Greeter"
    assert [each["name"] for each in manifest["services"]] == ["Greeter", "Inner"]
    assert manifest["services"][0]["dependencies"] == [{"service": "Inner"}]
    assert manifest["services"][0]["config"] == {"envs": [{"name": "A", "value": "1"}]}
    assert manifest["services"][1]["config"]["resources"] == {"cpu": 0.2}
    assert manifest["schema"]["routes"][0]["route"] == "/greet"
    assert manifest["labels"] == {"team": "vision"}
    assert files(packed.folder) == {
        "bento.yaml",
        "README.md",
        "apis/openapi.json",
        "apis/schema.json",
        "env/python/requirements.in",
        "env/python/requirements.txt",
        "src/packed_service.py",
    }


def test_the_other_command_lists_it(folder: Path, shelf: Shelf) -> None:
    packed = made(folder, shelf)
    environ = {
        **os.environ,
        "BENTOML_HOME": str(shelf.folder.parent),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    program = str(Path(sys.executable).with_name("bentoml"))
    told = subprocess.run(
        [program, "list", "-o", "json"], env=environ, capture_output=True, text=True, check=True
    )
    assert [each["tag"] for each in json.loads(told.stdout)] == [str(packed.tag)]


def test_what_the_other_command_built_is_on_the_shelf(shelf: Shelf) -> None:
    folder = shelf.folder / "other" / "v1"
    folder.mkdir(parents=True)
    (folder / "bento.yaml").write_text(
        "service: service:Other\nname: other\nversion: v1\n"
        "creation_time: '2026-01-02T03:04:05+00:00'\n"
    )
    (found,) = shelf.releases()
    assert (str(found.tag), found.service, found.created_at) == ("other:v1", "service:Other", NOW)


def test_requirements_are_those_of_the_folder_or_of_the_file_that_is_named(
    folder: Path, shelf: Shelf, tmp_path: Path
) -> None:
    (folder / "requirements.txt").write_text("numpy>=1\n")
    packed = made(folder, shelf, version="a")
    assert (packed.folder / "env/python/requirements.txt").read_text() == "numpy>=1\n"
    other = tmp_path / "other.txt"
    other.write_text("scipy\n")
    packed = made(folder, shelf, version="b", requirements=other)
    assert packed.manifest["image"]["python_requirements"] == "scipy\n"


def test_what_is_ignored_is_left_out(folder: Path, shelf: Shelf) -> None:
    for name in ("data.bin", "notes.md", ".env", "__pycache__/x.pyc", "big/one", "big/two"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    (folder / ".meshignore").write_text("big/\n")
    packed = made(folder, shelf, exclude=["*.md"])
    assert files(packed.folder / "src") == {"packed_service.py", "data.bin", ".meshignore"}
    only = made(folder, shelf, version="x", include=["*.py"])
    assert files(only.folder / "src") == {"packed_service.py"}


def test_a_link_that_leads_out_is_refused_and_nothing_is_left(folder: Path, shelf: Shelf) -> None:
    (folder / "secret").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="secret: a link that leads out"):
        made(folder, shelf)
    assert not shelf.releases()
    assert not files(shelf.folder)


def test_a_release_without_its_service_is_refused(folder: Path, shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match=r"packed_service\.py has the service"):
        made(folder, shelf, exclude=["*.py"])


def test_a_version_is_made_once(folder: Path, shelf: Shelf) -> None:
    made(folder, shelf, version="1.0")
    with pytest.raises(AlreadyExists, match=r"greeter:1\.0 already"):
        made(folder, shelf, version="1.0")


@pytest.mark.parametrize("wrong", ["Upper", "a b", "../x", "a/b", "x" * 64])
def test_a_name_that_is_none_is_told(folder: Path, shelf: Shelf, wrong: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        made(folder, shelf, name=wrong)


def test_a_failure_midway_leaves_nothing(shelf: Shelf) -> None:
    def fail() -> None:
        with shelf.adding(Tag("a", "1")) as fresh:
            (fresh / "half").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not files(shelf.folder)


def test_the_newest_is_meant_without_a_version(folder: Path, shelf: Shelf) -> None:
    made(folder, shelf, version="b")
    newest = made(folder, shelf, NOW.replace(year=2027), version="a")
    assert shelf.get(Tag.of("greeter:latest")).tag == newest.tag
    shelf.remove(newest.tag)
    assert shelf.get(Tag("greeter")).tag == Tag("greeter", "b")
    assert (shelf.folder / "greeter" / "latest").read_text() == "b"
    shelf.remove(Tag("greeter", "b"))
    with pytest.raises(NotFound, match="no release 'greeter'"):
        shelf.get(Tag("greeter"))
