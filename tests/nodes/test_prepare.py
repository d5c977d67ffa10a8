"""Releases on a node, with bentos as the real BentoML makes them."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mesh.errors import FailedPrecondition, MeshError, Unavailable
from mesh.launch import Source
from mesh.nodes.describing import describe_here
from mesh.nodes.prepare import Prepared, prepare
from mesh.nodes.settings import NodeSettings
from mesh.releases.contract import Release
from tests.nodes.bentos import OWN, Archives, Workshop, own, source_of, wheel


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop.at(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="module")
def model(workshop: Workshop) -> tuple[str, str]:
    return workshop.model("tiny", {"weights.txt": "weights"})


@pytest.fixture(scope="module")
def release(workshop: Workshop, model: tuple[str, str]) -> Release:
    return workshop.bento(models=dict([model]))


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    return NodeSettings(str(tmp_path / "cache"))


def prepared(
    source: Source, settings: NodeSettings, archives: Archives
) -> tuple[list[Any], Prepared]:
    *notes, last = prepare(source, settings, archives.fetch)
    assert isinstance(last, Prepared)
    return notes, last


def test_a_release_is_fetched_and_unpacked_once(
    workshop: Workshop, release: Release, model: tuple[str, str], settings: NodeSettings
) -> None:
    notes, first = prepared(source_of(release), settings, workshop.archives)
    assert notes == ["fetching the release", f"fetching model {model[0]}"]
    assert first.python == ""
    asked = len(workshop.archives.asked)
    notes, second = prepared(source_of(release), settings, workshop.archives)
    assert (notes, second) == ([], first)
    assert len(workshop.archives.asked) == asked


def test_a_release_is_described(
    workshop: Workshop, release: Release, model: tuple[str, str], settings: NodeSettings
) -> None:
    found = describe_here(source_of(release), settings, workshop.archives.fetch)
    assert found["manifest"]["entry"] == "Entry"
    assert found["source"]["target"] == "service:Entry"
    assert found["source"]["path"] == ["src"]
    assert found["source"]["release"] == release.digest
    assert found["source"]["models"] == dict([model])
    services = found["manifest"]["services"]
    assert services["Entry"]["depends"] == {"helper": "Helper"}
    # A value that only a deployment has is not missed yet.
    assert services["Helper"]["config"]["envs"] == {"GREETING": "hello"}
    assert not list((Path(settings.cache) / "homes").iterdir())


def test_a_content_that_is_not_what_was_asked_for_is_not_kept(
    workshop: Workshop, release: Release, settings: NodeSettings
) -> None:
    def damaged(digest: str, offset: int, limit: int) -> bytes:
        return b"" if offset else b"x" + workshop.archives.fetch(digest, 1, limit)

    with pytest.raises(Unavailable, match="what came is not the release"):
        list(prepare(source_of(release), settings, damaged))
    _, found = prepared(source_of(release), settings, workshop.archives)
    assert found.release == release.digest.removeprefix("sha256:")


def test_an_archive_that_is_none_is_refused(workshop: Workshop, settings: NodeSettings) -> None:
    digest = workshop.archives.put_bytes(b"not a tar")
    with pytest.raises(FailedPrecondition, match="the release cannot be unpacked: the archive"):
        list(prepare(Source(release=digest), settings, workshop.archives.fetch))


BROKEN = """
import bentoml
import numbat
"""
EXITS = """
import os
os._exit(3)
"""
PRINTS = """
import bentoml
print("hello")

@bentoml.service
class Entry:
    @bentoml.api
    def say(self) -> str:
        return ""

    @bentoml.on_deployment
    def once():
        raise RuntimeError("no database")
