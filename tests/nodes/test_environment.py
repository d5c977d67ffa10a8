"""Environments of releases: what installers say, and what a process gets."""

from pathlib import Path

import pytest

from mesh.errors import ConfigError, FailedPrecondition, Unavailable
from mesh.launch import Source
from mesh.nodes.entering import inject, settled, variables
from mesh.nodes.environment import environment_name, failure, installed
from mesh.nodes.requirements import plan
from mesh.nodes.settings import USUAL_LIMIT, NodeSettings, cache_folder, cache_limit
from mesh.nodes.unpacked import UnpackedRelease

NEW = """\
error: No solution found when resolving dependencies
  cause: Because numbat was not found in the package registry and you require numbat==3, we can \
conclude that your requirements are unsatisfiable.
"""
OLD = """\
Using Python 3.11.7 environment at: /x
  \xd7 No solution found when resolving dependencies:
  ╰─▶ Because numbat was not found in the package registry and you
      require numbat==3, we can conclude that your requirements are
      unsatisfiable.
"""


@pytest.mark.parametrize("said", [NEW, OLD])
def test_why_requirements_cannot_be_met_is_one_line(said: str) -> None:
    error = failure(said)
    assert isinstance(error, FailedPrecondition)
    assert error.message == (
        "its requirements cannot be installed: No solution found when resolving dependencies:"
        " Because numbat was not found in the package registry and you require numbat==3, we can"
        " conclude that your requirements are unsatisfiable."
    )


def test_what_may_pass_is_told_apart_and_passwords_are_not_told() -> None:
    error = failure(
        "error: Request failed after 3 retries in 5.5s\n"
        "  cause: Failed to fetch: http://ada:s3same@127.0.0.1:9/simple/numbat/\n"
        "  cause: Connection refused (os error 111)\n"
    )
    assert isinstance(error, Unavailable)
    assert "http://***@127.0.0.1:9/simple/numbat/" in error.message
    assert "s3same" not in error.message
    assert len(failure("error: " + "x" * 10_000).message) < 1_000
    assert "no reason" in failure("").message


def test_releases_that_lack_the_same_share_an_environment_unless_they_bring_it_along() -> None:
    base = installed()
    assert "pytest" in base
    one, other = plan("numbat", "", base), plan("./own.whl", "", base)
    assert environment_name(one, base, "a", ()) == environment_name(one, base, "b", ())
    assert environment_name(one, base, "a", ()) != environment_name(one, {}, "a", ())
    assert environment_name(other, base, "a", ()) != environment_name(other, base, "b", ())


def test_a_process_of_a_release_knows_its_home() -> None:
    found = variables(Path("/home"), Path("/cache"), "/cache/envs/1/bin/python", {"PATH": "/bin"})
    assert found["BENTOML_HOME"] == found["MESH_HOME"] == "/home"
    assert found["PATH"] == "/cache/envs/1/bin:/bin"
    assert found["VIRTUAL_ENV"] == "/cache/envs/1"
    assert found["BENTOML_HF_CACHE_DIR"] == "/cache/huggingface"
    assert "PATH" not in variables(Path("/home"), Path("/cache"), "", {"PATH": "/bin"})


def test_files_of_secrets_without_a_release_leave_the_home_of_bentoml_alone() -> None:
    found = variables(Path("/home"), Path("/cache"), "", {}, is_release=False)
    assert found == {"MESH_SECRETS_HOME": "/home"}
    of_release = variables(Path("/home"), Path("/cache"), "", {})
    assert of_release["MESH_SECRETS_HOME"] == of_release["BENTOML_HOME"]


def test_what_was_said_in_so_many_words_goes_before_secrets() -> None:
    environ = {"SAID": "loud"}
    inject({"SAID": "s3same", "OTHER": "s3same"}, {"SAID"}, environ)
    assert environ == {"SAID": "loud", "OTHER": "s3same"}


def test_the_folders_of_a_source_are_those_of_its_release() -> None:
    assert settled(Source("app:Main", ("src", "lib")), Path("/r")).path == ("/r/src", "/r/lib")


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache_folder(NodeSettings("/a"), {"MESH_CACHE": "/b"}) == Path("/a")
    assert cache_folder(NodeSettings(), {"MESH_CACHE": "/b"}) == Path("/b")
    found = cache_folder(NodeSettings(), {"XDG_CACHE_HOME": "/c"})
    assert found == Path("/c/serving-mesh")
    assert cache_limit(NodeSettings(), {"MESH_CACHE_LIMIT": "2Ki"}) == 2048
    assert cache_limit(NodeSettings(limit=5), {"MESH_CACHE_LIMIT": "2Ki"}) == 5
    assert cache_limit(NodeSettings(), {}) == USUAL_LIMIT
    with pytest.raises(ConfigError, match="MESH_CACHE_LIMIT: 'much'"):
        cache_limit(NodeSettings(), {"MESH_CACHE_LIMIT": "much"})


def unpacked(folder: Path, document: str, **files: str) -> UnpackedRelease:
    (folder / "env" / "python").mkdir(parents=True)
    (folder / "bento.yaml").write_text(document)
    for name, text in files.items():
        (folder / "env" / "python" / name.replace("_", ".")).write_text(text)
    return UnpackedRelease(folder)


@pytest.mark.parametrize("document", ["", "[]", "a: b", "service: 1", "a: [", "\x00"])
def test_a_document_that_names_no_service_is_refused(tmp_path: Path, document: str) -> None:
    with pytest.raises(FailedPrecondition, match=r"bento\.yaml"):
        _ = unpacked(tmp_path, document).target


def test_the_requirements_of_an_author_go_before_the_lock(tmp_path: Path) -> None:
    release = unpacked(
        tmp_path, "service: a:B", requirements_in="numbat", requirements_txt="numbat==3"
    )
    assert (release.wanted, release.lock) == ("numbat", "numbat==3")
    (tmp_path / "env" / "python" / "requirements.in").unlink()
    assert (release.wanted, release.lock) == ("numbat==3", "")


def test_variables_with_a_value_are_those_of_the_release(tmp_path: Path) -> None:
    text = (
        "service: a:B\nenvs: [{name: A, value: x}, {name: B}, {name: C, value: y, stage: build},"
        " {name: D, value: 7, stage: all}, 5, {value: z}]"
    )
    assert unpacked(tmp_path, text).envs == {"A": "x", "D": "7"}
