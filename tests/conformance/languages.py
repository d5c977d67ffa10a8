"""Clients by language, and what their programs say."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.programs import built, make

CLIENTS = Path(__file__).parent / "clients"
LANGUAGES = ("python", "node", "cpp", "go", "ruby", "java")
REQUIRED = ("python", "node", "cpp")
"""Those that continuous integration must not leave out."""
_LINE = re.compile(r"(?P<ok>ok|not ok) (?P<name>\w+)(: (?P<why>.*))?")
_LONGEST_RUN = 150


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program said: the cases that went well, why others did not, and its other words."""

    passed: frozenset[str]
    failed: dict[str, str]
    rest: str

    def why(self, case: str) -> str:
        """Why a case did not pass; empty if it did."""
        if case in self.failed:
            return self.failed[case]
        return "" if case in self.passed else f"the program does not say: {self.rest[-2000:]}"


Said = Outcome | str
"""What a program said, or why it was not run."""


def outcome_of(said: str, rest: str) -> Outcome:
    """Reads the lines of a program; what is no line of a case goes to `rest`."""
    passed, failed = set(), {}
    for line in said.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            rest += f"\n{line}"
        elif match["ok"] == "ok":
            passed.add(match["name"])
        else:
            failed[match["name"]] = match["why"] or "it does not say why"
    return Outcome(frozenset(passed), failed, rest)


def run(language: str, protos: Path, target: str) -> Outcome:
    """Builds the program, and runs it against the mesh at `target`. Raises Absent."""
    folder = CLIENTS / language
    out = built(folder, protos)
    _, said, wrong = make(folder, "run", limit=_LONGEST_RUN, PROTOS=protos, OUT=out, TARGET=target)
    return outcome_of(said, wrong)
