"""clients.md: its code is part of the programs, its commands of their Makefiles."""

import json
import re
import textwrap

import pytest

from tests.conformance.cases import CASES
from tests.conformance.languages import CLIENTS, LANGUAGES

PAGE = (CLIENTS / "clients.md").read_text()
SOURCES = {
    "python": "client.py",
    "node": "client.js",
    "cpp": "client.cc",
    "go": "client.go",
    "ruby": "client.rb",
    "java": "Client.java",
}
NAMES = {"node": "javascript"}
"""What a language's code is called on the page, where that is not its own name."""
_MARKED = re.compile(r"\n[^\n]*>>> clients\.md\n(.*?)\n[^\n]*<<< clients\.md\n", re.DOTALL)
_NAMES_OF_MAKE = {
    "$(PROTOS)": "protos",
    "$(OUT)/src": "generated",
    "$(OUT)": "generated",
    "$(PYTHON)": "python",
    "$$": "$",
}


def _blocks(name: str) -> list[str]:
    return re.findall(rf"^```{name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _words(text: str) -> str:
    """A command on one line."""
    return " ".join(text.replace("\\\n", " ").split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_of_a_language_is_what_its_program_runs(language: str) -> None:
    source = (CLIENTS / language / SOURCES[language]).read_text()
    (marked,) = _MARKED.findall(source)
    (shown,) = _blocks(NAMES.get(language, language))
    imports, _, code = shown.partition("\n\n")
    assert code == textwrap.dedent(marked.expandtabs(4)) + "\n"
    assert {line.strip() for line in imports.splitlines()} <= {
        line.strip() for line in source.splitlines()
    }


@pytest.mark.parametrize(("language", "shown"), [*zip(LANGUAGES, _blocks("sh"), strict=True)])
def test_the_commands_of_a_language_are_those_of_its_makefile(language: str, shown: str) -> None:
    made = (CLIENTS / language / "Makefile").read_text()
    if language == "node":  # whose Makefile installs the packages of package.json
        needed = json.loads((CLIENTS / "node" / "package.json").read_text())["dependencies"]
        made = f"npm install {' '.join(needed)}"
    for ours, theirs in _NAMES_OF_MAKE.items():
        made = made.replace(ours, theirs)
    for command in shown.replace("\\\n", " ").splitlines():
        assert _words(command) in _words(made)


def test_the_page_says_how_many_calls_there_are() -> None:
    assert f"[{len(CASES)} calls](../cases.py)" in PAGE