"""


def refusal(workshop: Workshop, settings: NodeSettings, service: str) -> str:
    """Why a release cannot be described whose code is `service`."""
    bento = workshop.bento(PRINTS.replace('raise RuntimeError("no database")', "pass"))
    folder = Path(workshop.folder / "home" / "bentos" / bento.name / bento.version)
    (folder / "src" / "service.py").write_text(service)
    source = Source(release=workshop.archives.put(folder))
    with pytest.raises(MeshError) as caught:
        describe_here(source, settings, workshop.archives.fetch)
    assert isinstance(caught.value, FailedPrecondition)
    return caught.value.message


def test_a_release_that_cannot_be_imported_says_why(
    workshop: Workshop, settings: NodeSettings
) -> None:
    told = refusal(workshop, settings, BROKEN)
    assert told.startswith("cannot import 'service': ModuleNotFoundError: No module named 'numbat'")
    assert refusal(workshop, settings, EXITS) == ("the release cannot be imported: exit status 3")


def test_what_a_release_does_once_is_done_when_it_is_described(
    workshop: Workshop, settings: NodeSettings
) -> None:
    assert refusal(workshop, settings, PRINTS) == (
        "a deployment hook failed: RuntimeError: no database"
    )


def test_a_requirement_that_the_node_lacks_is_installed_once_for_all_releases(
    workshop: Workshop, settings: NodeSettings
) -> None:
    service = PRINTS.replace('raise RuntimeError("no database")', "import cowsay")
    one = workshop.bento(service, packages=("cowsay==6.1",))
    notes, first = prepared(source_of(one), settings, workshop.archives)
    assert notes == ["fetching the release", "installing requirements"]
    other = workshop.bento(service + "\n# another\n", packages=("cowsay==6.1",))
    notes, second = prepared(source_of(other), settings, workshop.archives)
    assert notes == ["fetching the release"]
    assert (first.environment, first.python) == (second.environment, second.python)
    packages = Path(first.python).parents[1] / "lib"
    assert list(packages.glob("*/site-packages/cowsay-6.1.dist-info"))
    assert not list(packages.glob("*/site-packages/bentoml"))
    found = describe_here(source_of(one), settings, workshop.archives.fetch)
    assert found["manifest"]["entry"] == "Entry"


def test_a_requirement_that_there_is_not_fails_with_the_line(
    workshop: Workshop, settings: NodeSettings
) -> None:
    release = workshop.bento(packages=("serving-mesh-no-such-package==3",))
    with pytest.raises(FailedPrecondition) as caught:
        list(prepare(source_of(release), settings, workshop.archives.fetch))
    assert caught.value.message.startswith(
        "its requirements cannot be installed: No solution found"
    )
    assert "serving-mesh-no-such-package was not found" in caught.value.message
    assert "\n" not in caught.value.message
    (log,) = (Path(settings.cache) / "logs").iterdir()
    assert "serving-mesh-no-such-package" in log.read_text()
    assert not list((Path(settings.cache) / "envs").iterdir())


def test_a_requirement_that_the_mesh_cannot_live_with_is_refused(
    workshop: Workshop, settings: NodeSettings
) -> None:
    release = workshop.bento(packages=("pydantic<2",))
    with pytest.raises(FailedPrecondition, match="pydantic"):
        list(prepare(source_of(release), settings, workshop.archives.fetch))


def test_what_is_asked_for_and_not_given_is_told(
    workshop: Workshop, settings: NodeSettings
) -> None:
    more = "docker:\n  python_version: '3.12'\n  system_packages: [ffmpeg]\n"
    release = workshop.bento(more=more)
    _, found = prepared(source_of(release), settings, workshop.archives)
    told = " ".join(found.warnings)
    assert "it was made for Python 3.12 and runs on 3.11" in told
    assert "ffmpeg" in told


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(workshop: Workshop) -> Iterator[None]:
    yield
    assert not list(workshop.folder.glob("**/*.tar"))


def test_a_release_of_the_mesh_is_described_and_brings_packages_along(
    workshop: Workshop, settings: NodeSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    (folder / "env" / "python" / "wheels").mkdir(parents=True)
    wheel(folder / "env" / "python" / "wheels", "numbat", "3.1")
    service = OWN.replace("import mesh\n", "import mesh\nimport numbat\n")
    release = own(folder, workshop.archives, "serving-mesh\n", service)
    found = describe_here(source_of(release), settings, workshop.archives.fetch)
    assert found["manifest"]["entry"] == "Counter"
    assert found["source"]["target"] == "app:Counter"


def test_wheels_beside_the_code_are_found_by_their_path(
    workshop: Workshop, settings: NodeSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    (folder / "src" / "wheels").mkdir(parents=True)
    path = wheel(folder / "src" / "wheels", "numbat", "3.2")
    release = own(folder, workshop.archives, f"./wheels/{path.name}\n")
    _, found = prepared(source_of(release), settings, workshop.archives)
    packages = Path(found.python).parents[1] / "lib"
    assert list(packages.glob("*/site-packages/numbat-3.2.dist-info"))


def test_packages_come_from_the_index_that_the_release_names(
    workshop: Workshop, settings: NodeSettings, tmp_path: Path
) -> None:
    index = tmp_path / "index" / "numbat"
    index.mkdir(parents=True)
    path = wheel(index, "numbat", "7.0")
    (index / "index.html").write_text(f'<a href="{path.name}">{path.name}</a>')
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    (tmp_path / "own").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/"
            wanted = f"--index-url {address}\nnumbat>=5\n"
            release = own(tmp_path / "own", workshop.archives, wanted)
            _, found = prepared(source_of(release), settings, workshop.archives)
        finally:
            server.shutdown()
            thread.join()
    packages = Path(found.python).parents[1] / "lib"
    assert list(packages.glob("*/site-packages/numbat-7.0.dist-info"))


def test_of_a_lock_only_what_was_asked_for_is_installed(
    workshop: Workshop, settings: NodeSettings
) -> None:
    release = workshop.bento(packages=("cowsay<6.1",), lock=True)
    _, found = prepared(source_of(release), settings, workshop.archives)
    (packages,) = (Path(found.python).parents[1] / "lib").glob("*/site-packages")
    assert [path.name for path in packages.glob("*.dist-info")] == ["cowsay-6.0.dist-info"]
    usual = workshop.bento(lock=True)
    _, found = prepared(source_of(usual), settings, workshop.archives)
    assert found.environment == ""


def test_names_that_a_bento_gives_its_models_hold(
    workshop: Workshop, model: tuple[str, str], settings: NodeSettings
) -> None:
    service = """
import bentoml

@bentoml.service
class Entry:
    @bentoml.api
    def say(self) -> str:
        return ""

    @bentoml.on_deployment
    def once():
        raise RuntimeError(f"{bentoml.models.get('small').tag} {bentoml.use_arguments().word}")
"""
    folder = workshop.folder / "home" / "bentos"
    release = workshop.bento(
        service.replace("bentoml.use_arguments().word", "''"),
        models=dict([model]),
        more=f"models: [{{tag: '{model[0]}', alias: small}}]\n",
    )
    described = folder / release.name / release.version
    (described / "src" / "service.py").write_text(service)
    text = (described / "bento.yaml").read_text().replace("args: {}", "args: {word: hello}")
    (described / "bento.yaml").write_text(text)
    source = Source(release=workshop.archives.put(described), models=dict([model]))
    with pytest.raises(FailedPrecondition, match=f"RuntimeError: {model[0]} hello"):
        describe_here(source, settings, workshop.archives.fetch)
