"""A program that was not run, or did not say all, is never taken for one that passed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.cases import CASES
from tests.conformance.languages import CLIENTS, LANGUAGES, REQUIRED, Outcome, outcome_of
from tests.conformance.programs import Absent, built, tools
from tests.conformance.runs import Clients, line

OPTIONAL = sorted({*LANGUAGES} - {*REQUIRED})


def _absent(language: str) -> Outcome:
    raise Absent(f"{language} is not installed")


def _program(folder: Path, check: str, build: str = "true") -> Path:
    (folder / "Makefile").write_text(f"check:\n\t@{check}\nbuild:\n\t@{build}\n")
    return folder


@pytest.mark.parametrize("in_ci", [False, True])
@pytest.mark.parametrize("language", OPTIONAL)
def test_a_language_without_its_toolchain_is_skipped(language: str, in_ci: bool) -> None:
    said: dict[str, Outcome | str] = {}
    with pytest.raises(pytest.skip.Exception, match=f"not run: {language} is not installed"):
        Clients(said, _absent, in_ci=in_ci).outcome(language)
    assert line(language, said[language]) == (
        f"conformance {language}: not run: {language} is not installed"
    )


@pytest.mark.parametrize("language", REQUIRED)
def test_in_continuous_integration_some_must_be_there(language: str) -> None:
    with pytest.raises(pytest.skip.Exception):
        Clients({}, _absent, in_ci=False).outcome(language)
    with pytest.raises(pytest.fail.Exception, match=f"{language} is not run"):
        Clients({}, _absent, in_ci=True).outcome(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_makefile_says_which_tool_is_missing(language: str, tmp_path: Path) -> None:
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "-s", "-C", CLIENTS / language, "check", "PYTHON=no-python"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout.strip().endswith("is not installed"), done.stderr


def test_a_makefile_that_fails_without_a_reason_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="no tool"):
        tools(_program(tmp_path, "echo no tool; exit 1"))
    with pytest.raises(RuntimeError, match="make check fails"):
        tools(_program(tmp_path, "exit 1"))


def test_what_cannot_be_built_is_an_error_each_time(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "program").mkdir()
    program = _program(tmp_path / "program", "echo tool 1.0", "echo it fails; exit 1")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="it fails"):
            built(program, cache=cache)


def test_a_program_is_built_once_until_something_changes(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "program").mkdir()
    program = _program(tmp_path / "program", "echo tool 1.0", "echo built >> $(OUT)/log")
    first = built(program, cache=cache)
    assert built(program, cache=cache) == first
    assert (first / "log").read_text() == "built\n"
    _program(program, "echo tool 2.0", "echo built >> $(OUT)/log")
    assert built(program, cache=cache) != first


def test_a_case_of_which_a_program_says_nothing_has_not_passed() -> None:
    outcome = outcome_of("ok lists\nnot ok maps: 1 is not 2\nok no: case\n", "it died")
    assert outcome.why("lists") == ""
    assert outcome.why("maps") == "1 is not 2"
    assert "it died" in outcome.why("tree")
    assert line("go", outcome) == f"conformance go: 1 of {len(CASES)} calls ok"
