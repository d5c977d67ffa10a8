"""Requirements from an index that wants a password, which only their installation gets."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mesh.errors import FailedPrecondition
from mesh.launch import Secrets, Source
from mesh.nodes.describing import describe_here
from mesh.nodes.prepare import Prepared, prepare
from mesh.nodes.settings import NodeSettings
from tests.nodes.bentos import Workshop, own, source_of
from tests.nodes.private_index import PASSWORD, USER, private_index

TELLS = """
import os
import mesh
import numbat

assert not [value for value in os.environ.values() if "s3same" in value], "it has the password"


@mesh.service
class Counter:
    @mesh.api
    def count(self) -> int:
        return len(numbat.VERSION)
"""


def with_userinfo(url: str, password: str = PASSWORD) -> str:
    return url.replace("://", f"://{USER}:{password}@")


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop.at(tmp_path / "workshop")


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    return NodeSettings(str(tmp_path / "cache"))


def release_of(workshop: Workshop, tmp_path: Path, options: str) -> Source:
    (tmp_path / "own").mkdir()
    wanted = f"{options}\nnumbat>=5\n"
    release = own(tmp_path / "own", workshop.archives, wanted, TELLS)
    return source_of(release)


def prepared(
    source: Source, settings: NodeSettings, workshop: Workshop, build: Secrets
) -> Prepared:
    *_, last = prepare(source, settings, workshop.archives.fetch, build)
    assert isinstance(last, Prepared)
    return last


def kept_in(folder: Path) -> str:
    """All that is written down in a folder, names of files among it."""
    texts = [str(path) for path in folder.rglob("*")]
    texts += [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    return "\n".join(texts)


@pytest.mark.parametrize("way", ["uv", "pip", "named", "in the file", "a file"])
def test_its_password_is_a_variable_of_the_installation_alone(
    workshop: Workshop, settings: NodeSettings, tmp_path: Path, way: str
) -> None:
    with private_index(tmp_path / "index", "numbat", "7.0") as url:
        options = ""
        match way:
            case "uv":
                build = Secrets({"UV_DEFAULT_INDEX": with_userinfo(url)})
            case "pip":
                build = Secrets({"PIP_INDEX_URL": with_userinfo(url)})
            case "named":
                build = Secrets(
                    {
                        "UV_DEFAULT_INDEX": f"mine={url}",
                        "UV_INDEX_MINE_USERNAME": USER,
                        "UV_INDEX_MINE_PASSWORD": PASSWORD,
                    }
                )
            case "a file":
                options = "-r ${BENTOML_HOME}/private/index.txt"
                line = "--index-url " + with_userinfo(url)
                build = Secrets({}, {"private/index.txt": line.encode()})
            case _:
                options = "--index-url " + with_userinfo(url, "${PASSWORD}")
                build = Secrets({"PASSWORD": PASSWORD})
        source = release_of(workshop, tmp_path, options)
        found = describe_here(source, settings, workshop.archives.fetch, build)
        assert found["manifest"]["entry"] == "Counter"
        environment = Path(prepared(source, settings, workshop, build).python)
    told = subprocess.run(
        [environment, "-c", "import numbat; print(numbat.VERSION)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "7.0\n"
    assert PASSWORD not in kept_in(Path(settings.cache))


def test_a_wrong_password_is_told_without_it(
    workshop: Workshop, settings: NodeSettings, tmp_path: Path
) -> None:
    with private_index(tmp_path / "index", "numbat", "7.0") as url:
        source = release_of(workshop, tmp_path, "")
        build = Secrets({"UV_DEFAULT_INDEX": with_userinfo(url, "wr0ng-word")})
        with pytest.raises(FailedPrecondition) as caught:
            prepared(source, settings, workshop, build)
    assert "401 Unauthorized" in caught.value.message
    assert urlsplit(url).netloc in caught.value.message
    for text in (caught.value.message, kept_in(Path(settings.cache)), repr(build)):
        assert "wr0ng" not in text


def test_what_one_may_install_is_not_for_who_may_not(
    workshop: Workshop, settings: NodeSettings, tmp_path: Path
) -> None:
    with private_index(tmp_path / "index", "numbat", "7.0") as url:
        source = release_of(workshop, tmp_path, f"--index-url {url}")
        build = Secrets({"UV_DEFAULT_INDEX": with_userinfo(url)})
        first = prepared(source, settings, workshop, build)
        assert prepared(source, settings, workshop, build) == first
        other = NodeSettings(str(tmp_path / "another"))
        assert prepared(source, other, workshop, build).environment != first.environment
        with pytest.raises(FailedPrecondition, match=r"401 Unauthorized|not found"):
            prepared(source, settings, workshop, Secrets())
